"""A small private exponent stands in the public key, as a convergent of e/n (Wiener 1990).

The weak form: d chosen small to make decryption fast, and e its inverse modulo φ = (p - 1)(q - 1) =
n - (p + q) + 1. So e·d = 1 + k·φ for some k < d, and e/n differs from k/d by |k·n - e·d| / (d·n) =
|k(p + q - 1) - 1| / (d·n), which for primes of one length is below 3k / (d·√n) < 3/√n. If d <
n^(1/4)/3, that is below 1/(2d²), and by Legendre's theorem k/d is one of the convergents of the
continued fraction of e/n. There are only O(log n) of them. The right one gives φ = (e·d - 1)/k, and
p, q are the roots of x² - (n - φ + 1)·x + n.

The defence: `lepton_lab.rsa` fixes e = 65537, so d is what comes out, as long as n. (FIPS 186-5
asks for d > 2^(nlen/2); Boneh and Durfee reach d < n^0.292.)
"""

from __future__ import annotations

import math

from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives.numtheory import continued_fraction, convergents, inverse
from lepton_lab.textbook.primitives.rsa import PrivateKey, PublicKey
from lepton_lab.textbook.trace import Recorder, Trace


def key_with_small_d(p: int, q: int, d: int) -> PrivateKey:
    """The weak form: d first, e = d^-1 mod φ second. `d`: odd, coprime to φ.

    Raises InvalidParameter.
    """
    e = inverse(d, (p - 1) * (q - 1))
    return PrivateKey(p * q, e, d, p, q)


def private_key(public: PublicKey) -> Trace[PrivateKey]:
    """Find the private key behind a public one whose d is below n^(1/4)/3.

    Raises AttackFailed when no convergent fits.
    """
    n = public.n
    seen = Recorder()
    for k, d in convergents(continued_fraction(public.e, n)):
        seen("k/d", (k, d))
        if k == 0 or (public.e * d - 1) % k:
            continue
        phi = (public.e * d - 1) // k
        # if this φ is the right one, it gives p + q, and that and n give (p - q)²
        total = n - phi + 1
        square = total * total - 4 * n
        if square < 0:
            continue
        root = math.isqrt(square)
        if root * root != square:
            continue
        p = (total + root) // 2
        q = (total - root) // 2
        if 1 < q < n and p * q == n:
            seen("d", d, "(e·d - 1)/k is φ")
            return seen.trace(PrivateKey(n, public.e, d, p, q))
    raise AttackFailed(f"none of the {len(seen)} convergents of e/n gives φ: d is not small")
