"""GF(2⁸): the 256 bytes as a field, in which AES, Reed–Solomon codes and Shamir's shares compute.

A byte b₇…b₀ is the polynomial b₇x⁷ + … + b₁x + b₀ with coefficients in {0, 1}. Sums and products
are those of polynomials, modulo 2 and modulo an irreducible polynomial of degree 8 (FIPS 197 §4).
AES takes m(x) = x⁸ + x⁴ + x³ + x + 1, written 0x11B; Reed–Solomon codes mostly take 0x11D.
"""

from __future__ import annotations

from functools import lru_cache

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace

AES_POLYNOMIAL = 0x11B


def add(a: int, b: int) -> int:
    """Add two bytes: a ⊕ b (FIPS 197 §4.1). Modulo 2, subtracting is the same."""
    return integer("a", a, 0, 256) ^ integer("b", b, 0, 256)


def xtime(a: int, polynomial: int = AES_POLYNOMIAL) -> int:
    """Multiply a byte by x: shift left, and when an x⁸ appears subtract the polynomial (§4.2)."""
    doubled = integer("a", a, 0, 256) << 1
    return doubled ^ polynomial if doubled & 0x100 else doubled


def multiply_steps(a: int, b: int, polynomial: int = AES_POLYNOMIAL) -> Trace[int]:
    """Multiply two bytes and show every step: the sum of a·xⁱ over the bits i that are set in b.

    FIPS 197 §4.2. `a`, `b`: 0 to 255. `polynomial`: of degree 8, irreducible (not checked). Raises
    InvalidParameter.
    """
    integer("a", a, 0, 256)
    integer("b", b, 0, 256)
    reason = "its degree is 8, so bit 8 is its highest"
    integer("polynomial", polynomial, 0x100, 0x200, because=reason)
    seen = Recorder()
    total = 0
    power = a
    for i in range(8):
        if i > 0:
            power = xtime(power, polynomial)
        is_set = b >> i & 1
        seen(f"a·x^{i}", power, "added: this bit of b is 1" if is_set else "")
        if is_set:
            total ^= power
    return seen.trace(total)


# the 65,536 products are soon all known; without this a block of AES would take milliseconds
@lru_cache(maxsize=None, typed=True)
def multiply(a: int, b: int, polynomial: int = AES_POLYNOMIAL) -> int:
    """Multiply two bytes: the result of `multiply_steps`, without its steps.

    Raises InvalidParameter.
    """
    return multiply_steps(a, b, polynomial).result


def power(a: int, exponent: int, polynomial: int = AES_POLYNOMIAL) -> int:
    """Raise a byte to a power: a • a • … • a, `exponent` >= 0 times. Raises InvalidParameter.

    Every a but 0 has a²⁵⁵ = 1, because those 255 elements form a group.
    """
    result = 1
    for bit in f"{integer('exponent', exponent, least=0):b}":
        result = multiply(result, result, polynomial)
        if bit == "1":
            result = multiply(result, a, polynomial)
    return result


def inverse(a: int, polynomial: int = AES_POLYNOMIAL) -> int:
    """Find the b with a • b = 1, which is a²⁵⁴ (FIPS 197 §4.4).

    Raises InvalidParameter for 0, which has no inverse.
    """
    if a == 0:
        raise InvalidParameter("0 has no inverse: 0 times anything is 0, never 1")
    return power(a, 254, polynomial)
