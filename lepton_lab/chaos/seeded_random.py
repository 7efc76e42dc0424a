"""Random choices that a seed repeats, so that a round that failed can be run again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class SeededRandom:
    """Choices for one round. Nothing here is secret and everything must repeat: not `secrets`."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def below(self, end: int) -> int:
        """Return a number from 0 to end − 1."""
        return int(self._generator.integers(end))

    def between(self, first: int, last: int) -> int:
        """Return a number from first to last, both included."""
        return first + self.below(last - first + 1)

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return bool(self._generator.random() < probability)

    def up_to(self, most: float) -> float:
        """Return a real number from 0 to most."""
        return float(self._generator.random()) * most

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.below(len(options))]

    def several(self, end: int, count: int) -> list[int]:
        """Return `count` different numbers below `end`, in random order."""
        return [int(each) for each in self._generator.permutation(end)[:count]]

    def draw_bytes(self, count: int) -> bytes:
        """Return `count` random bytes."""
        return self._generator.bytes(count)
