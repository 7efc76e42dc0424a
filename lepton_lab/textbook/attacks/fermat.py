"""Primes too close together: Fermat's factoring (1643) finds them at once.

The weak form: q searched from p upwards, or two primes from one poor generator. With a = (p + q)/2
and b = (p - q)/2, n = p·q = a² - b². Starting at a = ⌈√n⌉, test whether a² - n is a square. It
takes (√p - √q)²/2 = (p - q)²/(2(√p + √q)²) steps, about (p - q)²/(8√n): none at all for |p - q|
below n^(1/4). It happened: CVE-2022-26320.

The defence: `lepton_lab.rsa` draws both primes at random. FIPS 186-5 A.1.3 keeps them at least
2^(nlen/2 - 100) apart, which leaves some 2^(nlen/2 - 203) steps.
"""

from __future__ import annotations

import math

from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace


def factor(n: int, limit: int = 10_000) -> Trace[tuple[int, int]]:
    """Find the two factors (p, q), p <= q, of an odd n when they are close together.

    Raises AttackFailed after `limit` steps, InvalidParameter for n below 3.
    """
    seen = Recorder()
    rounded_up = math.isqrt(integer("n", n, least=3) - 1) + 1
    a = seen("a, at first", rounded_up, "the square root of n, rounded up")
    for steps in range(limit):
        square = a * a - n
        b = math.isqrt(square)
        if b * b == square:
            seen("a", a, f"after {steps} steps")
            seen("b", b, "a² - n = b²")
            return seen.trace((a - b, a + b))
        a += 1
    raise AttackFailed(f"no square in {limit} steps: the primes are not close together")
