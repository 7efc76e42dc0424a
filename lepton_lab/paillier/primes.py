"""Finds primes for a new Paillier key, and checks a modulus or primes that somebody else made."""

from __future__ import annotations

import secrets
from functools import lru_cache

import gmpy2
from gmpy2 import mpz

from lepton_lab.errors import InvalidKey, InvalidParameter

# Bits of n. Fewer are weak. More than the largest only lets whoever sends a key keep us computing.
MIN_BITS = 2048
MAX_BITS = 16384
_WINDOW = 1 << 12  # candidates sieved at once; the next prime is some 200 to 400 candidates away
_SIEVE = [(prime, pow(4, -1, prime)) for prime in range(3, 1 << 15, 2) if gmpy2.is_prime(prime)]
_SMALL_PRIMES = gmpy2.primorial(1 << 15)


def blum_pair(bits: int) -> tuple[mpz, mpz]:
    """Return two primes p < q of half the length each, with p·q of exactly `bits` bits.

    p ≡ q ≡ 3 (mod 4) and gcd(p−1, q−1) = 2. Under this condition −y² generates the units of Jacobi
    symbol 1, from which "short" noise is drawn (Damgård, Jurik and Nielsen, 2010). `bits`: even,
    2048 to 16384. Raises InvalidParameter.
    """
    if not isinstance(bits, int) or bits % 2 or not MIN_BITS <= bits <= MAX_BITS:
        raise InvalidParameter(
            f"a Paillier key has an even number of bits, {MIN_BITS} to {MAX_BITS}"
        )
    p = _blum_prime(bits // 2, mpz(2))
    least_distance = mpz(1) << bits // 2 - 100
    while True:
        q = _blum_prime(bits // 2, p - 1)
        # Fermat's method factors n when the primes are closer than this (FIPS 186-5 A.1.3).
        if abs(q - p) >= least_distance:
            return min(p, q), max(p, q)


def _blum_prime(bits: int, other: mpz) -> mpz:
    """Return a prime x ≡ 3 (mod 4) with gcd(x−1, other) = 2 and its top two bits set.

    It is the next such prime behind a random start.
    """
    while True:
        start = mpz(secrets.randbits(bits)) | 3 | mpz(3) << bits - 2
        composite = bytearray(_WINDOW)  # place i stands for start + 4i
        for prime, quarter in _SIEVE:
            first = int(-start % prime) * quarter % prime
            composite[first::prime] = b"\1" * len(range(first, _WINDOW, prime))
        place = composite.find(0)
        while place >= 0:
            x = start + 4 * place
            # The cheap tests come first: most candidates fail the strong one to base 2.
            if gmpy2.gcd(x - 1, other) == 2 and gmpy2.is_strong_prp(x, 2) and gmpy2.is_prime(x):
                if x.bit_length() == bits:
                    return x
                break  # the search ran past the largest number of this length: start again
            place = composite.find(0, place + 1)


def check_modulus(n: object) -> None:
    """Refuse an n that cannot be the product of two large primes, as far as n alone tells.

    It must be odd, composite, not a perfect power, without a factor below 2¹⁵, of 2048 to 16384
    bits. That gcd(n, φ(n)) = 1, or that there are exactly two prime factors, cannot be seen from
    n: a public key must come from someone you can name, so authenticate it. Raises InvalidKey.
    """
    if not isinstance(n, int) or n < 0 or not MIN_BITS <= n.bit_length() <= MAX_BITS:
        raise InvalidKey(f"n must be an integer of {MIN_BITS} to {MAX_BITS} bits")
    _check_factors(n)


# Every number that comes from elsewhere brings its key along, and it is the same one each time.
@lru_cache(maxsize=64)
def _check_factors(n: int) -> None:
    if n % 2 == 0 or gmpy2.gcd(n, _SMALL_PRIMES) != 1:
        raise InvalidKey("n has a small factor: anybody can decrypt")
    if gmpy2.is_prime(n) or gmpy2.is_power(n):
        raise InvalidKey("n is a prime or a perfect power: anybody can decrypt")


def check_primes(p: mpz, q: mpz) -> None:
    """Refuse p < q unless both are prime, of like size, and gcd(pq, (p−1)(q−1)) = 1.

    Raises InvalidKey.
    """
    check_modulus(int(p * q))
    if p == q or not (gmpy2.is_prime(p) and gmpy2.is_prime(q)):
        raise InvalidKey("p and q must be two different primes")
    if q.bit_length() - p.bit_length() > 16:
        raise InvalidKey("p is much smaller than q: n is easier to factor than its length says")
    if gmpy2.gcd(p * q, (p - 1) * (q - 1)) != 1:
        raise InvalidKey("n shares a factor with φ(n): some ciphertexts would decrypt wrongly")
