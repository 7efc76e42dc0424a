"""Tests lepton_lab.workshop.exercises.keys: other right answers pass, wrong ones are told apart."""

from __future__ import annotations

import hmac

import pytest

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
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
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
