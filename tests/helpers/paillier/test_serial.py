"""Tests lepton_lab.paillier.serial: bytes and JSON bring a number back, damaged ones raise."""

from __future__ import annotations

import json
import pickle

import phe
import pytest

from lepton_lab import paillier
from lepton_lab.errors import DecryptionError, InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import EncryptedNumber
from tests.support.paillier_work import exponentiations

public, private = paillier.generate_keypair(2048)
phe_public = public.to_phe()


def test_bytes_and_json_bring_a_number_back():
    for number in (
        public.encrypt(-2.75),
        public.encrypt(3) * 1.5 + 1,
        public.encrypt(5, limit=9, exponent=0),
    ):
        for copy in (
            EncryptedNumber.from_bytes(number.to_bytes(), public),
            EncryptedNumber.from_json(number.to_json(), public),
            pickle.loads(pickle.dumps(number)),
        ):
            assert (copy.bound, copy.exponent, copy.ciphertext()) == (
                number.bound,
                number.exponent,
                number.ciphertext(),
            )
            assert private.decrypt(copy) == private.decrypt(number)


def test_damaged_bytes_raise():
    data = public.encrypt(5).to_bytes()
    for length in (0, 3, 19, 24, 26, 40, len(data) - 1):
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_bytes(data[:length], public)
    for malformed in (data + b"\0", data[:24] + b"\xff\xff" + data[26:], None, "text", 5):
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_bytes(malformed, public)
    for place in range(22):  # marker, key id, and an exponent beyond all sense
        altered = bytearray(data)
        altered[place] ^= 0x80
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_bytes(bytes(altered), public)


def test_a_hostile_exponent_costs_nothing():
    data = public.encrypt(5).to_bytes()
    with pytest.raises(DecryptionError):
        EncryptedNumber.from_bytes(data[:20] + (2**31 - 1).to_bytes(4, "big") + data[24:], public)
    with pytest.raises(InvalidParameter):
        EncryptedNumber.from_phe(phe.EncryptedNumber(phe_public, 5, -(10**9)))
    with pytest.raises(PlaintextOverflow):
        EncryptedNumber(public, 5, 8192) + EncryptedNumber(public, 5, -8192)


def test_damaged_json_raises():
    text = public.encrypt(5).to_json()
    document = json.loads(text)
    for key in document:
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_json(json.dumps({**document, key: "0"}), public)
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_json(
                json.dumps({k: v for k, v in document.items() if k != key}), public
            )
    for malformed in (
        "",
        "{",
        "[]",
        "5",
        '"x"',
        "[" * 100_000,
        b"\xff",
        None,
        text[:-1],
        "9" * 5000,
    ):
        with pytest.raises(DecryptionError):
            EncryptedNumber.from_json(malformed, public)


# What the receiver accepts


HONEST = [public.encrypt(value, limit=10**6, exponent=0) for value in (10, 20, 30)]
EVIL_BOUND = EncryptedNumber(public, HONEST[0].ciphertext(), 0, public.max_int)
EVIL_EXPONENT = EncryptedNumber(public, HONEST[0].ciphertext(), -511, 1)


def test_without_a_stated_bound_one_hostile_sender_spoils_every_sum():
    for evil in (EVIL_BOUND, EVIL_EXPONENT):
        read = EncryptedNumber.from_bytes(evil.to_bytes(), public)
        with pytest.raises(PlaintextOverflow):
            private.decrypt(sum(HONEST) + read)


def test_the_receiver_states_what_it_accepts():
    ways = (
        lambda number, **accepted: EncryptedNumber.from_bytes(
            number.to_bytes(), public, **accepted
        ),
        lambda number, **accepted: EncryptedNumber.from_json(number.to_json(), public, **accepted),
    )
    for read in ways:
        accepted = [read(n, accept_bound=10**6, accept_exponent=0) for n in HONEST]
        assert private.decrypt(sum(accepted)) == 60
        with pytest.raises(PlaintextOverflow, match="larger bound"):
            read(EVIL_BOUND, accept_bound=10**6, accept_exponent=0)
        with pytest.raises(PlaintextOverflow, match="larger bound"):
            read(HONEST[0], accept_bound=10**6 - 1)
        with pytest.raises(InvalidParameter, match="-511"):
            read(EVIL_EXPONENT, accept_bound=10**6, accept_exponent=0)
        for senseless in ({"accept_bound": -1}, {"accept_bound": 1.5}, {"accept_exponent": 0.5}):
            with pytest.raises(InvalidParameter):
                read(HONEST[0], **senseless)


def test_a_bound_that_is_not_accepted_costs_no_decryption(monkeypatch):
    assert private.decrypt(HONEST[1], accept_bound=10**6) == 20
    powers = exponentiations(monkeypatch)
    with pytest.raises(PlaintextOverflow, match="larger bound"):
        private.decrypt(EVIL_BOUND, accept_bound=10**6)
    assert powers == []
