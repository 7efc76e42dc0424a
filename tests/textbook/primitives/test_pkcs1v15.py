"""Tests lepton_lab.textbook.primitives.pkcs1v15: RSA Laboratories' vectors, and what it refuses."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
)

from lepton_lab.errors import DecryptionError, InvalidParameter, InvalidSignature, MessageTooLarge
from lepton_lab.textbook.primitives import pkcs1v15
from lepton_lab.textbook.primitives import rsa as tb_rsa
from tests.support.rsa_laboratories import RSA_LABS, groups
from tests.support.textbook_keys import weak_rsa_key


def to_cryptography(private: tb_rsa.PrivateKey) -> RSAPrivateKey:
    dP, dQ, qInv = private.crt
    public = RSAPublicNumbers(private.e, private.n)
    return RSAPrivateNumbers(private.p, private.q, private.d, dP, dQ, qInv, public).private_key()


def test_the_vectors_sign_and_verify() -> None:
    for private, cases in list(groups(RSA_LABS / "pkcs1v15sign-vectors.txt", "Signature"))[:3]:
        for case in cases[:5]:
            message = case["Message to be signed"]
            signature = case["Signature"]
            made = pkcs1v15.RSASSA_PKCS1_V1_5_SIGN(private, message, hash_name="sha1")
            assert made.result == signature
            verified = pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(
                private.public, message, signature, hash_name="sha1"
            )
            assert verified.result == "valid"


def test_the_vectors_encrypt_and_decrypt() -> None:
    for private, cases in list(groups(RSA_LABS / "pkcs1v15crypt-vectors.txt", "Encryption"))[:3]:
        for case in cases[:5]:
            message = case["Message"]
            ciphertext = case["Encryption"]
            sealed = pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(private.public, message, PS=case["Seed"])
            assert sealed.result == ciphertext
            assert pkcs1v15.RSAES_PKCS1_V1_5_DECRYPT(private, ciphertext).result == message


@pytest.mark.parametrize("name", ["sha1", "sha256", "sha384", "sha512"])
def test_every_digest_info_is_the_one_of_cryptography(name: str) -> None:
    private = weak_rsa_key(e=65537)
    signature = pkcs1v15.RSASSA_PKCS1_V1_5_SIGN(private, b"message", hash_name=name).result
    algorithm = getattr(hashes, name.upper())()
    public = to_cryptography(private).public_key()
    public.verify(signature, b"message", padding.PKCS1v15(), algorithm)


def test_a_signature_is_refused_when_anything_is_changed() -> None:
    private = weak_rsa_key(e=65537)
    other = weak_rsa_key(e=65537, which=1)
    message = b"I owe you 10"
    signature = pkcs1v15.RSASSA_PKCS1_V1_5_SIGN(private, message).result
    pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(private.public, message, signature)
    changed = [signature[:i] + bytes([signature[i] ^ 1]) + signature[i + 1 :] for i in (1, 40, 127)]
    for S in [*changed, b"", signature[:-1], b"\0" + signature, b"\xff" * 128, bytes(128)]:
        with pytest.raises(InvalidSignature):
            pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(private.public, message, S)
    with pytest.raises(InvalidSignature):
        pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(private.public, message + b"0", signature)
    with pytest.raises(InvalidSignature):
        pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(other.public, message, signature)


def test_sizes_and_zeros_are_refused() -> None:
    public = weak_rsa_key(e=65537).public
    with pytest.raises(MessageTooLarge):
        pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(public, bytes(118), PS=b"")
    with pytest.raises(InvalidParameter, match="no 0"):
        pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(public, bytes(117), PS=b"1234567\0")
    with pytest.raises(InvalidParameter):
        pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(public, bytes(117), PS=b"1234567")
    with pytest.raises(InvalidParameter):
        pkcs1v15.EMSA_PKCS1_V1_5_ENCODE(b"m", 128, "md5")
    with pytest.raises(MessageTooLarge):
        pkcs1v15.EMSA_PKCS1_V1_5_ENCODE(b"m", 61)


@pytest.mark.parametrize(
    "encoded",
    [
        b"\0\1" + b"x" * 20 + b"\0m",
        b"\0\2" + b"x" * 126,
        b"\0\2" + b"x" * 7 + b"\0" + b"m" * 118,
        b"\1" * 128,
    ],
    ids=["for a signature", "without an end", "too short", "without a beginning"],
)
def test_padding_that_is_wrong_in_one_place_is_refused(encoded: bytes) -> None:
    private = weak_rsa_key(e=65537)
    number = int.from_bytes(encoded, "big") % private.n
    ciphertext = tb_rsa.I2OSP(pow(number, private.e, private.n), 128)
    with pytest.raises(DecryptionError):
        pkcs1v15.RSAES_PKCS1_V1_5_DECRYPT(private, ciphertext)


@pytest.mark.parametrize("wrong", [b"", bytes(127), b"\xff" * 128])
def test_ciphertexts_of_a_wrong_size_are_refused(wrong: bytes) -> None:
    with pytest.raises(DecryptionError):
        pkcs1v15.RSAES_PKCS1_V1_5_DECRYPT(weak_rsa_key(e=65537), wrong)
