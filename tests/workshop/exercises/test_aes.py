"""Tests lepton_lab.workshop.exercises.aes: other right answers pass, wrong ones get a hint."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lepton_lab.textbook.attacks import padding_oracle
from lepton_lab.textbook.primitives import aes as tb_aes
from lepton_lab.textbook.primitives import gf256, modes
from lepton_lab.workshop import check
from lepton_lab.workshop.engine import Exercise
from lepton_lab.workshop.exercises.aes import EXERCISES


def said(exercise: str, answer: object) -> str:
    return repr(check(exercise, answer))


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_each_exercise_knows_three_typical_wrong_answers(exercise: Exercise) -> None:
    assert len(exercise.wrong) >= 3
    for wrong in exercise.wrong:
        assert said(exercise.id, wrong.answer) == f"not yet: {wrong.hint}"
    assert said(exercise.id, exercise.solution) == "done"
    assert said(exercise.id, ...).startswith("not yet")


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def rows(state: bytes) -> bytes:
    """As a learner may write it: by rows."""
    square = [list(state[r::4]) for r in range(4)]
    square = [row[-r:] + row[:-r] if r else row for r, row in enumerate(square)]
    return bytes(square[i % 4][i // 4] for i in range(16))


def block_by_all_hits(block: bytes, ask: Callable[[bytes], bool]) -> bytes:
    """It collects every hit for the last byte first, and tells them apart afterwards."""
    front = bytes(range(14)) + b"\x77"
    hits = [guess for guess in range(256) if ask(front + bytes([guess]) + block)]
    other = front[:14] + b"\x78"
    last = next(guess for guess in hits if ask(other + bytes([guess]) + block)) ^ 1
    output = bytearray(15) + bytes([last])
    for i in range(14, -1, -1):
        n = 16 - i
        known = bytes(byte ^ n for byte in output[i + 1 :])
        for guess in range(256):
            if ask(front[:i] + bytes([guess]) + known + block):
                output[i] = guess ^ n
                break
    return bytes(output)


def flip_as_array(message: bytes, at: int, known: bytes, wanted: bytes) -> bytearray:
    forged = bytearray(message)
    for i, (x, y) in enumerate(zip(known, wanted, strict=True)):
        forged[at + i] ^= x ^ y
    return forged


def forge_by_difference(H: bytes, message: bytes, difference: bytes) -> bytes:  # noqa: N803
    """GHASH is linear: the tag changes by the GHASH of the padded difference and a zero block."""
    change = modes.ghash(H, difference + bytes(-len(difference) % 16) + bytes(16)).result
    return message[:12] + xor(message[12:-16], difference) + xor(message[-16:], change)


def block_from_255_down(block: bytes, ask: Callable[[bytes], bool]) -> bytes:
    output = bytearray(16)
    for i in range(15, -1, -1):
        n = 16 - i
        for guess in range(255, -1, -1):
            R = bytearray(i) + bytes([guess]) + bytes(byte ^ n for byte in output[i + 1 :])
            if not ask(bytes(R) + block):
                continue
            if i == 15:
                R[14] ^= 255
                if not ask(bytes(R) + block):
                    continue
            output[i] = guess ^ n
            break
    return bytes(output)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("aes.padded", 48),
        ("aes.xtime", lambda b: gf256.multiply(b, 2)),
        ("aes.xtime", lambda b: (b << 1 ^ (0x1B if b >= 128 else 0)) & 0xFF),
        ("aes.inv_shift_rows", rows),
        ("aes.inv_shift_rows", lambda s: tb_aes.ShiftRows(tb_aes.ShiftRows(tb_aes.ShiftRows(s)))),
        ("aes.flip", flip_as_array),
        ("aes.query", lambda guess, iv, next_iv: xor(next_iv, xor(iv, guess))),
        ("aes.forge", forge_by_difference),
        ("aes.decrypted_block", padding_oracle.decrypted_block),
        ("aes.decrypted_block", block_from_255_down),
        ("aes.decrypted_block", block_by_all_hits),
    ],
)
def test_another_right_way_is_right(exercise: str, answer: object) -> None:
    assert said(exercise, answer) == "done"


def test_another_wrong_answer_is_told_where_it_differs() -> None:
    assert said("aes.padded", 47).startswith("not yet: count whole blocks")
    assert said("aes.padded", "48") == "not yet: the answer should be an int, not a str"
    assert said("aes.xtime", lambda b: b).startswith("not yet: <lambda>(0x57) should be 0xae")
    assert said("aes.query", lambda guess, iv, next_iv: guess[::-1]).startswith(
        "not yet: <lambda>("
    )
    assert said("aes.forge", lambda key, message, difference: message[:-16]).startswith(
        "not yet: <lambda>("
    )


def test_the_oracle_says_what_it_takes_and_stands_in_a_hint_by_its_name() -> None:
    short = said("aes.decrypted_block", lambda block, ask: ask(block))
    assert short == "not yet: ask takes R + block, twice 16 bytes; yours were 16"
    wrong = said("aes.decrypted_block", lambda block, ask: bytes(16))
    assert ", ask) should be" in wrong
    assert "0x" not in wrong


def test_a_search_that_never_ends_is_ended() -> None:
    def loops(block: bytes, ask: Callable[[bytes], bool]) -> bytes:
        while not ask(bytes(16) + block):
            pass
        return block

    exercise = next(exercise for exercise in EXERCISES if exercise.id == "aes.decrypted_block")
    assert exercise.seconds <= 60
    object.__setattr__(exercise, "seconds", 0.3)
    try:
        assert "takes longer" in said("aes.decrypted_block", loops)
    finally:
        object.__setattr__(exercise, "seconds", 30.0)


def by_heart(*known: tuple[object, object]) -> Callable[..., object]:
    """An answer that knows the results of some calls, and guesses otherwise."""
    table = {repr(arguments): result for arguments, result in known}

    def answer(*arguments: object) -> object:
        return table.get(repr(arguments), arguments[0])

    return answer


def forge_short(H: bytes, message: bytes, difference: bytes) -> bytes:  # noqa: N803
    """Right for 17 to 32 bytes of ciphertext only."""
    change = modes.ghash(H, difference.ljust(32, b"\0") + bytes(16)).result
    return message[:12] + xor(message[12:-16], difference) + xor(message[-16:], change)


def flip_text(message: bytes, at: int, known: bytes, wanted: bytes) -> bytes:
    """Right for ASCII only."""
    for i, letter in enumerate(known.decode("ascii")):
        changed = message[at + i] ^ ord(letter) ^ wanted[i]
        message = message[: at + i] + bytes([changed]) + message[at + i + 1 :]
    return message


def block_with_another_prefix(block: bytes, ask: Callable[[bytes], bool]) -> bytes:
    """It does not confirm the last byte, and its prefix avoids the fixed traps."""
    output = bytearray(16)
    for i in range(15, -1, -1):
        n = 16 - i
        for guess in range(256):
            R = b"\xa5" * i + bytes([guess]) + bytes(byte ^ n for byte in output[i + 1 :])
            if ask(R + block):
                output[i] = guess ^ n
                break
    return bytes(output)


def block_after_a_dummy(block: bytes, ask: Callable[[bytes], bool]) -> bytes:
    """It does not confirm the last byte, and its first question is about nothing."""
    ask(b"\x17" * 16 + block)
    return block_with_another_prefix(block, ask)


def block_with_a_useless_confirmation(block: bytes, ask: Callable[[bytes], bool]) -> bytes:
    """It asks a second time and changes a byte that does not matter."""

    def twice(message: bytes) -> bool:
        changed = bytes([message[0] ^ 1]) + message[1:]
        return ask(message) and (message[:15] != b"\xa5" * 15 or ask(changed))

    return block_with_another_prefix(block, twice)


def block_by_many_questions(block: bytes, ask: Callable[[bytes], bool]) -> bytes:
    for _ in range(20_000):
        ask(bytes(16) + block)
    return padding_oracle.decrypted_block(block, ask)


XTIME_PROBES = [(0x57, 0xAE), (0xAE, 0x47), (0x47, 0x8E), (0x8E, 7), (0x80, 0x1B), (0, 0)]


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("aes.padded", b"48"),
        ("aes.padded", 48.5),
        ("aes.xtime", by_heart(*(((b,), product) for b, product in XTIME_PROBES))),
        ("aes.xtime", lambda b: float(gf256.multiply(b, 2))),
        ("aes.inv_shift_rows", lambda s: bytes((s[0] - 3 * i + 16) % 16 + s[0] for i in range(16))),
        ("aes.inv_shift_rows", lambda s: tb_aes.InvShiftRows(bytes(sorted(s)))),
        ("aes.flip", flip_text),
        (
            "aes.flip",
            lambda message, at, known, wanted: flip_as_array(message, at % 30, known, wanted),
        ),
        ("aes.query", lambda guess, iv, next_iv: xor(guess[:15], xor(iv, next_iv)[:15]) + b"7"),
        ("aes.query", lambda guess, iv, next_iv: list(xor(guess, xor(iv, next_iv)))),
        ("aes.forge", forge_short),
        (
            "aes.forge",
            lambda h, message, difference: forge_by_difference(h, message, difference)[1:],
        ),
        ("aes.decrypted_block", block_with_another_prefix),
        ("aes.decrypted_block", block_after_a_dummy),
        ("aes.decrypted_block", block_with_a_useless_confirmation),
        ("aes.decrypted_block", block_by_many_questions),
    ],
)
def test_a_clever_wrong_answer_is_not_done(exercise: str, answer: object) -> None:
    assert said(exercise, answer).startswith("not yet: ")


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("aes.padded", np.int64(48)),
        ("aes.padded", 48.0),
        ("aes.xtime", lambda b: np.uint8(gf256.multiply(b, 2))),
        ("aes.inv_shift_rows", lambda s: bytearray(tb_aes.InvShiftRows(s))),
        ("aes.query", lambda guess, iv, next_iv: memoryview(xor(next_iv, xor(iv, guess)))),
    ],
)
def test_a_right_answer_in_an_unusual_form_is_right(exercise: str, answer: object) -> None:
    assert said(exercise, answer) == "done"


def test_the_confirming_question_is_asked_for() -> None:
    assert "change the byte before" in said("aes.decrypted_block", block_with_another_prefix)
    assert "questions" in said("aes.decrypted_block", block_by_many_questions)
