"""AES without a tag, fast: what the weak constructions in this folder are made of, so that attacks take seconds.

The same functions, step by step, are in `textbook.primitives.aes`. Nothing here may protect anything.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def ecb_encrypt(key: bytes, blocks: bytes) -> bytes:
    """AES-ECB of whole blocks (SP 800-38A §6.1)."""
    return _run(Cipher(algorithms.AES(key), modes.ECB()), blocks)  # noqa: S305 - the weakness is the subject


def cbc_encrypt(key: bytes, iv: bytes, blocks: bytes) -> bytes:
    """AES-CBC of whole blocks (SP 800-38A §6.2)."""
    return _run(Cipher(algorithms.AES(key), modes.CBC(iv)), blocks)


def cbc_decrypt(key: bytes, iv: bytes, blocks: bytes) -> bytes:
    """The inverse of `cbc_encrypt`."""
    context = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return context.update(blocks) + context.finalize()


def ctr(key: bytes, counter: bytes, data: bytes) -> bytes:
    """AES-CTR, its own inverse (SP 800-38A §6.5). `counter`: 16 bytes."""
    return _run(Cipher(algorithms.AES(key), modes.CTR(counter)), data)


def _run(cipher: Cipher[modes.ECB] | Cipher[modes.CBC] | Cipher[modes.CTR], data: bytes) -> bytes:
    context = cipher.encryptor()
    return context.update(data) + context.finalize()
