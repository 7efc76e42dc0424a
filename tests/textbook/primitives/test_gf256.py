"""Tests lepton_lab.textbook.primitives.gf256: the products of FIPS 197, and the laws of a field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import gf256

BYTE = st.integers(0, 255)


POLYNOMIALS = st.sampled_from([gf256.AES_POLYNOMIAL, 0x11D])


def test_the_products_that_fips_197_works_out() -> None:  # FIPS 197 §4.2, §4.2.1
    assert gf256.multiply(0x57, 0x83) == 0xC1
    assert gf256.multiply(0x57, 0x13) == 0xFE
    powers = [step.value for step in gf256.multiply_steps(0x57, 0x13)]
    assert powers[:5] == [0x57, 0xAE, 0x47, 0x8E, 0x07]


@given(BYTE, BYTE, BYTE, POLYNOMIALS)
def test_gf256_is_a_field(a: int, b: int, c: int, polynomial: int) -> None:
    def times(x: int, y: int) -> int:
        return gf256.multiply(x, y, polynomial)

    assert times(a, b) == times(b, a)
    assert times(a, times(b, c)) == times(times(a, b), c)
    assert times(a, b ^ c) == gf256.add(times(a, b), times(a, c))
    assert times(a, 1) == a
    if a:
        assert times(a, gf256.inverse(a, polynomial)) == 1
        assert gf256.power(a, 255, polynomial) == 1


def test_zero_has_no_inverse_and_only_bytes_and_polynomials_of_degree_8_are_taken() -> None:
    with pytest.raises(InvalidParameter, match="0 has no inverse"):
        gf256.inverse(0)
    for bad in (256, -1, 1.5, "1", True, None):
        for function in (
            gf256.xtime,
            lambda a: gf256.add(a, 1),
            lambda a: gf256.multiply(1, a),
            gf256.inverse,
        ):
            with pytest.raises(InvalidParameter):
                function(bad)  # type: ignore[operator]
    with pytest.raises(InvalidParameter, match="degree is 8"):
        gf256.multiply(2, 3, 0x1B)
