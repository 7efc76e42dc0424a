"""RSA by key size: what each operation costs, also in plain Python, and when hybrid wins.

All is measured in CPU time. Nothing here waits, so a busy machine measures the same as a quiet one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from bench.rows import Row
from lepton_lab import aes, rsa
from lepton_lab.textbook.primitives import rsa as tb_rsa

SIZES = (2048, 3072, 4096)
LENGTHS = (256, 1024, 4096, 16384, 65536, 262144, 1048576)
MESSAGE = bytes(32)  # as long as a data key
PIECE = 318  # the most bytes that RSA-3072 with OAEP takes at once
SEALED = 384  # the bytes of each of its ciphertexts


def run(quick: bool) -> list[Row]:
    """Measure each operation by key size, and pure and hybrid encryption by message length."""
    return [*_by_size_of_key(quick), *_textbook(quick), *_by_length(quick)]


def _by_size_of_key(quick: bool) -> Iterator[Row]:
    works: dict[str, Callable[[], object]] = {}
    for bits in SIZES:
        works |= _operations(bits)
    seconds = _medians(works, 5 if quick else 31)
    for name, taken in seconds.items():
        operation = name.partition(":")[0]
        baseline = f"{operation}: RSA-{SIZES[0]}"
        yield Row(name, taken * 1000, "ms", seconds[baseline] / taken, baseline)


def _operations(bits: int) -> dict[str, Callable[[], object]]:
    private = rsa.generate_private_key(bits)
    public = rsa.public_key(private)
    sealed = rsa.encrypt(public, MESSAGE)
    signature = rsa.sign(private, MESSAGE)
    works: dict[str, Callable[[], object]] = {
        "generate": lambda: rsa.generate_private_key(bits),
        "encrypt": lambda: rsa.encrypt(public, MESSAGE),
        "decrypt": lambda: rsa.decrypt(private, sealed),
        "sign": lambda: rsa.sign(private, MESSAGE),
        "verify": lambda: rsa.verify(public, MESSAGE, signature),
    }
    return {f"{operation}: RSA-{bits}": work for operation, work in works.items()}


def _textbook(quick: bool) -> Iterator[Row]:
    """Measure the same decryption in plain Python, with and without the CRT."""
    private = rsa.generate_private_key(3072)
    numbers = private.private_numbers()
    public = numbers.public_numbers
    key = tb_rsa.PrivateKey(public.n, public.e, numbers.d, numbers.p, numbers.q)
    sealed = rsa.encrypt(rsa.public_key(private), MESSAGE)
    c = tb_rsa.OS2IP(sealed)
    helper = "lepton_lab.rsa.decrypt: RSA-3072"
    works: dict[str, Callable[[], object]] = {
        helper: lambda: rsa.decrypt(private, sealed),
        "textbook RSADP, CRT: RSA-3072": lambda: tb_rsa.RSADP(key, c),
        "textbook RSADP, no CRT: RSA-3072": lambda: tb_rsa.RSADP(key, c, crt=False),
    }
    seconds = _medians(works, 3 if quick else 21)
    for name, taken in seconds.items():
        yield Row(name, taken * 1000, "ms", seconds[helper] / taken, helper)


def _by_length(quick: bool) -> Iterator[Row]:
    """Measure messages under RSA-3072: in pieces of 318 bytes, and by AES under a wrapped key."""
    private = rsa.generate_private_key(3072)
    public = rsa.public_key(private)
    for length in LENGTHS[:4] if quick else LENGTHS:
        message = bytes(length)
        pure = _pure(public, message)
        wrapped, sealed = _hybrid(public, message)
        works: dict[str, Callable[[], object]] = {
            "pure encrypt": partial(_pure, public, message),
            "hybrid encrypt": partial(_hybrid, public, message),
            "pure decrypt": partial(_pure_decrypted, private, pure),
            "hybrid decrypt": partial(_hybrid_decrypted, private, wrapped, sealed),
        }
        seconds = _medians(works, _rounds(works["pure decrypt"], quick))
        sizes = {"pure": len(pure) * SEALED, "hybrid": len(wrapped) + len(sealed)}
        for name, taken in seconds.items():
            form, _, operation = name.partition(" ")
            baseline = f"pure {operation}"
            ratio = seconds[baseline] / taken
            note = f"{sizes[form]} bytes of ciphertext"
            yield Row(f"{name}: {length} bytes", taken * 1000, "ms", ratio, baseline, note)


def _pure(public: RSAPublicKey, message: bytes) -> list[bytes]:
    return [
        rsa.encrypt(public, message[start : start + PIECE])
        for start in range(0, len(message), PIECE)
    ]


def _pure_decrypted(private: RSAPrivateKey, pieces: list[bytes]) -> bytes:
    return b"".join(rsa.decrypt(private, piece) for piece in pieces)


def _hybrid(public: RSAPublicKey, message: bytes) -> tuple[bytes, bytes]:
    key = aes.generate_key()
    return rsa.encrypt(public, key), aes.encrypt(key, message)


def _hybrid_decrypted(private: RSAPrivateKey, wrapped: bytes, sealed: bytes) -> bytes:
    return aes.decrypt(rsa.decrypt(private, wrapped), sealed)


def _rounds(slowest: Callable[[], object], quick: bool) -> int:
    """Return how many rounds keep one length within a few seconds; three at least."""
    start = time.process_time()
    slowest()
    return max(3, min(5 if quick else 21, int(8 / (time.process_time() - start))))


def _medians(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of each work, all in turn in each round."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for counted in [False] + [True] * rounds:
        for name, work in works.items():
            start = time.process_time()
            work()
            if counted:
                taken[name].append(time.process_time() - start)
    return {name: statistics.median(times) for name, times in taken.items()}
