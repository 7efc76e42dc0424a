"""Primes too close together: Fermat's factoring (1643) finds them at once.

The weak form: q searched from p upwards, or two primes from one poor generator. n = p·q = a² - b² with a = (p + q)/2
and b = (p - q)/2. Starting at a = ⌈√n⌉, try whether a² - n is a square; a needs (√p - √q)²/2 = (p - q)²/(2(√p + √q)²)
steps, about (p - q)²/(8√n): none at all for |p - q| below n^(1/4). It happened: CVE-2022-26320.

The defence beside it: `lepton_lab.rsa` draws both primes at random; FIPS 186-5 A.1.3 keeps them at least
2^(nlen/2 - 100) apart, which leaves some 2^(nlen/2 - 203) steps.
"""

from __future__ import annotations

import math

from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace


def factor(n: int, limit: int = 10_000) -> Trace[tuple[int, int]]:
    """The two factors (p, q), p <= q, of an odd n when they are close. Raises AttackFailed after `limit` steps."""
    seen = Recorder()
    a = seen(
        "a, at first",
        math.isqrt(integer("n", n, least=3) - 1) + 1,
        "the square root of n, rounded up",
    )
    for steps in range(limit):
        b = math.isqrt(a * a - n)
        if b * b == a * a - n:
            seen("a", a, f"after {steps} steps")
            seen("b", b, "a² - n = b²")
            return seen.trace((a - b, a + b))
        a += 1
    raise AttackFailed(f"no square in {limit} steps: the primes are not close together")
