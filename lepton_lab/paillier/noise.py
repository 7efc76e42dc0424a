"""Noise: a random n-th residue rⁿ mod n², drawn anew for every ciphertext. It is all that hides the message.

Three ways to draw it from the public key alone (`Kind`):

- "uniform": r uniform, rⁿ computed in full (Paillier, 1999). Rests on the decisional composite residuosity assumption
  (DCR) alone and serves any key.
- "short": hⁿ for a random h = −y², raised to random exponents half as long as n (Damgård, Jurik and Nielsen, 2010, §4).
  Needs a key with the condition of `primes.blum_pair`; rests on DCR restricted to ⟨hⁿ⟩ and on short exponents being
  indistinguishable from long ones modulo n (Goldreich and Rosen, 2003).
- "long": hⁿ for a random h, raised to exponents 128 bits longer than n, for keys that others made. Rests on DCR
  restricted to ⟨hⁿ⟩.

The last two read their powers from tables, which pay only from some encryptions on: they grow when that is in sight.
Whoever knows h's exponents or r can read what they hide, so the base is drawn in this process, never sent, and dropped
with its tables in a child process. Table look-ups are not constant-time.
"""

from __future__ import annotations

import os
import secrets
import threading
from array import array
from collections.abc import Sequence
from typing import Literal

import gmpy2
from gmpy2 import f_divmod, invert, mpz, powmod

Kind = Literal["uniform", "short", "long"]

_FEW = 2  # encryptions before any table is made: a key is often used once or twice
_MORE = 32  # how many are expected when there was one more
_MANY = 1 << 14  # and how many when there were more than those


def random_unit(n: mpz) -> mpz:
    """A uniform element of (ℤ/n)*."""
    while gmpy2.gcd(y := mpz(secrets.randbelow(int(n))), n) != 1:
        continue
    return y


class PublicNoise:
    """Noise of one `kind` for the modulus n."""

    def __init__(self, n: mpz, kind: Kind) -> None:
        self._n, self._n_square, self._kind = n, n * n, kind
        self._exponent_bits = n.bit_length() // 2 if kind == "short" else n.bit_length() + 128
        self._forget()

    def _forget(self) -> None:
        self._powers: FixedBase | None = None
        self._base: mpz | None = None
        self._used, self._expected = 0, _FEW
        self._process, self._lock = os.getpid(), threading.Lock()

    def mask(self, message: int | mpz) -> mpz:
        """(1 + message·n)·rⁿ mod n² with a fresh r."""
        if self._process != os.getpid():
            self._forget()
        self._used += 1
        if self._used > self._expected:
            self.prepare(_MORE if self._powers is None else _MANY)
        if self._powers is None:
            r_to_the_n = powmod(random_unit(self._n), self._n, self._n_square)
            return (1 + message % self._n * self._n) * r_to_the_n % self._n_square
        return self._powers.mask(message)

    def expected(self, count: int) -> int:
        """How many encryptions are expected in all, those that were made included, if `count` more are."""
        if self._process != os.getpid():
            self._forget()
        return max(self._expected, self._used + count)

    def prepare(self, count: int) -> None:
        """Expect `count` more encryptions: make the tables that serve them soonest, unless there are such already."""
        self._expected = self.expected(count)
        if self._kind == "uniform" or self._expected <= _FEW:
            return
        width = FixedBase.best_width(self._exponent_bits, self._used + count)
        with self._lock:
            if self._powers is None or self._powers.width < width - 1:
                self._powers = FixedBase(self._residue(), self._n, self._exponent_bits, width)

    def _residue(self) -> mpz:
        """hⁿ mod n², the base; the same for every table of this process."""
        if self._base is None:
            y = random_unit(self._n)
            self._base = powmod(-y * y % self._n if self._kind == "short" else y, self._n, self._n_square)
        return self._base


class FixedBase:
    """Powers of one base modulo n² from tables, one digit of `width` bits a row.

    A table entry is held as (a, κ) and stands for a·(1 + κn) mod n², a and κ below n. The κ of a product only add,
    since (1 + κn)(1 + λn) = 1 + (κ+λ)n, and two a multiply below n² without a reduction: one multiplication modulo n²
    serves two digits, and the message, itself a κ, rides along for nothing.
    """

    def __init__(self, base: mpz, n: mpz, bits: int, width: int) -> None:
        self.n, self.n_square, self.width = n, n * n, width
        b, a = f_divmod(base, n)
        a_inverse = invert(a, n)
        kappa = b * a_inverse % n
        rows = []
        for _ in range(2 * -(-bits // (2 * width))):  # an even number of them
            entry, inverse, row = (mpz(1), mpz(0)), mpz(1), []
            for _ in range(1 << width):
                row.append(entry)
                q, r = f_divmod(entry[0] * a, n)
                inverse = inverse * a_inverse % n
                # r + qn = r·(1 + (q/r)n): the quotient becomes part of κ
                entry = r, (entry[1] + kappa + q * inverse) % n
            rows.append(row)
            (a, kappa), a_inverse = entry, inverse
        self._pairs = list(zip(rows[::2], rows[1::2], strict=True))

    @staticmethod
    def best_width(bits: int, count: int) -> int:
        """The digit width, 1 to 9 bits, for which making the tables and using them `count` times costs least.

        Making an entry costs about as much as two look-ups.
        """
        return min(range(1, 10), key=lambda width: -(-bits // width) * (2 * 2**width + count))

    def mask(self, message: int | mpz) -> mpz:
        """(1 + message·n)·base^exponent mod n² for a random exponent, drawn digit by digit."""
        digit = (1 << self.width) - 1
        drawn = array("H", secrets.token_bytes(4 * len(self._pairs)))  # an unsigned 16-bit number for every row
        return self.masked(message, [number & digit for number in drawn])

    def masked(self, message: int | mpz, digits: Sequence[int]) -> mpz:
        """(1 + message·n)·base^exponent mod n², the exponent's digits in ascending order, one for every row."""
        product, kappas, n_square = mpz(1), message, self.n_square
        for (low, high), i, j in zip(self._pairs, digits[::2], digits[1::2], strict=True):
            a, kappa = low[i]
            b, lamda = high[j]
            product = product * (a * b) % n_square
            kappas += kappa + lamda
        return product * (1 + kappas % self.n * self.n) % n_square
