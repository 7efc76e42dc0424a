"""Tests lepton_lab.workshop.exercises.rsa, beyond what holds for every exercise."""

from __future__ import annotations

import math
import random

import pytest

from lepton_lab.textbook.primitives.numtheory import crt, integer_root, inverse
from lepton_lab.workshop import check
from lepton_lab.workshop.engine import Exercise, all_exercises, find

EXERCISES = [exercise for exercise in all_exercises() if exercise.id.startswith("rsa.")]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_right_passes_the_skeleton_waits_and_each_wrong_answer_has_its_hint(
    exercise: Exercise,
) -> None:
    assert check(exercise.id, exercise.solution).done
    assert check(exercise.id, ...).hint == "put your answer where the ... stands"
    assert len(exercise.wrong) >= 3
    assert len({wrong.hint for wrong in exercise.wrong}) == len(exercise.wrong)
    for wrong in exercise.wrong:
        assert check(exercise.id, wrong.answer).hint == wrong.hint


def test_both_lambda_and_phi_give_a_private_exponent() -> None:
    assert check("rsa.private_exponent", lambda p, q, e: inverse(e, math.lcm(p - 1, q - 1))).done
    assert check("rsa.private_exponent", lambda p, q, e: inverse(e, (p - 1) * (q - 1))).done


def test_a_private_exponent_of_no_known_kind_is_told_what_it_gives() -> None:
    assert "modulo λ(n) = 780, not 1" in check("rsa.private_exponent", lambda p, q, e: e + 1).hint
    assert check("rsa.private_exponent", 413).hint.startswith("a function is needed here")


def test_other_ways_to_the_same_answers_pass() -> None:
    def broadcast(ciphertexts: list[int], moduli: list[int]) -> int:
        n = math.prod(moduli)
        x = (
            sum(c * (n // k) * pow(n // k, -1, k) for c, k in zip(ciphertexts, moduli, strict=True))
            % n
        )
        return integer_root(x, 3)

    assert check("rsa.broadcast", broadcast).done
    assert check("rsa.raise_bid", lambda c, n, e: c * pow(11 * inverse(10, n), e, n) % n).done
    assert check(
        "rsa.fault", lambda n, e, m, s: math.gcd((s**17 if e == 17 else pow(s, e, n)) - m, n)
    ).done


def test_a_raised_bid_really_decrypts_to_ten_per_cent_more() -> None:
    raise_bid = find("rsa.raise_bid").solution
    assert pow(raise_bid(pow(1000, 17, 3233), 3233, 17), 413, 3233) == 1100


def test_slices_are_what_trying_every_m_finds() -> None:
    slices, rng = find("rsa.slices").solution, random.Random(1998)
    n, B = 3233, 256
    for _ in range(300):
        low, high = sorted(rng.choices(range(2 * B, 3 * B), k=2))
        s = rng.randrange(1, 400)
        tried = [m for m in range(low, high + 1) if 2 * B <= m * s % n < 3 * B]
        assert [
            m for first, last in slices(low, high, s, n, B) for m in range(first, last + 1)
        ] == tried


def test_the_fault_probes_are_faulty_modulo_one_prime_only() -> None:
    for n, e, m, s in ((3233, 17, 65, crt([pow(65, 413, 61) + 1, pow(65, 413, 53)], [61, 53])),):
        assert find("rsa.fault").solution(n, e, m, s) == 53
