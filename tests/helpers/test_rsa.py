"""Tests lepton_lab.rsa: published vectors, peers both ways, key files, and what is refused.

The peers are openssl and PyCryptodome. Encrypted key files are tested in test_pem too.
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import time
from contextlib import suppress
from math import gcd

import gmpy2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric import rsa as library
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import pem, rsa
from lepton_lab.errors import (
    DecryptionError,
    InvalidKey,
    InvalidParameter,
    InvalidSignature,
    MessageTooLarge,
)
from tests.support.paths import VECTORS
from tests.support.vectors import wycheproof_groups

VECTORS = json.loads((VECTORS / "rsa_wycheproof.json").read_text())
WORDS = "correct horse"
OAEP = ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256")


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(2048)


@pytest.fixture(scope="module")
def other_key():
    return rsa.generate_private_key(2048)


@pytest.fixture(scope="module")
def locked(key):
    return rsa.to_pem(key, WORDS)


def openssl(*arguments, given: bytes = b"") -> bytes:
    return subprocess.run(
        ["openssl", *arguments], input=given, capture_output=True, check=True
    ).stdout


def altered(raw: bytes, position: int, by: int = 1) -> bytes:
    changed = bytearray(raw)
    changed[position] ^= by
    return bytes(changed)


# --- published vectors ---------------------------------------------------------------------------


def check_oaep(group, cases):
    private = rsa.from_pem(group["privateKeyPem"].encode())
    for case in cases:
        sealed, label = bytes.fromhex(case["ct"]), bytes.fromhex(case["label"])
        if case["result"] == "valid":
            assert rsa.decrypt(private, sealed, label).hex() == case["msg"], case["tcId"]
        else:
            with pytest.raises(DecryptionError, match=r"^decryption failed$"):
                rsa.decrypt(private, sealed, label)


def check_pss(group, cases):
    public = rsa.from_pem(group["publicKeyPem"].encode())
    for case in cases:
        message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
        if case["result"] == "valid":
            rsa.verify(public, message, signature)
        else:
            with pytest.raises(InvalidSignature):
                rsa.verify(public, message, signature)


def test_oaep_matches_wycheproof(tally):
    check_oaep(VECTORS["oaep"], VECTORS["oaep"]["cases"])
    tally("RSA-OAEP, Wycheproof, the copy in tests/vectors", len(VECTORS["oaep"]["cases"]))
    assert {case["result"] for case in VECTORS["oaep"]["cases"]} == {"valid", "invalid"}


def test_pss_matches_wycheproof(tally):
    check_pss(VECTORS["pss"], VECTORS["pss"]["cases"])
    tally("RSA-PSS, Wycheproof, the copy in tests/vectors", len(VECTORS["pss"]["cases"]))
    assert {case["result"] for case in VECTORS["pss"]["cases"]} == {"valid", "invalid"}


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_oaep_matches_all_of_wycheproof(tally, bits):
    groups = wycheproof_groups("Cipher", f"rsa_oaep_{bits}_sha256_mgf1sha256")
    for group in groups:
        check_oaep(group, group["tests"])
    tally(f"RSA-OAEP {bits} SHA-256, Wycheproof", sum(len(group["tests"]) for group in groups))


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_pss_matches_all_of_wycheproof(tally, bits):
    groups = wycheproof_groups("Signature", f"rsa_pss_{bits}_sha256_mgf1_32")
    for group in groups:
        check_pss(group, group["tests"])
    tally(
        f"RSA-PSS {bits} SHA-256 salt 32, Wycheproof", sum(len(group["tests"]) for group in groups)
    )


@pytest.mark.parametrize("bits", [2048, 3072])
def test_keys_that_name_their_pss_parameters_are_taken(tally, bits):
    groups = wycheproof_groups("Signature", f"rsa_pss_{bits}_sha256_mgf1_32_params")
    for group in groups:
        check_pss(group, group["tests"])
    tally(
        f"RSA-PSS {bits} SHA-256 salt 32, key with parameters, Wycheproof",
        sum(len(g["tests"]) for g in groups),
    )


def test_other_hashes_salts_and_paddings_are_refused():
    """What other parameters make valid is not valid here: one hash, one MGF, one salt length."""
    for group in wycheproof_groups("Cipher", "rsa_oaep_2048_sha256_mgf1sha1"):
        check_oaep(
            group,
            [{**case, "result": "invalid"} for case in group["tests"] if case["result"] == "valid"],
        )
    for name in ("2048_sha256_mgf1_0", "2048_sha256_mgf1sha1_20"):
        for group in wycheproof_groups("Signature", f"rsa_pss_{name}"):
            check_pss(
                group,
                [
                    {**case, "result": "invalid"}
                    for case in group["tests"]
                    if case["result"] == "valid"
                ],
            )


# --- openssl -------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [b"", b"a label\x00\xff"])
def test_openssl_and_we_decrypt_each_other(key, tmp_path, label):
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_bytes(rsa.to_pem(key))
    public.write_bytes(rsa.to_pem(rsa.public_key(key)))
    options = [*OAEP, *([f"rsa_oaep_label:{label.hex()}"] if label else [])]
    pkeyutl = [part for option in options for part in ("-pkeyopt", option)]
    sealed = rsa.encrypt(rsa.public_key(key), b"message", label)
    assert openssl("pkeyutl", "-decrypt", "-inkey", private, *pkeyutl, given=sealed) == b"message"
    sealed = openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", public, *pkeyutl, given=b"message")
    assert rsa.decrypt(key, sealed, label) == b"message"


def test_openssl_and_we_verify_each_other(key, tmp_path):
    (tmp_path / "private.pem").write_bytes(rsa.to_pem(key))
    (tmp_path / "public.pem").write_bytes(rsa.to_pem(rsa.public_key(key)))
    (tmp_path / "signature").write_bytes(rsa.sign(key, b"message"))
    options = ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
    verify = [
        "dgst",
        *options,
        "-verify",
        tmp_path / "public.pem",
        "-signature",
        tmp_path / "signature",
    ]
    assert b"Verified OK" in openssl(*verify, given=b"message")
    signature = openssl("dgst", *options, "-sign", tmp_path / "private.pem", given=b"message")
    rsa.verify(rsa.public_key(key), b"message", signature)


def test_openssl_reads_our_pem_and_we_read_its(key, locked, tmp_path):
    plain = rsa.to_pem(key)
    assert openssl("pkey", "-passin", f"pass:{WORDS}", given=locked) == openssl("pkey", given=plain)
    described = openssl("asn1parse", given=locked).decode()
    for expected in (":PBES2", ":scrypt", ":4000", ":08", ":05", ":aes-256-cbc"):
        assert expected in described
    for command in (
        ["pkcs8", "-topk8", "-passout", f"pass:{WORDS}"],
        ["pkcs8", "-topk8", "-scrypt", "-passout", f"pass:{WORDS}"],
        [
            "pkcs8",
            "-topk8",
            "-v2prf",
            "hmacWithSHA256",
            "-iter",
            "100000",
            "-passout",
            f"pass:{WORDS}",
        ],
    ):
        theirs = openssl(*command, given=plain)
        assert rsa.to_pem(rsa.from_pem(theirs, WORDS)) == plain
        with pytest.raises(DecryptionError):
            rsa.from_pem(theirs, "wrong")
    assert rsa.to_pem(rsa.from_pem(openssl("rsa", "-traditional", given=plain))) == plain
    old = openssl("rsa", "-traditional", "-aes256", "-passout", f"pass:{WORDS}", given=plain)
    assert rsa.to_pem(rsa.from_pem(old, WORDS)) == plain
    public = openssl("pkey", "-pubout", given=plain)
    assert rsa.to_pem(rsa.from_pem(public)) == public == rsa.to_pem(rsa.public_key(key))
    pkcs1 = openssl("rsa", "-RSAPublicKey_out", given=plain)
    assert rsa.to_pem(rsa.from_pem(pkcs1)) == public


# --- PyCryptodome --------------------------------------------------------------------------------


def test_pycryptodome_and_we_agree_both_ways(key, locked):
    reason = "pip install -e .[test] brings PyCryptodome"
    cipher = pytest.importorskip("Crypto.Cipher.PKCS1_OAEP", reason=reason)
    from Crypto.Hash import SHA256
    from Crypto.PublicKey import RSA
    from Crypto.Signature import pss

    theirs = RSA.import_key(rsa.to_pem(key))
    assert RSA.import_key(locked, WORDS) == theirs
    exported = theirs.export_key(passphrase=WORDS, pkcs=8, protection="scryptAndAES256-CBC")
    assert rsa.to_pem(rsa.from_pem(exported, WORDS)) == rsa.to_pem(key)
    for label in (b"", b"label"):
        peer = cipher.new(theirs, hashAlgo=SHA256, label=label)
        assert peer.decrypt(rsa.encrypt(rsa.public_key(key), b"message", label)) == b"message"
        assert rsa.decrypt(key, peer.encrypt(b"message"), label) == b"message"
    peer = pss.new(theirs, salt_bytes=32)
    peer.verify(SHA256.new(b"message"), rsa.sign(key, b"message"))
    rsa.verify(rsa.public_key(key), b"message", peer.sign(SHA256.new(b"message")))


# --- keys ----------------------------------------------------------------------------------------


def test_a_key_has_3072_bits_unless_asked():
    key = rsa.generate_private_key()
    assert key.key_size == 3072
    assert key.public_key().public_numbers().e == 65537


@pytest.mark.parametrize("bits", [0, 512, 1024, 2047, -2048, 16385, 1 << 40, np.int64(2047)])
def test_keys_are_made_from_2048_to_16384_bits(bits):
    with pytest.raises(InvalidKey):
        rsa.generate_private_key(bits)


@pytest.mark.parametrize("bits", [2048.0, "2048", None, True, np.float64(2048)])
def test_a_number_of_bits_is_a_whole_number(bits):
    with pytest.raises(InvalidParameter):
        rsa.generate_private_key(bits)


def test_a_whole_number_of_numpy_is_a_number_of_bits():
    assert rsa.generate_private_key(np.uint16(2048)).key_size == 2048


def prime_of(bits: int) -> int:
    """A random prime of this size, not near a power of two."""
    return int(gmpy2.next_prime(secrets.randbits(bits - 1) | 1 << bits - 1))


def prime_of_rocas_form(bits: int) -> int:
    """k·M + (65537ᵃ mod M), as the library of CVE-2017-15361 made them; M is a primorial."""
    modulus = int(gmpy2.primorial(701))
    while True:
        k = secrets.randbits(bits - 1 - modulus.bit_length()) | 1 << bits - 2 - modulus.bit_length()
        candidate = k * modulus + pow(65537, secrets.randbits(200), modulus)
        if gmpy2.is_prime(candidate):
            return candidate


def neighbours() -> int:
    p = prime_of(1024) | 1 << 1022
    p = int(gmpy2.next_prime(p))
    return p * int(gmpy2.next_prime(p))


WEAK = {
    "a prime": (lambda: prime_of(2048), "it is a prime"),
    "a square": (lambda: int(gmpy2.next_prime(3 << 1022)) ** 2, "it is a power"),
    "a cube": (lambda: int(gmpy2.next_prime(3 << 682)) ** 3, "it is a power"),
    "three times a prime": (lambda: 3 * prime_of(2047), "3 divides it"),
    "751 times a prime": (lambda: 751 * prime_of(2047), "751 divides it"),
    "even": (lambda: 2 * prime_of(2047), "odd modulus"),
    "ROCA": (lambda: prime_of_rocas_form(1026) * prime_of_rocas_form(1026), "ROCA"),
    "primes next to each other": (neighbours, "next to each other"),
}


@pytest.mark.parametrize("kind", WEAK)
def test_a_modulus_that_anyone_can_factor_is_refused(kind):
    make, told = WEAK[kind]
    n = make()
    assert n.bit_length() >= 2048
    public = library.RSAPublicNumbers(65537, n).public_key()
    encoded = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for call in (
        lambda: rsa.from_pem(encoded),
        lambda: rsa.encrypt(public, b""),
        lambda: rsa.verify(public, b"", bytes(256)),
        lambda: rsa.to_pem(public),
    ):
        with pytest.raises(InvalidKey, match=told):
            call()


def test_a_good_modulus_is_tested_once(key, monkeypatch):
    rsa.encrypt(key.public_key(), b"")
    monkeypatch.setattr(rsa.gmpy2, "is_strong_prp", lambda *_: pytest.fail("tested again"))
    rsa.verify(key.public_key(), b"", rsa.sign(key, b""))


def test_keys_of_every_maker_pass():
    """The checks above refuse no key of OpenSSL's, of PyCryptodome's or of Wycheproof's."""
    for _ in range(20):
        rsa._checked_private(rsa.generate_private_key(2048))
    for name in ("rsa_oaep_2048_sha256_mgf1sha256", "rsa_oaep_4096_sha256_mgf1sha256"):
        for group in wycheproof_groups("Cipher", f"{name}"):
            rsa.from_pem(group["privateKeyPem"].encode())


def test_no_number_of_a_private_key_is_tested_before_its_size_is_known():
    """Two known primes of 9,689 and 44,497 bits: OpenSSL would test them for minutes."""
    p = (1 << 44497) - 1
    q = (1 << 9689) - 1
    small = library.generate_private_key(65537, 2048).private_numbers()
    n = small.public_numbers.n
    texts = {}
    for name, numbers in {
        "all large": (0, p * q, 65537, 3, p, q, 3, 3, 3),
        "a small modulus": (0, n, 65537, 3, p, q, 3, 3, 3),
        "a large exponent": (0, n, 65537, p, small.p, small.q, 3, 3, 3),
        "a large remainder": (0, n, 65537, small.d, small.p, small.q, p, 3, 3),
        "no product": (0, n, 65537, small.d, p >> 43000, 3, 3, 3, 3),
    }.items():
        der = pem._sequence(*(pem._integer(number) for number in numbers))
        texts[name] = pem.pem_of("RSA PRIVATE KEY", der)
    # The same inside PKCS#8, plain and encrypted by somebody who gives the passphrase with it.
    der = pem._sequence(*(pem._integer(number) for number in (0, p * q, 65537, 3, p, q, 3, 3, 3)))
    algorithm = pem._sequence(bytes.fromhex("06092a864886f70d010101"), b"\x05\x00")
    pkcs8 = pem._sequence(pem._integer(0), algorithm, pem._tlv(0x04, der))
    started = time.process_time()
    for name, text in texts.items():
        with pytest.raises(InvalidKey):
            rsa.from_pem(text)
        assert time.process_time() - started < 5, name
    with pytest.raises(InvalidKey):
        rsa.from_pem(pem.pem_of("PRIVATE KEY", pkcs8))
    with pytest.raises(InvalidKey):
        rsa.from_pem(pem.encrypted_pem(pkcs8, b"words"), "words")
    public = pem._sequence(pem._integer(p * q), pem._integer(65537))
    with pytest.raises(InvalidKey):
        rsa.from_pem(pem.pem_of("RSA PUBLIC KEY", public))
    assert time.process_time() - started < 10


def unusable_public_keys():
    numbers = library.generate_private_key(65537, 2048).public_key().public_numbers()
    for e, n in [
        (3, numbers.n),
        (257, numbers.n),
        (65535, numbers.n),
        ((1 << 256) + 1, numbers.n),
        (65537, numbers.n + 1),
        (65537, numbers.n >> 1 | 1),
        (65537, (1 << 1023) + 1),
        (65537, (1 << 16384) + 1),
        (65537, (1 << 20000) + 1),
    ]:
        yield library.RSAPublicNumbers(e, n).public_key()


def test_weak_or_absurd_keys_are_refused_everywhere():
    small = library.generate_private_key(65537, 1024)
    cubic = library.generate_private_key(3, 2048)
    for public in (*unusable_public_keys(), small.public_key(), cubic.public_key()):
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        calls = [
            (rsa.encrypt, public, b""),
            (rsa.verify, public, b"", bytes(256)),
            (rsa.to_pem, public),
        ]
        for call, *arguments in [*calls, (rsa.from_pem, pem)]:
            with pytest.raises(InvalidKey):
                call(*arguments)
    for private in (small, cubic):
        plain = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        sealed = private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(WORDS.encode())
        )
        for call, *arguments in [
            (rsa.decrypt, private, bytes(256)),
            (rsa.sign, private, b""),
            (rsa.public_key, private),
            (rsa.to_pem, private),
            (rsa.to_pem, private, WORDS),
            (rsa.from_pem, plain),
            (rsa.from_pem, sealed, WORDS),
        ]:
            with pytest.raises(InvalidKey):
                call(*arguments)


@pytest.mark.parametrize("e", [1, 2, 3, 65536, 65538])
def test_an_even_or_small_exponent_is_refused_in_pem(key, e):
    """Written by hand: the library makes no such key objects."""
    integers = [pem._integer(number) for number in (key_modulus(key), e)]
    with pytest.raises(InvalidKey):
        rsa.from_pem(pem.pem_of("RSA PUBLIC KEY", pem._sequence(*integers)))


def key_modulus(key) -> int:
    return key.public_key().public_numbers().n


def test_only_rsa_keys_of_the_right_half_are_taken(key):
    public = rsa.public_key(key)
    elliptic = ec.generate_private_key(ec.SECP256R1())
    for call in (
        lambda: rsa.encrypt(key, b""),
        lambda: rsa.decrypt(public, b""),
        lambda: rsa.sign(public, b""),
        lambda: rsa.verify(key, b"", b""),
        lambda: rsa.public_key(public),
        lambda: rsa.to_pem(elliptic),
        lambda: rsa.to_pem(None),
        lambda: rsa.encrypt(elliptic.public_key(), b""),
        lambda: rsa.sign("key", b""),
    ):
        with pytest.raises(InvalidKey):
            call()


# --- OAEP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "limit"), [(2048, 190), (3072, 318)])
def test_the_limit_is_named(bits, limit):
    key = rsa.generate_private_key(bits)
    public = rsa.public_key(key)
    assert rsa.decrypt(key, rsa.encrypt(public, bytes(limit))) == bytes(limit)
    with pytest.raises(MessageTooLarge, match=f"{limit} bytes"):
        rsa.encrypt(public, bytes(limit + 1))


def test_the_limit_counts_whole_bytes_of_an_odd_modulus():
    n = prime_of(1025) * prime_of(1025)
    public = library.RSAPublicNumbers(65537, n).public_key()  # 2049 or 2050 bits: 257 bytes
    assert len(rsa.encrypt(public, bytes(191))) == 257
    with pytest.raises(MessageTooLarge, match="191 bytes"):
        rsa.encrypt(public, bytes(192))


def test_whatever_is_wrong_with_a_ciphertext_reads_alike(key, other_key):
    public = rsa.public_key(key)
    sealed, n = rsa.encrypt(public, b"message", b"label"), public.public_numbers().n
    value = int.from_bytes(sealed, "big")
    attempts = [
        (key, sealed, b""),
        (key, sealed, b"Label"),
        (other_key, sealed, b"label"),
        (key, sealed[:-1], b"label"),
        (key, sealed + b"\x00", b"label"),
        (key, b"\x00" + sealed, b"label"),
        (key, b"", b"label"),
        (key, bytes(256), b"label"),
        (key, b"\xff" * 256, b"label"),
        (key, n.to_bytes(256, "big"), b"label"),
        (key, (n - 1).to_bytes(256, "big"), b"label"),
        (key, (1).to_bytes(256, "big"), b"label"),
        (key, ((value + n) % (1 << 2048)).to_bytes(256, "big"), b"label"),
        *((key, altered(sealed, at), b"label") for at in range(0, 256, 17)),
    ]
    told = set()
    for private, raw, label in attempts:
        with pytest.raises(DecryptionError) as caught:
            rsa.decrypt(private, raw, label)
        told.add((str(caught.value), caught.value.__cause__, caught.value.__suppress_context__))
    assert told == {("decryption failed", None, True)}


@settings(max_examples=40)
@given(message=st.binary(max_size=190), label=st.binary(max_size=100))
def test_any_message_and_label_come_back(key, message, label):
    sealed = rsa.encrypt(rsa.public_key(key), message, label)
    assert len(sealed) == 256
    assert rsa.decrypt(key, bytearray(sealed), label) == message


@settings(max_examples=40)
@given(raw=st.binary(max_size=300))
def test_no_bytes_make_decryption_say_anything_else(key, raw):
    with pytest.raises(DecryptionError):
        rsa.decrypt(key, raw)


def test_equal_messages_have_different_ciphertexts_and_signatures(key):
    public = rsa.public_key(key)
    assert rsa.encrypt(public, b"m") != rsa.encrypt(public, b"m")
    assert rsa.sign(key, b"m") != rsa.sign(key, b"m")


@pytest.mark.parametrize("wrong", ["text", None, 5, [1]])
def test_messages_are_bytes(key, wrong):
    public = rsa.public_key(key)
    for call in (
        lambda: rsa.encrypt(public, wrong),
        lambda: rsa.encrypt(public, b"", wrong),
        lambda: rsa.decrypt(key, wrong),
        lambda: rsa.decrypt(key, b"", wrong),
        lambda: rsa.sign(key, wrong),
        lambda: rsa.verify(public, wrong, b""),
        lambda: rsa.verify(public, b"", wrong),
        lambda: rsa.from_pem(wrong),
    ):
        with pytest.raises(InvalidParameter):
            call()


# --- PSS -----------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(message=st.binary(max_size=300), data=st.data())
def test_a_signature_holds_for_its_message_alone(key, message, data):
    public, signature = rsa.public_key(key), rsa.sign(key, message)
    assert rsa.verify(public, message, signature) is None
    other = data.draw(st.binary(max_size=300))
    if other != message:
        with pytest.raises(InvalidSignature):
            rsa.verify(public, other, signature)
    with pytest.raises(InvalidSignature):
        rsa.verify(
            public,
            message,
            altered(signature, data.draw(st.integers(0, 255)), data.draw(st.integers(1, 255))),
        )


def test_wrong_keys_and_sizes_are_invalid_signatures(key, other_key):
    signature = rsa.sign(key, b"m")
    with pytest.raises(InvalidSignature):
        rsa.verify(rsa.public_key(other_key), b"m", signature)
    for raw in (
        b"",
        b"\x00",
        signature[:-1],
        signature + b"\x00",
        b"\x00" + signature,
        bytes(256),
        b"\xff" * 256,
    ):
        with pytest.raises(InvalidSignature):
            rsa.verify(rsa.public_key(key), b"m", raw)


# --- PEM -----------------------------------------------------------------------------------------


def test_keys_come_back_from_pem(key, locked):
    plain, public = rsa.to_pem(key), rsa.to_pem(rsa.public_key(key))
    assert plain.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert public.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert locked.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert max(map(len, locked.splitlines())) <= 64
    assert rsa.from_pem(plain).private_numbers() == key.private_numbers()
    assert rsa.from_pem(locked, WORDS).private_numbers() == key.private_numbers()
    assert rsa.from_pem(bytearray(public)).public_numbers() == key.public_key().public_numbers()
    assert rsa.to_pem(key, WORDS) != locked
    assert (
        rsa.from_pem(b"a line of words before\n" + plain + public).private_numbers()
        == key.private_numbers()
    )
    assert rsa.from_pem(public + plain).public_numbers() == key.public_key().public_numbers()
    assert rsa.from_pem(plain.replace(b"\n", b"\r\n")).private_numbers() == key.private_numbers()


@pytest.mark.parametrize("passphrase", ["x", "é漢字🔑", "a" * 500, " ", "e\u0301"])
def test_any_passphrase_opens_what_it_closed(key, passphrase):
    assert (
        rsa.from_pem(rsa.to_pem(key, passphrase), passphrase).private_numbers()
        == key.private_numbers()
    )


def test_wrong_passphrases_read_alike(locked):
    """With CBC, one wrong passphrase in 256 gives good padding, and must read as the others do."""
    fast = openssl(
        "pkcs8",
        "-topk8",
        "-iter",
        "1",
        "-passin",
        f"pass:{WORDS}",
        "-passout",
        "pass:right",
        given=locked,
    )
    told = set()
    for number in range(1500):
        with pytest.raises(DecryptionError) as caught:
            rsa.from_pem(fast, f"wrong {number}")
        told.add((str(caught.value), caught.value.__cause__))
    for wrong in ("correct hors", "Correct horse", WORDS + " "):
        with pytest.raises(DecryptionError) as caught:
            rsa.from_pem(locked, wrong)
        told.add((str(caught.value), caught.value.__cause__))
    assert told == {("decryption failed", None)}


@pytest.mark.parametrize("passphrase", ["", b"bytes", 5, "\ud800"])
def test_a_passphrase_is_a_non_empty_str(key, locked, passphrase):
    with pytest.raises(InvalidParameter):
        rsa.to_pem(key, passphrase)
    with pytest.raises(InvalidParameter):
        rsa.from_pem(locked, passphrase)


def test_a_passphrase_is_neither_ignored_nor_missed(key, locked):
    for text in (rsa.to_pem(key), rsa.to_pem(rsa.public_key(key))):
        with pytest.raises(InvalidParameter, match="not encrypted"):
            rsa.from_pem(text, WORDS)
    with pytest.raises(InvalidParameter):
        rsa.to_pem(rsa.public_key(key), WORDS)
    with pytest.raises(InvalidKey, match="passphrase is needed"):
        rsa.from_pem(locked)
    old = openssl(
        "rsa",
        "-traditional",
        "-aes256",
        "-passin",
        f"pass:{WORDS}",
        "-passout",
        "pass:x",
        given=locked,
    )
    with pytest.raises(InvalidKey, match="passphrase is needed"):
        rsa.from_pem(old)


def garbage(key):
    plain, public = rsa.to_pem(key), rsa.to_pem(rsa.public_key(key))
    yield from (
        b"",
        b"-----BEGIN PRIVATE KEY-----",
        b"\xff" * 100,
        plain[:-30],
        public[40:],
        plain[30:],
    )
    yield plain.replace(b"PRIVATE", b"PUBLIC")
    yield public.replace(b"PUBLIC", b"PRIVATE")
    yield plain.replace(b"PRIVATE KEY", b"CERTIFICATE")
    yield b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"
    yield b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    yield b"-----BEGIN RSA PRIVATE KEY-----\n!!!!\n-----END RSA PRIVATE KEY-----\n"
    yield ed25519.Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    elliptic = ec.generate_private_key(ec.SECP256R1())
    yield elliptic.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    yield elliptic.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_what_is_no_rsa_key_is_invalid(key):
    for text in garbage(key):
        with pytest.raises(InvalidKey):
            rsa.from_pem(text)
    elliptic = ec.generate_private_key(ec.SECP256R1())
    sealed = elliptic.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    )
    with pytest.raises(InvalidKey):
        rsa.from_pem(sealed, "x")


@settings(max_examples=60)
@given(data=st.data())
def test_an_altered_key_ends_in_a_typed_error_or_is_the_key(key, data):
    pem = data.draw(st.sampled_from([rsa.to_pem(key), rsa.to_pem(rsa.public_key(key))]))
    position = data.draw(st.integers(0, len(pem) - 1))
    changed = (
        pem[:position]
        + data.draw(st.binary(max_size=3))
        + pem[position + data.draw(st.integers(0, 3)) :]
    )
    with suppress(InvalidKey):
        rsa.from_pem(changed)


def test_the_encrypted_form_is_pbes2_with_a_fresh_salt_and_iv(key):
    seen = set()
    for _ in range(3):
        described = openssl("asn1parse", given=rsa.to_pem(key, WORDS)).decode()
        seen |= set(re.findall(r"\[HEX DUMP\]:([0-9A-F]{32})\n", described))
    assert len(seen) == 6


def test_the_largest_modulus_belongs_to_what_is_taken():
    n = 1
    while n.bit_length() != 16384 or gcd(n, rsa._SMALL_PRODUCT) != 1:
        n = secrets.randbits(16384) | 1 << 16383 | 1
    largest = library.RSAPublicNumbers(65537, n).public_key()
    assert rsa._checked(largest) is largest
    longer = library.RSAPublicNumbers(65537, n | 1 << 16384).public_key()
    with pytest.raises(InvalidKey, match="16384 bits"):
        rsa._checked(longer)


def test_the_first_key_in_a_file_is_read_whatever_stands_before_it(key):
    plain = rsa.to_pem(key)
    certificate = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    unended = b"-----BEGIN PUBLIC KEY-----\nAAAA\n"
    for before in (certificate, b"Bag Attributes\n  x: y\n", certificate * 3, unended):
        assert rsa.from_pem(before + plain).private_numbers() == key.private_numbers()
