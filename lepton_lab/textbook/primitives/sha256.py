"""SHA-256 from its standard (FIPS 180-4 §4.1.2, §4.2.2, §5, §6.2).

The message, padded to whole blocks of 64 bytes, is worked into a state of eight words, block by
block: H⁽ⁱ⁾ = H⁽ⁱ⁻¹⁾ + (64 rounds over H⁽ⁱ⁻¹⁾ and block i). The constants are not typed in but
computed from their definition: the first 32 bits of the fractional parts of square and cube roots
of the first primes.
"""

from __future__ import annotations

import struct
from itertools import count, islice

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes, integer
from lepton_lab.textbook.primitives.numtheory import integer_root
from lepton_lab.textbook.trace import Recorder, Trace

BLOCK = 64  # bytes
_MASK = 0xFFFFFFFF  # sums are taken modulo 2³²


def _is_prime(n: int) -> bool:
    return all(n % divisor for divisor in range(2, n))


_PRIMES = list(islice(filter(_is_prime, count(2)), 64))
# an integer root of p·2ᵏ carries its fractional part in its lowest 32 bits
K = [integer_root(p << 96, 3) & _MASK for p in _PRIMES]  # §4.2.2
_SQUARE_ROOTS = [integer_root(p << 64, 2) & _MASK for p in _PRIMES[:8]]
INITIAL = struct.pack(">8I", *_SQUARE_ROOTS)  # H⁽⁰⁾, §5.3.3


def padding(length: int) -> bytes:
    """Compute the padding of a message of `length` bytes (§5.1.1).

    It is a bit 1, zeros up to the end of a block less 8 bytes, and in these the message's length in
    bits. Raises InvalidParameter.
    """
    zeros = (55 - integer("length", length, 0, 1 << 61)) % BLOCK
    return b"\x80" + bytes(zeros) + struct.pack(">Q", 8 * length)


def sha256(message: bytes, state: bytes = INITIAL, before: int = 0) -> Trace[bytes]:
    """Hash a message; the result is the digest, 32 bytes (§6.2).

    The steps show the state after each block. `state` and `before` continue from an earlier point:
    the state H⁽ⁱ⁾, 32 bytes, after `before` bytes, a multiple of 64. Raises InvalidParameter.
    """
    if integer("before", before, least=0) % BLOCK:
        raise InvalidParameter(
            f"before must be a multiple of {BLOCK}: a state stands between two blocks"
        )
    seen = Recorder()
    h = as_bytes("state", state, 32)
    data = as_bytes("message", message)
    padded = seen("padded", data + padding(before + len(data)))
    for i in range(0, len(padded), BLOCK):
        h = seen(f"H({i // BLOCK + 1})", compress(h, padded[i : i + BLOCK]))
    return seen.trace(h)


def compress(state: bytes, block: bytes) -> bytes:
    """Compute H⁽ⁱ⁾ from H⁽ⁱ⁻¹⁾ (32 bytes) and one block of 64 bytes (§6.2.2)."""
    w = _schedule(as_bytes("block", block, BLOCK))
    before = struct.unpack(">8I", as_bytes("state", state, 32))
    a, b, c, d, e, f, g, h = before
    for t in range(64):
        sigma_1 = _rotr(e, 6) ^ _rotr(e, 11) ^ _rotr(e, 25)
        chosen = e & f ^ ~e & _MASK & g  # Ch(e, f, g): where e is 1 the bit of f, else that of g
        t_1 = h + sigma_1 + chosen + K[t] + w[t]
        sigma_0 = _rotr(a, 2) ^ _rotr(a, 13) ^ _rotr(a, 22)
        majority = a & b ^ a & c ^ b & c  # Maj(a, b, c)
        t_2 = sigma_0 + majority
        # every word moves on by one place, and two of them take something in
        a, b, c, d, e, f, g, h = t_1 + t_2 & _MASK, a, b, c, d + t_1 & _MASK, e, f, g
    after = (a, b, c, d, e, f, g, h)
    # adding the old state makes the step one that cannot be undone
    return struct.pack(">8I", *(x + y & _MASK for x, y in zip(before, after, strict=True)))


def _schedule(block: bytes) -> list[int]:
    """Compute the 64 words for the rounds; the first 16 are the block itself (§6.2.2, step 1)."""
    w = list(struct.unpack(">16I", block))
    for t in range(16, 64):
        sigma_0 = _rotr(w[t - 15], 7) ^ _rotr(w[t - 15], 18) ^ w[t - 15] >> 3
        sigma_1 = _rotr(w[t - 2], 17) ^ _rotr(w[t - 2], 19) ^ w[t - 2] >> 10
        w.append(sigma_1 + w[t - 7] + sigma_0 + w[t - 16] & _MASK)
    return w


def _rotr(x: int, n: int) -> int:
    return (x >> n | x << 32 - n) & _MASK
