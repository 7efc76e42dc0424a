"""Diffie–Hellman in the numbers modulo a prime (Diffie and Hellman 1976).

Two people who have never met send each other one number in public and end with a secret in common.
The groups in use have primes of 2048 bits and more (RFC 7919) or are curves (x25519.py). Here any
prime will do, down to one that a pencil can manage, so that a
listener's work can be watched as the prime grows. Nothing here is
constant-time, and nothing here says *who* the other side is.
"""
# ruff: noqa: N803, N806 - the capitals are the public values, as everywhere in the literature

from __future__ import annotations

import math

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace


def exchange(p: int, g: int, a: int, b: int) -> Trace[int]:
    """Run the whole exchange, both sides of it: the result is the secret that they share.

    `p`: a prime. `g`: 2 <= g < p. `a`, `b`: the secret exponents, 1 <= a, b < p - 1. Only A and B
    are sent. The two secrets are equal because (g^b)^a = g^(a·b) = (g^a)^b. Raises
    InvalidParameter.
    """
    seen = Recorder()
    A = seen("A", public_value(p, g, a), "g^a mod p: Alice sends it")
    B = seen("B", public_value(p, g, b), "g^b mod p: Bob sends it")
    seen("Alice's s", pow(B, a, p), "B^a mod p")
    secret = seen("Bob's s", pow(A, b, p), "A^b mod p: the same")
    return seen.trace(secret)


def public_value(p: int, g: int, x: int) -> int:
    """Compute g^x mod p, the value that one side sends.

    Arguments as for `exchange`. Raises InvalidParameter.
    """
    integer("p", p, least=5)
    integer("g", g, least=2, below=p)
    integer("the exponent", x, least=1, below=p - 1)
    return pow(g, x, p)


def order(p: int, g: int) -> int:
    """Count the different powers of g modulo the prime p: the smallest k >= 1 with g^k = 1.

    A secret exponent is hidden among that many and no more, so a g of small order is a bad choice
    whatever p is. `p`: below 2^24, because this tries one power after another. Raises
    InvalidParameter, also when g is a multiple of p.
    """
    integer("p", p, least=3, below=2**24, because="this tries one power after another")
    power = integer("g", g) % p
    if not power:
        raise InvalidParameter("a multiple of p has no order: its powers are all 0")
    k = 1
    while power != 1:
        power = power * g % p
        k += 1
    return k


def discrete_log(p: int, g: int, A: int) -> Trace[int]:
    """Find the smallest x >= 0 with g^x = A modulo the prime p, in about 2√p steps.

    The method is Shanks's (1971), baby steps and giant steps. With m = ⌈√p⌉ any x below m² is i·m +
    j with i, j < m, so A·(g^-m)^i = g^j. Keep the m baby steps g^j in a table, and go on from A in
    giant steps until one of them is in the table.

    `p`: below 2^44, because of the table's size; for a group of 2^256 elements the table alone
    would have 2^128 entries. Raises InvalidParameter, also when A is not a power of g.
    """
    integer("p", p, least=3, below=2**44, because="the table has √p entries")
    integer("g", g, least=1, below=p)
    integer("A", A, least=1, below=p)
    seen = Recorder()
    m = seen("m", math.isqrt(p - 1) + 1, "⌈√p⌉ baby steps are kept in a table")
    table: dict[int, int] = {}
    power = 1
    for j in range(m):
        # the powers repeat when the order of g is below m; the first j is the smallest
        table.setdefault(power, j)
        power = power * g % p
    giant_step = pow(power, -1, p)
    position = A
    for i in range(m):
        if position in table:
            j = table[position]
            seen("giant steps", i)
            return seen.trace(seen("x", i * m + j, f"{i} · m + {j}"))
        position = position * giant_step % p
    raise InvalidParameter("A is not a power of g modulo p")
