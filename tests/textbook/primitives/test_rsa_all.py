"""Tests lepton_lab.textbook.primitives.rsa and lepton_lab.textbook.primitives.pkcs1v15 at length.

Every RSA case of RSA Laboratories, of cryptography and of Wycheproof for whose hashes there is a
textbook form; minutes of work. The quick run takes samples of the same sets (test_rsa.py,
test_pkcs1v15.py). The textbook's OAEP and PSS have one hash, for the label or message and for MGF1
alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lepton_lab.errors import DecryptionError, InvalidSignature
from lepton_lab.textbook.primitives import pkcs1v15
from lepton_lab.textbook.primitives import rsa as tb_rsa
from tests.support.rsa_laboratories import RSA_LABS, groups
from tests.support.textbook_keys import from_cryptography
from tests.support.vectors import Case, wycheproof, wycheproof_names

pytestmark = pytest.mark.slow
HASHES = {f"SHA-{size}": f"sha{size}" for size in (1, 224, 256, 384, 512)}

Counting = Callable[[str, int, int], None]


def test_all_of_rsa_laboratories_pkcs1_v1_5(counted: Counting) -> None:
    run = 0
    for private, cases in groups(RSA_LABS / "pkcs1v15sign-vectors.txt", "Signature"):
        for case in cases:
            message = case["Message to be signed"]
            signature = case["Signature"]
            made = pkcs1v15.RSASSA_PKCS1_V1_5_SIGN(private, message, hash_name="sha1")
            assert made.result == signature
            pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(private.public, message, signature, hash_name="sha1")
            run += 1
    for private, cases in groups(RSA_LABS / "pkcs1v15crypt-vectors.txt", "Encryption"):
        for case in cases:
            message = case["Message"]
            sealed = pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(private.public, message, PS=case["Seed"])
            assert sealed.result == case["Encryption"]
            assert pkcs1v15.RSAES_PKCS1_V1_5_DECRYPT(private, sealed.result).result == message
            run += 1
    counted("PKCS #1 v1.5, RSA Laboratories", run, 600)


def test_all_of_cryptographys_oaep_where_both_hashes_are_one(counted: Counting) -> None:
    run = 0
    for name in ("sha224", "sha256", "sha384", "sha512"):
        path = RSA_LABS / "oaep-custom" / f"oaep-{name}-{name}.txt"
        for private, cases in groups(path, "Encryption"):
            for case in cases:
                opened = tb_rsa.RSAES_OAEP_DECRYPT(private, case["Encryption"], hash_name=name)
                assert opened.result == case["Message"]
                run += 1
    counted("OAEP with SHA-2, cryptography", run, 240)


def all_of(kind: str, beginning: str) -> Iterator[Case]:
    """Each case of the Wycheproof files that begin so, with what its group says."""
    for name in wycheproof_names(kind, beginning):
        yield from wycheproof(kind, name)


@cache
def private_key(pem: str) -> tb_rsa.PrivateKey:
    """The key of a case; there are few keys and many cases."""
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return from_cryptography(key)


def public_key(case: Case) -> tb_rsa.PublicKey:
    numbers = case["publicKey"]
    return tb_rsa.PublicKey(int(numbers["modulus"], 16), int(numbers["publicExponent"], 16))


def one_hash(case: Case) -> str | None:
    """The hash of a case that has the same one for MGF1, or None."""
    if case["mgfSha"] != case["sha"]:
        return None
    return HASHES.get(case["sha"])


def test_all_of_wycheproofs_oaep_where_both_hashes_are_one(counted: Counting) -> None:
    run = 0
    for case in all_of("Cipher", "rsa_oaep_"):
        name = one_hash(case)
        if name is None:
            continue
        private = private_key(case["privateKeyPem"])
        ciphertext = bytes.fromhex(case["ct"])
        label = bytes.fromhex(case["label"])
        if case["result"] == "invalid":
            with pytest.raises(DecryptionError):
                tb_rsa.RSAES_OAEP_DECRYPT(private, ciphertext, label, hash_name=name)
        else:
            opened = tb_rsa.RSAES_OAEP_DECRYPT(private, ciphertext, label, hash_name=name)
            assert opened.result.hex() == case["msg"]
        run += 1
    counted("OAEP, Wycheproof", run, 413)


def test_all_of_wycheproofs_pkcs1_v1_5_decryption(counted: Counting) -> None:
    run = 0
    for case in all_of("Cipher", "rsa_pkcs1_"):
        private = private_key(case["privateKeyPem"])
        ciphertext = bytes.fromhex(case["ct"])
        if case["result"] == "invalid":
            with pytest.raises(DecryptionError):
                pkcs1v15.RSAES_PKCS1_V1_5_DECRYPT(private, ciphertext)
        else:
            opened = pkcs1v15.RSAES_PKCS1_V1_5_DECRYPT(private, ciphertext)
            assert opened.result.hex() == case["msg"], case["tcId"]
        run += 1
    counted("PKCS #1 v1.5 decryption, Wycheproof", run, 201)


def test_all_of_wycheproofs_pss_where_both_hashes_are_one(counted: Counting) -> None:
    run = 0
    for case in all_of("Signature", "rsa_pss_"):
        name = one_hash(case) if case["mgf"] == "MGF1" else None
        if name is None:
            continue
        public = public_key(case)
        message = bytes.fromhex(case["msg"])
        signature = bytes.fromhex(case["sig"])
        options = {"sLen": case["sLen"], "hash_name": name}
        if case["result"] == "invalid":
            with pytest.raises(InvalidSignature):
                tb_rsa.RSASSA_PSS_VERIFY(public, message, signature, **options)
        else:
            verified = tb_rsa.RSASSA_PSS_VERIFY(public, message, signature, **options)
            assert verified.result == "consistent"
        run += 1
    counted("PSS, Wycheproof", run, 1976)


def test_all_of_wycheproofs_pkcs1_v1_5_signatures(counted: Counting) -> None:
    run = 0
    for case in all_of("Signature", "rsa_signature_"):
        name = HASHES.get(case["sha"])
        if name not in pkcs1v15.DIGEST_INFO:
            continue
        public = public_key(case)
        message = bytes.fromhex(case["msg"])
        signature = bytes.fromhex(case["sig"])
        if case["result"] == "valid":
            pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(public, message, signature, hash_name=name)
        elif case["result"] == "invalid":
            with pytest.raises(InvalidSignature):
                pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(public, message, signature, hash_name=name)
        run += 1
    counted("PKCS #1 v1.5 signatures, Wycheproof", run, 3106)
