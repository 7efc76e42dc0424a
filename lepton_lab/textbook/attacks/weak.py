"""AES without a tag, fast: the weak constructions in this folder are made of it.

`textbook.primitives.aes` has the same functions step by step; with those an attack would take
minutes. Nothing here may protect any data.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def ecb_encrypt(key: bytes, blocks: bytes) -> bytes:
    """Encrypt whole blocks with AES-ECB (SP 800-38A §6.1)."""
    return _run(Cipher(algorithms.AES(key), modes.ECB()), blocks)  # noqa: S305 - on purpose


def cbc_encrypt(key: bytes, iv: bytes, blocks: bytes) -> bytes:
    """Encrypt whole blocks with AES-CBC (SP 800-38A §6.2). `iv`: 16 bytes."""
    return _run(Cipher(algorithms.AES(key), modes.CBC(iv)), blocks)


def cbc_decrypt(key: bytes, iv: bytes, blocks: bytes) -> bytes:
    """Decrypt what `cbc_encrypt` encrypted."""
    context = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return context.update(blocks) + context.finalize()


def ctr(key: bytes, counter: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt with AES-CTR, its own inverse (SP 800-38A §6.5). `counter`: 16 bytes."""
    return _run(Cipher(algorithms.AES(key), modes.CTR(counter)), data)


def _run(cipher: Cipher[modes.ECB] | Cipher[modes.CBC] | Cipher[modes.CTR], data: bytes) -> bytes:
    context = cipher.encryptor()
    return context.update(data) + context.finalize()
