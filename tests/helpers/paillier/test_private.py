"""Tests lepton_lab.paillier.private and lepton_lab.paillier.primes: weak keys are refused."""

from __future__ import annotations

import pickle

import phe
import pytest
from gmpy2 import gcd, is_prime

from lepton_lab import paillier
from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter
from lepton_lab.paillier import EncryptedNumber, PrivateKey, PublicKey

public, private = paillier.generate_keypair(2048)
phe_public = public.to_phe()
other_public, other_private = paillier.generate_keypair(2048)


def test_generated_keys_meet_the_condition_of_fixed_base_noise():
    for bits in (2048, 2050):
        key = paillier.generate_keypair(bits)[1]
        assert key.public_key.n.bit_length() == bits
        assert key.p % 4 == key.q % 4 == 3
        assert gcd(key.p - 1, key.q - 1) == 2
        assert is_prime(key.p, 40)
        assert is_prime(key.q, 40)
        assert gcd(key.public_key.n, (key.p - 1) * (key.q - 1)) == 1


def test_the_default_is_3072_bits():
    assert paillier.generate_keypair()[0].bits == 3072


@pytest.mark.parametrize("bits", [64, 1024, 2047, 2049, 16386, 0, -2048, 2048.0, "2048", None])
def test_other_sizes_are_refused(bits):
    with pytest.raises(InvalidParameter):
        paillier.generate_keypair(bits)


def weak_moduli() -> dict[str, object]:
    p = private.p
    q = private.q
    return {
        "short": 15 * 77,
        "even": public.n * 2,
        "negative": -public.n,
        "zero": 0,
        "a prime": 2**2203 - 1,
        "a square": p * p,
        "a cube": (2**1279 - 1) ** 3,
        "a small factor": public.n * 32749,
        "too long to be honest": 3**11000,
        "a float": 1.5,
        "text": "n",
        "nothing": None,
        "a list": [1],
        "three times a key": 3 * p * q,
    }


@pytest.mark.parametrize("kind", weak_moduli())
def test_weak_and_malformed_moduli_are_refused(kind):
    n = weak_moduli()[kind]
    with pytest.raises(InvalidKey):
        PublicKey(n)
    if isinstance(n, int):
        with pytest.raises(InvalidKey):
            PublicKey.from_phe(phe.PaillierPublicKey(n))


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (private.p, private.p), (15, 77), (private.p, other_private.q * 3),
        (private.p, 2**2203 - 1), (private.p, 4), (-private.p, -private.q), (0, private.q),
        (private.p, 1.5), (None, None), (2**521 - 1, 2**1279 - 1),
    ],
    ids=range(10),
)  # fmt: skip
def test_weak_and_malformed_primes_are_refused(p, q):
    with pytest.raises(InvalidKey):
        PrivateKey(p, q)


def test_primes_with_a_factor_in_common_with_phi_are_refused():
    # q = 2kp + 1 makes gcd(n, φ(n)) = p
    p = private.p
    q = next(q for q in (2 * k * p + 1 for k in range(1, 4000)) if is_prime(q))
    with pytest.raises(InvalidKey, match="φ"):
        PrivateKey(p, q)


def test_keys_are_equal_by_n():
    assert public == PublicKey(public.n, "long") == private.public_key
    assert hash(public) == hash(PublicKey(public.n))
    assert public != other_public
    assert public != public.n
    assert private == PrivateKey(private.q, private.p)
    assert private != other_private
    assert len({public, PublicKey(public.n), other_public}) == 2


def test_numbers_of_another_key_are_refused():
    with pytest.raises(InvalidParameter):
        public.encrypt(1) + other_public.encrypt(1)
    with pytest.raises(DecryptionError):
        private.decrypt(other_public.encrypt(1))
    with pytest.raises(DecryptionError):
        private.decrypt_many([public.encrypt(1), other_public.encrypt(1)], 10)
    with pytest.raises(DecryptionError):
        EncryptedNumber.from_bytes(public.encrypt(1).to_bytes(), other_public)
    for foreign in (5, None, phe_public.encrypt(1)):
        with pytest.raises(InvalidParameter):
            private.decrypt(foreign)


def test_a_private_key_is_never_pickled_nor_printed():
    with pytest.raises(InvalidParameter):
        pickle.dumps(private)
    for shown in (repr(private), str(private), repr(public), repr(public.encrypt(123456))):
        assert not any(
            secret in shown
            for secret in (str(private.p), f"{private.p:x}", str(private.q), "123456")
        )


def test_a_public_key_travels_without_its_tables():
    public.precompute(100)
    assert len(pickle.dumps(public)) < 1000
    copy = pickle.loads(pickle.dumps(public))
    assert copy == public
    assert private.decrypt(copy.encrypt(7)) == 7
    read_back = PublicKey.from_bytes(public.to_bytes())
    assert read_back == public
    assert private.decrypt(read_back.encrypt(-7.5)) == -7.5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"LPK\1",
        public.to_bytes()[:-1],
        b"LPK\2" + public.to_bytes()[4:],
        b"LPK\1\0" + public.to_bytes()[4:],
        None,
    ],
)
def test_a_damaged_public_key_is_refused(data):
    with pytest.raises(InvalidKey):
        PublicKey.from_bytes(data)


def test_a_key_from_elsewhere_uses_uniform_noise_unless_asked():
    assert (
        PublicKey.from_phe(phe_public).noise_kind
        == PublicKey.from_bytes(public.to_bytes()).noise_kind
        == "uniform"
    )
    assert PublicKey.from_phe(phe_public, "long").noise_kind == "long"
    with pytest.raises(InvalidParameter):
        PublicKey(public.n, "none")
