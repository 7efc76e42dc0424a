"""Draws the noise of a ciphertext: a random n-th residue rⁿ mod n², fresh for every ciphertext.

The noise is all that hides the message. There are three ways to draw it from the public key alone
(`NoiseKind`):

- "uniform": r is uniform and rⁿ is computed in full (Paillier, 1999). Rests on the decisional
  composite residuosity assumption (DCR) alone and serves any key.
- "short": hⁿ for a random h = −y², raised to random exponents half as long as n (Damgård, Jurik and
  Nielsen, 2010, §4). Needs a key with the condition of `primes.blum_pair`. Rests on DCR restricted
  to ⟨hⁿ⟩, and on short exponents being indistinguishable from long ones modulo n (Goldreich and
  Rosen, 2003).
- "long": hⁿ for a random h, raised to exponents 128 bits longer than n, for keys that others made.
  Rests on DCR restricted to ⟨hⁿ⟩.

The last two read powers of hⁿ from tables. Tables pay off only after a number of encryptions, so
they are built once that many are expected. Anyone who knows r, or the exponent of h, can read the
message. So the base is drawn in this process, never sent, and a child process drops it together
with its tables. Table look-ups are not constant-time.
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

NoiseKind = Literal["uniform", "short", "long"]

# How many encryptions a key is expected to make: a key is often used once or twice (no tables), but
# one that was used a third time tends to be used some thirty times, and after that, thousands.
_FIRST_EXPECTED = 2
_THEN_EXPECTED = 32
MANY = 1 << 12
_MAX_TABLE_ENTRIES = 1 << 16  # of all tables together: 36 MB for a key of 2048 bits


def random_unit(n: mpz) -> mpz:
    """Return a uniform element of (ℤ/n)*."""
    while True:
        y = mpz(secrets.randbelow(int(n)))
        if gmpy2.gcd(y, n) == 1:
            return y


class PublicNoise:
    """Draws noise of one `kind` for the modulus n, and keeps the tables that make it fast.

    `fixed_base`: the tables, or None while there are none. `exponent_bits`: the length of the
    random exponents of "short" and "long" noise.
    """

    def __init__(self, n: mpz, kind: NoiseKind) -> None:
        self._n = n
        self._n_square = n * n
        self._kind = kind
        self.exponent_bits = n.bit_length() // 2 if kind == "short" else n.bit_length() + 128
        self._forget()

    def _forget(self) -> None:
        """Start without base and tables, at the beginning and in a forked child.

        A child that kept them would share its parent's base. A lock that another thread of the
        parent held at the fork would never be released in the child, so the lock is new as well.
        """
        self.fixed_base: FixedBase | None = None
        self._base: mpz | None = None
        self._used = 0
        self._expected = _FIRST_EXPECTED
        self._process = os.getpid()
        self._lock = threading.Lock()

    def _forget_after_fork(self) -> None:
        if self._process != os.getpid():
            self._forget()

    def mask(self, message: int | mpz) -> mpz:
        """Return (1 + message·n)·rⁿ mod n² with a fresh r: an encryption of `message`."""
        self._forget_after_fork()
        self._used += 1
        if self._used > self._expected:
            # More encryptions came than were expected, so more still will: tables pay off now.
            self.prepare(_THEN_EXPECTED if self.fixed_base is None else MANY)
        if self.fixed_base is None:
            residue = powmod(random_unit(self._n), self._n, self._n_square)
            return (1 + message % self._n * self._n) * residue % self._n_square
        return self.fixed_base.mask(message)

    def expected(self, count: int) -> int:
        """Return how many encryptions to expect, past ones included, if `count` more come."""
        self._forget_after_fork()
        return max(self._expected, self._used + count)

    def prepare(self, count: int) -> None:
        """Expect `count` more encryptions: build the tables that serve them fastest.

        Tables that are already there stay unless larger ones, their own cost included, are cheaper.
        """
        self._expected = self.expected(count)
        if self._kind == "uniform" or self._expected <= _FIRST_EXPECTED:
            return
        bits = self.exponent_bits
        count = self._used + count
        comb = Comb.best(bits, count)
        with self._lock:  # several threads may find at once that tables are due
            present = self.fixed_base
            if present is None or comb.cost(bits, count) < present.comb.steps(bits) * count:
                self.fixed_base = FixedBase(self.base(), self._n, bits, comb)

    def base(self) -> mpz:
        """Return hⁿ mod n², the base; it is the same for every table of this process."""
        self._forget_after_fork()
        if self._base is None:
            y = random_unit(self._n)
            h = -y * y % self._n if self._kind == "short" else y
            self._base = powmod(h, self._n, self._n_square)
        return self._base


class Comb(NamedTuple):
    """The shape of the tables for one fixed base (the comb of Lim and Lee, CRYPTO '94).

    Digits have `width` bits, and each table serves `layers` of them. An exponent is Σ 2^l·e_l,
    where the bits of e_l stand `layers` places apart, and every e_l is looked up in the same
    tables. The price is one squaring between two layers; the gain is far fewer tables, which can
    be wider.
    """

    width: int
    layers: int

    def tables(self, bits: int) -> int:
        """Return the number of tables, of 2^width entries each, for exponents of `bits` bits."""
        return -(-bits // (self.width * self.layers))

    def steps(self, bits: int) -> int:
        """Return the multiplications per power: a look-up for every digit, and the squarings."""
        return self.tables(bits) * self.layers + self.layers - 1

    def cost(self, bits: int, count: int) -> int:
        """Return the multiplications for the tables and `count` powers.

        Tables take the squarings of the base, one for every bit, and an entry takes about as long
        as two look-ups.
        """
        return bits + 2 * (self.tables(bits) << self.width) + count * self.steps(bits)

    @classmethod
    def best(cls, bits: int, count: int) -> Comb:
        """Return the comb of at most 2¹⁶ entries that makes tables and `count` powers cheapest."""
        combs = (cls(width, layers) for width in range(1, 14) for layers in range(1, 25))
        affordable = (c for c in combs if c.tables(bits) << c.width <= _MAX_TABLE_ENTRIES)
        return min(affordable, key=lambda comb: comb.cost(bits, count))


class FixedBase:
    """Powers of one base modulo n², read from tables.

    An entry is held as (a, κ), a and κ below n, and stands for a·(1 + κn) mod n². In a product the
    κ are only added, since (1 + κn)(1 + λn) = 1 + (κ+λ)n. An `a` is half as long as a number
    modulo n², which halves the multiplication and its reduction. The message is itself a κ, so it
    is added to the others at no cost.
    """

    def __init__(self, base: mpz, n: mpz, bits: int, comb: Comb) -> None:
        self.n = n
        self.n_square = n * n
        self.comb = comb
        self.digits = comb.tables(bits) * comb.layers
        self._tables: list[list[tuple[mpz, mpz]]] = []
        power = base
        inverse = invert(base % n, n)
        for _ in range(comb.tables(bits)):
            # The products of every subset of `width` powers, and the inverses of their a.
            table = [(mpz(1), mpz(0))]
            inverses = [mpz(1)]
            for _ in range(comb.width):
                b, a = f_divmod(power, n)
                kappa = b * inverse % n
                for i in range(len(table)):
                    q, r = f_divmod(table[i][0] * a, n)
                    inverses.append(inverses[i] * inverse % n)
                    # r + qn = r·(1 + (q/r)n): the quotient becomes part of κ.
                    table.append((r, (table[i][1] + kappa + q * inverses[-1]) % n))
                for _ in range(comb.layers):
                    power = power * power % self.n_square
                    inverse = inverse * inverse % n
            self._tables.append(table)

    def mask(self, message: int | mpz) -> mpz:
        """Return (1 + message·n)·base^exponent mod n² for a random exponent, drawn by digits."""
        digit = (1 << self.comb.width) - 1
        drawn = array("H", secrets.token_bytes(2 * self.digits))  # 16 random bits per digit
        return self.masked(message, (number & digit for number in drawn))

    def masked(self, message: int | mpz, digits: Iterable[int]) -> mpz:
        """Return (1 + message·n)·base^exponent mod n² for the exponent with these digits.

        The digits of the highest layer come first; each layer has one digit for every table.
        """
        product = mpz(1)
        kappas = mpz(0)
        n_square = self.n_square
        left = iter(digits)
        for _ in range(self.comb.layers):
            product = product * product % n_square
            kappas = 2 * kappas
            for table, digit in zip(self._tables, left):  # noqa: B905 - other layers take the rest
                a, kappa = table[digit]
                product = product * a % n_square
                kappas += kappa
        return product * (1 + (kappas + message) % self.n * self.n) % n_square
