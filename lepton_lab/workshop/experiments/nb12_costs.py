"""What the case studies of notebook 12 need: a table of costs, and exact noise."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

from lepton_lab import show
from lepton_lab.errors import InvalidParameter

RandBelow = Callable[[int], int]


@dataclass
class CostStep:
    """One step of a case: the seconds it took, and its bytes sent or stored, where set."""

    name: str
    seconds: float = 0.0
    size: int | None = None


@dataclass
class Costs:
    """The costs of a case, step by step.

    with costs.step("what is done") as step:
        step.size = len(what_was_sent)
    """

    steps: list[CostStep] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[CostStep]:
        """Measure the block. A name that was used before adds to that step.

        When the block raises, nothing is recorded.
        """
        step = CostStep(name)
        start = time.perf_counter()
        yield step
        step.seconds = time.perf_counter() - start
        for known in self.steps:
            if known.name == name:
                known.seconds += step.seconds
                if step.size is not None:
                    known.size = (known.size or 0) + step.size
                return
        self.steps.append(step)

    def table(self, caption: str) -> show.Shown:
        """All steps, with the time in all."""
        rows = [(step.name, 1000 * step.seconds, step.size) for step in self.steps]
        in_all = sum(milliseconds for _, milliseconds, _ in rows)
        rows.append(("in all", in_all, None))
        heads = ["step", "time / ms", "bytes"]
        return show.table(rows, heads, caption=caption, formats={"time / ms": ",.1f"})


def discrete_laplace(scale: int | Fraction, randbelow: RandBelow = secrets.randbelow) -> int:
    """A whole number X with P(X = x) proportional to e^(−|x|/scale), exactly: no float is involved.

    scale: an int or a Fraction above 0. For ε-differential privacy of a count or a sum that one
        person changes by at most Δ, add X with scale = Δ/ε.
    randbelow: returns a number from 0 to its argument − 1. Give another one only where nothing is
        to be protected.

    Laplace noise drawn in floats does not give that privacy: its low bits leak (Mironov, 2012).
    This is algorithm 2 of Canonne, Kamath and Steinke (2020). The time it takes depends on what
    is drawn. Raises InvalidParameter for another scale.
    """
    if isinstance(scale, bool) or not isinstance(scale, int | Fraction) or scale <= 0:
        raise InvalidParameter(
            "a scale is an int or a Fraction above 0: Fraction(sensitivity) / Fraction(epsilon)"
        )
    t, s = Fraction(scale).as_integer_ratio()
    while True:
        remainder = randbelow(t)
        # Keeps a remainder with probability e^(−remainder/t); otherwise draws another one.
        if not _happens(remainder, t, randbelow):
            continue
        quotient = 0
        while _happens(1, 1, randbelow):
            quotient += 1
        size = (remainder + t * quotient) // s
        is_negative = randbelow(2) == 1
        # 0 is one number: counting −0 as well would give it twice its probability.
        if size or not is_negative:
            return -size if is_negative else size


def _happens(numerator: int, denominator: int, randbelow: RandBelow) -> bool:
    """True with probability e^(−γ), for γ = numerator/denominator from 0 to 1.

    It draws the series of e^(−γ) term by term: the first k for which an event of probability γ/k
    fails is odd with exactly that probability (von Neumann, 1951).
    """
    k = 1
    while randbelow(denominator * k) < numerator:
        k += 1
    return k % 2 == 1
