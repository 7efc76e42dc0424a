"""Tests lepton_lab.textbook.primitives.ecdsa: RFC 6979, Wycheproof and `cryptography`."""

from __future__ import annotations

import secrets
from collections import Counter

import pytest
from cryptography.exceptions import InvalidSignature as Mismatch
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import InvalidKey, InvalidParameter, InvalidSignature
from lepton_lab.textbook.primitives import ecdsa as tb_ecdsa
from tests.support.vectors import wycheproof


def test_the_curve_is_the_one_of_sp_800_186_and_its_order_is_n():
    tb_ecdsa.require_point(tb_ecdsa.G)
    assert tb_ecdsa.multiply(tb_ecdsa.N, tb_ecdsa.G) is None
    numbers = ec.derive_private_key(1, ec.SECP256R1()).public_key().public_numbers()
    assert (numbers.x, numbers.y) == tb_ecdsa.G


def test_ecdsa_matches_all_of_wycheproof():
    results: Counter[str] = Counter()
    for case in wycheproof("Signature", "ecdsa_secp256r1_sha256_p1363"):
        numbers = load_der_public_key(bytes.fromhex(case["publicKeyDer"])).public_numbers()
        point = (numbers.x, numbers.y)
        message = bytes.fromhex(case["msg"])
        signature = bytes.fromhex(case["sig"])
        # a fault of the encoding cannot occur here: the textbook takes two numbers
        if len(signature) != 64:
            continue
        r = int.from_bytes(signature[:32], "big")
        s = int.from_bytes(signature[32:], "big")
        results[case["result"]] += 1
        if case["result"] == "valid":
            assert tb_ecdsa.verify(point, message, r, s).result == "accepted"
        else:
            with pytest.raises(InvalidSignature):
                tb_ecdsa.verify(point, message, r, s)
    assert results["valid"] > 100
    assert results["invalid"] > 40


def test_ecdsa_matches_rfc_6979_a_2_5():
    d = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    k = 0xA6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60
    r, s = tb_ecdsa.sign(d, b"sample", k=k).result
    assert r == 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
    assert s == 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8


@settings(max_examples=10)
@given(st.binary(max_size=100))
def test_ecdsa_agrees_with_cryptography_both_ways(message):
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256())))
    assert tb_ecdsa.verify((numbers.x, numbers.y), message, r, s).result == "accepted"
    d = private.private_numbers().private_value
    r, s = tb_ecdsa.sign(d, message, k=1 + secrets.randbelow(tb_ecdsa.N - 1)).result
    private.public_key().verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(Mismatch):
        private.public_key().verify(
            encode_dss_signature(r, s), message + b"!", ec.ECDSA(hashes.SHA256())
        )
    for wrong in ((r, s ^ 1), (r ^ 1, s), (0, s), (r, 0), (tb_ecdsa.N, s), (r, tb_ecdsa.N), (s, r)):
        with pytest.raises(InvalidSignature):
            tb_ecdsa.verify((numbers.x, numbers.y), message, *wrong)


def test_what_is_no_point_or_no_exponent_is_refused():
    for point in ((0, 0), (tb_ecdsa.G[0], tb_ecdsa.G[1] + 1), (tb_ecdsa.P, 1), (-1, 1)):
        with pytest.raises(InvalidKey):
            tb_ecdsa.verify(point, b"", 1, 1)
    for d, k in ((0, 1), (tb_ecdsa.N, 1), (1, 0), (1, tb_ecdsa.N)):
        with pytest.raises(InvalidParameter):
            tb_ecdsa.sign(d, b"", k=k)
