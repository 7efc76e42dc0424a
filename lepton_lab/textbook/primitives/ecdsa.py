"""ECDSA over P-256 in integers (FIPS 186-5 §6, SP 800-186 §3.2.1.3).

Most certificates are signed with it. A point is a pair (x, y) with y² = x³ - 3x + b modulo p, or
None, the point at infinity. Points are added by the rule of chord and tangent; G has the prime
order n. The branches here depend on secret numbers; a real implementation hides them, as the one in
`cryptography` does.
"""
# ruff: noqa: N803, N806 - the standard's names for the standard's things: Q, G, R

from __future__ import annotations

import hashlib

from lepton_lab.errors import InvalidKey, InvalidParameter, InvalidSignature
from lepton_lab.textbook.primitives import as_bytes, integer
from lepton_lab.textbook.trace import Recorder, Trace

Point = tuple[int, int]

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G: Point = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def add(Q: Point | None, R: Point | None) -> Point | None:
    """Add two points: the third point on the line through both, mirrored at the x axis.

    SP 800-186 A.1.1. None, the point at infinity, is the zero of this addition.
    """
    if Q is None or R is None:
        return Q or R
    x1, y1 = Q
    x2, y2 = R
    # the line through a point and its mirror image is vertical: it meets the curve at infinity
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    rise, run = (3 * x1 * x1 - 3, 2 * y1) if Q == R else (y2 - y1, x2 - x1)  # tangent or chord
    slope = rise * pow(run, -1, P)
    x = (slope * slope - x1 - x2) % P
    y = (slope * (x1 - x) - y1) % P
    return x, y


def multiply(k: int, Q: Point | None) -> Point | None:
    """Compute k·Q: double for every bit of k, and add Q for every 1. `k`: >= 0."""
    total = None
    for bit in f"{integer('k', k, least=0):b}":
        total = add(total, total)
        if bit == "1":
            total = add(total, Q)
    return total


def require_point(Q: Point) -> None:
    """Raise InvalidKey unless Q is a point of the curve, as every public key must be.

    SP 800-186 D.1.1.
    """
    x, y = Q
    in_range = 0 <= x < P and 0 <= y < P
    if not in_range or (y * y - x * x * x + 3 * x - B) % P:
        raise InvalidKey("this is not a point of P-256")


def verify(Q: Point, M: bytes, r: int, s: int) -> Trace[str]:
    """Verify the signature (r, s) of M, hashed with SHA-256; the result is "accepted".

    FIPS 186-5 §6.4.2. `Q`: the signer's public key. Why it holds: the signer took R = k·G, r = its
    x, s = k⁻¹(e + r·d), so (e·s⁻¹)·G + (r·s⁻¹)·Q = s⁻¹(e + r·d)·G = k·G. Raises InvalidSignature,
    and InvalidKey when Q is not a point of the curve.
    """
    require_point(Q)
    if not (0 < integer("r", r) < N and 0 < integer("s", s) < N):
        raise InvalidSignature("r and s must lie between 1 and n - 1")
    seen = Recorder()
    e = seen("e", _hashed(M), "SHA-256 of the message")
    s_inv = seen("s^-1", pow(s, -1, N), "modulo n")
    u = seen("u", e * s_inv % N, "e · s^-1")
    v = seen("v", r * s_inv % N, "r · s^-1")
    R = add(multiply(u, G), multiply(v, Q))
    if R is None:
        raise InvalidSignature("u·G + v·Q is the point at infinity")
    seen("x of R", R[0], "R = u·G + v·Q")
    if R[0] % N != r:
        raise InvalidSignature("the x of u·G + v·Q is not r")
    return seen.trace("accepted")


def sign(d: int, M: bytes, *, k: int) -> Trace[tuple[int, int]]:
    """Sign M, hashed with SHA-256 (FIPS 186-5 §6.4.1); the result is (r, s).

    `d`: the private key, 1 <= d < n. `k`: 1 <= k < n, secret, random, and never used twice: two
    signatures with the same k give d away, and so do a few bits of k in many signatures. Raises
    InvalidParameter, also for a k (one in 2^255) that gives r or s = 0.
    """
    integer("d", d, least=1, below=N)
    integer("k", k, least=1, below=N)
    R = multiply(k, G)
    seen = Recorder()
    e = seen("e", _hashed(M), "SHA-256 of the message")
    # R is never None: only a multiple of n leads to the point at infinity
    r = seen("r", (R or G)[0] % N, "x of k·G, modulo n")
    s = seen("s", pow(k, -1, N) * (e + r * d) % N, "k^-1 · (e + r·d) mod n")
    if not r or not s:
        raise InvalidParameter("this k gives 0: take another")
    return seen.trace((r, s))


def _hashed(M: bytes) -> int:
    return int.from_bytes(hashlib.sha256(as_bytes("M", M)).digest(), "big")
