"""One modulus for two keys: a message to both is readable, and each owner breaks the other's key.

The weak form: keys (n, e₁, d₁), (n, e₂, d₂) with the same n.

- *The outsider* (Simmons 1983): the same m was encrypted raw under both. With gcd(e₁, e₂) = 1
  Euclid gives x, y with e₁x + e₂y = 1, so c₁^x · c₂^y = m^(e₁x + e₂y) = m modulo n.
- *The insider*: e·d - 1 = 2^t·u, u odd, is a multiple of λ(n), so g^(2^t·u) = 1 for every g coprime
  to n. Square g^u again and again until 1 comes. For half of all g, or more, the number before that
  1 is a square root r of 1 that is not ±1: n divides (r - 1)(r + 1) and neither factor alone, so
  gcd(r - 1, n) is a prime of n.

The defence: `lepton_lab.rsa.generate_private_key` makes a new modulus each time, and OAEP never
encrypts the same number twice.
"""

from __future__ import annotations

import math

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives.numtheory import egcd
from lepton_lab.textbook.primitives.rsa import PublicKey
from lepton_lab.textbook.trace import Recorder, Trace


def message(first: PublicKey, c1: int, second: PublicKey, c2: int) -> Trace[int]:
    """Find the m that was encrypted raw under two keys of one modulus: c1 = m^e₁, c2 = m^e₂.

    Raises AttackFailed when the moduli differ, the exponents share a factor, or the two ciphertexts
    hide different numbers; InvalidParameter when a ciphertext shares a factor with n.
    """
    if first.n != second.n:
        raise AttackFailed("the moduli differ")
    n = first.n
    g, x, y = egcd(first.e, second.e).result
    if g != 1:
        raise AttackFailed(f"the exponents share the factor {g}: only m^{g} can be computed")
    seen = Recorder()
    seen("x, y", (x, y), "e₁·x + e₂·y = 1")
    try:
        # one of x and y is negative: that power needs the inverse of its ciphertext
        m = seen("m", pow(c1, x, n) * pow(c2, y, n) % n, "c₁^x · c₂^y mod n")
    except ValueError:
        raise InvalidParameter(
            "a ciphertext shares a factor with n: its gcd with n is already a prime of n"
        ) from None
    if pow(m, first.e, n) != c1:
        raise AttackFailed("the two ciphertexts hide different numbers, as padding makes them")
    return seen.trace(m)


def factor(public: PublicKey, d: int) -> Trace[tuple[int, int]]:
    """Find the primes (p, q), p < q, of n from one private exponent.

    Raises AttackFailed when d is not an inverse of e.
    """
    n = public.n
    multiple = public.e * d - 1
    u = multiple
    while u and u % 2 == 0:
        u //= 2
    seen = Recorder()
    seen("e·d - 1", multiple, "a multiple of λ(n)")
    for g in range(2, 102):  # each g fails with probability at most 1/2
        before = 0
        r = pow(g, u, n)
        # at most as many squarings as e·d - 1 has factors 2
        for _ in range(multiple.bit_length()):
            if r == 1:
                break
            before = r
            r = r * r % n
        p = math.gcd(before - 1, n)
        if r == 1 and 1 < p < n:
            seen("r", before, f"{g}^(2^i·u): its square is 1, and it is not ±1")
            return seen.trace((min(p, n // p), max(p, n // p)))
    raise AttackFailed("no square root of 1 appeared: d is not the inverse of e modulo λ(n)")
