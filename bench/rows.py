"""The form of every figure, and the ways to measure it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

Works = Mapping[str, Callable[[], object]]

_LEAST = 0.02  # seconds in one sample, so that a clock's step or one interruption does not count


@dataclass(frozen=True)
class Row:
    """One figure, and how many times better (`ratio`) it is than `baseline` in the same run.

    A ratio below 1 is a loss. Where they have a meaning: `size` is the bytes of a ciphertext, or of
    each number in one; `error` is the largest error of the result; `assumption` is what its secrecy
    rests on.
    """

    name: str
    value: float
    unit: str
    ratio: float | None = None
    baseline: str = ""
    note: str = ""
    size: float | None = None
    error: float | None = None
    assumption: str = ""


def interleaved(works: Works, rounds: int) -> dict[str, float]:
    """Return the median seconds of each work; see `by_rounds`."""
    return {name: statistics.median(times) for name, times in by_rounds(works, rounds).items()}


def by_rounds(works: Works, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each work in every round, after one round to warm up.

    All works take their turn in each round.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for counted in [False] + [True] * rounds:
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if counted:
                taken[name].append(time.perf_counter() - start)
    return taken


def cpu(work: Callable[[], object]) -> float:
    """Return the seconds of CPU time that one call takes, in all threads of this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def cpu_rounds(works: Works, rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of one call of each work, in every round.

    All works take their turn in each round. Three calls warm each one up; the shortest of them says
    how many calls make a sample long enough.
    """
    calls = {}
    for name, work in works.items():
        shortest = min(cpu(work) for _ in range(3))
        calls[name] = math.ceil(_LEAST / max(shortest, 1e-6))
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            seconds = cpu(partial(_repeat, work, calls[name]))
            taken[name].append(seconds / calls[name])
    return taken


def _repeat(work: Callable[[], object], times: int) -> None:
    for _ in range(times):
        work()


def compared(
    name: str,
    ours: list[float],
    theirs: list[float],
    against: str,
    *,
    per: float = 1,
    **beside: Any,
) -> Row:
    """Return a row in milliseconds, whose ratio is the median of the rounds' ratios.

    ours, theirs: seconds of the same work, round by round. per: how many pieces one round of ours
    has; the figure is for one piece. beside: more fields of the row.
    """
    ratio = statistics.median(their / our for our, their in zip(ours, theirs, strict=True))
    return Row(name, statistics.median(ours) / per * 1e3, "ms", ratio, against, **beside)
