"""AES-256-GCM on pieces of 1 MiB, beside `openssl speed`.

It shows how much speed a reused buffer gains, and how much of it the stream keeps.
"""

from __future__ import annotations

import io
import shutil
import statistics
import subprocess
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.rows import Row, interleaved
from lepton_lab import aes

PIECE = 2**20
OPENSSL = "openssl speed -evp aes-256-gcm"


def run(quick: bool) -> list[Row]:
    """Measure megabytes of plaintext per second in one thread; the ratio is to `openssl speed`."""
    size = (16 if quick else 64) * PIECE
    works = _works(size)
    figures: list[float] = []
    if openssl := shutil.which("openssl"):
        works[OPENSSL] = lambda: figures.append(_openssl_speed(openssl))
    seconds = interleaved(works, 3 if quick else 9)
    speeds = {name: size / 1e6 / taken for name, taken in seconds.items()}
    if figures:
        # openssl prints its own figure; the first round was to warm up
        speeds[OPENSSL] = statistics.median(figures[1:])
    return [
        Row(name, speed, "MB/s", *((speed / speeds[OPENSSL], OPENSSL) if figures else ()))
        for name, speed in speeds.items()
    ]


def _works(size: int) -> dict[str, Callable[[], object]]:
    key = aes.generate_key()
    nonce = bytes(12)
    cipher = AESGCM(key)
    piece = memoryview(bytes(PIECE))
    sealed = memoryview(bytearray(PIECE + 16))
    stream = io.BytesIO()
    aes.encrypt_stream(key, _Zeros(size), stream)
    kept = stream.getvalue()
    pieces = range(size // PIECE)

    def reused() -> None:
        # One nonce for all is harmless here: only the time counts, and the ciphertext is dropped.
        for _ in pieces:
            cipher.encrypt_into(nonce, piece, None, sealed)

    return {
        "AESGCM.encrypt_into, one buffer reused": reused,
        "aes.encrypt, results kept": lambda: [aes.encrypt(key, piece) for _ in pieces],
        "aes.encrypt_stream": lambda: aes.encrypt_stream(key, _Zeros(size), _Zeros()),
        "aes.decrypt_stream": lambda: aes.decrypt_stream(key, io.BytesIO(kept), _Zeros()),
    }


def _openssl_speed(openssl: str) -> float:
    """Return megabytes per second of wall time, from the line "+F:…:bytes per second"."""
    command = [openssl, "speed", "-mr", "-elapsed", "-seconds", "1"]
    command += ["-bytes", str(PIECE), "-evp", "aes-256-gcm"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in told.splitlines() if line.startswith("+F:"))
    return float(line.rsplit(":", 1)[1]) / 1e6


class _Zeros(io.BytesIO):
    """A source of `size` zeros, and a sink that drops everything: files that cost no time."""

    def __init__(self, size: int = 0):
        self.left = size

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self.left)
        self.left -= count
        return count

    def write(self, data: Any) -> int:
        return len(data)
