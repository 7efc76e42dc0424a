"""What one guess at a passphrase costs, measured on the reader's own machine for notebook 04."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

Stretch = Callable[[bytes], bytes]  # from a passphrase to 32 bytes, under some salt

_SALT = b"a salt, 16 bytes"
_PBKDF2_ROUNDS = 600_000
# One call of a bare hash takes less than a step of the clock, so this many are measured together.
_CALLS_OF_A_HASH = 20_000


def stretches() -> dict[str, Stretch]:
    """A bare hash, and the functions in use for passphrases (RFC 8018, 7914, 9106), by name."""

    def sha256(passphrase: bytes) -> bytes:
        return hashlib.sha256(_SALT + passphrase).digest()

    def pbkdf2(passphrase: bytes) -> bytes:
        return PBKDF2HMAC(SHA256(), 32, _SALT, _PBKDF2_ROUNDS).derive(passphrase)

    def scrypt(n: int) -> Stretch:
        return lambda passphrase: Scrypt(salt=_SALT, length=32, n=n, r=8, p=1).derive(passphrase)

    def argon2id(passphrase: bytes) -> bytes:
        kdf = Argon2id(salt=_SALT, length=32, iterations=3, lanes=4, memory_cost=1 << 16)
        return kdf.derive(passphrase)

    return {
        "SHA-256": sha256,
        "PBKDF2, 600,000 rounds": pbkdf2,
        "scrypt, 16 MiB": scrypt(1 << 14),
        "scrypt, 128 MiB": scrypt(1 << 17),
        "Argon2id, 64 MiB": argon2id,
    }


def costs(rounds: int = 1) -> dict[str, float]:
    """Milliseconds of one guess with each function: the best of some rounds.

    The best, because whatever else the machine does only makes a round slower.
    """
    found: dict[str, float] = {}
    for name, stretch in stretches().items():
        calls = _CALLS_OF_A_HASH if name == "SHA-256" else 1
        found[name] = min(_milliseconds(stretch, calls) for _ in range(rounds))
    return found


def _milliseconds(stretch: Stretch, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        stretch(b"dragon")
    return 1000 * (time.perf_counter() - start) / calls
