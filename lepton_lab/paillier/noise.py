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
from collections.abc import Iterable
from typing import Literal, NamedTuple

import gmpy2
from gmpy2 import f_divmod, invert, mpz, powmod

Kind = Literal["uniform", "short", "long"]

_FEW = 2  # encryptions before any table is made: a key is often used once or twice
_MORE = 32  # how many are expected when there was one more
MANY = 1 << 12  # and how many when there were more than those
_LARGEST = 1 << 16  # entries of all tables together


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
            self.prepare(_MORE if self._powers is None else MANY)
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
        count, bits = self._used + count, self._exponent_bits
        comb = Comb.best(bits, count)
        with self._lock:
            if (
                self._powers is None
                or comb.cost(bits, count) < self._powers.comb.steps(bits) * count
            ):
                self._powers = FixedBase(self._residue(), self._n, bits, comb)

    def _residue(self) -> mpz:
        """hⁿ mod n², the base; the same for every table of this process."""
        if self._base is None:
            y = random_unit(self._n)
            self._base = powmod(
                -y * y % self._n if self._kind == "short" else y, self._n, self._n_square
            )
        return self._base


class Comb(NamedTuple):
    """How tables serve an exponent (Lim and Lee, CRYPTO '94): digits of `width` bits, `layers` of them from each table.

    An exponent is Σ 2^l·e_l, where the bits of e_l stand `layers` places apart, and every e_l is looked up in the same
    tables. Between two layers is a square; for so few squares there are far fewer tables, which can be wider for it.
    """

    width: int
    layers: int

    def tables(self, bits: int) -> int:
        """The number of tables, of 2^width entries each, for exponents of `bits` bits."""
        return -(-bits // (self.width * self.layers))

    def steps(self, bits: int) -> int:
        """Multiplications for a power: a look-up for every digit, and the squares."""
        return self.tables(bits) * self.layers + self.layers - 1

    def cost(self, bits: int, count: int) -> int:
        """Multiplications for the tables and `count` powers.

        Tables take the squares of the base, one for every bit, and for an entry about as long as for two look-ups.
        """
        return bits + 2 * (self.tables(bits) << self.width) + count * self.steps(bits)

    @classmethod
    def best(cls, bits: int, count: int) -> Comb:
        """The comb of at most 2^16 entries with which `count` powers cost least, tables included."""
        combs = (cls(width, layers) for width in range(1, 14) for layers in range(1, 25))
        affordable = (comb for comb in combs if comb.tables(bits) << comb.width <= _LARGEST)
        return min(affordable, key=lambda comb: comb.cost(bits, count))


class FixedBase:
    """Powers of one base modulo n² from tables.

    An entry is held as (a, κ) and stands for a·(1 + κn) mod n², a and κ below n. The κ of a product only add, since
    (1 + κn)(1 + λn) = 1 + (κ+λ)n, and an `a` is half as long as a number modulo n², which halves the multiplication
    and its reduction. The message, itself a κ, rides along for nothing.
    """

    def __init__(self, base: mpz, n: mpz, bits: int, comb: Comb) -> None:
        self.n, self.n_square, self.comb, self.digits = (
            n,
            n * n,
            comb,
            comb.tables(bits) * comb.layers,
        )
        power, inverse = base, invert(base % n, n)
        self._tables = []
        for _ in range(comb.tables(bits)):
            table, inverses = (
                [(mpz(1), mpz(0))],
                [mpz(1)],
            )  # the products of every subset of `width` powers
            for _ in range(comb.width):
                b, a = f_divmod(power, n)
                kappa = b * inverse % n
                for i in range(len(table)):
                    q, r = f_divmod(table[i][0] * a, n)
                    inverses.append(inverses[i] * inverse % n)
                    # r + qn = r·(1 + (q/r)n): the quotient becomes part of κ
                    table.append((r, (table[i][1] + kappa + q * inverses[-1]) % n))
                for _ in range(comb.layers):
                    power, inverse = power * power % self.n_square, inverse * inverse % n
            self._tables.append(table)

    def mask(self, message: int | mpz) -> mpz:
        """(1 + message·n)·base^exponent mod n² for a random exponent, drawn digit by digit."""
        digit = (1 << self.comb.width) - 1
        drawn = array("H", secrets.token_bytes(2 * self.digits))  # 16 bits for each
        return self.masked(message, (number & digit for number in drawn))

    def masked(self, message: int | mpz, digits: Iterable[int]) -> mpz:
        """(1 + message·n)·base^exponent mod n²; the digits of the highest layer first, in it one for every table."""
        product, kappas, n_square, left = mpz(1), mpz(0), self.n_square, iter(digits)
        for _ in range(self.comb.layers):
            product, kappas = product * product % n_square, 2 * kappas
            for table, digit in zip(self._tables, left):  # noqa: B905 - the rest is the next layers'
                a, kappa = table[digit]
                product = product * a % n_square
                kappas += kappa
        return product * (1 + (kappas + message) % self.n * self.n) % n_square
