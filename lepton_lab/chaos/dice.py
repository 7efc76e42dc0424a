"""Choices that a number repeats: a round that failed can be looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Dice:
    """Nothing here is secret, and all of it is to happen again for the same seed: so not from `secrets`."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def below(self, end: int) -> int:
        """A number from 0 to end − 1."""
        return int(self._generator.integers(end))

    def between(self, first: int, last: int) -> int:
        """A number from first to last, both included."""
        return first + self.below(last - first + 1)

    def chance(self, probability: float) -> bool:
        """True so often."""
        return bool(self._generator.random() < probability)

    def upto(self, most: float) -> float:
        """Any number from 0 to most."""
        return float(self._generator.random()) * most

    def pick(self, some: Sequence[T]) -> T:
        """One of them."""
        return some[self.below(len(some))]

    def several(self, end: int, count: int) -> list[int]:
        """So many different numbers below `end`, in any order."""
        return [int(each) for each in self._generator.permutation(end)[:count]]

    def draw_bytes(self, count: int) -> bytes:
        """Any bytes."""
        return self._generator.bytes(count)
