"""Tests lepton_lab.textbook.attacks.ecb: it reads ECB and fails against the helper."""

from __future__ import annotations

import pytest

from lepton_lab import aes
from lepton_lab.textbook.attacks import AttackFailed, ecb, weak
from lepton_lab.textbook.primitives import modes
from tests.support.textbook_keys import AES_KEY, HELPER_AES_KEY, IV


def disc(size: int = 64) -> bytes:
    """A white disc on black, one block of 16 bytes per pixel."""
    half = size // 2
    pixels = b""
    for y in range(size):
        for x in range(size):
            is_inside = (x - half) ** 2 + (y - half) ** 2 < (size // 3) ** 2
            pixels += bytes([255 if is_inside else 0]) * 16
    return pixels


def test_ecb_shows_the_picture() -> None:
    plaintext = disc()
    seen = ecb.picture(weak.ecb_encrypt(AES_KEY, plaintext))
    assert seen.result == bytes(byte // 255 for byte in plaintext[::16])
    assert (seen["blocks"], seen["different"]) == (4096, 2)


def test_the_helper_shows_no_picture() -> None:
    with pytest.raises(AttackFailed, match="no block occurs twice"):
        ecb.picture(aes.encrypt(HELPER_AES_KEY, disc())[12:])


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 47])
def test_ecb_is_read_byte_at_a_time(length: int) -> None:
    secret = bytes((7 * i + 3) % 256 for i in range(length))
    trace = ecb.byte_at_a_time(ecb.service(AES_KEY, secret))
    assert trace.result == secret
    assert trace["queries"] <= 20 + 2 * length


def test_the_helper_is_not_read_byte_at_a_time() -> None:
    with pytest.raises(AttackFailed, match="not ECB"):
        ecb.byte_at_a_time(lambda prefix: aes.encrypt(HELPER_AES_KEY, prefix + b"the secret"))


def test_byte_at_a_time_stops_where_nothing_leaks() -> None:
    def cbc(prefix: bytes) -> bytes:
        return weak.cbc_encrypt(AES_KEY, IV, modes.pkcs7_pad(prefix + b"the secret"))

    def constant(prefix: bytes) -> bytes:
        return b"always the same"

    drifting = iter(range(1000, 10**6))

    def ecb_of_a_secret_that_changes(prefix: bytes) -> bytes:
        secret = str(next(drifting)).encode()
        return weak.ecb_encrypt(AES_KEY, modes.pkcs7_pad(prefix + secret))

    for service in (cbc, constant, ecb_of_a_secret_that_changes):
        with pytest.raises(AttackFailed):
            ecb.byte_at_a_time(service)
    with pytest.raises(AttackFailed, match="gave up after 10 queries"):
        ecb.byte_at_a_time(ecb.service(AES_KEY, b"the secret"), limit=10)
