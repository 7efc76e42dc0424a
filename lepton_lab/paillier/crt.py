"""What the two primes make possible, by the Chinese remainder theorem (CRT).

Decryption modulo p² and q² apart, noise drawn the same way, and many ciphertexts decrypted as one.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from gmpy2 import invert, mpz, powmod

from lepton_lab.paillier.multiexp import power_product
from lepton_lab.paillier.noise import random_unit
from lepton_lab.paillier.secret_power import SecretPower

_SECURITY_BITS = 128
# Below these, decrypting one by one is faster than folding with its check.
_FEWEST_CIPHERTEXTS = 8
_SHALLOWEST_FOLD = 4


class CrtArithmetic:
    """The primes p < q, with all that follows from them. Secret; it never leaves the process."""

    def __init__(self, p: mpz, q: mpz) -> None:
        self.p = p
        self.q = q
        self._n = p * q
        self._p_square = p * p
        self._q_square = q * q
        self._to_p_minus_1 = SecretPower(p - 1, self._p_square)
        self._to_q_minus_1 = SecretPower(q - 1, self._q_square)
        self._to_p = SecretPower(p, self._p_square)
        self._to_q = SecretPower(q, self._q_square)
        # h_p = L((1+n)^(p−1) mod p²)⁻¹ mod p (Paillier, 1999, §7), where
        # (1+n)^(p−1) = 1 + (p−1)n = 1 − n (mod p²), so that h_p = (−q)⁻¹.
        self._h_p = invert(-q, p)
        self._h_q = invert(-p, q)
        self._p_inverse = invert(p, q)
        self._p_square_inverse = invert(self._p_square, self._q_square)

    def decrypt(self, c: mpz, bound: int | None = None) -> int:
        """Return the plaintext m of a unit modulo n², or if it passes the bound, another integer.

        m is within ±n/2 (Paillier, 1999, §7). Without `bound` the result is m, from the remainders
        modulo p and q. A `bound` at least 128 bits shorter than p halves the work: only the
        remainder modulo p is computed, and the result is s, the one integer with s = m (mod p) and
        |s| < p/2.

        - If |m| <= bound, then s = m, because bound < p/2.
        - So if |s| > bound, then |m| > bound. The caller compares the result with the bound and
          raises. Nothing more is computed in that case: the work depends on the bound, which is
          public, and never on m. With a second half as fall-back, the clock told an aggregator
          whether a salary plus a chosen number is within a chosen bound, and twenty such questions
          told it the salary.
        - If |s| <= bound but |m| > bound, s is wrong and no check shows it. Then m − s is a
          non-zero multiple of p, so the sender of m knows a multiple of p up to an error of at most
          `bound`.
          For a bound up to n^(1/4) such a sender can factor n in polynomial time (Coppersmith,
          1997; Howgrave-Graham, 2001); the default limits give 2²⁵⁶, and n^(1/4) is at least 2⁵¹¹.
          For a larger bound this is assumed to be as hard. A blind guess succeeds with a
          probability of at most 2⁻¹²⁶. So nothing is checked here. (In `decrypt_together` a sender
          needs no knowledge of p to do harm, so there the values are checked.)
        """
        m_p = self._modulo_p(c % self._p_square)
        # This condition is on public numbers only: a branch on m would show in the time.
        if bound is not None and bound.bit_length() + _SECURITY_BITS <= self.p.bit_length():
            return int(_signed(m_p, self.p))
        return self._joined(m_p, self._modulo_q(c % self._q_square))

    def _modulo_p(self, c_mod_p_square: mpz) -> mpz:
        return (self._to_p_minus_1(c_mod_p_square) - 1) // self.p * self._h_p % self.p

    def _modulo_q(self, c_mod_q_square: mpz) -> mpz:
        return (self._to_q_minus_1(c_mod_q_square) - 1) // self.q * self._h_q % self.q

    def _joined(self, m_p: mpz, m_q: mpz) -> int:
        """Return the integer within ±n/2 with these remainders modulo p and q."""
        m = m_p + self.p * ((m_q - m_p) * self._p_inverse % self.q)
        return int(_signed(m, self._n))

    def mask(self, message: int | mpz) -> mpz:
        """Return (1 + message·n)·rⁿ mod n² with a fresh uniform r.

        Modulo p², rⁿ is distributed as y^p for a uniform y modulo p; likewise modulo q².
        """
        # Two powers of half the length each, where rⁿ mod n² alone would take four times as long.
        at_p = self._to_p(random_unit(self.p))
        at_q = self._to_q(random_unit(self.q))
        quotient = (at_q - at_p) * self._p_square_inverse % self._q_square
        residue = at_p + self._p_square * quotient
        return (1 + message % self._n * self._n) * residue % (self._n * self._n)

    def decrypt_together(self, bound: int, cs: Sequence[tuple[mpz, int]]) -> list[int]:
        """Return the plaintexts of many units, fast while each is within ±bound, and right always.

        `cs`: ciphertexts, each with its own declared bound, past which the result may be another
        integer, as in `decrypt`.

        The ciphertexts are folded modulo p² into one of Σ mᵢ·2^(slot·i), as many as stay below p/2,
        and a fold is decrypted at once, modulo p. A sender that broke the bound could move value to
        its neighbours in this way, unseen. So the values are believed only if Σ ρᵢmᵢ, for random ρᵢ
        of 128 bits drawn afterwards, is what ∏ cᵢ^ρᵢ decrypts to in full. A wrong value passes with
        probability 2⁻¹²⁸. When the check fails, every ciphertext is decrypted by itself. That takes
        longer, so here the clock tells whether all values were within the bound.
        """
        slot = bound.bit_length() + 1  # one bit more for the sign
        depth = (self.p.bit_length() - 1) // slot
        if len(cs) < _FEWEST_CIPHERTEXTS or depth < _SHALLOWEST_FOLD:
            return [self.decrypt(c, declared) for c, declared in cs]
        at_p = [c % self._p_square for c, _ in cs]
        at_q = [c % self._q_square for c, _ in cs]
        values: list[int] = []
        for start in range(0, len(cs), depth):
            values += self._decrypt_folded(at_p[start : start + depth], slot)
        if self._confirms(values, at_p, at_q):
            return values
        # At least one value is wrong, and the check does not tell which one.
        return [self.decrypt(c, declared) for c, declared in cs]

    def _decrypt_folded(self, at_p: Sequence[mpz], slot: int) -> list[int]:
        """Return the plaintexts of these ciphertexts, all below 2^(slot−1), by one decryption."""
        width = 1 << slot
        # By Horner's rule; the exponent, a power of two, is public.
        folded = mpz(1)
        for c in reversed(at_p):
            folded = powmod(folded, width, self._p_square) * c % self._p_square
        whole = int(_signed(self._modulo_p(folded), self.p))
        values = []
        for _ in at_p:
            # The lowest slot as a signed number. What it borrowed from the next one goes back.
            value = (whole + width // 2) % width - width // 2
            values.append(value)
            whole = (whole - value) >> slot
        return values

    def _confirms(self, values: Sequence[int], at_p: Sequence[mpz], at_q: Sequence[mpz]) -> bool:
        """Check values by one random combination; a false list passes with probability 2⁻¹²⁸."""
        # Drawn after the values are fixed, so that no sender could prepare for them. The power
        # products are not constant-time, but their exponents are used once and thrown away.
        rho = [secrets.randbits(_SECURITY_BITS) for _ in values]
        m_p = self._modulo_p(power_product(at_p, rho, self._p_square))
        m_q = self._modulo_q(power_product(at_q, rho, self._q_square))
        expected = sum(r * value for r, value in zip(rho, values, strict=True))
        return bool((self._joined(m_p, m_q) - expected) % self._n == 0)


def _signed(m: mpz, modulus: mpz) -> mpz:
    """Return the representative of m within ±modulus/2."""
    return m if 2 * m < modulus else m - modulus
