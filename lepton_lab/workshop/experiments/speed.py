"""How fast things are on the reader's own machine: what notebooks draw beside the reference run."""

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

Seal = Callable[[bytes], bytes]  # from a message to a sealed message

SHARD = 2**20  # bytes
# Seconds in one measurement, so that a step of the clock or one interruption does not matter.
_MIN_SECONDS = 0.002


def ciphers() -> dict[str, Seal]:
    """Three ways to seal a message, each with a 256-bit key and a random nonce.

    Each sets its key up in every call.
    """
    key = aes.generate_key()
    mac_key = secrets.token_bytes(32)

    def chacha_seal(message: bytes) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + ChaCha20Poly1305(key).encrypt(nonce, message, None)

    def cbc_seal(message: bytes) -> bytes:
        iv = secrets.token_bytes(16)
        padder = PKCS7(128).padder()
        padded = padder.update(message) + padder.finalize()
        encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        sealed = iv + encryptor.update(padded) + encryptor.finalize()
        # Encrypt first, then authenticate the ciphertext: the order that is safe.
        return sealed + hmac.digest(mac_key, sealed, "sha256")

    return {
        "AES-GCM (lepton_lab)": lambda message: aes.encrypt(key, message),
        "ChaCha20-Poly1305": chacha_seal,
        "AES-CBC + HMAC-SHA256": cbc_seal,
    }


def rates(
    works: Mapping[str, Seal], sizes: Sequence[int], rounds: int = 5
) -> dict[str, list[float]]:
    """Megabytes a second of each cipher for each size of message, in bytes.

    It is the best of some rounds, in which all take turns. The best and not the mean, because
    whatever else the machine does only makes a round slower.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for size in sizes:
        message = secrets.token_bytes(size)
        calls = {name: _calls_to_measure(work, message) for name, work in works.items()}
        taken: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                seconds = _seconds(work, message, calls[name])
                taken[name].append(seconds / calls[name])
        for name, times in taken.items():
            found[name].append(size / 1e6 / min(times))
    return found


def coding(k: int, n: int) -> dict[str, Callable[[], object]]:
    """Two operations of a k-of-n code: making the parity, and recovering the first two shards.

    A shard has 1 MiB. Both write into rows that are used again, as storage does. Needs k ≥ 2 and
    n ≥ k + 2. Raises InvalidParameter.
    """
    code = Code(k, n)
    data = [*np.random.default_rng(0).integers(0, 256, (k, SHARD), np.uint8)]
    parity = [*np.empty((n - k, SHARD), np.uint8)]
    code.encode_rows(data, parity)
    lost = np.empty((2, SHARD), np.uint8)
    left = dict(enumerate(data))
    del left[0], left[1]
    left[k] = parity[0]
    left[k + 1] = parity[1]
    return {
        f"{k}-of-{n}: encode": lambda: code.encode_rows(data, parity),
        f"{k}-of-{n}: decode, two lost": lambda: code.recover_rows(left, {0: lost[0], 1: lost[1]}),
    }


def milliseconds(works: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Milliseconds of each operation: the best of some rounds, in which all take turns.

    It is CPU time, so other programs do not count. An operation that waits for something is not
    measured rightly.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            work()
            taken[name].append(1000 * (time.process_time() - start))
    return {name: min(times) for name, times in taken.items()}


def _calls_to_measure(work: Seal, message: bytes) -> int:
    """How many calls take long enough to be measured together."""
    calls = 1
    while True:
        # The best of three, because one of them may have been interrupted.
        shortest = min(_seconds(work, message, calls) for _ in range(3))
        if shortest >= _MIN_SECONDS:
            return calls
        calls *= 4


def _seconds(work: Seal, message: bytes, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        work(message)
    return time.perf_counter() - start
