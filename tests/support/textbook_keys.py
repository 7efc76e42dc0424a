"""Keys and receivers for tests of the textbook: weak ones to break, and the helpers' own to try."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from lepton_lab import aes, rsa
from lepton_lab.errors import DecryptionError
from lepton_lab.textbook.primitives import rsa as tb_rsa

AES_KEY = bytes(range(16))
IV = bytes(range(100, 116))
HELPER_AES_KEY = aes.generate_key()

MESSAGE = b"meet me at the old harbour"
NUMBER = int.from_bytes(MESSAGE, "big")


def helper_accepts(message: bytes, associated_data: bytes = b"") -> bool:
    """The AES helper as a receiver: whether it opens the message."""
    try:
        aes.decrypt(HELPER_AES_KEY, message, associated_data)
    except DecryptionError:
        return False
    return True


def deterministic(seed: bytes) -> Callable[[int], bytes]:
    """Bytes that look random and are the same in every run."""
    calls = iter(range(10**9))

    def randbytes(count: int) -> bytes:
        call = next(calls).to_bytes(8, "big")
        return hashlib.shake_256(seed + call).digest(count)

    return randbytes


@cache
def weak_rsa_key(bits: int = 1024, e: int = 3, which: int = 0) -> tb_rsa.PrivateKey:
    """A small RSA key, the same in every run; `which` tells several of one size apart."""
    return tb_rsa.generate_key(bits, deterministic(b"weak %d" % which), e).result


@cache
def helper_rsa_key() -> RSAPrivateKey:
    """A key of the RSA helper, made once."""
    return rsa.generate_private_key(2048)


def helper_rsa_public() -> tb_rsa.PublicKey:
    """Its public half, as the textbook takes it."""
    numbers = helper_rsa_key().public_key().public_numbers()
    return tb_rsa.PublicKey(numbers.n, numbers.e)


def helper_rsa_ciphertext(message: bytes = b"a data key") -> int:
    """What the RSA helper makes of a message, as a number."""
    return tb_rsa.OS2IP(rsa.encrypt(helper_rsa_key().public_key(), message))


def oaep(public: tb_rsa.PublicKey, message: bytes) -> int:
    """OAEP under any textbook key: what padding alone changes."""
    seed = secrets.token_bytes(32)
    return tb_rsa.OS2IP(tb_rsa.RSAES_OAEP_ENCRYPT(public, message, seed=seed).result)


def from_cryptography(private: RSAPrivateKey) -> tb_rsa.PrivateKey:
    """A key of `cryptography`, and so of the helper, as the textbook takes it."""
    numbers = private.private_numbers()
    public = numbers.public_numbers
    return tb_rsa.PrivateKey(public.n, public.e, numbers.d, numbers.p, numbers.q)
