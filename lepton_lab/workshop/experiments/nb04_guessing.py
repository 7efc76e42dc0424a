"""What one guess at a passphrase costs: what a notebook draws from the reader's own machine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

Stretch = Callable[[bytes], bytes]  # a passphrase to 32 bytes, under some salt

_SALT = b"a salt of 16 oct"
_QUICK = (
    20_000  # so many calls make a measurement of a function that takes less than a clock's step
)


def stretches() -> dict[str, Stretch]:
    """A bare hash, and the functions in use for passphrases (RFC 8018, 7914, 9106), by name; with 16 bytes of salt."""

    def scrypt(n: int) -> Stretch:
        return lambda passphrase: Scrypt(salt=_SALT, length=32, n=n, r=8, p=1).derive(passphrase)

    def argon2id(passphrase: bytes) -> bytes:
        return Argon2id(salt=_SALT, length=32, iterations=3, lanes=4, memory_cost=1 << 16).derive(
            passphrase
        )

    return {
        "SHA-256": lambda passphrase: hashlib.sha256(_SALT + passphrase).digest(),
        "PBKDF2, 600,000 rounds": lambda passphrase: PBKDF2HMAC(
            SHA256(), 32, _SALT, 600_000
        ).derive(passphrase),
        "scrypt, 16 MiB": scrypt(1 << 14),
        "scrypt, 128 MiB": scrypt(1 << 17),
        "Argon2id, 64 MiB": argon2id,
    }


def costs(rounds: int = 1) -> dict[str, float]:
    """Milliseconds of one guess by each function: the best of some rounds, for a busy machine only makes one slower."""
    found: dict[str, float] = {}
    for name, stretch in stretches().items():
        calls = _QUICK if name == "SHA-256" else 1
        found[name] = min(_milliseconds(stretch, calls) for _ in range(rounds))
    return found


def _milliseconds(stretch: Stretch, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        stretch(b"dragon")
    return 1000 * (time.perf_counter() - start) / calls
