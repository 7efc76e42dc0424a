"""One form for every figure, and one way to take it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

Works = Mapping[str, Callable[[], object]]

_LEAST = 0.02  # seconds in one sample: a clock's step and one interruption must not count


@dataclass(frozen=True)
class Row:
    """One figure. `ratio` is how many times better it is than `baseline`'s in the same run; below 1
    is a loss.

    Beside it, where it has a meaning: `bytes` of a ciphertext or of each number in it, the largest
    `error` of the result, and the `assumption` on which its secrecy rests.
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
    """Median seconds of each piece of work, all of them in turn in every round, after one round to
    warm up.
    """
    return {name: statistics.median(times) for name, times in by_rounds(works, rounds).items()}


def by_rounds(works: Works, rounds: int) -> dict[str, list[float]]:
    """Seconds of each piece of work in every round, all of them in turn in each, after one round to
    warm up.
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
    """Seconds of this process's CPU time that one call takes, all its threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def cpu_rounds(works: Works, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of one call of each work, in every round.

    All works take their turn in each round. Three calls warm each one up; the shortest of them says
    how many calls make a sample long enough.
    """
    calls = {
        name: math.ceil(_LEAST / max(min(cpu(work) for _ in range(3)), 1e-6))
        for name, work in works.items()
    }
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
    """Milliseconds of a piece, `per` of them in a round of ours; the ratio is the median of the
    rounds' ratios.

    ours, theirs: seconds of the same work, round by round.
    """
    ratio = statistics.median(their / our for our, their in zip(ours, theirs, strict=True))
    return Row(name, statistics.median(ours) / per * 1e3, "ms", ratio, against, **beside)
