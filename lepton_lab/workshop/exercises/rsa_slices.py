"""The exercise `rsa.slices`: step 3 of Bleichenbacher's attack (1998)."""
# ruff: noqa: N803, N806 - the paper's names for the paper's things: B, its bound

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from lepton_lab.workshop.engine import Probe, WrongAnswer, function
from lepton_lab.workshop.real_keys import REAL_BITS

SliceEnd = Callable[[int, int, int, int], int]  # of r, s, n, B


def _lower(r: int, s: int, n: int, B: int) -> int:
    return -(-(2 * B + r * n) // s)


def _lower_rounded_down(r: int, s: int, n: int, B: int) -> int:
    return (2 * B + r * n) // s


def _upper(r: int, s: int, n: int, B: int) -> int:
    return (3 * B - 1 + r * n) // s


def _upper_rounded_up(r: int, s: int, n: int, B: int) -> int:
    return -(-(3 * B - 1 + r * n) // s)


def _upper_with_3B(r: int, s: int, n: int, B: int) -> int:  # noqa: N802
    return (3 * B + r * n) // s


def _slicing(
    lower: SliceEnd = _lower, upper: SliceEnd = _upper, is_clipped: bool = True, beyond: int = 1
) -> Callable[..., list[tuple[int, int]]]:
    """The solution, or with one thing changed: the rounding of an end, the clipping, the last r."""

    def slices(low: int, high: int, s: int, n: int, B: int) -> list[tuple[int, int]]:
        first_r = -(-(low * s - 3 * B + 1) // n)
        last_r = (high * s - 2 * B) // n
        parts = []
        for r in range(first_r, last_r + beyond):
            first = lower(r, s, n, B)
            last = upper(r, s, n, B)
            if is_clipped:
                first = max(low, first)
                last = min(high, last)
            if first <= last:
                parts.append((first, last))
        return parts

    return slices


def _merged(slices: Any) -> Any:
    """Sorted, with neighbours in one piece: 3..5 and 6..8 are the same numbers as 3..8."""
    merged: list[tuple[Any, Any]] = []
    for first, last in sorted(tuple(pair) for pair in slices):
        if merged and first == merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return merged


def _draw_slices() -> list[Probe]:
    """Small numbers, and numbers of real size with a few slices each."""
    probes: list[Probe] = []
    for _ in range(20):
        low = 512 + secrets.randbelow(256)
        high = low + secrets.randbelow(768 - low)
        probes.append((low, high, 2 + secrets.randbelow(400), 3233, 256))
    B = 1 << REAL_BITS - 16
    n = secrets.randbits(REAL_BITS) | 1 << REAL_BITS - 1 | 1
    for s_bits in (18, 500, 2000):
        s = secrets.randbits(s_bits) | 1 << s_bits - 1
        # About ten slices: they stand n/s apart.
        width = min(B - 1, 10 * n // s)
        low = 2 * B + secrets.randbelow(B - width)
        probes.append((low, low + width, s, n, B))
    return probes


SLICES = function(
    "rsa.slices",
    "What one answer cuts away",
    "Write slices(low, high, s, n, B): the list of all (first, last) such that low <= m <= high "
    "and m·s mod n is in [2B, 3B) for every m from first to last.",
    solution=_slicing(),
    probes=[  # with n = 3233 and B = 256 one can follow by hand: [512, 767]
        (512, 767, 11, 3233, 256),
        (512, 767, 25, 3233, 256),  # 548 · 25 = 3B + 4n: just outside
        (512, 767, 5, 3233, 256),
        (512, 767, 2, 3233, 256),
        (600, 640, 41, 3233, 256),
        (530, 760, 100, 3233, 256),
        (2 * 2**48, 3 * 2**48 - 1, 40_321, 2**64 - 59, 2**48),
    ],
    draw=_draw_slices,
    normal_form=_merged,
    seconds=10.0,
    wrong=[
        WrongAnswer(
            _slicing(lower=_lower_rounded_down),
            "a lower end must be rounded up: below it m·s is not yet 2B; -(-x // s) is x / s "
            "rounded up",
        ),
        WrongAnswer(
            _slicing(upper=_upper_with_3B),
            "3B itself is no longer well padded: the last one is (3B - 1 + r·n) // s",
        ),
        WrongAnswer(
            _slicing(upper=_upper_rounded_up),
            "an upper end must be rounded down: above it m·s has already left [2B, 3B)",
        ),
        WrongAnswer(
            _slicing(is_clipped=False),
            "a slice may stick out of low..high: keep what both have in common",
        ),
        WrongAnswer(
            _slicing(beyond=0),
            "a slice is missing at the top: the last r is (high·s - 2B) // n, and range stops "
            "short of its end",
        ),
    ],
)
