"""Tests lepton_lab.workshop.exercises.paillier: what is right passes however it is written.

Typical mistakes are told apart. `test_every_exercise.py` asks of every exercise that its solution
passes, its skeleton does not, and each typical wrong answer earns its own hint.
"""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from gmpy2 import mpz, powmod

from lepton_lab.textbook.primitives import paillier as tb_paillier
from lepton_lab.workshop import check
from lepton_lab.workshop.engine import all_exercises, find
from tests.support.paths import NOTEBOOKS

NOTEBOOK = NOTEBOOKS / "03_paillier.ipynb"
EXERCISES = [exercise for exercise in all_exercises() if exercise.id.startswith("paillier.")]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_three_typical_wrong_answers_at_least_have_a_hint_of_their_own(exercise):
    assert len({check(exercise.id, wrong.answer).hint for wrong in exercise.wrong}) >= 3


def test_every_exercise_stands_in_the_notebook_and_every_check_of_the_notebook_is_an_exercise():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    sources = [
        "".join(cell["source"])
        for cell in cells
        if "exercise" not in cell["metadata"].get("tags", [])
    ]
    checked = {
        line.split('"')[1]
        for source in sources
        for line in source.splitlines()
        if line.startswith("check(")
    }
    assert checked == {exercise.id for exercise in EXERCISES}


def test_decryption_passes_with_phi_with_gmp_and_with_the_textbook():
    def with_phi(c, p, q):
        n, phi = p * q, (p - 1) * (q - 1)
        return (pow(c, phi, n * n) - 1) // n * pow(phi, -1, n) % n

    def with_gmp(c, p, q):
        return mpz(with_phi(c, p, q))

    def with_textbook(c, p, q):
        return tb_paillier.decrypt(tb_paillier.key_from_primes(p, q).result, c, crt=True).result

    for answer in (with_phi, with_gmp, with_textbook):
        assert check("paillier.decrypt", answer).done


def test_decryption_in_floating_point_does_not_pass():
    def inexact(c, p, q):
        n, order = p * q, math.lcm(p - 1, q - 1)
        return (pow(c, order, n * n) - 1) / n * pow(order, -1, n) % n

    assert (
        check("paillier.decrypt", inexact).hint == "your function should return an int, not a float"
    )


def test_a_difference_read_off_without_division_modulo_n_squared_is_told_what_it_should_be():
    verdict = check("paillier.known", lambda m1, c1, c2, n: (m1 + c2 // c1) % n)
    assert verdict.hint.startswith("<lambda>(4, 88, 788, 35) should be 9, and yours gives ")


def test_the_model_may_be_stolen_with_tuples_and_is_not_stolen_by_guessing():
    def with_tuples(score, d):
        bias = score((0.0,) * d)
        return tuple(score(tuple(float(i == j) for j in range(d))) - bias for i in range(d)), bias

    assert check("paillier.steal", with_tuples).done
    assert "steal" not in check("paillier.steal", lambda score, d: ([0.5, -2.0, 3.25], 1.5)).hint
    assert check("paillier.steal", lambda score, d: score([1.0])).hint.startswith(
        "<lambda>(score, 3) raised "
    )


def test_a_bid_may_be_reduced_in_any_order_but_not_left_unreduced():
    assert check("paillier.outbid", lambda c, n, r: pow(r, n, n * n) * (c + c * n) % n**2).done
    assert not check("paillier.outbid", lambda c, n, r: c * (1 + n) * pow(r, n, n * n)).done


def test_unpacking_slot_by_slot_with_the_debt_carried_passes():
    def carried(packed, bits, count):
        values = []
        for _ in range(count):
            value = (packed + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
            values.append(value)
            packed = (packed - value) >> bits
        return values

    assert check("paillier.unpack", carried).done


def test_hints_never_hold_the_address_of_a_function():
    for exercise in EXERCISES:
        assert " at 0x" not in check(exercise.id, lambda *arguments: 7).hint


def known_with_floats(m1, c1, c2, n):
    ratio = c2 * pow(c1, -1, n * n) % (n * n)
    return int(m1 + (ratio - 1) / n) % n


def decrypt_with_floats(c, p, q):
    n, order = p * q, math.lcm(p - 1, q - 1)
    return int((pow(c, order, n * n) - 1) / n) * pow(order, -1, n) % n


def known_by_trying(m1, c1, c2, n):
    quotient = c2 * pow(c1, -1, n * n) % (n * n)
    return next(m for m in range(n) if (1 + (m - m1) * n) % (n * n) == quotient)


def steal_slowly(score, d):
    for _ in range(10_000):
        bias = score([0.0] * d)
    return [score([float(i == j) for j in range(d)]) - bias for i in range(d)], bias


def unpack_with_floats(packed, bits, count):
    values = []
    for _ in range(count):
        value = (packed + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
        values.append(value)
        packed = int((packed - value) / 2**bits)
    return values


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("doubled", lambda c: int((2 * math.sqrt(c)) ** 2)),
        ("doubled", lambda c: round((2 * c**0.5) ** 2)),
        ("decrypt", decrypt_with_floats),
        ("known", known_with_floats),
        ("known", known_by_trying),
        ("steal", steal_slowly),
        ("steal", lambda score, d: ([0.5, -2.0, 3.25][:d], 1.5)),
        ("outbid", lambda c, n, r: c * (1 + n) * pow(3, n, n * n) % (n * n)),
        ("outbid", lambda c, n, r: c * (1 + n) * pow(r, n, n * n) % 2**40 % (n * n)),
        ("slots", 31.5),
        ("slots", "31"),
        ("unpack", unpack_with_floats),
        ("unpack", lambda *given: [float(v) for v in find("paillier.unpack").solution(*given)]),
    ],
)
def test_a_clever_wrong_answer_is_not_done(exercise, answer):
    assert not check(f"paillier.{exercise}", answer).done


def steal_with_numpy(score, d):
    bias = score(np.zeros(d))
    return np.array([score(row) for row in np.eye(d)]) - bias, bias


def unpack_with_numpy(packed, bits, count):
    return np.array(find("paillier.unpack").solution(packed, bits, count), dtype=object)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("doubled", lambda c: Fraction(4) * c),
        ("doubled", lambda c: c << 2),
        ("known", lambda m1, c1, c2, n: mpz(find("paillier.known").solution(m1, c1, c2, n))),
        ("steal", steal_with_numpy),
        ("steal", lambda score, d: (*find("paillier.steal").solution(score, d),)),
        ("outbid", lambda c, n, r: c * (1 + n) * pow(r, 2 * n, n * n) % (n * n)),
        ("outbid", lambda c, n, r: c * (1 + n) * powmod(r, n, n * n) % (n * n)),
        ("slots", 31.0),
        ("slots", np.int32(31)),
        ("unpack", unpack_with_numpy),
    ],
)
def test_a_right_answer_in_an_unusual_form_is_right(exercise, answer):
    assert repr(check(f"paillier.{exercise}", answer)) == "done"


def test_questions_are_counted_and_a_ciphertext_is_reduced():
    assert "31 are enough" not in check("paillier.steal", steal_with_numpy).hint
    assert "questions, and 4 are enough" in check("paillier.steal", steal_slowly).hint
    unreduced = check("paillier.outbid", lambda c, n, r: c * (1 + n) * pow(r, n, n * n))
    assert "not reduced" in unreduced.hint
