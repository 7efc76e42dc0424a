"""Tests lepton_lab.show.aes_stepper: its pictures are the trace's states.

Where scripts do not run, and for a screen reader, there is the table of them.
"""

from __future__ import annotations

import json

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.aes_stepper import AesStepper, aes_stepper
from lepton_lab.textbook.primitives import aes as tb_aes
from lepton_lab.textbook.trace import Step, Trace

BLOCK = bytes.fromhex("00112233445566778899aabbccddeeff")  # FIPS 197, Appendix C


def stepper(key_size: int = 16) -> AesStepper:
    return aes_stepper(tb_aes.encrypt_block(bytes(range(key_size)), BLOCK))


@pytest.mark.parametrize(("key_size", "rounds"), [(16, 10), (24, 12), (32, 14)])
def test_every_operation_of_encryption_has_its_picture(key_size: int, rounds: int) -> None:
    frames = stepper(key_size).frames
    one_round = ["SubBytes", "ShiftRows", "MixColumns", "AddRoundKey"]
    last_round = ["SubBytes", "ShiftRows", "AddRoundKey"]
    expected = ["input", "AddRoundKey", *one_round * (rounds - 1), *last_round]
    assert [frame.operation for frame in frames] == expected
    assert [frame.round for frame in frames][-3:] == [rounds] * 3
    assert (
        bytes.fromhex(frames[-1].after)
        == tb_aes.encrypt_block(bytes(range(key_size)), BLOCK).result
    )


@pytest.mark.parametrize(("key_size", "rounds"), [(16, 10), (24, 12), (32, 14)])
def test_every_operation_of_decryption_has_its_picture(key_size: int, rounds: int) -> None:
    key = bytes(range(key_size))
    frames = aes_stepper(tb_aes.decrypt_block(key, tb_aes.encrypt_block(key, BLOCK).result)).frames
    one_round = ["InvShiftRows", "InvSubBytes", "AddRoundKey", "InvMixColumns"]
    expected = ["input", "AddRoundKey", *one_round * (rounds - 1), *one_round[:3]]
    assert [frame.operation for frame in frames] == expected
    assert bytes.fromhex(frames[-1].after) == BLOCK


def test_each_picture_does_what_it_says() -> None:
    operations = {
        name: getattr(tb_aes, name)
        for name in (
            "SubBytes",
            "ShiftRows",
            "MixColumns",
            "InvSubBytes",
            "InvShiftRows",
            "InvMixColumns",
        )
    }
    frames = [*stepper().frames, *aes_stepper(tb_aes.decrypt_block(bytes(16), BLOCK)).frames]
    for frame in frames:
        before, key, after = (
            bytes.fromhex(value) for value in (frame.before, frame.key, frame.after)
        )
        if frame.operation == "AddRoundKey":
            assert tb_aes.AddRoundKey(before, key) == after
        elif frame.operation != "input":
            assert operations[frame.operation](before) == after
            assert not key


@pytest.mark.parametrize("name", ["ShiftRows", "InvShiftRows"])
def test_the_colours_of_shiftrows_follow_the_bytes(name: str) -> None:
    frames = [*stepper().frames, *aes_stepper(tb_aes.decrypt_block(bytes(16), BLOCK)).frames]
    before, after = next(frame.tints for frame in frames if frame.operation == name)
    assert list(getattr(tb_aes, name)(bytes(before))) == after


def test_without_eyes_or_scripts_there_is_the_table_of_states() -> None:
    shown = stepper()
    bundle, _ = shown._repr_mimebundle_()
    assert bundle["text/plain"] == repr(shown) == shown.text
    assert "application/vnd.jupyter.widget-view+json" in bundle
    lines = shown.text.splitlines()
    assert lines[0] == "AES-128, one block, 10 rounds"
    assert lines[-1].split() == [
        "round[10].output",
        "10",
        "AddRoundKey",
        "69c4e0d86a7b0430d8cdb78070b4c55a",
    ]
    assert len(lines) == len(shown.frames) + 3
    assert "<table>" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]


def test_the_pictures_travel_in_the_script_and_nothing_is_fetched() -> None:
    shown = stepper()
    script = shown.get_state()["_esm"]
    data = json.loads(script.partition("const FRAMES = ")[2].partition(";\n")[0])
    assert [frame["after"] for frame in data] == [frame.after for frame in shown.frames]
    assert "http" not in script + shown.get_state()["_css"]
    for needed in ("aria-live", "ArrowRight", "PageDown", "data-lm-suppress-shortcuts"):
        assert needed in script


def test_a_caption_is_taken() -> None:
    shown = aes_stepper(
        tb_aes.encrypt_block(bytes(16), BLOCK), caption='A "quoted" </script> caption'
    )
    assert shown.text.startswith('A "quoted" </script> caption\n')
    assert "&lt;/script&gt;" in shown.html


@pytest.mark.parametrize(
    "trace",
    [
        Trace((), b""),
        Trace((Step("round[ 0].k_sch", bytes(16)),), b""),
        tb_aes.KeyExpansion(bytes(16)),
        tb_aes.gcm(bytes(16), bytes(12), b"text"),
        Trace((Step("round[ 0].input", bytes(16)), Step("round[ 1].other", bytes(16))), b""),
        Trace((Step("round[ 0].input", bytes(15)),), b""),
        Trace((Step("round[ 0].input", 16),), b""),
    ],
)
def test_the_trace_of_anything_else_is_refused(trace: Trace[bytes]) -> None:
    with pytest.raises(InvalidParameter):
        aes_stepper(trace)
