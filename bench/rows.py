"""One form for every figure, and one way to take it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure. `ratio` is how many times better it is than `baseline`'s in the same run; below 1 is a loss."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    baseline: str = ""
    note: str = ""


def interleaved(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each piece of work, all of them in turn in every round, after one round to warm up."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for counted in [False] + [True] * rounds:
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if counted:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}
