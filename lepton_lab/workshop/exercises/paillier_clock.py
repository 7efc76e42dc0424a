"""The exercise `paillier.clock` of notebook `03_paillier`: a number read off running times."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from lepton_lab.workshop.engine import (
    Exercise,
    WrongAnswer,
    expect,
    expect_kind,
    kind_of,
    same,
    written,
)

IsSlow = Callable[[int], bool]

_HALVE = "it asks more questions than most has bits, and one: halve the range with each of them"
_ONE_TOO_LOW = "one too low: if m is above the middle, the least that it can be is middle + 1"
_ABOVE = "not right: is_slow(bound - t) says whether the number is above t"


def _salary(is_slow: IsSlow, bound: int, most: int) -> int:
    low = 0
    high = most
    while low < high:
        middle = (low + high) // 2
        if is_slow(bound - middle):
            low = middle + 1
        else:
            high = middle
    return low


def _salary_one_too_low(is_slow: IsSlow, bound: int, most: int) -> int:
    return max(_salary(is_slow, bound, most) - 1, 0)


def _salary_without_bound(is_slow: IsSlow, bound: int, most: int) -> int:
    """Shift by the guess itself, as if a decryption were slow for what is larger than that."""
    return _salary(lambda shift: is_slow(bound - shift), bound, most)


def _salary_by_counting(is_slow: IsSlow, bound: int, most: int) -> int:
    guess = 0
    while is_slow(bound - guess):
        guess += 1
    return guess


class _SlowService:
    """Says whether a decryption took the fall-back, and counts how often it was asked."""

    def __init__(self, number: int, bound: int, limit: int) -> None:
        self._number = number
        self._bound = bound
        self._limit = limit
        self.asked = 0

    def __call__(self, shift: int) -> bool:
        self.asked += 1
        expect(self.asked <= self._limit, _HALVE)
        expect_kind(shift, 0, "is_slow should be given")
        return self._number + int(shift) > self._bound


def _judge(answer: Any) -> None:
    """Numbers at both ends and anywhere between, with bounds and ranges that change each time."""
    expect(callable(answer), f"a function is needed here, not {kind_of(answer)}")
    for most in (10**6, 500_000 + secrets.randbelow(10**6), 2**20 - 1, 1):
        drawn = [secrets.randbelow(most + 1) for _ in range(3)]
        for number in (*drawn, 0, 1, most):
            bound = most + secrets.randbelow(2**64)
            found = answer(_SlowService(number, bound, most.bit_length() + 1), bound, most)
            expect_kind(found, 0, "your function should return")
            # An answer that always gives 0 is not one too low, even where the number is 1.
            expect(not 0 < int(found) == number - 1, _ONE_TOO_LOW)
            expect(same(found, number), _ABOVE)


CLOCK = Exercise(
    "paillier.clock",
    "Read the clock",
    "Write salary(is_slow, bound, most): the number from 0 to most that is under a ciphertext, "
    "where is_slow(s) says whether the number plus s passes the bound; ask at most one question "
    "more than most has bits.",
    _judge,
    _salary,
    (
        WrongAnswer(_salary_one_too_low, _ONE_TOO_LOW),
        WrongAnswer(_salary_without_bound, _ABOVE),
        WrongAnswer(_salary_by_counting, _HALVE),
    ),
    notation=written,
)
