"""What the case studies need besides the helpers: a ledger of costs, and noise that is just what its proof assumes."""

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
class Step:
    """One step of a case: what it took, and the bytes that were sent or stored for it, when somebody set them."""

    name: str
    seconds: float = 0.0
    size: int | None = None


@dataclass
class Costs:
    """The ledger of a case: `with costs.step("what is done") as step: …`, and perhaps `step.bytes = …` inside."""

    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Measure the block; nothing is entered when it raises. The same name again adds to what stands there."""
        step = Step(name)
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
        """The ledger, with the time in all."""
        rows = [(step.name, 1000 * step.seconds, step.size) for step in self.steps]
        rows.append(("in all", sum(milliseconds for _, milliseconds, _ in rows), None))
        return show.table(
            rows, ["step", "time / ms", "bytes"], caption=caption, formats={"time / ms": ",.1f"}
        )


def discrete_laplace(scale: int | Fraction, randbelow: RandBelow = secrets.randbelow) -> int:
    """A whole number X with P(X = x) proportional to e^(−|x|/scale), exactly: no float is involved.

    Added to a count or a sum that one person changes by at most Δ, with scale = Δ/ε, it gives ε-differential privacy.
    Laplace noise drawn in floats does not: its low bits tell (Mironov, 2012). `randbelow`: from 0 to its argument − 1;
    give another only where nothing is to be protected. Canonne, Kamath and Steinke (2020), algorithm 2. Its time
    depends on what is drawn. Raises InvalidParameter unless scale is an int or a Fraction above 0.
    """
    if isinstance(scale, bool) or not isinstance(scale, int | Fraction) or scale <= 0:
        raise InvalidParameter(
            "a scale is an int or a Fraction above 0: Fraction(sensitivity) / Fraction(epsilon)"
        )
    t, s = Fraction(scale).as_integer_ratio()
    while True:
        rest = randbelow(t)
        if not _happens(
            rest, t, randbelow
        ):  # so that rest has probability proportional to e^(−rest/t)
            continue
        whole = 0
        while _happens(1, 1, randbelow):
            whole += 1
        size, negative = (rest + t * whole) // s, randbelow(2)
        if size or not negative:  # 0 is one number, not two
            return -size if negative else size


def _happens(numerator: int, denominator: int, randbelow: RandBelow) -> bool:
    """True with probability e^(−γ), for γ = numerator/denominator from 0 to 1.

    It is the series of e^(−γ), drawn term by term: the first k for which an event of probability γ/k fails is odd with
    just that probability (von Neumann, 1951).
    """
    k = 1
    while randbelow(denominator * k) < numerator:
        k += 1
    return k % 2 == 1
