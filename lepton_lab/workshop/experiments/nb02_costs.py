"""The RSA operations that notebook 02 times on the reader's own machine.

Each function returns operations by name, for `experiments.speed.milliseconds`. The names are
those of the reference run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from lepton_lab import aes, rsa
from lepton_lab.textbook.primitives import rsa as tb_rsa

Operations = dict[str, Callable[[], object]]

_MESSAGE = bytes(32)  # as long as a data key
_HASH_SIZE = 32  # bytes of SHA-256


def operations(bits: int) -> Operations:
    """The helper's five operations, with keys of `bits` bits. Raises InvalidParameter."""
    private = rsa.generate_private_key(bits)
    public = rsa.public_key(private)
    ciphertext = rsa.encrypt(public, _MESSAGE)
    signature = rsa.sign(private, _MESSAGE)
    return {
        "generate": lambda: rsa.generate_private_key(bits),
        "encrypt": lambda: rsa.encrypt(public, _MESSAGE),
        "decrypt": lambda: rsa.decrypt(private, ciphertext),
        "sign": lambda: rsa.sign(private, _MESSAGE),
        "verify": lambda: rsa.verify(public, _MESSAGE, signature),
    }


def decryptions(private: RSAPrivateKey) -> Operations:
    """One decryption by the helper, and its bare power in Python with and without the CRT."""
    numbers = private.private_numbers()
    public_numbers = numbers.public_numbers
    key = tb_rsa.PrivateKey(public_numbers.n, public_numbers.e, numbers.d, numbers.p, numbers.q)
    ciphertext = rsa.encrypt(rsa.public_key(private), _MESSAGE)
    c = tb_rsa.OS2IP(ciphertext)
    return {
        "lepton_lab.rsa.decrypt": lambda: rsa.decrypt(private, ciphertext),
        "textbook RSADP, CRT": lambda: tb_rsa.RSADP(key, c),
        "textbook RSADP, no CRT": lambda: tb_rsa.RSADP(key, c, crt=False),
    }


def forms(private: RSAPrivateKey, length: int) -> Operations:
    """The decryption of `length` bytes in two forms.

    "pure": the bytes were cut into pieces and each was encrypted by RSA. "hybrid": RSA encrypted
    a key, and AES-256-GCM the bytes.
    """
    public = rsa.public_key(private)
    message = bytes(length)
    longest = private.key_size // 8 - 2 * _HASH_SIZE - 2  # OAEP's limit (RFC 8017 §7.1.1)
    pieces = [message[start : start + longest] for start in range(0, length, longest)]
    encrypted_pieces = [rsa.encrypt(public, piece) for piece in pieces]
    data_key = aes.generate_key()
    encrypted_key = rsa.encrypt(public, data_key)
    encrypted_message = aes.encrypt(data_key, message)
    return {
        "pure": partial(_decrypt_pieces, private, encrypted_pieces),
        "hybrid": lambda: aes.decrypt(rsa.decrypt(private, encrypted_key), encrypted_message),
    }


def _decrypt_pieces(private: RSAPrivateKey, pieces: list[bytes]) -> bytes:
    return b"".join(rsa.decrypt(private, piece) for piece in pieces)
