"""Tests lepton_lab.textbook.primitives.modes: SP 800-38A and 38D, peers, the helper's bytes."""

from __future__ import annotations

import pytest
from Crypto.Cipher import AES
from Crypto.Util import Counter
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import aes
from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter
from lepton_lab.textbook.primitives import aes as tb_aes
from lepton_lab.textbook.primitives import modes
from tests.support.paths import VECTORS
from tests.support.vectors import cavp

BLOCK = st.binary(min_size=16, max_size=16)
KEY = BLOCK
WHOLE_BLOCKS = st.binary(max_size=64).map(lambda data: data[: len(data) // 16 * 16])


def table(name: str) -> list[list[str]]:
    lines = (VECTORS / name).read_text().splitlines()
    return [line.replace(" -", " ").split(" ") for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(
    ("section", "key", "iv", "plaintext", "ciphertext"), table("textbook_sp800_38a.txt")
)
def test_sp_800_38a(section: str, key: str, iv: str, plaintext: str, ciphertext: str) -> None:
    k, start, p, c = (bytes.fromhex(value) for value in (key, iv, plaintext, ciphertext))
    encrypt = {
        "F.1": lambda: tb_aes.ecb(k, p),
        "F.2": lambda: tb_aes.cbc(k, start, p),
        "F.5": lambda: tb_aes.ctr(k, start, p),
    }
    decrypt = {
        "F.1": lambda: tb_aes.ecb_decrypt(k, c),
        "F.2": lambda: tb_aes.cbc_decrypt(k, start, c),
        "F.5": lambda: tb_aes.ctr(k, start, c),
    }
    trace = encrypt[section[:3]]()
    assert trace.result == c
    assert [step.value for step in trace.named("C_")] == [c[i : i + 16] for i in range(0, 64, 16)]
    assert decrypt[section[:3]]().result == p


def test_the_blocks_that_sp_800_38a_prints_on_the_way() -> None:
    rows = {
        row[0]: [bytes.fromhex(value) for value in row[1:]]
        for row in table("textbook_sp800_38a.txt")
    }
    key, iv, plaintext, _ = rows["F.2.1"]
    trace = tb_aes.cbc(key, iv, plaintext)
    assert trace["I_1"].hex() == "6bc0bce12a459991e134741a7f9e1925"  # F.2.1, Input Block #1
    assert trace["I_2"].hex() == "d86421fb9f1a1eda505ee1375746972c"  # F.2.1, Input Block #2
    key, counter, plaintext, _ = rows["F.5.1"]
    trace = tb_aes.ctr(key, counter, plaintext)
    assert trace["T_2"].hex() == "f0f1f2f3f4f5f6f7f8f9fafbfcfdff00"  # F.5.1, Input Block #2
    assert trace["O_1"].hex() == "ec8cdf7398607cb0f2d21675ea9ea1e4"  # F.5.1, Output Block #1


@pytest.mark.parametrize(
    ("case", "key", "nonce", "plaintext", "aad", "ciphertext", "tag"),
    table("textbook_gcm_spec.txt"),
)
def test_the_gcm_specification(
    case: str, key: str, nonce: str, plaintext: str, aad: str, ciphertext: str, tag: str
) -> None:
    k, n, p, a, c, t = (
        bytes.fromhex(value) for value in (key, nonce, plaintext, aad, ciphertext, tag)
    )
    trace = tb_aes.gcm(k, n, p, a)
    assert trace.result == c + t
    assert trace["T"] == t
    assert tb_aes.gcm_decrypt(k, n, c + t, a).result == p


def test_the_values_that_the_gcm_specification_prints_on_the_way() -> None:
    cases = {
        row[0]: [bytes.fromhex(value) for value in row[1:5]]
        for row in table("textbook_gcm_spec.txt")
    }
    two, three, four, five, six = (tb_aes.gcm(*cases[case]) for case in "23456")
    assert two["H"].hex() == "66e94bd4ef8a2c3b884cfa59ca342b2e"
    assert two["GHASH Y_1"].hex() == "5e2ec746917062882c85b0685353deb7"
    assert two["S"].hex() == "f38cbb1ad69223dcc3457ae5b6b0f885"
    assert three["H"].hex() == "b83b533708bf535d0aa6e52980d53b78"
    assert three["J_0"].hex() == "cafebabefacedbaddecaf88800000001"
    assert three["GCTR(P) CB_1"].hex() == "cafebabefacedbaddecaf88800000002"
    assert three["GHASH Y_1"].hex() == "59ed3f2bb1a0aaa07c9f56c6a504647b"
    assert four["S"].hex() == "698e57f70e6ecc7fd9463b7260a9ae5f"
    for trace, case in ((five, "5"), (six, "6")):  # a nonce that is not 96 bits goes through GHASH
        nonce = cases[case][1]
        padded = nonce + bytes(-len(nonce) % 16 + 8) + (8 * len(nonce)).to_bytes(8, "big")
        assert trace["J_0"] == modes.ghash(trace["H"], padded).result


@pytest.mark.parametrize("size", [128, 192, 256])
def test_nist_gcm_decryption_with_tags_of_every_length(size: int) -> None:
    # NIST CAVP gcmtestvectors, gcmDecryptExtIV: right and wrong tags of 4 to 16 bytes. All 7,875
    # cases would take minutes; 211 shares no factor with the groups of 15
    cases = list(cavp("ciphers", "AES", "GCM", f"gcmDecrypt{size}.rsp"))[::211]
    verdicts = set()
    for case in cases:
        key = bytes.fromhex(case["Key"])
        nonce = bytes.fromhex(case["IV"])
        aad = bytes.fromhex(case["AAD"])
        tag = bytes.fromhex(case["Tag"])
        sealed = bytes.fromhex(case["CT"]) + tag
        verdicts.add("FAIL" in case)
        if "FAIL" in case:
            with pytest.raises(DecryptionError):
                tb_aes.gcm_decrypt(key, nonce, sealed, aad, len(tag))
        else:
            plaintext = tb_aes.gcm_decrypt(key, nonce, sealed, aad, len(tag)).result
            assert plaintext == bytes.fromhex(case["PT"])
    assert verdicts == {True, False}


@given(st.binary(max_size=70), st.binary(max_size=40))
@settings(max_examples=30)
def test_the_textbook_replays_the_helper_byte_for_byte(
    plaintext: bytes, associated_data: bytes
) -> None:
    key = aes.generate_key()
    c = aes.encrypt(key, plaintext, associated_data)
    assert (
        tb_aes.gcm(key, nonce=c[:12], plaintext=plaintext, associated_data=associated_data).result
        == c[12:]
    )
    assert tb_aes.gcm_decrypt(key, c[:12], c[12:], associated_data).result == plaintext
    textbook = tb_aes.gcm(key, b"once only...", plaintext, associated_data).result
    assert aes.decrypt(key, b"once only..." + textbook, associated_data) == plaintext


@given(KEY, st.binary(min_size=1, max_size=40), st.binary(max_size=40), st.binary(max_size=40))
@settings(max_examples=30)
def test_gcm_agrees_with_pycryptodome_for_any_nonce(
    key: bytes, nonce: bytes, plaintext: bytes, aad: bytes
) -> None:
    peer = AES.new(key, AES.MODE_GCM, nonce=nonce)
    peer.update(aad)
    assert tb_aes.gcm(key, nonce, plaintext, aad).result == b"".join(
        peer.encrypt_and_digest(plaintext)
    )


@given(KEY, BLOCK, WHOLE_BLOCKS, st.binary(max_size=70))
@settings(max_examples=30)
def test_the_other_modes_agree_with_pycryptodome(
    key: bytes, iv: bytes, blocks: bytes, data: bytes
) -> None:
    assert tb_aes.ecb(key, blocks).result == AES.new(key, AES.MODE_ECB).encrypt(blocks)
    assert tb_aes.cbc(key, iv, blocks).result == AES.new(key, AES.MODE_CBC, iv).encrypt(blocks)
    counter = Counter.new(128, initial_value=int.from_bytes(iv, "big"), allow_wraparound=True)
    assert tb_aes.ctr(key, iv, data).result == AES.new(key, AES.MODE_CTR, counter=counter).encrypt(
        data
    )
    assert tb_aes.ecb_decrypt(key, tb_aes.ecb(key, blocks).result).result == blocks
    assert tb_aes.cbc_decrypt(key, iv, tb_aes.cbc(key, iv, blocks).result).result == blocks


def test_counters_wrap_where_their_standard_says() -> None:
    assert tb_aes.ctr(bytes(16), b"\xff" * 16, bytes(32))["T_2"] == bytes(16)  # all 128 bits
    assert modes.inc_32(b"\xff" * 16) == b"\xff" * 12 + bytes(4)  # the last 32 alone


@given(BLOCK, BLOCK, BLOCK)
def test_the_field_of_gcm_is_one(a: bytes, b: bytes, c: bytes) -> None:
    x, y, z = (int.from_bytes(block, "big") for block in (a, b, c))
    times = modes.multiply_blocks
    assert times(x, y) == times(y, x)
    assert times(x, times(y, z)) == times(times(x, y), z)
    assert times(x, y ^ z) == times(x, y) ^ times(x, z)
    assert times(x, 1 << 127) == x


@given(KEY, st.binary(min_size=1, max_size=40), st.data())
@settings(max_examples=20)
def test_gcm_refuses_every_change_with_one_message(
    key: bytes, plaintext: bytes, data: st.DataObject
) -> None:
    nonce, aad = bytes(12), b"header"
    sealed = tb_aes.gcm(key, nonce, plaintext, aad).result
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    flipped = bytearray(sealed)
    flipped[bit // 8] ^= 1 << bit % 8
    for attempt in (
        lambda: tb_aes.gcm_decrypt(key, nonce, bytes(flipped), aad),
        lambda: tb_aes.gcm_decrypt(key, nonce, sealed[:-1], aad),
        lambda: tb_aes.gcm_decrypt(key, nonce, sealed[:15], aad),
        lambda: tb_aes.gcm_decrypt(key, nonce, b"", aad),
        lambda: tb_aes.gcm_decrypt(key, nonce, sealed, b"Header"),
        lambda: tb_aes.gcm_decrypt(key, b"another one.", sealed, aad),
        lambda: tb_aes.gcm_decrypt(bytes(byte ^ 1 for byte in key), nonce, sealed, aad),
    ):
        with pytest.raises(DecryptionError, match=r"^decryption failed$"):
            attempt()


@given(st.binary(max_size=50), st.integers(1, 255))
def test_padding_comes_off_again_and_is_never_empty(data: bytes, size: int) -> None:
    padded = modes.pkcs7_pad(data, size)
    assert len(padded) % size == 0
    assert len(data) < len(padded) <= len(data) + size
    assert modes.pkcs7_unpad(padded, size) == data


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        bytes(16),
        b"x" * 15 + b"\x11",
        b"x" * 13 + b"\x03\x02\x03",
        b"x" * 14 + b"\x01\x02",
        b"\x01" * 15,
    ],
)
def test_wrong_padding_is_refused(wrong: bytes) -> None:
    with pytest.raises(DecryptionError, match="last n bytes"):
        modes.pkcs7_unpad(wrong)


def test_wrong_sizes_are_refused_with_the_reason() -> None:
    key, iv = bytes(16), bytes(16)
    for call in (
        lambda: tb_aes.ecb(key, b"Hello, World!"),
        lambda: tb_aes.ecb_decrypt(key, b"x"),
        lambda: tb_aes.cbc(key, iv, b"Hello, World!"),
        lambda: tb_aes.cbc_decrypt(key, iv, b"Hello, World!"),
    ):
        with pytest.raises(InvalidParameter, match="pad first"):
            call()
    for call in (
        lambda: tb_aes.cbc(key, bytes(12), bytes(16)),
        lambda: tb_aes.cbc_decrypt(key, bytes(17), bytes(16)),
        lambda: tb_aes.ctr(key, bytes(12), b"x"),
        lambda: tb_aes.gcm(key, b"", b"x"),
        lambda: tb_aes.gcm(key, bytes(12), b"x", tag_length=3),
        lambda: tb_aes.gcm(key, bytes(12), b"x", tag_length=17),
        lambda: tb_aes.gcm_decrypt(key, bytes(12), bytes(16), tag_length=0),
        lambda: tb_aes.gcm(key, bytes(12), "text"),  # type: ignore[arg-type]
        lambda: tb_aes.gcm(key, bytes(12), b"x", None),  # type: ignore[arg-type]
        lambda: modes.ghash(bytes(15), bytes(16)),
        lambda: modes.pkcs7_pad(b"x", 256),
        lambda: modes.pkcs7_pad(b"x", 0),
    ):
        with pytest.raises(InvalidParameter):
            call()
    with pytest.raises(InvalidKey):
        tb_aes.gcm(bytes(15), bytes(12), b"x")


def test_short_tags_are_the_long_ones_cut() -> None:
    whole = AESGCM(bytes(16)).encrypt(bytes(12), b"message", None)
    for length in range(4, 17):
        cut = tb_aes.gcm(bytes(16), bytes(12), b"message", tag_length=length).result
        assert cut == whole[: 7 + length]
        assert tb_aes.gcm_decrypt(bytes(16), bytes(12), cut, tag_length=length).result == b"message"
