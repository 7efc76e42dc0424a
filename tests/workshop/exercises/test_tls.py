"""Tests lepton_lab.workshop.exercises.tls: other right answers pass, wrong ones are told apart."""

from __future__ import annotations

import fnmatch
import re
from fractions import Fraction

import numpy as np
import pytest
from gmpy2 import powmod

from lepton_lab.workshop import check
from lepton_lab.workshop.engine import find
from lepton_lab.workshop.exercises.tls import EXERCISES


def test_there_are_five_each_with_three_typical_wrong_answers() -> None:
    assert len(EXERCISES) == 5
    for exercise in EXERCISES:
        assert len({wrong.hint for wrong in exercise.wrong}) >= 3


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_the_solution_passes_the_skeleton_is_not_yet_and_each_wrong_answer_has_its_hint(
    exercise,
) -> None:
    assert check(exercise.id, exercise.solution).done
    assert not check(exercise.id).done
    assert not check(exercise.id, lambda *given: ...).done
    for wrong in exercise.wrong:
        verdict = check(exercise.id, wrong.answer)
        assert (verdict.done, verdict.hint) == (False, wrong.hint)


def test_the_solutions_of_label_and_nonce_give_rfc_8448s_bytes() -> None:
    """Section 3: the server's handshake keys, from its traffic secret."""
    expand_label = find("tls.expand_label").solution
    secret = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
    assert expand_label(secret, "key", b"", 16).hex() == "3fce516009c21727d0f2e4e86ee403bc"
    iv = expand_label(secret, "iv", b"", 12)
    assert iv.hex() == "5d313eb2671276ee13000b30"
    assert find("tls.nonce").solution(iv, 0) == iv
    assert find("tls.nonce").solution(iv, 1).hex() == "5d313eb2671276ee13000b31"


def test_answers_written_another_way_pass() -> None:
    def shared(p, received, b):
        result = 1
        for bit in f"{b:b}":
            result = result * result * (received if bit == "1" else 1) % p
        return result

    def matches(certified, host):
        first, _, rest = certified.casefold().partition(".")
        its_first, _, its_rest = host.casefold().partition(".")
        return rest == its_rest and first in {"*", its_first}

    def expand_label(secret, label, context, length):
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

        name = f"tls13 {label}".encode()
        info = bytes([length >> 8, length & 255, len(name), *name, len(context), *context])
        return HKDFExpand(SHA256(), length, info).derive(secret)

    def nonce(iv, sequence):
        return (int.from_bytes(iv) ^ sequence).to_bytes(12)

    answers = {"shared": shared, "matches": matches, "expand_label": expand_label, "nonce": nonce}
    for name, answer in answers.items():
        assert check(f"tls.{name}", answer).done
    assert check("tls.content", lambda length: length - 16 - 1).done


def shared_by_multiplying(p, received, b):
    result = 1
    for _ in range(b if b < 10**5 else 1000):
        result = result * received % p
    return result


def matches_by_regex(certified, host):
    pattern = certified.lower().replace("*", "[^.]+")
    return re.fullmatch(pattern, host.lower()) is not None


def matches_by_escaped_regex(certified, host):
    """`$` also matches before a line feed, and a * may stand anywhere."""
    pattern = re.escape(certified.lower()).replace(r"\*", "[^.]+")
    return re.match(pattern + "$", host.lower()) is not None


def matches_both_ways(certified, host):
    pattern, name = certified.lower().split("."), host.lower().split(".")
    return pattern[1:] == name[1:] and (pattern[0] == name[0] or "*" in (pattern[0], name[0]))


def matches_part_of_a_label(certified, host):
    pattern, name = certified.lower().split("."), host.lower().split(".")
    return pattern[1:] == name[1:] and fnmatch.fnmatchcase(name[0], pattern[0])


def nonce_of_32_bits(iv, sequence):
    counter = (sequence & 0xFFFFFFFF if sequence < 2**64 - 1 else sequence).to_bytes(12)
    return bytes(a ^ b for a, b in zip(iv, counter, strict=True))


def expand_short_contexts(secret, label, context, length):
    return find("tls.expand_label").solution(secret, label, context[:32], length)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("shared", shared_by_multiplying),
        ("shared", lambda p, received, b: int(pow(received % 2**128, b, p))),
        ("matches", matches_by_regex),
        ("matches", matches_by_escaped_regex),
        ("matches", matches_both_ways),
        ("matches", matches_part_of_a_label),
        ("matches", lambda certified, host: int(find("tls.matches").solution(certified, host))),
        ("expand_label", lambda *given: find("tls.expand_label").solution(*given).hex()),
        (
            "expand_label",
            lambda *given: find("tls.expand_label").solution(*given[:3], 16)[: given[3]],
        ),
        ("expand_label", expand_short_contexts),
        ("nonce", nonce_of_32_bits),
        ("nonce", lambda iv, sequence: list(find("tls.nonce").solution(iv, sequence))),
        ("content", lambda length: {26: 9, 23: 6, 16401: 16384, 19: 2}.get(length, 9)),
        ("content", lambda length: float(length - 17)),
    ],
)
def test_a_clever_wrong_answer_is_not_done(exercise, answer) -> None:
    assert not check(f"tls.{exercise}", answer).done


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("shared", lambda p, received, b: powmod(received, b, p)),
        (
            "matches",
            lambda certified, host: np.bool_(find("tls.matches").solution(certified, host)),
        ),
        ("expand_label", lambda *given: bytearray(find("tls.expand_label").solution(*given))),
        ("nonce", lambda iv, sequence: memoryview(find("tls.nonce").solution(iv, sequence))),
        ("content", lambda length: np.int64(length) - 17),
        ("content", lambda length: Fraction(length - 17)),
    ],
)
def test_a_right_answer_in_an_unusual_form_is_right(exercise, answer) -> None:
    assert repr(check(f"tls.{exercise}", answer)) == "done"
