"""X25519 from RFC 7748: Diffie–Hellman on the curve v² = u³ + 486662·u² + u modulo 2²⁵⁵ - 19, by u alone.

It is what most of the Web agrees on keys with. Every intermediate value has the RFC's name; the swap at the head of a
step is where a real implementation must be constant-time and this one is not. `cryptography` is what protects.
"""
# ruff: noqa: N806 - the RFC's names for the RFC's things: A, AA, DA, E

from __future__ import annotations

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes
from lepton_lab.textbook.trace import Recorder, Trace

P = 2**255 - 19
A24 = 121665  # (486662 - 2) / 4
BITS = 255
BASE_POINT = (9).to_bytes(
    32, "little"
)  # of prime order 2²⁵² + 27742317777372353535851937790883648493 (§4.1)


def decode_scalar(k: bytes) -> int:
    """32 bytes as a scalar: little-endian, the lowest three bits cleared, bit 254 set, bit 255 cleared (§5).

    Clearing makes it a multiple of 8, the cofactor: what a point of small order could betray is then nothing. Setting
    gives every scalar the same length, so that no ladder is shorter than another. Raises InvalidParameter.
    """
    clamped = bytearray(as_bytes("k", k, 32))
    clamped[0] &= 0b1111_1000
    clamped[31] &= 0b0111_1111
    clamped[31] |= 0b0100_0000
    return int.from_bytes(clamped, "little")


def decode_u(u: bytes) -> int:
    """32 bytes as a u-coordinate: little-endian, the top bit ignored, taken modulo p (§5). Raises InvalidParameter."""
    number = int.from_bytes(as_bytes("u", u, 32), "little")
    return number % (1 << BITS) % P


def x25519(k: bytes, u: bytes = BASE_POINT) -> Trace[bytes]:
    """The u-coordinate of k·P for the point P with coordinate u, by the Montgomery ladder (§5).

    `k`: 32 bytes, a secret. `u`: 32 bytes, the other's public value, or the base point to make one's own. A step for
    every bit holds two points that differ by P; it doubles one and adds the two. The result may be 32 zeros, for a `u`
    of small order: `shared_secret` refuses that. Raises InvalidParameter.
    """
    seen = Recorder()
    scalar, x_1 = seen("k", decode_scalar(k), "clamped"), seen("u", decode_u(u))
    x_2, z_2, x_3, z_3, swap = 1, 0, x_1, 1, 0
    for t in reversed(range(BITS)):
        k_t = scalar >> t & 1
        if swap ^ k_t:
            x_2, x_3, z_2, z_3 = x_3, x_2, z_3, z_2
        swap = k_t
        x_2, z_2, x_3, z_3 = _step(x_1, x_2, z_2, x_3, z_3)
        seen(f"bit {t}", (x_2, z_2), "the bit is 1" if k_t else "")
    if swap:
        x_2, z_2 = x_3, z_3
    return seen.trace(seen("x_2 · z_2^(p-2)", x_2 * pow(z_2, P - 2, P) % P).to_bytes(32, "little"))


def _step(x_1: int, x_2: int, z_2: int, x_3: int, z_3: int) -> tuple[int, int, int, int]:
    """One step of the ladder (§5): 2·(x_2 : z_2), and (x_2 : z_2) + (x_3 : z_3), whose difference is (x_1 : 1)."""
    A, B, C, D = x_2 + z_2, x_2 - z_2, x_3 + z_3, x_3 - z_3
    AA, BB, DA, CB = A * A % P, B * B % P, D * A % P, C * B % P
    E = AA - BB
    return AA * BB % P, E * (AA + A24 * E) % P, (DA + CB) ** 2 % P, x_1 * (DA - CB) ** 2 % P


def shared_secret(k: bytes, u: bytes) -> Trace[bytes]:
    """What two hold in common (§6.1): `x25519(mine, yours)`. As in TLS 1.3, all zeros are refused (RFC 8446 §7.4.2).

    Raises InvalidParameter for a `u` of small order, with which the other side would know the result beforehand.
    """
    trace = x25519(k, u)
    if not any(trace.result):
        raise InvalidParameter("this u has small order: the result would be 0 whatever k is")
    return trace
