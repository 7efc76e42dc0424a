"""GF(2⁸): the 256 bytes as a field, where AES, Reed–Solomon codes and Shamir's shares do their arithmetic.

A byte b₇…b₀ is the polynomial b₇x⁷ + … + b₁x + b₀ with coefficients in {0, 1}; sums and products are those of
polynomials, modulo 2 and modulo an irreducible polynomial of degree 8 (FIPS 197 §4). AES takes
m(x) = x⁸ + x⁴ + x³ + x + 1, written 0x11B; Reed–Solomon codes mostly take 0x11D.
"""

from __future__ import annotations

from functools import lru_cache

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace

AES_POLYNOMIAL = 0x11B


def add(a: int, b: int) -> int:
    """The sum a ⊕ b: coefficients add modulo 2, so subtracting is the same (FIPS 197 §4.1)."""
    return integer("a", a, 0, 256) ^ integer("b", b, 0, 256)


def xtime(a: int, polynomial: int = AES_POLYNOMIAL) -> int:
    """The product a·x: shift left, and when an x⁸ appears subtract the polynomial (FIPS 197 §4.2)."""
    doubled = integer("a", a, 0, 256) << 1
    return doubled ^ polynomial if doubled & 0x100 else doubled


def multiply_steps(a: int, b: int, polynomial: int = AES_POLYNOMIAL) -> Trace[int]:
    """The product a • b: the sum of a·xⁱ over the bits i that are set in b (FIPS 197 §4.2), with every a·xⁱ shown.

    `a`, `b`: bytes, 0..255. `polynomial`: of degree 8, irreducible (not checked). Raises InvalidParameter.
    """
    integer("b", b, 0, 256)
    integer(
        "polynomial", polynomial, 0x100, 0x200, because="its degree is 8, so bit 8 is its highest"
    )
    seen, power, total = Recorder(), a, 0
    for i in range(8):
        power = xtime(power, polynomial) if i else integer("a", a, 0, 256)
        seen(f"a·x^{i}", power, "added: this bit of b is 1" if b >> i & 1 else "")
        total ^= power if b >> i & 1 else 0
    return seen.trace(total)


@lru_cache(
    maxsize=None, typed=True
)  # the 65,536 products are soon all known; without this a block of AES would take milliseconds
def multiply(a: int, b: int, polynomial: int = AES_POLYNOMIAL) -> int:
    """The product a • b as a number: the result of `multiply_steps`. Raises InvalidParameter."""
    return multiply_steps(a, b, polynomial).result


def power(a: int, exponent: int, polynomial: int = AES_POLYNOMIAL) -> int:
    """The power a • a • … • a, `exponent` >= 0 times. Raises InvalidParameter.

    Every a but 0 has a²⁵⁵ = 1, because those 255 elements form a group.
    """
    result = 1
    for bit in f"{integer('exponent', exponent, least=0):b}":
        result = multiply(result, result, polynomial)
        result = multiply(result, a, polynomial) if bit == "1" else result
    return result


def inverse(a: int, polynomial: int = AES_POLYNOMIAL) -> int:
    """The b with a • b = 1, which is a²⁵⁴ (FIPS 197 §4.4). Raises InvalidParameter for 0, which has none."""
    if a == 0:
        raise InvalidParameter("0 has no inverse: 0 times anything is 0, never 1")
    return power(a, 254, polynomial)
