"""Work spread over any `concurrent.futures.Executor`: processes of this machine, or many machines behind Dask's.

Only public work leaves the process, and ciphertexts leave it blinded. A worker that encrypts sees what it encrypts; it
makes noise and tables of its own and keeps them for the next piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import lru_cache, partial
from typing import TypeVar

import gmpy2
from gmpy2 import mpz

from lepton_lab.errors import InvalidParameter
from lepton_lab.paillier.noise import Kind, PublicNoise

T = TypeVar("T")
R = TypeVar("R")


def spread(
    work: Callable[[Sequence[T]], list[R]],
    items: Sequence[T],
    piece: int,
    executor: Executor | None,
) -> list[R]:
    """`work` on the items, `piece` at a time and in order, here or on an executor."""
    pieces = [items[start : start + piece] for start in range(0, len(items), piece)]
    if isinstance(executor, ThreadPoolExecutor):
        work = partial(_unlocked, work)
    done: Iterable[list[R]] = map(work, pieces) if executor is None else executor.map(work, pieces)
    return [result for part in done for result in part]


def _unlocked(work: Callable[[Sequence[T]], list[R]], piece: Sequence[T]) -> list[R]:
    """The work without the interpreter's lock where GMP computes, so that threads run side by side."""
    with gmpy2.context(gmpy2.get_context(), allow_release_gil=True):
        return work(piece)


def stays_here(executor: Executor | None) -> bool:
    """Whether what is given to the executor stays in this process."""
    return executor is None or isinstance(executor, ThreadPoolExecutor)


def threads_only(executor: Executor | None) -> Executor | None:
    """The executor, if what is given to it stays in this process. Raises InvalidParameter."""
    if stays_here(executor):
        return executor
    raise InvalidParameter("a private key stays in its process: decrypt on a ThreadPoolExecutor")


def mask_elsewhere(n: int, kind: Kind, expected: int, messages: Sequence[int]) -> list[mpz]:
    """Encrypt a piece in a worker process that makes its tables for so many messages in all."""
    noise = _noise(n, kind)
    noise.prepare(expected)
    return [noise.mask(message) for message in messages]


@lru_cache(maxsize=4)
def _noise(n: int, kind: Kind) -> PublicNoise:
    return PublicNoise(mpz(n), kind)
