"""Tests lepton_lab.textbook.attacks.gf128: it finds exactly the roots of a polynomial."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.textbook.attacks import gf128
from lepton_lab.textbook.primitives import modes


def element(data: bytes) -> int:
    return int.from_bytes(data, "big")


@given(
    st.lists(st.binary(min_size=16, max_size=16).map(element), min_size=1, max_size=4, unique=True)
)
@settings(max_examples=5)
def test_roots_finds_exactly_the_roots(expected: list[int]) -> None:
    f = [gf128.ONE]
    for root in expected:  # f · (x + root)
        f = gf128.add([0, *f], [modes.multiply_blocks(a, root) for a in f])
    assert gf128.roots(f) == sorted(expected)


def test_roots_of_a_polynomial_with_repeated_or_without_roots() -> None:
    squared = [modes.multiply_blocks(5, 5), 0, gf128.ONE]  # (x + 5)²
    assert gf128.roots(squared) == [5]
    # x² + x + c splits exactly when the trace of c is 0; here the trace is the sum of
    # bits 127 and 121
    for c, count in ((1, 0), (1 << 6, 0), (1 | 1 << 6, 2), (1 << 50, 2)):
        found = gf128.roots([c, gf128.ONE, gf128.ONE])
        assert len(found) == count
        assert all(modes.multiply_blocks(x, x) ^ x == c for x in found)
