"""Tests lepton_lab.textbook.attacks.decryption_clock: the clock tells, except with the helper."""

from __future__ import annotations

import contextlib
import secrets
from unittest import mock

import pytest

from lepton_lab import paillier
from lepton_lab.errors import PlaintextOverflow
from lepton_lab.paillier.secret_power import SecretPower
from lepton_lab.textbook.attacks import AttackFailed, decryption_clock
from lepton_lab.textbook.primitives import paillier as tb_paillier

PRIMES = (2**89 - 1, 2**107 - 1)
BOUND = 2**40
MOST = 10**6
KEY = tb_paillier.key_from_primes(*PRIMES).result


def encrypted(m: int) -> int:
    return tb_paillier.encrypt(KEY.public, m, secrets.randbelow(KEY.public.n - 1) + 1).result


def is_slow(c: int) -> bool:
    return decryption_clock.decrypt_with_fall_back(KEY, c, BOUND)[1] > 1


@pytest.mark.parametrize("salary", [0, 1, 4321, 52_300, MOST])
def test_twenty_questions_find_a_salary_exactly(salary: int) -> None:
    trace = decryption_clock.read_by_clock(KEY.public, encrypted(salary), BOUND, MOST, is_slow)
    assert trace.result == salary
    assert trace["queries"] <= 22


def test_the_weak_form_decrypts_rightly_on_both_paths() -> None:
    for m, powers in ((7, 1), (BOUND, 1), (BOUND + 1, 3), (KEY.public.n - 1, 3)):
        found = decryption_clock.decrypt_with_fall_back(KEY, encrypted(m), BOUND)
        assert found == (m, powers)


def test_the_helper_takes_the_same_powers_past_the_bound_so_the_attack_fails() -> None:
    public, private = paillier.generate_keypair(2048)
    within = public.encrypt(52_300, limit=BOUND, exponent=0)
    textbook_key = tb_paillier.PublicKey(public.n, 1 + public.n)
    honest = SecretPower.__call__

    def powers(c: int) -> int:
        number = paillier.EncryptedNumber(public, c, 0, BOUND)
        patched = mock.patch.object(SecretPower, "__call__", autospec=True, side_effect=honest)
        with patched as power, contextlib.suppress(PlaintextOverflow):
            private.decrypt(number)
        return power.call_count

    c = within.ciphertext()
    past = decryption_clock.shifted(textbook_key, c, BOUND)
    assert powers(past) == powers(c) >= 1
    with pytest.raises(AttackFailed, match="no longer"):
        decryption_clock.read_by_clock(
            textbook_key, c, BOUND, MOST, lambda each: powers(each) > powers(c)
        )
