"""Does a failure to decrypt tell its cause by its time? All raise one error with one message; this
is the clock.

Causes are measured in turn, call by call. For each: the median, and how often a call of it outlasts
a call of the first cause (50 % is a coin, 100 % tells them apart at a glance). It is measured
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
    """The time of a failure by its cause, in microseconds; the ratio is the first cause's median to
    this one's.
    """
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
    return [
        Row(
            f"{part}: {cause}",
            medians[cause],
            "µs",
            *((medians[first] / medians[cause], f"{part}: {first}") if cause != first else ()),
            note=""
            if cause == first
            else f"longer in {100 * _outlasts(taken[cause], taken[first]):.0f} % of pairs",
        )
        for cause in causes
    ]


def _outlasts(one: list[int], other: list[int]) -> float:
    """P(one > other) + P(one = other)/2 over all pairs: the area under the ROC curve (Mann and
    Whitney, 1947).
    """
    ordered = np.sort(other)
    below, up_to = np.searchsorted(ordered, one, "left"), np.searchsorted(ordered, one, "right")
    return float((below + up_to).mean() / (2 * len(other)))


def _altered(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def _messages() -> dict[str, Failing]:
    key, other = aes.generate_key(), aes.generate_key()
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
    key, other, sink = aes.generate_key(), aes.generate_key(), io.BytesIO()
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
    """The cases that Manger (2001) and Bleichenbacher (1998) would tell apart; c = mᵉ mod n for an
    m of our choice.
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
    secret, other = bytes(32), bytes(range(32))
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
