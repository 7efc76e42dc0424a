"""Whether the time of a failed decryption tells why it failed.

All failures raise one error with one message, so only the clock could tell them apart. The causes
are measured in turn, call by call. Each has its median, and how often a call of it takes longer
than a call of the first cause: 50 % is a coin toss, 100 % tells them apart at once. All is measured
inside one process; a network adds noise.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

from bench.rows import Row
from lepton_lab import aes, rsa
from lepton_lab.errors import DecryptionError
from lepton_lab.keyring import export as wrapping
from lepton_lab.keyring import open_for

Failing = Callable[[], object]


def run(quick: bool) -> list[Row]:
    """Measure the microseconds of a failure by its cause; the ratio is to the first cause."""
    rounds = 300 if quick else 3000
    parts = {
        "message": _messages(),
        "stream": _streams(),
        "OAEP": _oaep(),
        "key wrap": _key_wrap(),
        "HPKE": _hpke(),
    }
    return [row for part, causes in parts.items() for row in _compared(part, causes, rounds)]


def _compared(part: str, causes: Mapping[str, Failing], rounds: int) -> list[Row]:
    taken: dict[str, list[int]] = {cause: [] for cause in causes}
    for number in range(rounds + rounds // 10):
        for cause, failing in causes.items():
            start = time.perf_counter_ns()
            try:
                failing()
            except DecryptionError:
                if number >= rounds // 10:  # the first tenth warms up
                    taken[cause].append(time.perf_counter_ns() - start)
    first, *_ = causes
    medians = {cause: float(np.median(times)) / 1000 for cause, times in taken.items()}
    rows = [Row(f"{part}: {first}", medians[first], "µs")]
    for cause in causes:
        if cause != first:
            ratio = medians[first] / medians[cause]
            longer = 100 * _outlasts(taken[cause], taken[first])
            note = f"longer in {longer:.0f} % of pairs"
            name = f"{part}: {cause}"
            rows.append(Row(name, medians[cause], "µs", ratio, f"{part}: {first}", note))
    return rows


def _outlasts(one: list[int], other: list[int]) -> float:
    """Return P(one > other) + P(one = other)/2 over all pairs.

    This is the area under the ROC curve (Mann and Whitney, 1947).
    """
    ordered = np.sort(other)
    below = np.searchsorted(ordered, one, "left")
    up_to = np.searchsorted(ordered, one, "right")
    return float((below + up_to).mean() / (2 * len(other)))


def _altered(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def _messages() -> dict[str, Failing]:
    key = aes.generate_key()
    other = aes.generate_key()
    sealed = aes.encrypt(key, bytes(1000), b"context")
    return {
        "wrong key": partial(aes.decrypt, other, sealed, b"context"),
        "other associated data": partial(aes.decrypt, key, sealed, b"contexx"),
        "nonce altered": partial(aes.decrypt, key, _altered(sealed, 0), b"context"),
        "ciphertext altered": partial(aes.decrypt, key, _altered(sealed, 500), b"context"),
        "first byte of the tag": partial(aes.decrypt, key, _altered(sealed, -16), b"context"),
        "last byte of the tag": partial(aes.decrypt, key, _altered(sealed, -1), b"context"),
    }


def _streams() -> dict[str, Failing]:
    key = aes.generate_key()
    other = aes.generate_key()
    sink = io.BytesIO()
    aes.encrypt_stream(key, io.BytesIO(bytes(1000)), sink, b"context")
    sealed = sink.getvalue()

    def read(stream: bytes, with_key: bytes = key, context: bytes = b"context") -> Failing:
        return lambda: aes.decrypt_stream(with_key, io.BytesIO(stream), io.BytesIO(), context)

    return {
        "wrong key": read(sealed, other),
        "other associated data": read(sealed, context=b"contexx"),
        "salt altered": read(_altered(sealed, 1)),
        "ciphertext altered": read(_altered(sealed, 500)),
        "tag altered": read(_altered(sealed, -1)),
    }


def _oaep() -> dict[str, Failing]:
    """Return the failures that Manger (2001) and Bleichenbacher (1998) would tell apart.

    Their ciphertexts are c = mᵉ mod n for a chosen m.
    """
    key = rsa.generate_private_key(2048)
    numbers = key.public_key().public_numbers()

    def raw(block: bytes) -> bytes:
        return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(256, "big")

    sealed = rsa.encrypt(key.public_key(), bytes(32), b"label")
    return {
        "wrong label": partial(rsa.decrypt, key, sealed, b"lapel"),
        "another ciphertext": partial(rsa.decrypt, key, b"\1" + sealed[1:], b"label"),
        "first byte 0, no padding": partial(
            rsa.decrypt, key, raw(bytes(1) + bytes(range(255))), b"label"
        ),
        "first byte not 0 (Manger)": partial(
            rsa.decrypt, key, raw(b"\1" + bytes(range(255))), b"label"
        ),
        "PKCS #1 v1.5 inside": partial(
            rsa.decrypt, key, raw(b"\0\2" + b"x" * 200 + bytes(54)), b"label"
        ),
        "c ≥ n, which anybody sees": partial(rsa.decrypt, key, b"\xff" * 256, b"label"),
    }


def _key_wrap() -> dict[str, Failing]:
    secret = bytes(32)
    other = bytes(range(32))
    wrapped = wrapping.wrap(secret, bytes(16), b"context", other)
    return {
        "wrong secret": partial(wrapping.unwrap, other, wrapped, b"context"),
        "other context": partial(wrapping.unwrap, secret, wrapped, b"contexx"),
        "first byte altered": partial(wrapping.unwrap, secret, _altered(wrapped, 17), b"context"),
        "last byte altered": partial(wrapping.unwrap, secret, _altered(wrapped, -1), b"context"),
    }


def _hpke() -> dict[str, Failing]:
    key, other = (
        MLKEM768X25519PrivateKey(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())
        for _ in "12"
    )
    blob = wrapping.seal_for(key.public_key(), bytes(16), b"context", bytes(range(32)))
    return {
        "wrong key": partial(open_for, other, blob, b"context"),
        "other context": partial(open_for, key, blob, b"contexx"),
        "ML-KEM's ciphertext altered": partial(open_for, key, _altered(blob, 500), b"context"),
        "X25519's half altered": partial(open_for, key, _altered(blob, -60), b"context"),
        "tag altered": partial(open_for, key, _altered(blob, -1), b"context"),
    }
