"""Tests lepton_lab.aes, messages: published vectors, two other implementations, what is refused."""

from __future__ import annotations

import mmap
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab import aes
from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, MessageTooLarge
from tests.support.paths import VECTORS
from tests.support.vectors import NIST, text_of, wycheproof_groups

KEY = bytes(range(32))
MESSAGE = aes.encrypt(KEY, b"a message of some length", b"its context")


def refused(ciphertext: bytes, key: bytes = KEY, associated_data: bytes = b"its context") -> None:
    """Decryption fails with the one error, the one message, and no trace of a cause."""
    with pytest.raises(DecryptionError) as caught:
        aes.decrypt(key, ciphertext, associated_data)
    assert str(caught.value) == "decryption failed"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def nist(text: str) -> Iterator[dict[str, str]]:
    """The cases of a CAVP .rsp file with a 96-bit IV and a 128-bit tag.

    Those that must be refused have a key FAIL.
    """
    case: dict[str, str] = {}
    for line in [*text.splitlines(), "Key ="]:
        name, _, value = (part.strip() for part in line.partition("="))
        if name == "Key":
            if "Key" in case and (len(case["IV"]), len(case["Tag"])) == (24, 32):
                yield case
            case = {}
        if name and not name.startswith(("#", "[")):
            case[name] = value


def check_nist(case: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    key, nonce, associated = (bytes.fromhex(case[name]) for name in ("Key", "IV", "AAD"))
    message = nonce + bytes.fromhex(case["CT"] + case["Tag"])
    if "FAIL" in case:
        refused(message, key, associated)
        return
    plaintext = bytes.fromhex(case["PT"])
    assert aes.decrypt(key, message, associated) == plaintext
    monkeypatch.setattr(aes.secrets, "token_bytes", lambda count: nonce)
    assert aes.encrypt(key, plaintext, associated) == message
    monkeypatch.undo()


def test_a_key_is_32_bytes_and_never_the_same():
    keys = {aes.generate_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {32}


def test_the_layout_is_nonce_ciphertext_tag():
    assert len(aes.encrypt(KEY, b"")) == 12 + 16
    assert len(aes.encrypt(KEY, b"12345")) == 12 + 5 + 16


def test_chosen_nist_vectors_both_ways(monkeypatch, tally):
    cases = list(nist((VECTORS / "aes256_gcm_nist.rsp").read_text()))
    assert len(cases) == 33
    assert sum("FAIL" in case for case in cases) == 8
    for case in cases:
        check_nist(case, monkeypatch)
    tally("AES-256-GCM, NIST CAVP, the copy in tests/vectors", len(cases))


@pytest.mark.parametrize(
    ("name", "count"), [("gcmEncryptExtIV256.rsp", 375), ("gcmDecrypt256.rsp", 375)]
)
def test_all_nist_vectors_with_a_96_bit_nonce_and_a_128_bit_tag(monkeypatch, tally, name, count):
    text = text_of(NIST, "ciphers", "AES", "GCM", name)
    cases = list(nist(text))
    assert len(cases) == count
    for case in cases:
        check_nist(case, monkeypatch)
    others = sum(line.startswith("Count") for line in text.splitlines()) - count
    tally(
        f"AES-256-GCM, NIST CAVP {name}",
        count,
        others,
        "other nonces than of 96 bits, shorter tags",
    )


def test_all_wycheproof_vectors_with_a_256_bit_key_and_a_96_bit_nonce(tally):
    every = wycheproof_groups("Cipher", "aes_gcm")
    groups = [group for group in every if (group["keySize"], group["ivSize"]) == (256, 96)]
    results = {"valid": 0, "invalid": 0}
    for case in (case for group in groups for case in group["tests"]):
        key, associated = bytes.fromhex(case["key"]), bytes.fromhex(case["aad"])
        message = bytes.fromhex(case["iv"] + case["ct"] + case["tag"])
        results[case["result"]] += 1
        if case["result"] == "valid":
            assert aes.decrypt(key, message, associated).hex() == case["msg"]
        else:
            refused(message, key, associated)
    assert results == {"valid": 39, "invalid": 27}
    others = sum(len(group["tests"]) for group in every) - sum(results.values())
    tally(
        "AES-256-GCM, Wycheproof",
        sum(results.values()),
        others,
        "other keys than of 256 bits, nonces than of 96",
    )


@given(st.binary(max_size=200), st.binary(max_size=60), st.binary(min_size=32, max_size=32))
def test_what_is_encrypted_comes_back(plaintext, associated_data, key):
    message = aes.encrypt(key, plaintext, associated_data)
    assert aes.decrypt(key, message, associated_data) == plaintext


@given(st.binary(max_size=200), st.binary(max_size=60), st.binary(min_size=32, max_size=32))
def test_pycryptodome_opens_ours_and_we_open_its(plaintext, associated_data, key):
    AES = pytest.importorskip(
        "Crypto.Cipher.AES", reason="pip install -e .[test] brings PyCryptodome"
    )
    ours = aes.encrypt(key, plaintext, associated_data)
    peer = AES.new(key, AES.MODE_GCM, nonce=ours[:12]).update(associated_data)
    assert peer.decrypt_and_verify(ours[12:-16], ours[-16:]) == plaintext
    peer = AES.new(key, AES.MODE_GCM, nonce=bytes(range(12))).update(associated_data)
    ciphertext, tag = peer.encrypt_and_digest(plaintext)
    assert aes.decrypt(key, bytes(range(12)) + ciphertext + tag, associated_data) == plaintext


def test_the_openssl_command_opens_the_body_in_counter_mode():
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("install the openssl command (make system) to check against it")
    message = aes.encrypt(KEY, b"counter mode begins at 2")
    counter = (
        message[:12].hex() + "00000002"
    )  # SP 800-38D §7.1: nonce ‖ 1 is for the tag, the body is next
    command = [openssl, "enc", "-d", "-aes-256-ctr", "-K", KEY.hex(), "-iv", counter]
    opened = subprocess.run(command, input=message[12:-16], capture_output=True, check=True).stdout
    assert opened == b"counter mode begins at 2"


def test_every_flipped_bit_is_refused():
    for position in range(8 * len(MESSAGE)):
        altered = bytearray(MESSAGE)
        altered[position // 8] ^= 1 << position % 8
        refused(bytes(altered))


def test_every_other_length_is_refused():
    for length in range(len(MESSAGE)):
        refused(MESSAGE[:length])
        refused(MESSAGE[length + 1 :])
    refused(MESSAGE + b"\0")
    refused(b"\0" + MESSAGE)


def test_another_key_context_or_tag_is_refused():
    other = aes.encrypt(KEY, b"a message of some length", b"its context")
    refused(MESSAGE, aes.generate_key())
    refused(MESSAGE, associated_data=b"")
    refused(MESSAGE, associated_data=b"its contexT")
    refused(MESSAGE[:-16] + other[-16:])
    refused(other[:12] + MESSAGE[12:])
    assert aes.decrypt(KEY, other, b"its context") == aes.decrypt(KEY, MESSAGE, b"its context")


def test_bytes_do_not_move_between_context_and_message():
    nonce, body = MESSAGE[:12], MESSAGE[12:]
    refused(nonce + body[1:], associated_data=b"its context" + body[:1])
    refused(nonce + b"t" + body, associated_data=b"its contex")


def share_no_nonce(messages: list[bytes]) -> None:
    assert len({message[:12] for message in messages}) == len(messages)


def test_no_nonce_repeats():
    share_no_nonce([aes.encrypt(KEY, b"") for _ in range(2000)])


def test_a_constant_nonce_would_be_caught(monkeypatch):
    monkeypatch.setattr(aes.secrets, "token_bytes", bytes)  # the planted fault: all zeros
    first, second = aes.encrypt(KEY, b"attack at dawn"), aes.encrypt(KEY, b"defend at noon")
    with pytest.raises(AssertionError):
        share_no_nonce([first, second])
    leaked = bytes(a ^ b for a, b in zip(first[12:-16], second[12:-16], strict=True))
    assert leaked == bytes(a ^ b for a, b in zip(b"attack at dawn", b"defend at noon", strict=True))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_bytearray_and_memoryview_are_bytes(kind):
    message = aes.encrypt(kind(KEY), kind(b"plain"), kind(b"context"))
    assert isinstance(message, bytes)
    assert aes.decrypt(kind(KEY), kind(message), kind(b"context")) == b"plain"


def test_a_view_with_gaps_or_of_wider_items_is_read_as_its_bytes():
    gaps, wide = memoryview(b"a-b-c-")[::2], memoryview(b"01234567").cast("I")
    assert aes.decrypt(KEY, aes.encrypt(KEY, gaps)) == b"abc"
    assert aes.decrypt(KEY, aes.encrypt(KEY, wide)) == b"01234567"


@pytest.mark.parametrize("wrong", ["text", None, 32, [1, 2], object()])
def test_what_is_not_bytes_is_refused(wrong):
    for call in (
        lambda: aes.encrypt(KEY, wrong),
        lambda: aes.encrypt(KEY, b"", wrong),
        lambda: aes.decrypt(KEY, wrong),
        lambda: aes.decrypt(KEY, MESSAGE, wrong),
    ):
        with pytest.raises(InvalidParameter):
            call()


@pytest.mark.parametrize(
    "wrong", [b"", bytes(16), bytes(24), bytes(31), bytes(33), bytes(64), "k" * 32, None, 32]
)
def test_a_key_that_is_not_32_bytes_is_refused(wrong):
    with pytest.raises(InvalidKey) as caught:
        aes.encrypt(wrong, b"")
    assert "k" * 32 not in str(caught.value)
    with pytest.raises(InvalidKey):
        aes.decrypt(wrong, MESSAGE)


def test_past_two_gibibytes_a_message_is_too_large():
    with (
        mmap.mmap(-1, 2**31 + 64) as room,
        memoryview(room) as huge,
    ):  # never touched, so it takes no memory
        with pytest.raises(MessageTooLarge):
            aes.encrypt(KEY, huge[: 2**31])
        with pytest.raises(MessageTooLarge):
            aes.encrypt(KEY, b"", huge[: 2**31])
        with pytest.raises(MessageTooLarge):
            aes.decrypt(KEY, huge[: 2**31 + 28])
        with pytest.raises(MessageTooLarge):
            aes.decrypt(KEY, MESSAGE, huge[: 2**31])


def test_the_limits_are_those_of_openssl_and_of_the_nonce():
    assert aes._ONE_CALL == 2**31 - 1
    assert aes._MOST_SEGMENTS == 2**32


def test_the_limit_is_where_it_is_said_to_be(monkeypatch):
    monkeypatch.setattr(aes, "_ONE_CALL", 100)
    largest = aes.encrypt(KEY, bytes(100), bytes(100))
    assert aes.decrypt(KEY, largest, bytes(100)) == bytes(100)
    for call in (
        lambda: aes.encrypt(KEY, bytes(101)),
        lambda: aes.encrypt(KEY, b"", bytes(101)),
        lambda: aes.decrypt(KEY, largest + b"\0"),
    ):
        with pytest.raises(MessageTooLarge):
            call()
