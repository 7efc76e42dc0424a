"""A step of notebook 03's ladder of speed that the helper has skipped: tables of whole powers."""

from __future__ import annotations

from collections.abc import Iterable

from gmpy2 import mpz

from lepton_lab.paillier.noise import Comb, FixedBase

_COMB = Comb(width=12, layers=11)  # what suits exponents of 1024 bits


class PlainTables(FixedBase):
    """Noise from the same tables as the helper's, but with whole entries and without its κ.

    It is there for the clock, beside the helper's. base: an n-th residue modulo n². bits: the
    length of a random exponent.
    """

    def __init__(self, base: int, n: int, bits: int, comb: Comb = _COMB) -> None:
        self.n = mpz(n)
        self.n_square = mpz(n) ** 2
        self.comb = comb
        self.digits = comb.tables(bits) * comb.layers
        self._whole: list[list[mpz]] = []
        power = mpz(base)
        for _ in range(comb.tables(bits)):
            table = [mpz(1)]
            for _ in range(comb.width):
                table += [entry * power % self.n_square for entry in table]
                for _ in range(comb.layers):
                    power = power * power % self.n_square
            self._whole.append(table)

    def masked(self, message: int | mpz, digits: Iterable[int]) -> mpz:
        """(1 + message·n)·base^x mod n².

        digits: those of x, layer by layer from the highest, one for every table.
        """
        c = mpz(1)
        left = iter(digits)
        for _ in range(self.comb.layers):
            c = c * c % self.n_square
            # Not strict: the digits that are left belong to the next layers.
            for table, digit in zip(self._whole, left):  # noqa: B905
                c = c * table[digit] % self.n_square
        return c * (1 + message % self.n * self.n) % self.n_square
