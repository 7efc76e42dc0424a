"""Tests lepton_lab.textbook.primitives.diffie_hellman: both sides agree, logarithms are found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import diffie_hellman as tb_dh


@given(st.sampled_from([23, 227, 10007, 2**31 - 1]), st.integers(2, 2**31), st.data())
def test_both_sides_reach_the_same_secret(p, g, data):
    g = 2 + g % (p - 2)
    a, b = (data.draw(st.integers(1, p - 2)) for _ in range(2))
    trace = tb_dh.exchange(p, g, a, b)
    assert trace.result == trace["Alice's s"] == trace["Bob's s"] == pow(g, a * b, p)
    assert (trace["A"], trace["B"]) == (pow(g, a, p), pow(g, b, p))


@given(st.sampled_from([5, 23, 227, 10007, 1000003]), st.integers(1, 10**6), st.integers(0, 10**6))
def test_logarithms_are_found_and_are_the_smallest(p, g, x):
    g = 1 + g % (p - 1)
    found = tb_dh.discrete_log(p, g, pow(g, x, p)).result
    assert found == x % tb_dh.order(p, g)


def test_a_logarithm_that_does_not_exist_is_refused():
    with pytest.raises(InvalidParameter, match="not a power"):
        tb_dh.discrete_log(23, 2, 5)  # the powers of 2 are the squares, and 5 is none


def test_the_order_of_a_generator_and_of_a_bad_choice():
    assert [tb_dh.order(23, g) for g in (1, 22, 2, 5)] == [1, 2, 11, 22]


@pytest.mark.parametrize(
    "arguments", [(4, 2, 1, 1), (23, 1, 3, 4), (23, 23, 3, 4), (23, 5, 0, 4), (23, 5, 3, 22)]
)
def test_groups_and_exponents_that_cannot_be_are_refused(arguments):
    with pytest.raises(InvalidParameter):
        tb_dh.exchange(*arguments)
    for call in (
        lambda: tb_dh.order(2**24, 3),
        lambda: tb_dh.order(23, 46),
        lambda: tb_dh.discrete_log(2**44, 3, 2),
    ):
        with pytest.raises(InvalidParameter):
            call()
