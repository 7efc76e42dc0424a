"""Tests lepton_lab.paillier.serial: bytes and JSON bring a number back, damaged ones raise."""

from __future__ import annotations

import json
import pickle

import phe
import pytest

from lepton_lab import paillier
from lepton_lab.errors import DecryptionError, InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import EncryptedNumber

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
