"""Tests lepton_lab.paillier.public and lepton_lab.paillier.private against phe, both ways."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from fractions import Fraction

import phe
import pytest

from lepton_lab import paillier
from lepton_lab.errors import InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import EncryptedNumber, PrivateKey, PublicKey
from tests.support.paths import VECTORS

RECORDED = json.loads((VECTORS / "paillier_phe.json").read_text())
public, private = paillier.generate_keypair(2048)
phe_public = public.to_phe()
phe_private = private.to_phe()
other_public, _ = paillier.generate_keypair(2048)


def test_numbers_recorded_from_phe_open():
    key = PrivateKey(int(RECORDED["p"], 16), int(RECORDED["q"], 16))
    n = key.public_key.n
    for entry in RECORDED["numbers"]:
        text = entry["value"]
        c = entry["ciphertext"]
        value = float(text) if set(text) & set(".e") else int(text)
        number = EncryptedNumber(key.public_key, int(c, 16), entry["exponent"], bound=2**200)
        assert key.decrypt(number) == value
        if "r" in entry:  # c = (1 + mn)·rⁿ mod n²
            encoded = round(Fraction(value) / Fraction(16) ** entry["exponent"])
            assert (1 + encoded * n) * pow(int(entry["r"], 16), n, n * n) % (n * n) == int(c, 16)


def test_a_thousand_random_numbers_agree_with_phe_both_ways():
    rng = random.Random(2048)
    kinds = [
        lambda: rng.randint(-(2**53), 2**53),
        lambda: rng.uniform(-1e6, 1e6),
        lambda: rng.choice([-1, 1]) * rng.random() * 10.0 ** rng.randint(-12, 12),
        lambda: rng.randint(-1000, 1000) / 8,
    ]
    values = [rng.choice(kinds)() for _ in range(1000)]
    ours = [public.encrypt(value) for value in values]
    theirs = [phe_public.encrypt(value) for value in values]
    assert [phe_private.decrypt(number.to_phe()) for number in ours] == values
    taken = [EncryptedNumber.from_phe(number, public_key=public) for number in theirs]
    assert [private.decrypt(number) for number in taken] == values
    assert private.decrypt_many(taken, 2**57) == values


def test_sums_of_ciphertexts_from_both_sides():
    mixed = (
        EncryptedNumber.from_phe(phe_public.encrypt(1.5)) + public.encrypt(2) * 4 - phe_scalar(3)
    )
    assert private.decrypt(mixed) == 6.5
    theirs = phe_public.encrypt(1.5) + (public.encrypt(2) * 4).to_phe() - 3
    assert phe_private.decrypt(theirs) == 6.5
    assert private.decrypt(EncryptedNumber.from_phe(theirs, bound=2**200)) == 6.5
    sums = sum(
        [EncryptedNumber.from_phe(phe_public.encrypt(x)) for x in (1, 2.5, -7)]
        + [public.encrypt(0.25)]
    )
    assert private.decrypt(sums) == -3.25


def phe_scalar(value: int) -> EncryptedNumber:
    return EncryptedNumber.from_phe(phe_public.encrypt(value), public_key=public)


def test_keys_travel_to_phe_and_back():
    assert PublicKey.from_phe(public.to_phe()) == public
    assert PrivateKey.from_phe(private.to_phe()) == private
    made_there = phe.generate_paillier_keypair(n_length=2048)
    key = PrivateKey.from_phe(made_there[1])
    number = PublicKey.from_phe(made_there[0]).encrypt(-1.25)
    assert (
        key.decrypt(number)
        == made_there[1].decrypt(number.to_phe())
        == key.decrypt(key.encrypt(-1.25))
        == -1.25
    )


def test_from_phe_takes_only_phes_objects():
    for door in (PublicKey.from_phe, PrivateKey.from_phe, EncryptedNumber.from_phe):
        with pytest.raises(InvalidParameter):
            door(5)
    with pytest.raises(InvalidParameter):
        EncryptedNumber.from_phe(phe_public.encrypt(1), public_key=other_public)
    with pytest.raises(InvalidParameter):
        EncryptedNumber.from_phe(phe_public.encrypt(1), bound=-1)
    with pytest.raises(PlaintextOverflow):
        EncryptedNumber.from_phe(phe_public.encrypt(1), bound=public.n)


def test_importing_paillier_does_not_import_phe():
    code = "import sys; from lepton_lab import paillier; print('phe' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "False\n"
    )
