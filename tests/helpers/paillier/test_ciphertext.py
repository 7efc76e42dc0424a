"""Tests lepton_lab.paillier.ciphertext: encrypted values are never compared or taken for true."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from lepton_lab import paillier
from lepton_lab.errors import InvalidParameter
from lepton_lab.paillier import Layout
from lepton_lab.paillier.ciphertext import CannotCompare

public, private = paillier.generate_keypair(2048)
NUMBER = public.encrypt(5)
VECTOR = public.encrypt_vector([5], Layout(32, 0, 4))
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


OTHERS = {"int": 5, "float": 5.0, "None": None, "text": "5", "numpy": np.int64(5)}


@pytest.mark.parametrize("encrypted", [NUMBER, VECTOR], ids=["number", "vector"])
@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize(
    "other", [*OTHERS.values(), NUMBER, VECTOR], ids=[*OTHERS, "a number", "a vector"]
)
def test_a_comparison_raises_and_says_why(encrypted, compare, other):
    for left, right in ((encrypted, other), (other, encrypted)):
        for error in (CannotCompare, InvalidParameter, TypeError):
            with pytest.raises(error, match="decrypt it first"):
                compare(left, right)


@pytest.mark.parametrize("encrypted", [NUMBER, VECTOR], ids=["number", "vector"])
def test_a_condition_raises(encrypted):
    for attempt in (lambda: bool(encrypted), lambda: not encrypted, lambda: 5 in [encrypted]):
        with pytest.raises(CannotCompare):
            attempt()


@pytest.mark.parametrize("encrypted", [NUMBER, VECTOR], ids=["number", "vector"])
def test_an_object_is_the_same_to_a_set_as_itself_only(encrypted):
    other = encrypted * 1
    found = {encrypted: "first", other: "second"}
    assert found[encrypted] == "first"
    assert found[other] == "second"
    assert encrypted in [encrypted]
    assert hash(encrypted) == hash(encrypted)


def test_equal_ciphertexts_may_be_compared_as_integers():
    assert NUMBER.ciphertext() == NUMBER.ciphertext()
    assert private.decrypt(NUMBER) == 5
