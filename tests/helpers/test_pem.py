"""Tests lepton_lab.pem: the first key in a file, and what an encrypted one may ask for."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import pem, rsa
from lepton_lab.errors import DecryptionError, InvalidKey

WORDS = "correct horse"


def test_a_file_takes_time_in_proportion_to_its_length():
    """What took a regular expression 33 seconds: beginnings without an end, 250 kB of them."""
    many = [
        b"-----BEGIN PRIVATE KEY-----\n" * 40_000,
        b"-----BEGIN " * 100_000,
        b"-----END PRIVATE KEY-----" * 40_000 + b"-----BEGIN PRIVATE KEY-----" * 40_000,
        b"".join(b"-----BEGIN %d KEY-----" % number for number in range(50_000)),
        b"-" * 1_000_000,
        b"-----BEGIN " + b"A" * 1_000_000,
    ]
    started = time.process_time()
    for text in many:
        assert pem.first_key(text) is None
        with pytest.raises(InvalidKey):
            rsa.from_pem(text)
    assert time.process_time() - started < 10


def block_of(size: int) -> bytes:
    """A block of so many bytes, from the beginning of its first line to the end of its last."""
    begin, end = b"-----BEGIN PRIVATE KEY-----", b"-----END PRIVATE KEY-----"
    return begin + b"A" * (size - len(begin) - len(end)) + end


def test_a_key_has_a_largest_size():
    largest = block_of(pem.BLOCK_LIMIT)
    assert pem.first_key(b"before" + largest + b"behind").data == largest
    with pytest.raises(InvalidKey, match="longer than 65536"):
        pem.first_key(block_of(pem.BLOCK_LIMIT + 1))


def test_the_first_key_is_the_first_that_ends():
    one, other = block_of(100), block_of(200).replace(b"PRIVATE", b"PUBLIC")
    found = pem.first_key(b"-----BEGIN RSA PRIVATE KEY-----\n" + one + other)
    assert (found.data, found.kind, found.is_public, found.is_encrypted) == (
        one,
        b"PRIVATE KEY",
        False,
        False,
    )
    assert pem.first_key(other + one).is_public
    assert pem.first_key(one.replace(b" KEY", b" FILE")) is None
    nested = b"-----BEGIN PRIVATE KEY-----" + one
    assert pem.first_key(nested).data == nested


def encrypted_key(kdf: bytes, scheme: bytes = pem._PBES2) -> bytes:
    cipher = pem._tlv(0x30, pem._AES256_CBC + pem._tlv(0x04, bytes(16)))
    algorithm = pem._tlv(0x30, scheme + pem._tlv(0x30, pem._tlv(0x30, kdf) + cipher))
    return pem.pem_of(
        "ENCRYPTED PRIVATE KEY", pem._tlv(0x30, algorithm + pem._tlv(0x04, bytes(160)))
    )


def kdf_of(name: bytes, *costs: int) -> bytes:
    integers = [
        pem._tlv(0x02, cost.to_bytes(cost.bit_length() // 8 + 1, "big", signed=True))
        for cost in costs
    ]
    return name + pem._tlv(0x30, pem._tlv(0x04, bytes(16)) + b"".join(integers))


def test_what_a_file_asks_of_its_kdf_is_bounded(monkeypatch):
    monkeypatch.setattr(rsa, "load_pem_private_key", lambda *_: pytest.fail("it was asked"))
    for costs in [
        (1 << 30, 8, 1),
        (1 << 17, 8, 1 << 20),
        (1 << 20, 8, 1),
        (1 << 14, 1 << 29, 1),
        (1 << 70, 8, 1),
        (3, 8, 1),
        (0, 8, 1),
        (-16, 8, 1),
        (1, 8, 1),
        (1 << 14, 0, 1),
        (1 << 14, 8, 0),
        (1 << 14, 8),
        (),
        (2, 1 << 21, 2),  # its table takes 1 GiB, its data and its work the rest
        (2, 1 << 19, 64),
        (1 << 19, 8, 1 << 10),
        ((1 << 19) * 2, 8, 1),
    ]:
        with pytest.raises(InvalidKey):
            rsa.from_pem(encrypted_key(kdf_of(pem._SCRYPT, *costs)), WORDS)
    for costs in [(10_000_001,), (1 << 60,), (0,), (-1,), ()]:
        with pytest.raises(InvalidKey):
            rsa.from_pem(encrypted_key(kdf_of(pem._PBKDF2, *costs)), WORDS)
    for text in (
        encrypted_key(kdf_of(pem._AES256_CBC, 1)),
        encrypted_key(kdf_of(pem._SCRYPT, 1 << 14, 8, 1), scheme=pem._PBKDF2),
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n%%%%\n-----END ENCRYPTED PRIVATE KEY-----",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n-----END ENCRYPTED PRIVATE KEY-----",
    ):
        with pytest.raises(InvalidKey):
            rsa.from_pem(text, WORDS)


@pytest.mark.parametrize(
    "kdf", [(pem._SCRYPT, 1 << 14, 8, 1), (pem._SCRYPT, 16, 1, 1, 32), (pem._PBKDF2, 1)]
)
def test_a_bearable_file_that_holds_no_key_is_a_decryption_error(kdf):
    with pytest.raises(DecryptionError):
        rsa.from_pem(encrypted_key(kdf_of(*kdf)), WORDS)


@settings(max_examples=150)
@given(data=st.data())
def test_an_altered_encrypted_key_ends_in_a_typed_error_in_bounded_time(data):
    """The outer shape of an encrypted key, altered anywhere: refused before or after the KDF."""
    text = encrypted_key(kdf_of(pem._SCRYPT, 16, 1, 1))
    der = base64.b64decode(b"".join(text.splitlines()[1:-1]))
    position = data.draw(st.integers(0, 110))
    changed = (
        der[:position]
        + data.draw(st.binary(max_size=4))
        + der[position + data.draw(st.integers(0, 4)) :]
    )
    with pytest.raises((InvalidKey, DecryptionError)):
        rsa.from_pem(pem.pem_of("ENCRYPTED PRIVATE KEY", changed), WORDS)


@given(
    st.lists(st.tuples(st.sampled_from([0x02, 0x04, 0x30]), st.binary(max_size=300)), max_size=5)
)
def test_der_parts_are_read_as_they_were_written(parts):
    written = b"".join(pem._tlv(tag, content) for tag, content in parts)
    assert pem._parts(written) == parts
    for size in range(len(written)):
        try:
            assert pem._parts(written[:size]) == parts[: len(pem._parts(written[:size]))]
        except ValueError:
            continue


def test_the_edges_of_cost_belong_to_what_is_taken():
    assert pem._bearable(pem._SCRYPT, [2, 1, 1])
    assert not pem._bearable(pem._SCRYPT, [1, 1, 1])
    assert pem._bearable(pem._PBKDF2, [1])
    assert pem._bearable(pem._PBKDF2, [pem.ITERATIONS_LIMIT])
    assert not pem._bearable(pem._PBKDF2, [pem.ITERATIONS_LIMIT + 1])
    assert pem._bearable(pem._SCRYPT, [1 << 19, 8, 1])
    # 128·r·(N + p + 2) with r = 8: one block more than fits.
    fits = pem.MEMORY_LIMIT // 1024 - (1 << 14) - 2
    p = min(fits, pem.BLOCKS_LIMIT // (8 << 14))
    assert pem._bearable(pem._SCRYPT, [1 << 14, 8, p])
    assert not pem._bearable(pem._SCRYPT, [1 << 14, 8, p + 1])
    r = pem.MEMORY_LIMIT // (128 * (2 + 1 + 2))
    assert pem._bearable(pem._SCRYPT, [2, r, 1])
    assert not pem._bearable(pem._SCRYPT, [2, r + 1, 1])
