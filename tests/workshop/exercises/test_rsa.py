"""Tests lepton_lab.workshop.exercises.rsa, beyond what holds for every exercise."""
# ruff: noqa: N803 - B is the paper's name for its bound

from __future__ import annotations

import math
import random

import pytest
from gmpy2 import mpz

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


def exponent_by_trying(p: int, q: int, e: int) -> int:
    order = math.lcm(p - 1, q - 1)
    return next((d for d in range(1, 200_000) if e * d % order == 1), 0)


def slices_with_floats(low: int, high: int, s: int, n: int, B: int) -> list[tuple[int, int]]:
    parts = []
    for r in range(math.ceil((low * s - 3 * B + 1) / n), math.floor((high * s - 2 * B) / n) + 1):
        first = max(low, math.ceil((2 * B + r * n) / s))
        last = min(high, math.floor((3 * B - 1 + r * n) / s))
        if first <= last:
            parts.append((first, last))
    return parts


def slices_by_trying(low: int, high: int, s: int, n: int, B: int) -> list[tuple[int, int]]:
    if high - low > 2**20:
        return find("rsa.slices").solution(2**49, 3 * 2**48 - 1, 40_321, 2**64 - 59, 2**48)
    return [(m, m) for m in range(low, high + 1) if 2 * B <= m * s % n < 3 * B]


def factor_by_trying(n: int, e: int, m: int, s: int) -> int:
    for p in (53, 2003, 2**89 - 1):
        if n % p == 0:
            return p
    return 1


def fault_of_one(n: int, e: int, m: int, s: int) -> int:
    """It takes the fault for + 1."""
    wrong_prime = math.gcd(pow(s - 1, e, n) - m, n)
    return n // wrong_prime if wrong_prime > 1 else 1


def in_64_bits(function):
    def answer(*arguments):
        def cut(x):
            return [cut(part) for part in x] if isinstance(x, list) else x % 2**256

        return function(*map(cut, arguments))

    return answer


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("inverse", "23"),
        ("inverse", 0.142857),
        ("private_exponent", exponent_by_trying),
        (
            "private_exponent",
            lambda p, q, e: int(find("rsa.private_exponent").solution(p, q, e) / 1),
        ),
        ("raise_bid", in_64_bits(find("rsa.raise_bid").solution)),
        (
            "raise_bid",
            lambda c, n, e: c * pow(11, 17 if n == 3233 else 65537, n) * pow(10, -17, n) % n,
        ),
        ("broadcast", lambda c, n: round(float(crt(c, n)) ** (1 / 3))),
        ("broadcast", in_64_bits(find("rsa.broadcast").solution)),
        ("fault", factor_by_trying),
        ("fault", fault_of_one),
        ("slices", slices_with_floats),
        ("slices", slices_by_trying),
    ],
)
def test_a_clever_wrong_answer_is_not_done(exercise: str, answer: object) -> None:
    assert not check(f"rsa.{exercise}", answer).done


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("inverse", mpz(23)),
        ("private_exponent", lambda p, q, e: mpz(inverse(e, (p - 1) * (q - 1)))),
        ("private_exponent", lambda p, q, e: inverse(e, (p - 1) * (q - 1)) + 4 * (p - 1) * (q - 1)),
        ("raise_bid", lambda c, n, e: mpz(c) * pow(mpz(11), e, n) * pow(mpz(10), -e, n) % n),
        ("fault", lambda n, e, m, s: math.gcd(m - pow(s, e, n), n)),
        (
            "slices",
            lambda *given: [list(pair) for pair in find("rsa.slices").solution(*given)][::-1],
        ),
        ("slices", lambda *given: iter(find("rsa.slices").solution(*given))),
    ],
)
def test_a_right_answer_in_an_unusual_form_is_right(exercise: str, answer: object) -> None:
    assert repr(check(f"rsa.{exercise}", answer)) == "done"


def test_slices_may_be_merged_or_cut_where_they_touch() -> None:
    def one_by_one(low: int, high: int, s: int, n: int, B: int) -> list[tuple[int, int]]:
        parts = []
        for first, last in find("rsa.slices").solution(low, high, s, n, B):
            parts.append((first, first))
            if first < last:
                parts.append((first + 1, last))
        return parts

    assert check("rsa.slices", one_by_one).done
