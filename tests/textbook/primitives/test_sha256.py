"""Tests lepton_lab.textbook.primitives.sha256: FIPS 180's digests, and hashlib's."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import sha256


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_the_textbook_sha256_agrees_with_the_librarys(message: bytes) -> None:
    assert sha256.sha256(message).result == hashlib.sha256(message).digest()


def test_sha256_gives_the_digests_of_fips_180() -> None:
    """FIPS 180-2 appendix B.1 and B.2, which NIST's example values repeat."""
    two = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"
    assert (
        sha256.sha256(b"abc")
        .result.hex()
        .startswith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61")
    )
    assert sha256.sha256(two).result.hex().endswith("a33ce45964ff2167f6ecedd419db06c1")
    assert (sha256.K[0], sha256.K[63], sha256.INITIAL[:4].hex()) == (
        0x428A2F98,
        0xC67178F2,
        "6a09e667",
    )


def test_sha256_goes_on_only_from_between_two_blocks() -> None:
    with pytest.raises(InvalidParameter, match="between two blocks"):
        sha256.sha256(b"", before=63)
    with pytest.raises(InvalidParameter):
        sha256.sha256(b"", state=bytes(31))
    with pytest.raises(InvalidParameter):
        sha256.sha256("text")  # type: ignore[arg-type]
