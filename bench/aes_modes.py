"""Authenticated encryption by message size: the helper's AES-GCM, other ciphers, the textbook."""

from __future__ import annotations

import secrets

from bench.rows import Row
from lepton_lab.textbook.primitives import aes as tb_aes
from lepton_lab.workshop.experiments.speed import Seal, ciphers, rates

SIZES = tuple(4**power for power in range(2, 11))  # 16 bytes to 1 MiB
TEXTBOOK_SIZE = 1024
HELPER = "AES-GCM (lepton_lab)"


def run(quick: bool) -> list[Row]:
    """Measure megabytes of plaintext per second in one thread, with a fresh nonce per message.

    The ratio is to the helper's. The note is the size of the messages in bytes.
    """
    sizes = SIZES[:6] if quick else SIZES
    works = {**ciphers(), "AES-GCM (PyCryptodome)": _pycryptodome()}
    found = rates(works, sizes, rounds=3 if quick else 150)
    rows = [
        Row(
            name,
            speed,
            "MB/s",
            None if name == HELPER else speed / helper,
            HELPER * (name != HELPER),
            str(size),
        )
        for name, speeds in found.items()
        for size, speed, helper in zip(sizes, speeds, found[HELPER], strict=True)
    ]
    return [*rows, *_textbook(quick)]


def _pycryptodome() -> Seal:
    from Crypto.Cipher import AES

    key = secrets.token_bytes(32)

    def seal(message: bytes) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + b"".join(AES.new(key, AES.MODE_GCM, nonce=nonce).encrypt_and_digest(message))

    return seal


def _textbook(quick: bool) -> list[Row]:
    key = secrets.token_bytes(32)
    works: dict[str, Seal] = {
        "textbook": lambda message: tb_aes.gcm(key, secrets.token_bytes(12), message).result,
        HELPER: ciphers()[HELPER],
    }
    found = rates(works, [TEXTBOOK_SIZE], rounds=3 if quick else 9)
    speeds = {name: by_size[0] for name, by_size in found.items()}
    slower = speeds["textbook"] / speeds[HELPER]
    return [
        Row("AES-GCM (textbook)", speeds["textbook"], "MB/s", slower, HELPER, str(TEXTBOOK_SIZE))
    ]
