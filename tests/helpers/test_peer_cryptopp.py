"""Tests lepton_lab.aes and lepton_lab.rsa against Crypto++, compiled here, both ways."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import aes, rsa
from lepton_lab.errors import DecryptionError, InvalidSignature
from tests.support.paths import TESTS

SOURCE = TESTS / "support" / "peers" / "cryptopp_peer.cpp"
Peer = Callable[..., bytes | None]
KEY = rsa.generate_private_key(2048)
PRIVATE = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
PUBLIC = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """Ask Crypto++: verb and bytes in, bytes or None (refused) out."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    enable = (
        "optional peer: install a C++ compiler and Crypto++ (apt-get install g++ libcrypto++-dev)"
    )
    if compiler is None:
        pytest.skip(enable)
    program = tmp_path_factory.mktemp("peer") / "cryptopp"
    command = [compiler, "-std=c++17", "-O1", SOURCE, "-o", program, "-lcryptopp"]
    built = subprocess.run(command, capture_output=True, check=False)
    if built.returncode and b"cryptopp/" in built.stderr and b"o such file" in built.stderr:
        pytest.skip(enable)
    assert not built.returncode, built.stderr.decode()
    with subprocess.Popen(
        [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(verb: str, *raw: bytes) -> bytes | None:
            process.stdin.write(" ".join([verb, *(part.hex() or "-" for part in raw)]) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline().strip()
            assert answer
            return None if answer == "refused" else bytes.fromhex(answer.replace("-", ""))

        yield ask
        process.stdin.close()


def altered(raw: bytes, position: int) -> bytes:
    return raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]


@settings(max_examples=60)
@given(
    st.binary(min_size=32, max_size=32), st.binary(max_size=300), st.binary(max_size=60), st.data()
)
def test_gcm_both_ways_and_neither_takes_what_was_altered(peer, key, plaintext, associated, data):
    ours = aes.encrypt(key, plaintext, associated)
    assert peer("gcm-open", key, ours[:12], ours[12:], associated) == plaintext
    nonce = data.draw(st.binary(min_size=12, max_size=12))
    theirs = nonce + peer("gcm-seal", key, nonce, plaintext, associated)
    assert aes.decrypt(key, theirs, associated) == plaintext
    broken = altered(theirs, data.draw(st.integers(0, len(theirs) - 1)))
    assert peer("gcm-open", key, broken[:12], broken[12:], associated) is None
    with pytest.raises(DecryptionError):
        aes.decrypt(key, broken, associated)


@settings(max_examples=40)
@given(st.binary(min_size=1, max_size=80), st.binary(max_size=80), st.binary(max_size=80))
def test_hkdf_agrees(peer, ikm, salt, info):
    assert peer("hkdf", ikm, salt, info) == HKDF(SHA256(), 32, salt, info).derive(ikm)


@settings(max_examples=30)
@given(st.binary(max_size=190), st.binary(max_size=60), st.integers(0, 255))
def test_oaep_both_ways_and_neither_takes_what_was_altered(peer, message, label, position):
    ours = rsa.encrypt(KEY.public_key(), message, label)
    assert peer("oaep-open", PRIVATE, ours, label) == message
    theirs = peer("oaep-seal", PUBLIC, message, label)
    assert rsa.decrypt(KEY, theirs, label) == message
    for sealed, bound in ((altered(theirs, position), label), (theirs, label + b"x")):
        assert peer("oaep-open", PRIVATE, sealed, bound) is None
        with pytest.raises(DecryptionError):
            rsa.decrypt(KEY, sealed, bound)


@settings(max_examples=30)
@given(st.binary(max_size=300), st.integers(0, 255))
def test_pss_both_ways_and_neither_takes_what_was_altered(peer, message, position):
    ours = rsa.sign(KEY, message)
    assert peer("pss-verify", PUBLIC, message, ours) is not None
    theirs = peer("pss-sign", PRIVATE, message)
    rsa.verify(KEY.public_key(), message, theirs)
    for text, signature in ((message, altered(theirs, position)), (message + b"x", theirs)):
        assert peer("pss-verify", PUBLIC, text, signature) is None
        with pytest.raises(InvalidSignature):
            rsa.verify(KEY.public_key(), text, signature)
