"""Paillier with g = 1 + n, as the checks of exercises use it (Paillier 1999, scheme 1)."""

from __future__ import annotations

import math

from lepton_lab.workshop.real_keys import power


def encrypt(m: int, n: int, r: int) -> int:
    """The ciphertext (1 + n)^m·r^n modulo n² of a message m from 0 to n − 1."""
    return (1 + m * n) * power(r, n, n * n) % (n * n)


def decrypt(c: int, p: int, q: int) -> int:
    """The message of a ciphertext, for the holder of the primes."""
    n = p * q
    order = math.lcm(p - 1, q - 1)
    u = power(c, order, n * n)
    return (u - 1) // n * pow(order, -1, n) % n
