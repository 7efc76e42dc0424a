"""Attacks on keys and tags of poor origin: a seeded generator, the Mersenne Twister, SHA-256 used as a MAC."""

from __future__ import annotations

import hashlib
import hmac
import random
import secrets
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import aes
from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, length_extension, mt19937, seeded_key
from lepton_lab.textbook.primitives import sha256

WORD = st.integers(0, 2**32 - 1)
NOON = 1_700_000_000


def key_of(seed: int) -> bytes:
    return random.Random(seed).randbytes(32)


def opener(ciphertext: bytes):  # type: ignore[no-untyped-def]
    def opens(key: bytes) -> bool:
        try:
            aes.decrypt(key, ciphertext)
        except DecryptionError:
            return False
        return True

    return opens


# A seeded key ---------------------------------------------------------------------------------------------------------


def test_a_key_from_the_clock_is_found_among_the_seconds_of_an_hour() -> None:
    ciphertext = aes.encrypt(key_of(NOON + 1234), b"measured")
    trace = seeded_key.guess(key_of, range(NOON, NOON + 3600), opener(ciphertext))
    assert trace.result == key_of(NOON + 1234)
    assert (trace["seed"], trace["queries"]) == (NOON + 1234, 1235)


def test_a_key_of_the_helper_is_not_found_and_the_search_ends() -> None:
    opens = opener(aes.encrypt(aes.generate_key(), b"measured"))
    with pytest.raises(AttackFailed, match="none of these 500 seeds"):
        seeded_key.guess(key_of, range(NOON, NOON + 500), opens)
    with pytest.raises(AttackFailed, match="gave up after 20 queries"):
        seeded_key.guess(key_of, range(NOON, NOON + 500), opens, limit=20)


def test_what_makes_no_bytes_is_no_way_to_a_key() -> None:
    with pytest.raises(InvalidParameter):
        seeded_key.guess(lambda seed: seed, range(3), lambda key: True)  # type: ignore[arg-type, return-value]


# MT19937 --------------------------------------------------------------------------------------------------------------


def seeded(seed: int) -> mt19937.Twister:
    """init_genrand of the authors' mt19937ar.c, the one way to a first window that the tests need."""
    words = [seed]
    for i in range(1, 624):
        words.append((1812433253 * (words[-1] ^ words[-1] >> 30) + i) & 0xFFFFFFFF)
    return mt19937.Twister(words)


def test_the_ten_thousandth_output_is_the_one_that_the_cxx_standard_names() -> None:
    """ISO C++11 §26.5.5 [rand.predef]: mt19937, seeded with 5489, gives 4123659995; numpy agrees."""
    twister = seeded(5489)
    assert next(islice(iter(twister.following, None), 9999, None)) == 4123659995
    peer = np.random.MT19937()
    peer._legacy_seeding(5489)
    twister = seeded(5489)
    assert [twister.following() for _ in range(2000)] == peer.random_raw(2000).tolist()


@given(WORD)
def test_tempering_is_undone(word: int) -> None:
    assert mt19937.untemper(mt19937.temper(word)) == word
    assert mt19937.temper(mt19937.untemper(word)) == word


@settings(max_examples=10)
@given(st.integers(0, 2**256), st.integers(0, 1300), st.integers(1, 700))
def test_a_clone_foretells_what_follows_and_tells_what_was_before(
    seed: int, skipped: int, surplus: int
) -> None:
    victim = random.Random(seed)
    earlier = [victim.getrandbits(32) for _ in range(700 + skipped)]
    trace = mt19937.clone([victim.getrandbits(32) for _ in range(624 + surplus)])
    assert trace["foretold"] == surplus
    assert [trace.result.following() for _ in range(700)] == [
        victim.getrandbits(32) for _ in range(700)
    ]
    back = [
        trace.result.preceding() for _ in range(len(earlier) + surplus + 700)
    ]  # all but the 624 of the window
    assert back[::-1][: len(earlier)] == earlier


def test_a_key_drawn_before_the_outputs_is_read_back() -> None:
    victim = random.Random(secrets.randbits(256))
    key, public = victim.randbytes(32), [victim.getrandbits(32) for _ in range(630)]
    clone = mt19937.clone(public).result
    back = [clone.preceding() for _ in range(630 - 624 + 8)]
    assert b"".join(word.to_bytes(4, "little") for word in back[-8:][::-1]) == key


def test_the_operating_systems_numbers_are_not_foretold() -> None:
    with pytest.raises(AttackFailed, match="do not continue"):
        mt19937.clone([secrets.randbits(32) for _ in range(640)])


def test_too_few_numbers_and_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(AttackFailed, match="not 624"):
        mt19937.clone([0] * 624)
    with pytest.raises(InvalidParameter):
        mt19937.clone([1 << 32] * 630)
    with pytest.raises(AttackFailed, match="not 3"):
        mt19937.Twister([1, 2, 3])


def test_one_altered_output_is_noticed() -> None:
    victim = random.Random(1)
    outputs = [victim.getrandbits(32) for _ in range(1300)]
    outputs[700] ^= 1
    with pytest.raises(AttackFailed):
        mt19937.clone(outputs)


# SHA-256, and its length extension ------------------------------------------------------------------------------------


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


@settings(max_examples=60)
@given(st.binary(max_size=70), st.binary(max_size=200), st.binary(max_size=200))
def test_a_bare_hash_as_tag_is_extended_and_hmac_is_not(
    key: bytes, message: bytes, extension: bytes
) -> None:
    forged, its_tag = length_extension.extend(
        message, length_extension.tag(key, message), len(key), extension
    ).result
    assert forged.startswith(message)
    assert forged.endswith(extension)
    assert its_tag == length_extension.tag(key, forged) == hashlib.sha256(key + forged).digest()
    honest = hmac.digest(key, message, "sha256")
    forged, its_tag = length_extension.extend(message, honest, len(key), extension).result
    assert its_tag != hmac.digest(key, forged, "sha256")


def test_sha256_goes_on_only_from_between_two_blocks() -> None:
    with pytest.raises(InvalidParameter, match="between two blocks"):
        sha256.sha256(b"", before=63)
    with pytest.raises(InvalidParameter):
        sha256.sha256(b"", state=bytes(31))
    with pytest.raises(InvalidParameter):
        sha256.sha256("text")  # type: ignore[arg-type]
