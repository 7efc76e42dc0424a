"""Spreads work over any `concurrent.futures.Executor`: threads, processes, or Dask's many machines.

Only public work leaves the process, and ciphertexts leave it blinded. A worker that encrypts sees
what it encrypts. It makes noise and tables of its own, and keeps them for its next piece of work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import lru_cache, partial
from typing import TypeVar

import gmpy2
from gmpy2 import mpz

from lepton_lab.errors import InvalidParameter
from lepton_lab.paillier.noise import NoiseKind, PublicNoise

T = TypeVar("T")
R = TypeVar("R")


def map_in_pieces(
    work: Callable[[Sequence[T]], list[R]],
    items: Sequence[T],
    piece: int,
    executor: Executor | None,
) -> list[R]:
    """Apply `work` to the items, `piece` at a time and in order, here or on an executor."""
    pieces = [items[start : start + piece] for start in range(0, len(items), piece)]
    results: Iterable[list[R]]
    # Only threads gain from GMP without Python's lock; a process has a lock of its own.
    if executor is None:
        results = map(work, pieces)
    elif isinstance(executor, ThreadPoolExecutor):
        results = executor.map(partial(_without_interpreter_lock, work), pieces)
    else:
        results = executor.map(work, pieces)
    return [result for part in results for result in part]


def _without_interpreter_lock(
    work: Callable[[Sequence[T]], list[R]], piece: Sequence[T]
) -> list[R]:
    """Do the work with GMP releasing Python's lock, so that threads compute side by side."""
    with gmpy2.context(gmpy2.get_context(), allow_release_gil=True):
        return work(piece)


def stays_in_process(executor: Executor | None) -> bool:
    """Tell whether what is given to the executor stays in this process."""
    return executor is None or isinstance(executor, ThreadPoolExecutor)


def require_threads(executor: Executor | None) -> Executor | None:
    """Return the executor, if what is given to it stays in this process.

    Raises InvalidParameter for any other: pickling the work would send the private key along.
    """
    if stays_in_process(executor):
        return executor
    raise InvalidParameter("a private key stays in its process: decrypt on a ThreadPoolExecutor")


def mask_in_worker(n: int, kind: NoiseKind, expected: int, messages: Sequence[int]) -> list[mpz]:
    """Encrypt a piece in a worker process, with tables for `expected` messages in all."""
    noise = _worker_noise(n, kind)
    noise.prepare(expected)
    return [noise.mask(message) for message in messages]


@lru_cache(maxsize=4)
def _worker_noise(n: int, kind: NoiseKind) -> PublicNoise:
    """Return this worker's own noise for a key; it is kept from one piece of work to the next."""
    return PublicNoise(mpz(n), kind)
