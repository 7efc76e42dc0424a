"""Tests lepton_lab.paillier.public and lepton_lab.paillier.private against lightphe.

It is a second independent implementation beside phe: Python's plain powers, no CRT, any g.

Both sides speak in raw integers: n, the primes, ciphertexts modulo n².
"""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from gmpy2 import isqrt
from lightphe.cryptosystems.Paillier import Paillier

from lepton_lab import paillier
from lepton_lab.errors import InvalidKey
from lepton_lab.paillier import EncryptedNumber, Layout, PrivateKey, PublicKey
from lepton_lab.paillier.vectors import pack

public, private = paillier.generate_keypair(2048)
n = public.n
n_square = public.n**2
MESSAGES = [0, 1, -1, 2**64, -(2**64), 10**30, -12345, 7]


def peer_of(key: PrivateKey, g: int | None = None) -> Paillier:
    """The same key as lightphe has it."""
    public_key = {"n": key.public_key.n, "g": key.public_key.n + 1 if g is None else g}
    return Paillier(
        keys={"public_key": public_key, "private_key": {"phi": (key.p - 1) * (key.q - 1)}}
    )


def ours_of(peer: Paillier) -> PrivateKey:
    """The primes from n and φ: p + q = n + 1 − φ, (q − p)² = (p + q)² − 4n."""
    modulus = peer.keys["public_key"]["n"]
    phi = peer.keys["private_key"]["phi"]
    total = modulus + 1 - phi
    difference = int(isqrt(total**2 - 4 * modulus))
    return PrivateKey((total - difference) // 2, (total + difference) // 2)


peer = peer_of(private)


def taken(c: int) -> EncryptedNumber:
    return EncryptedNumber(public, c, exponent=0, bound=10**40)


def signed(m: int) -> int:
    return m if 2 * m < n else m - n


@pytest.mark.parametrize("m", MESSAGES)
def test_lightphe_decrypts_ours_and_we_decrypt_its(m):
    assert signed(peer.decrypt(public.encrypt(m, exponent=0).ciphertext())) == m
    assert signed(peer.decrypt(private.encrypt(m, exponent=0).ciphertext())) == m
    assert private.decrypt(taken(peer.encrypt(m % n))) == m


def test_both_compute_one_ciphertext_from_one_message_and_one_r():
    r = secrets.randbelow(n)
    for m in MESSAGES:
        assert peer.encrypt(m % n, random_key=r) == (1 + m * n) * pow(r, n, n_square) % n_square


def test_a_sum_of_ciphertexts_from_both_opens_on_both_sides():
    here = public.encrypt(40, exponent=0)
    there = peer.encrypt(2)
    assert private.decrypt(here + taken(there)) == 42
    assert private.decrypt(taken(peer.add(here.ciphertext(), there))) == 42
    assert peer.decrypt((here + taken(there)).ciphertext()) == 42
    assert peer.decrypt(peer.add(here.ciphertext(), there)) == 42


def test_multiples_made_by_either_open_on_both_sides():
    here = public.encrypt(6, exponent=0)
    there = peer.encrypt(6)
    assert peer.decrypt((taken(there) * 7).ciphertext()) == 42
    assert private.decrypt(taken(peer.multiply_by_constant(here.ciphertext(), 7))) == 42
    assert signed(peer.decrypt((taken(there) * -7).ciphertext())) == -42
    assert peer.decrypt(paillier.dot([1, 2, 3], [here, taken(there), here]).ciphertext()) == 36


def test_fractions_and_packed_vectors_are_ordinary_integers_to_it():
    assert peer.decrypt(public.encrypt(0.5).ciphertext()) == 16**32 // 2
    layout = Layout(bits=32, fraction_bits=0, additions=10)
    values = np.arange(-30, 90)
    packed, _ = pack(values, layout, public.bits)
    vector = public.encrypt_vector(values, layout)
    assert [signed(peer.decrypt(c)) for c in vector.ciphertexts()] == packed
    assert [signed(peer.decrypt(c)) for c in (vector + vector * 2).ciphertexts()] == [
        3 * whole for whole in packed
    ]


def test_many_of_its_ciphertexts_open_together():
    numbers = [taken(peer.encrypt(m % n)) for m in range(-4, 5)]
    assert private.decrypt_many(numbers, 10) == list(range(-4, 5))


def test_a_key_made_there_serves_here():
    key = None
    while key is None:  # its primes may differ widely in size, which we refuse
        made = Paillier(key_size=2080)
        try:
            key = ours_of(made)
        except InvalidKey:
            continue
    assert key.public_key.n == made.keys["public_key"]["n"]
    number = PublicKey(key.public_key.n).encrypt(99, exponent=0)
    assert made.decrypt(number.ciphertext()) == key.decrypt(number) == 99
    assert key.decrypt(EncryptedNumber(key.public_key, made.encrypt(5), exponent=0)) == 5


def test_a_general_g_counts_messages_by_its_own_logarithm():
    """Any g whose order is a multiple of n serves (Paillier, 1999, §4).

    With g = (1 + n)^a·bⁿ a message counts a-fold here.
    """
    a = 3
    g = (1 + a * n) * pow(secrets.randbelow(n - 2) + 2, n, n_square) % n_square
    c = peer_of(private, g).encrypt(14)
    assert private.decrypt(taken(c)) == 42
