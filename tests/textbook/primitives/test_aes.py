"""Tests lepton_lab.textbook.primitives.aes: FIPS 197's printed values, known answers, peers."""

from __future__ import annotations

from collections import defaultdict

import pytest
from Crypto.Cipher import AES
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab.errors import InvalidKey, InvalidParameter
from lepton_lab.textbook.primitives import aes as tb_aes
from lepton_lab.textbook.primitives import gf256
from tests.support.paths import VECTORS
from tests.support.vectors import cavp

BLOCK = st.binary(min_size=16, max_size=16)
KEY = st.sampled_from([16, 24, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size))


def fips_197() -> dict[str, dict[str, bytes]]:
    """Appendix -> label -> value."""
    values: dict[str, dict[str, bytes]] = defaultdict(dict)
    for line in (VECTORS / "textbook_fips197.txt").read_text().splitlines():
        if not line.startswith("#"):
            section, label, value = line.split()
            values[section][label] = bytes.fromhex(value)
    return values


FIPS = fips_197()


def label(name: str) -> str:
    """The standard prints 'round[ 1]'; the file has columns, and so has no space there."""
    return name.replace("[ ", "[")


def test_the_derived_s_box_is_the_printed_one() -> None:
    assert b"".join(FIPS["Figure_7"].values()) == tb_aes.SBOX
    assert b"".join(FIPS["Figure_14"].values()) == tb_aes.INV_SBOX


def test_the_s_box_comes_out_the_same_by_logarithms_and_the_bit_matrix() -> None:
    power = [1]  # the powers of the generator {03}: another way to inverses
    for _ in range(254):
        power.append(power[-1] ^ gf256.xtime(power[-1]))
    log = {value: i for i, value in enumerate(power)}
    rows = [
        0b11110001,
        0b11100011,
        0b11000111,
        0b10001111,
        0b00011111,
        0b00111110,
        0b01111100,
        0b11111000,
    ]
    for a in range(256):
        b = power[-log[a] % 255] if a else 0
        bits = [(row & b).bit_count() & 1 for row in rows]  # FIPS 197 (5.4), bit 0 first
        assert tb_aes.SBOX[a] == sum(bit << i for i, bit in enumerate(bits)) ^ 0x63


def test_the_s_box_is_a_permutation_without_fixed_points() -> None:
    assert sorted(tb_aes.SBOX) == list(range(256))
    assert all(tb_aes.SBOX[a] not in (a, a ^ 0xFF) for a in range(256))


@pytest.mark.parametrize(
    ("appendix", "words", "values"), [("A.1", 44, 64), ("A.2", 52, 68), ("A.3", 60, 74)]
)
def test_key_expansion_is_appendix_a(appendix: str, words: int, values: int) -> None:
    printed = dict(FIPS[appendix])
    trace = tb_aes.KeyExpansion(printed.pop("key"))
    names = {"SubWord": " SubWord", "Rcon": " xor Rcon"}
    for name, value in printed.items():
        word, _, step = name.partition(".")
        assert trace[word + names.get(step, "")] == value
    assert (len(trace.result), len(printed)) == (words, values)
    assert trace.result == tuple(value for name, value in printed.items() if "." not in name)


@pytest.mark.parametrize("appendix", ["B", "C.1", "C.2", "C.3"])
def test_every_state_of_the_cipher_is_the_printed_one(appendix: str) -> None:
    printed = dict(FIPS[appendix])
    key = printed.pop("key", printed["round[0].k_sch"])
    plaintext = printed.pop("plaintext", printed["round[0].input"])
    trace = tb_aes.encrypt_block(key, plaintext)
    assert {label(step.name): step.value for step in trace} == printed
    assert trace.result == trace.steps[-1].value


@pytest.mark.parametrize("appendix", ["B", "C.1", "C.2", "C.3"])
def test_every_state_of_the_inverse_cipher_is_one_of_the_cipher_met_backwards(
    appendix: str,
) -> None:
    printed = dict(FIPS[appendix])
    key = printed.pop("key", printed["round[0].k_sch"])
    last = len(tb_aes.KeyExpansion(key).result) // 4 - 1
    trace = tb_aes.decrypt_block(key, printed[f"round[{last}].output"])
    mirrors = {
        "istart": "s_row",
        "is_row": "s_box",
        "is_box": "start",
        "ik_sch": "k_sch",
        "ik_add": "m_col",
    }
    mirrors |= {"iinput": "output", "ioutput": "input"}
    for step in trace:
        number, _, name = step.name.removeprefix("round[").partition("].")
        forward = last - int(number)
        # a round of the inverse cipher takes its first half from the round after
        if name in ("istart", "is_row", "is_box"):
            forward += 1
        assert step.value == printed[f"round[{forward}].{mirrors[name]}"], step
    assert len(trace) == 5 * last + 2
    assert trace.result == printed["round[0].input"]


def test_the_inverse_cipher_is_printed_in_appendix_c_1() -> None:
    # FIPS 197, C.1, INVERSE CIPHER (DECRYPT), first and last round, as two independent
    # implementations print them too
    trace = tb_aes.decrypt_block(
        bytes(range(16)), bytes.fromhex("69c4e0d86a7b0430d8cdb78070b4c55a")
    )
    printed = {
        "round[ 0].ik_sch": "13111d7fe3944a17f307a78b4d2b30c5",
        "round[ 1].istart": "7ad5fda789ef4e272bca100b3d9ff59f",
        "round[ 1].is_row": "7a9f102789d5f50b2beffd9f3dca4ea7",
        "round[ 1].is_box": "bd6e7c3df2b5779e0b61216e8b10b689",
        "round[ 1].ik_sch": "549932d1f08557681093ed9cbe2c974e",
        "round[ 1].ik_add": "e9f74eec023020f61bf2ccf2353c21c7",
        "round[10].istart": "6353e08c0960e104cd70b751bacad0e7",
        "round[10].is_row": "63cab7040953d051cd60e0e7ba70e18c",
        "round[10].is_box": "00102030405060708090a0b0c0d0e0f0",
        "round[10].ioutput": "00112233445566778899aabbccddeeff",
    }
    assert {name: trace[name].hex() for name in printed} == printed


@pytest.mark.parametrize("size", [128, 192, 256])
@pytest.mark.parametrize("kind", ["GFSbox", "KeySbox", "VarKey", "VarTxt"])
def test_the_nist_known_answers(kind: str, size: int) -> None:
    # CAVP's AESAVS known-answer tests; GFSbox and KeySbox together touch every entry of the S-box
    cases = list(cavp("ciphers", "AES", "ECB", f"ECB{kind}{size}.rsp"))
    for case in cases:
        key = bytes.fromhex(case["KEY"])
        plaintext = bytes.fromhex(case["PLAINTEXT"])
        ciphertext = bytes.fromhex(case["CIPHERTEXT"])
        assert tb_aes.encrypt_block(key, plaintext).result == ciphertext
    # the file holds encryptions, and then the same as decryptions
    assert len(cases) >= 10


@given(KEY, BLOCK)
def test_encryption_agrees_with_pycryptodome_and_decryption_undoes_it(
    key: bytes, block: bytes
) -> None:
    ciphertext = tb_aes.encrypt_block(key, block).result
    assert ciphertext == AES.new(key, AES.MODE_ECB).encrypt(block)
    assert tb_aes.decrypt_block(key, ciphertext).result == block


@given(BLOCK, BLOCK)
def test_every_step_can_be_undone(state: bytes, round_key: bytes) -> None:
    assert tb_aes.InvSubBytes(tb_aes.SubBytes(state)) == state
    assert tb_aes.InvShiftRows(tb_aes.ShiftRows(state)) == state
    assert tb_aes.InvMixColumns(tb_aes.MixColumns(state)) == state
    assert tb_aes.AddRoundKey(tb_aes.AddRoundKey(state, round_key), round_key) == state


@given(BLOCK, BLOCK)
def test_all_steps_but_subbytes_are_linear(a: bytes, b: bytes) -> None:
    def xor(x: bytes, y: bytes) -> bytes:
        return bytes(i ^ j for i, j in zip(x, y, strict=True))

    for step in (tb_aes.ShiftRows, tb_aes.MixColumns):
        assert step(xor(a, b)) == xor(step(a), step(b))


def test_wrong_sizes_are_refused_with_the_reason() -> None:
    w = tb_aes.KeyExpansion(bytes(16)).result
    for size in (0, 15, 17, 20, 33):
        with pytest.raises(InvalidKey, match="16, 24 or 32 bytes"):
            tb_aes.encrypt_block(bytes(size), bytes(16))
    for size in (0, 15, 17, 32):
        for step in (
            tb_aes.SubBytes,
            tb_aes.ShiftRows,
            tb_aes.MixColumns,
            lambda b: tb_aes.Cipher(b, w),
        ):
            with pytest.raises(InvalidParameter, match="mode of operation"):
                step(bytes(size))
    for no_schedule in ((), w[:43], b"x" * 43, [b""] * 44):
        with pytest.raises((InvalidKey, InvalidParameter)):
            tb_aes.Cipher(bytes(16), no_schedule)  # type: ignore[arg-type]
    for wrong in ("0123456789abcdef", None, 16, [0] * 16):
        with pytest.raises(InvalidParameter):
            tb_aes.KeyExpansion(wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidParameter):
            tb_aes.encrypt_block(bytes(16), wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameter, match="16 bytes"):
        tb_aes.AddRoundKey(bytes(16), bytes(8))
