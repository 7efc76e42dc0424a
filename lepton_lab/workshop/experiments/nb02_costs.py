"""What RSA is asked to do where notebook 02 measures it on the reader's own machine, as the reference run did.

Each function returns works by name, to be given to `workshop.speed.milliseconds`. Names are those of the reference run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from lepton_lab import aes, rsa
from lepton_lab.textbook.primitives import rsa as tb_rsa

Works = dict[str, Callable[[], object]]

_MESSAGE = bytes(32)  # as long as a data key
_HASH = 32  # bytes of SHA-256


def operations(bits: int) -> Works:
    """The five operations of the helper, with keys of `bits` bits. Raises InvalidParameter."""
    private = rsa.generate_private_key(bits)
    public = rsa.public_key(private)
    sealed, signature = rsa.encrypt(public, _MESSAGE), rsa.sign(private, _MESSAGE)
    return {
        "generate": lambda: rsa.generate_private_key(bits),
        "encrypt": lambda: rsa.encrypt(public, _MESSAGE),
        "decrypt": lambda: rsa.decrypt(private, sealed),
        "sign": lambda: rsa.sign(private, _MESSAGE),
        "verify": lambda: rsa.verify(public, _MESSAGE, signature),
    }


def decryptions(private: RSAPrivateKey) -> Works:
    """One decryption by the helper, and its bare power in plain Python: by the Chinese remainder theorem, and whole."""
    numbers = private.private_numbers()
    key = tb_rsa.PrivateKey(
        numbers.public_numbers.n, numbers.public_numbers.e, numbers.d, numbers.p, numbers.q
    )
    sealed = rsa.encrypt(rsa.public_key(private), _MESSAGE)
    c = tb_rsa.OS2IP(sealed)
    return {
        "lepton_lab.rsa.decrypt": lambda: rsa.decrypt(private, sealed),
        "textbook RSADP, CRT": lambda: tb_rsa.RSADP(key, c),
        "textbook RSADP, no CRT": lambda: tb_rsa.RSADP(key, c, crt=False),
    }


def forms(private: RSAPrivateKey, length: int) -> Works:
    """The decryption of `length` bytes that were cut in pieces for RSA alone, and of a sealed key with AES-256-GCM."""
    public, message, key = rsa.public_key(private), bytes(length), aes.generate_key()
    piece = private.key_size // 8 - 2 * _HASH - 2  # OAEP's limit (RFC 8017 §7.1.1)
    pure = [
        rsa.encrypt(public, message[start : start + piece]) for start in range(0, length, piece)
    ]
    wrapped, sealed = rsa.encrypt(public, key), aes.encrypt(key, message)
    return {
        "pure": partial(_joined, private, pure),
        "hybrid": lambda: aes.decrypt(rsa.decrypt(private, wrapped), sealed),
    }


def _joined(private: RSAPrivateKey, pieces: list[bytes]) -> bytes:
    return b"".join(rsa.decrypt(private, piece) for piece in pieces)
