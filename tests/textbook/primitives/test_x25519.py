"""Tests lepton_lab.textbook.primitives.x25519: RFC 7748, Wycheproof and `cryptography`."""

from __future__ import annotations

from collections import Counter

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import x25519 as tb_x25519
from tests.support.vectors import wycheproof


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
    k = tb_x25519.BASE_POINT
    u = tb_x25519.BASE_POINT
    for count in range(1, 1001):
        k, u = tb_x25519.x25519(k, u).result, k
        if count == 1:
            assert k.hex() == "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
    assert k.hex() == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


def test_x25519_matches_all_of_wycheproof():
    results: Counter[str] = Counter()
    for case in wycheproof("Protocol", "x25519"):
        private = bytes.fromhex(case["private"])
        public = bytes.fromhex(case["public"])
        shared = bytes.fromhex(case["shared"])
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
