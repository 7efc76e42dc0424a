"""Tests lepton_lab.workshop.exercises.keys: other right answers pass, wrong ones are told apart."""

from __future__ import annotations

import hmac
import math
from fractions import Fraction

import numpy as np
import pytest
from gmpy2 import mpz

from lepton_lab.workshop import check
from lepton_lab.workshop.engine import find
from lepton_lab.workshop.exercises.keys import EXERCISES


def test_there_are_five_each_with_three_typical_wrong_answers() -> None:
    assert len(EXERCISES) == 5
    for exercise in EXERCISES:
        assert len({wrong.hint for wrong in exercise.wrong}) >= 3


RFC_5869 = [  # appendix A.1 to A.3: salt, IKM, info, OKM
    (
        bytes(range(13)),
        b"\x0b" * 22,
        bytes(range(0xF0, 0xFA)),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x60, 0xB0)),
        bytes(range(0x50)),
        bytes(range(0xB0, 0x100)),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
        "59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        b"",
        b"\x0b" * 22,
        b"",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("salt", "ikm", "info", "okm"), RFC_5869)
def test_the_solution_of_hkdf_expand_gives_the_rfcs_bytes(
    salt: bytes, ikm: bytes, info: bytes, okm: str
) -> None:
    prk = hmac.digest(salt, ikm, "sha256")
    assert find("keys.expand").solution(prk, info, len(okm) // 2).hex() == okm


def test_answers_written_another_way_pass() -> None:
    def expand(prk, info, length):
        blocks = [b""]
        for i in range(1, 256):
            blocks.append(hmac.new(prk, blocks[-1] + info + i.to_bytes(), "sha256").digest())
        return bytearray(b"".join(blocks)[:length])

    def unshift(y, shift):
        x = 0
        for place in reversed(range(32)):
            above = x >> place + shift & 1
            x |= ((y >> place & 1) ^ above) << place
        return x

    def secret(shares, p):
        """By divided differences, as Newton did."""
        xs, ys = list(shares), list(shares.values())
        for level in range(1, len(xs)):
            for i in reversed(range(level, len(xs))):
                ys[i] = (ys[i] - ys[i - 1]) * pow(xs[i] - xs[i - level], -1, p)
        value = 0
        for x, y in zip(reversed(xs), reversed(ys), strict=True):
            value = value * -x + y
        return value % p

    for name, answer in {"expand": expand, "unshift": unshift, "secret": secret}.items():
        assert check(f"keys.{name}", answer).done
    assert check("keys.days", 2**32 // 86_400_000).done


def secret_with_floats(shares, p):
    total = 0.0
    for x, y in shares.items():
        weight = 1.0
        for other in shares:
            if other != x:
                weight *= other / (other - x)
        total += y * weight
    return round(total) % p


def secret_by_trying(shares, p):
    """Every polynomial's value at 0 for the prime on the page, and no other."""
    return find("keys.secret").solution(shares, 17)


def secret_of_three(shares, p):
    return find("keys.secret").solution(dict(list(shares.items())[:3]), p)


def expand_four_blocks(prk, info, length):
    return find("keys.expand").solution(prk, info, 128)[:length]


def expand_text(prk, info, length):
    return find("keys.expand").solution(prk, info.decode("latin-1").encode(), length)


def unshift_big_shifts(y, shift):
    x = y
    for _ in range(4 if shift > 1 else 32):
        x = y ^ x >> shift
    return x


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("bits", lambda choices, draws: round(draws * math.log2(choices), 6)),
        ("bits", lambda choices, draws: draws * math.ceil(math.log2(choices))),
        ("expand", expand_four_blocks),
        ("expand", expand_text),
        ("unshift", unshift_big_shifts),
        ("unshift", lambda y, shift: float(find("keys.unshift").solution(y, shift))),
        ("days", 49.7),
        ("days", "49"),
        ("days", 2**32 / 86_400_000),
        ("secret", secret_with_floats),
        ("secret", secret_by_trying),
        ("secret", secret_of_three),
    ],
)
def test_a_clever_wrong_answer_is_not_done(exercise, answer):
    assert not check(f"keys.{exercise}", answer).done


def secret_changing_its_shares(shares, p):
    """It empties what it is given."""
    points = list(shares)
    values = [shares.pop(x) for x in points]
    return find("keys.secret").solution(dict(zip(points, values, strict=True)), p)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("bits", lambda choices, draws: np.log2(choices) * draws),
        ("bits", lambda choices, draws: math.log2(choices**draws)),
        ("bits", lambda choices, draws: Fraction(draws * math.log2(choices))),
        ("expand", lambda *given: bytearray(find("keys.expand").solution(*given))),
        ("unshift", lambda y, shift: np.int64(find("keys.unshift").solution(y, shift))),
        ("days", 49.0),
        ("days", np.int64(49)),
        ("days", Fraction(49)),
        ("secret", lambda shares, p: mpz(find("keys.secret").solution(shares, p))),
        ("secret", secret_changing_its_shares),
    ],
)
def test_a_right_answer_in_an_unusual_form_is_right(exercise, answer):
    assert repr(check(f"keys.{exercise}", answer)) == "done"


def test_days_that_were_not_rounded_get_their_hint():
    for days in (2**32 / 86_400_000, 49.71, 49.7):
        assert check("keys.days", days).hint == "whole days are asked for: round down"
