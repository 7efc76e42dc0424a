"""SHA-256 from its standard (FIPS 180-4 §4.1.2, §4.2.2, §5, §6.2).

The message, padded to whole blocks of 64 bytes, is worked into a state of eight words, block by block:
H⁽ⁱ⁾ = H⁽ⁱ⁻¹⁾ + (64 rounds over H⁽ⁱ⁻¹⁾ and block i). The constants are not typed but computed from their definition: the
first 32 bits of the fractional parts of square and cube roots of the first primes.
"""

from __future__ import annotations

import struct
from itertools import count, islice

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes, integer
from lepton_lab.textbook.primitives.numtheory import integer_root
from lepton_lab.textbook.trace import Recorder, Trace

BLOCK = 64
_MASK = 0xFFFFFFFF
_PRIMES = list(islice((n for n in count(2) if all(n % d for d in range(2, n))), 64))
K = [integer_root(p << 96, 3) & _MASK for p in _PRIMES]  # §4.2.2
INITIAL = struct.pack(
    ">8I", *(integer_root(p << 64, 2) & _MASK for p in _PRIMES[:8])
)  # H⁽⁰⁾, §5.3.3


def padding(length: int) -> bytes:
    """What follows a message of `length` bytes: a bit 1, zeros, and its length in bits in 8 bytes (§5.1.1)."""
    zeros = (55 - integer("length", length, 0, 1 << 61)) % BLOCK
    return b"\x80" + bytes(zeros) + struct.pack(">Q", 8 * length)


def sha256(message: bytes, state: bytes = INITIAL, before: int = 0) -> Trace[bytes]:
    """The digest, 32 bytes, with the state after each block (§6.2).

    `state` and `before` go on from an earlier point: H⁽ⁱ⁾ after `before` bytes, a multiple of 64. InvalidParameter.
    """
    if integer("before", before, least=0) % BLOCK:
        raise InvalidParameter(
            f"before must be a multiple of {BLOCK}: a state stands between two blocks"
        )
    seen, h = Recorder(), as_bytes("state", state, 32)
    padded = seen("padded", as_bytes("message", message) + padding(before + len(message)))
    for i in range(0, len(padded), BLOCK):
        h = seen(f"H({i // BLOCK + 1})", compress(h, padded[i : i + BLOCK]))
    return seen.trace(h)


def compress(state: bytes, block: bytes) -> bytes:
    """H⁽ⁱ⁾ from H⁽ⁱ⁻¹⁾ and one block of 64 bytes (§6.2.2)."""
    w = _schedule(as_bytes("block", block, BLOCK))
    h = struct.unpack(">8I", as_bytes("state", state, 32))
    a, b, c, d, e, f, g, hh = h
    for t in range(64):
        s1 = _rotr(e, 6) ^ _rotr(e, 11) ^ _rotr(e, 25)
        t1 = hh + s1 + (e & f ^ ~e & _MASK & g) + K[t] + w[t]
        s0 = _rotr(a, 2) ^ _rotr(a, 13) ^ _rotr(a, 22)
        t2 = s0 + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, hh = t1 + t2 & _MASK, a, b, c, d + t1 & _MASK, e, f, g
    return struct.pack(
        ">8I", *(x + y & _MASK for x, y in zip(h, (a, b, c, d, e, f, g, hh), strict=True))
    )


def _schedule(block: bytes) -> list[int]:
    """The 64 words that the rounds take, 16 of them the block's own (§6.2.2, step 1)."""
    w = list(struct.unpack(">16I", block))
    for t in range(16, 64):
        s0 = _rotr(w[t - 15], 7) ^ _rotr(w[t - 15], 18) ^ w[t - 15] >> 3
        s1 = _rotr(w[t - 2], 17) ^ _rotr(w[t - 2], 19) ^ w[t - 2] >> 10
        w.append(s1 + w[t - 7] + s0 + w[t - 16] & _MASK)
    return w


def _rotr(x: int, n: int) -> int:
    return (x >> n | x << 32 - n) & _MASK
