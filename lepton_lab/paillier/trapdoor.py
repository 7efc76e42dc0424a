"""What the two primes make possible: decryption, noise modulo p² and q² apart, and many ciphertexts opened as one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from gmpy2 import invert, mpz, powmod

from lepton_lab.paillier.multiexp import power_product
from lepton_lab.paillier.noise import random_unit
from lepton_lab.paillier.secret_power import SecretPower

_SECURITY_BITS = 128
_FEWEST, _SHALLOWEST = 8, 4  # ciphertexts, and how many in a fold: fewer open faster one by one


class Trapdoor:
    """The primes p < q, with all that follows from them. It never leaves the process."""

    def __init__(self, p: mpz, q: mpz) -> None:
        self.p, self.q, self.n = p, q, p * q
        self.p_square, self.q_square = p * p, q * q
        self._to_p_1, self._to_q_1 = (
            SecretPower(p - 1, self.p_square),
            SecretPower(q - 1, self.q_square),
        )
        self._to_p, self._to_q = SecretPower(p, self.p_square), SecretPower(q, self.q_square)
        # h_p = L((1+n)^(p−1) mod p²)⁻¹ mod p (Paillier, 1999, §7), where (1+n)^(p−1) = 1 + (p−1)n = 1 − n (mod p²)
        self._h_p, self._h_q = invert(-q, p), invert(-p, q)
        self._p_inverse, self._p_square_inverse = invert(p, q), invert(self.p_square, self.q_square)

    def decrypt(self, c: mpz, bound: int | None = None) -> int:
        """The plaintext of a unit modulo n², as an integer within ±n/2 (Paillier, 1999, §7).

        Within a `bound` 128 bits shorter than p, the rest modulo p is the plaintext, at half the work. A plaintext that
        breaks the bound shows: to have a small rest all the same, it must be made by somebody who knows p, or by luck
        (2⁻¹²⁷); then both halves are computed.
        """
        m_p = self._modulo_p(c % self.p_square)
        if bound is not None and bound.bit_length() + _SECURITY_BITS <= self.p.bit_length():
            small = int(m_p if 2 * m_p < self.p else m_p - self.p)
            if abs(small) <= bound:
                return small
        return self._joined(m_p, c % self.q_square)

    def _joined(self, m_p: mpz, at_q: mpz) -> int:
        m_q = (self._to_q_1(at_q) - 1) // self.q * self._h_q % self.q
        m = m_p + self.p * ((m_q - m_p) * self._p_inverse % self.q)
        return int(m if 2 * m < self.n else m - self.n)

    def _modulo_p(self, at_p: mpz) -> mpz:
        return (self._to_p_1(at_p) - 1) // self.p * self._h_p % self.p

    def mask(self, message: int | mpz) -> mpz:
        """(1 + message·n)·rⁿ mod n² with a fresh uniform r: modulo p², rⁿ is y^p for a uniform y modulo p."""
        at_p, at_q = self._to_p(random_unit(self.p)), self._to_q(random_unit(self.q))
        residue = at_p + self.p_square * ((at_q - at_p) * self._p_square_inverse % self.q_square)
        return (1 + message % self.n * self.n) * residue % (self.n * self.n)

    def decrypt_together(self, bound: int, cs: Sequence[mpz]) -> list[int]:
        """The plaintexts of all the units, fast while each is within ±bound, right in any case.

        They are folded modulo p² into Σ mᵢ·2^(slot·i), as many as stay below p/2, and a fold is decrypted at once,
        modulo p. A sender that broke the bound could shift value to its neighbours so, unseen; hence the values are
        believed only if Σ ρᵢmᵢ, for random ρᵢ of 128 bits drawn afterwards, is what ∏ cᵢ^ρᵢ decrypts to in full. A
        wrong value passes with probability 2⁻¹²⁸; when the check fails, every ciphertext is decrypted by itself.
        """
        slot = bound.bit_length() + 1
        depth = (self.p.bit_length() - 1) // slot
        if len(cs) < _FEWEST or depth < _SHALLOWEST:
            return [self.decrypt(c, bound) for c in cs]
        at_p, at_q = [c % self.p_square for c in cs], [c % self.q_square for c in cs]
        folds = [at_p[start : start + depth] for start in range(0, len(cs), depth)]
        values = [value for fold in folds for value in self._unfold(fold, slot)]
        rho = [secrets.randbits(_SECURITY_BITS) for _ in cs]
        checked_p, checked_q = (
            power_product(at_p, rho, self.p_square),
            power_product(at_q, rho, self.q_square),
        )
        expected = sum(r * value for r, value in zip(rho, values, strict=True))
        if (self._joined(self._modulo_p(checked_p), checked_q) - expected) % self.n == 0:
            return values
        return [self.decrypt(c) for c in cs]

    def _unfold(self, fold: Sequence[mpz], slot: int) -> list[int]:
        width, folded = 1 << slot, mpz(1)
        for c in reversed(fold):
            folded = powmod(folded, width, self.p_square) * c % self.p_square
        m = self._modulo_p(folded)
        whole, values = int(m if 2 * m < self.p else m - self.p), []
        for _ in fold:
            values.append((whole + width // 2) % width - width // 2)
            whole = (whole - values[-1]) >> slot
        return values
