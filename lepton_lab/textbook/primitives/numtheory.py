"""The number theory that RSA and Paillier stand on, small enough to follow with a pencil.

Sources: Menezes, van Oorschot, Vanstone, *Handbook of Applied Cryptography* (HAC), chapters 2, 4
and 14; FIPS 186-5 Appendix B.3 (Miller–Rabin); RFC 8017 §5.1.2 (the Chinese remainder theorem).
Nothing here is constant-time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace


def egcd(a: int, b: int) -> Trace[tuple[int, int, int]]:
    """Run the extended Euclidean algorithm: (g, x, y) with g = gcd(a, b) and a·x + b·y = g.

    HAC 2.107. `a`, `b`: integers >= 0, not both 0. Each step is a row (r, x, y) with a·x + b·y = r.
    The next row is the one before last minus q times the last, q being the quotient of their
    remainders r. Raises InvalidParameter.
    """
    integer("a", a, least=0)
    integer("b", b, least=0)
    if a == b == 0:
        raise InvalidParameter("gcd(0, 0) does not exist: every integer divides 0")
    seen = Recorder()
    before = seen("row 0", (a, 1, 0), "a·1 + b·0 = a")
    last = seen("row 1", (b, 0, 1), "a·0 + b·1 = b")
    while last[0]:
        q = before[0] // last[0]
        r, x, y = (old - q * new for old, new in zip(before, last, strict=True))
        before, last = last, (r, x, y)
        # a quotient of many digits would hide the row that it explains
        seen(f"row {len(seen)}", last, f"q = {q}" if q < 2**64 else "")
    return seen.trace(before)


def inverse(a: int, n: int) -> int:
    """Find the x in 0..n-1 with a·x ≡ 1 (mod n); it exists exactly when gcd(a, n) = 1 (HAC 2.142).

    `a`: any integer. `n`: integer > 1. Raises InvalidParameter when there is no such x.
    """
    integer("n", n, least=2)
    g, x, _ = egcd(integer("a", a) % n, n).result
    if g != 1:
        raise InvalidParameter(
            f"no inverse: a and n share the factor {g}, and so does every multiple of a modulo n"
        )
    return x % n


def modexp(base: int, exponent: int, modulus: int) -> Trace[int]:
    """Compute base^exponent mod modulus by square-and-multiply, from the top bit down (HAC 14.79).

    `base`: any integer. `exponent`: integer >= 0. `modulus`: integer > 0. There is one square for
    every bit of the exponent and one multiplication for every 1, so anyone who can time the steps,
    or hear them, reads the exponent. Raises InvalidParameter.
    """
    integer("base", base)
    integer("exponent", exponent, least=0)
    integer("modulus", modulus, least=1)
    seen = Recorder()
    value = seen("start", 1 % modulus)
    for place in reversed(range(exponent.bit_length())):
        value = seen(f"bit {place}: square", value * value % modulus)
        if exponent >> place & 1:
            value = seen(f"bit {place}: multiply", value * base % modulus, "the bit is 1")
    return seen.trace(value)


def crt(residues: Sequence[int], moduli: Sequence[int]) -> int:
    """Find the one x with x ≡ rᵢ (mod nᵢ) for every i, by Garner's method (HAC 2.120, 14.71).

    The result lies in 0..N-1, N being the product of the moduli. `residues`, `moduli`: as many of
    one as of the other, at least one; the moduli > 1 and pairwise coprime. Raises InvalidParameter.
    """
    if not moduli or len(residues) != len(moduli):
        raise InvalidParameter(
            "the Chinese remainder theorem needs one residue for every modulus, and at least one"
        )
    x = 0
    done = 1  # the product of the moduli whose congruences x meets already
    for residue, modulus in zip(residues, moduli, strict=True):
        integer("residue", residue)
        integer("modulus", modulus, least=2)
        # a multiple of `done` changes none of the congruences that are met already
        factor = (residue - x) * inverse(done, modulus) % modulus
        x += done * factor
        done *= modulus
    return x


def miller_rabin(n: int, bases: Iterable[int]) -> Trace[bool]:
    """Test whether n passes for a prime with every one of the bases (FIPS 186-5 B.3.1; HAC 4.24).

    `n`: integer > 1. `bases`: integers; each is taken modulo n, and 0, 1 and n-1 are skipped,
    because they say nothing. With n - 1 = 2^a·m, m odd, the square roots of 1 modulo a prime are ±1
    alone, so b^m must be 1, or one of b^m, b^2m, b^4m, … must be -1. The result False proves that n
    is composite. True is not a proof: a composite passes a random base with probability at most
    1/4. Raises InvalidParameter.
    """
    integer("n", n, least=2)
    seen = Recorder()
    if n in (2, 3):
        return seen.trace(True)
    if n % 2 == 0:
        return seen.trace(False)
    lowest_bit = (n - 1) & -(n - 1)
    a = seen("a", lowest_bit.bit_length() - 1, "n - 1 = 2^a · m")
    m = seen("m", (n - 1) >> a)
    for base in bases:
        b = integer("base", base) % n
        if b in (0, 1, n - 1):
            continue
        z = pow(b, m, n)
        powers = [z]
        while z not in (1, n - 1) and len(powers) < a:
            z = z * z % n
            powers.append(z)
        passed = z == n - 1 or powers == [1]
        seen(f"b = {b}", powers, "passes" if passed else "a witness: n is composite")
        if not passed:
            return seen.trace(False)
    return seen.trace(True)


def integer_root(x: int, k: int) -> int:
    """Find the largest integer r with r^k <= x, by Newton's iteration from above.

    `x` >= 0, `k` >= 1: integers. Floating point cannot do this: it keeps 53 bits. Raises
    InvalidParameter.
    """
    integer("x", x, least=0)
    integer("k", k, least=1)
    if k == 1 or x < 2:
        return x
    # for x < 2^(k·s) the first guess, 2^s, is above the root
    r = 1 << -(-x.bit_length() // k)
    while True:
        nearer = ((k - 1) * r + x // r ** (k - 1)) // k
        # each step goes down, never below the root; it stops falling at the root
        if nearer >= r:
            return r
        r = nearer


def continued_fraction(numerator: int, denominator: int) -> list[int]:
    """Compute the partial quotients [a₀; a₁, …] of a fraction: Euclid's quotients in order.

    `numerator` >= 0, `denominator` >= 1: integers. Raises InvalidParameter.
    """
    integer("numerator", numerator, least=0)
    integer("denominator", denominator, least=1)
    quotients = []
    while denominator:
        quotient, remainder = divmod(numerator, denominator)
        quotients.append(quotient)
        numerator, denominator = denominator, remainder
    return quotients


def convergents(quotients: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the convergents (hᵢ, kᵢ) of a continued fraction, in lowest terms.

    hᵢ = aᵢ·hᵢ₋₁ + hᵢ₋₂, and k likewise. Any fraction h/k with |x - h/k| < 1/(2k²) is one of the
    convergents of x (Legendre): Wiener's attack rests on it.
    """
    h, k = 1, 0
    h_before, k_before = 0, 1
    for a in quotients:
        h, h_before = a * h + h_before, h
        k, k_before = a * k + k_before, k
        yield h, k
