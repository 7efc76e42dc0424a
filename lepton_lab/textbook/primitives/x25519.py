"""X25519 from RFC 7748: Diffie–Hellman on Curve25519, by the u-coordinate alone.

The curve is v² = u³ + 486662·u² + u modulo 2²⁵⁵ - 19. Most of the Web agrees on keys with it. Every
intermediate value has the RFC's name. The swap at the head of a step is where a real implementation
must be constant-time and this one is not. The one in `cryptography` is, and protects data.
"""
# ruff: noqa: N806 - the RFC's names for the RFC's things: A, AA, DA, E

from __future__ import annotations

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes
from lepton_lab.textbook.trace import Recorder, Trace

P = 2**255 - 19
A24 = 121665  # (486662 - 2) / 4
BITS = 255
# of prime order 2²⁵² + 27742317777372353535851937790883648493 (§4.1)
BASE_POINT = (9).to_bytes(32, "little")


def decode_scalar(k: bytes) -> int:
    """Decode 32 bytes as a scalar: little-endian, with five bits fixed, "clamped" (§5).

    Clearing the lowest three bits makes it a multiple of 8, the cofactor, so that a point of small
    order betrays nothing of it. Setting bit 254 and clearing bit 255 gives every scalar the same
    length, so that no ladder is shorter than another. Raises InvalidParameter.
    """
    clamped = bytearray(as_bytes("k", k, 32))
    clamped[0] &= 0b1111_1000
    clamped[31] &= 0b0111_1111
    clamped[31] |= 0b0100_0000
    return int.from_bytes(clamped, "little")


def decode_u(u: bytes) -> int:
    """Decode 32 bytes as a u-coordinate: little-endian, the top bit ignored, modulo p (§5).

    Raises InvalidParameter.
    """
    number = int.from_bytes(as_bytes("u", u, 32), "little")
    return number % (1 << BITS) % P


def x25519(k: bytes, u: bytes = BASE_POINT) -> Trace[bytes]:
    """Multiply a point by a scalar: the u-coordinate of k·P, P being the point with coordinate u.

    It climbs the Montgomery ladder (§5). `k`: 32 bytes, a secret. `u`: 32 bytes, the other side's
    public value, or the base point to make one's own. The result may be 32 zeros, for a `u` of
    small order; `shared_secret` refuses that. Raises InvalidParameter.
    """
    seen = Recorder()
    scalar = seen("k", decode_scalar(k), "clamped")
    x_1 = seen("u", decode_u(u))
    # the ladder holds two points that differ by P, beginning with 0·P and 1·P
    x_2, z_2 = 1, 0
    x_3, z_3 = x_1, 1
    swap = 0
    for t in reversed(range(BITS)):
        k_t = scalar >> t & 1
        # each step doubles the first point and adds the two; for a bit 1 they change their places
        if swap ^ k_t:
            x_2, x_3 = x_3, x_2
            z_2, z_3 = z_3, z_2
        swap = k_t
        x_2, z_2, x_3, z_3 = _ladder_step(x_1, x_2, z_2, x_3, z_3)
        seen(f"bit {t}", (x_2, z_2), "the bit is 1" if k_t else "")
    if swap:
        x_2, z_2 = x_3, z_3
    result = seen("x_2 · z_2^(p-2)", x_2 * pow(z_2, P - 2, P) % P)
    return seen.trace(result.to_bytes(32, "little"))


def _ladder_step(x_1: int, x_2: int, z_2: int, x_3: int, z_3: int) -> tuple[int, int, int, int]:
    """Take one step of the ladder (§5).

    It returns 2·(x_2 : z_2), and (x_2 : z_2) + (x_3 : z_3), whose difference is (x_1 : 1).
    """
    A = x_2 + z_2
    AA = A * A % P
    B = x_2 - z_2
    BB = B * B % P
    E = AA - BB
    C = x_3 + z_3
    D = x_3 - z_3
    DA = D * A % P
    CB = C * B % P
    x_3 = (DA + CB) ** 2 % P
    z_3 = x_1 * (DA - CB) ** 2 % P
    x_2 = AA * BB % P
    z_2 = E * (AA + A24 * E) % P
    return x_2, z_2, x_3, z_3


def shared_secret(k: bytes, u: bytes) -> Trace[bytes]:
    """Compute the secret that two sides share (§6.1): `x25519(mine, yours)`.

    As in TLS 1.3, a result of all zeros is refused (RFC 8446 §7.4.2): it comes from a `u` of small
    order, with which the other side would know the result beforehand. Raises InvalidParameter.
    """
    trace = x25519(k, u)
    if not any(trace.result):
        raise InvalidParameter("this u has small order: the result would be 0 whatever k is")
    return trace
