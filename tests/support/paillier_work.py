"""Counts the work of a Paillier decryption in modular exponentiations, not in seconds."""

from __future__ import annotations

import pytest
from gmpy2 import mpz

from lepton_lab.paillier.secret_power import SecretPower


def exponentiations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows with every secret exponentiation, by the length of its modulus in bits."""
    done: list[int] = []
    power = SecretPower.__call__

    def counted(self: SecretPower, x: mpz) -> mpz:
        done.append(self.modulus_bits)
        return power(self, x)

    monkeypatch.setattr(SecretPower, "__call__", counted)
    return done
