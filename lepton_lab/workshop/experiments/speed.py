"""How fast things are on the reader's own machine: what the notebooks draw beside the reference run."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.padding import PKCS7

from lepton_lab import aes
from lepton_lab.erasure import Code

Seal = Callable[[bytes], bytes]

SHARD = 2**20  # bytes
_AT_LEAST = 0.002  # seconds in one measurement: a clock's step and one interruption must not count


def ciphers() -> dict[str, Seal]:
    """Three ways to seal a message, each with a 256-bit key that is set up for every call, and a random nonce."""
    key, mac_key = aes.generate_key(), secrets.token_bytes(32)

    def chacha_seal(message: bytes) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + ChaCha20Poly1305(key).encrypt(nonce, message, None)

    def cbc_seal(message: bytes) -> bytes:
        iv, padder = secrets.token_bytes(16), PKCS7(128).padder()
        context = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        sealed = (
            iv + context.update(padder.update(message) + padder.finalize()) + context.finalize()
        )
        return sealed + hmac.digest(
            mac_key, sealed, "sha256"
        )  # encrypt, then authenticate: the order that is safe

    return {
        "AES-GCM (lepton_lab)": lambda message: aes.encrypt(key, message),
        "ChaCha20-Poly1305": chacha_seal,
        "AES-CBC + HMAC-SHA256": cbc_seal,
    }


def rates(
    works: Mapping[str, Seal], sizes: Sequence[int], rounds: int = 5
) -> dict[str, list[float]]:
    """Megabytes a second of each cipher at each size of message, in bytes: the best of some rounds, all in turn.

    The best and not the mean: whatever else the machine does can only make a round slower.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for size in sizes:
        message = secrets.token_bytes(size)
        repeats = {name: _repeats(work, message) for name, work in works.items()}
        taken: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                taken[name].append(_seconds(work, message, repeats[name]) / repeats[name])
        for name, times in taken.items():
            found[name].append(size / 1e6 / min(times))
    return found


def coding(k: int, n: int) -> dict[str, Callable[[], object]]:
    """Making the parity of k shards of 1 MiB, and the first two from what is left when they are lost, k-of-n.

    Into rows that are used again, as storage does. Needs k ≥ 2 and n ≥ k + 2. Raises InvalidParameter.
    """
    code = Code(k, n)
    rows = [*np.random.default_rng(0).integers(0, 256, (k, SHARD), np.uint8)]
    parity, lost = [*np.empty((n - k, SHARD), np.uint8)], np.empty((2, SHARD), np.uint8)
    code.encode_rows(rows, parity)
    left = dict(enumerate(rows))
    del left[0], left[1]
    left |= {k: parity[0], k + 1: parity[1]}
    return {
        f"{k}-of-{n}: encode": lambda: code.encode_rows(rows, parity),
        f"{k}-of-{n}: decode, two lost": lambda: code.recover_rows(left, {0: lost[0], 1: lost[1]}),
    }


def milliseconds(works: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Milliseconds of each work, the best of some rounds, all in turn.

    In CPU time, for works that wait for nothing: other programs do not count.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            work()
            taken[name].append(1000 * (time.process_time() - start))
    return {name: min(times) for name, times in taken.items()}


def _repeats(work: Seal, message: bytes) -> int:
    count = 1
    while (
        min(_seconds(work, message, count) for _ in range(3)) < _AT_LEAST
    ):  # one may have been interrupted
        count *= 4
    return count


def _seconds(work: Seal, message: bytes, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        work(message)
    return time.perf_counter() - start
