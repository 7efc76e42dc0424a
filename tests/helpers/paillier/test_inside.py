"""What makes Paillier fast: each lever against the plain computation, and each of its conditions."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import phe
import pytest
from gmpy2 import invert, mpz, powmod
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import paillier
from lepton_lab.errors import InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import EncryptedNumber, PublicKey, noise, trapdoor
from lepton_lab.paillier import secret_power as modexp
from lepton_lab.paillier.multiexp import power_product
from lepton_lab.paillier.noise import MANY, Comb, FixedBase, PublicNoise

public, private = paillier.generate_keypair(2048)
n, n_square, p, q = mpz(public.n), mpz(public.n) ** 2, mpz(private.p), mpz(private.q)


# Noise


def digits(exponent: int, bits: int, comb: Comb) -> Iterator[int]:
    """The digits as `FixedBase.masked` takes them, read from the bits one by one."""
    for layer in reversed(range(comb.layers)):
        for table in range(comb.tables(bits)):
            places = [layer + comb.layers * (comb.width * table + i) for i in range(comb.width)]
            yield sum((exponent >> place & 1) << i for i, place in enumerate(places))


COMBS = [(width, 1) for width in range(1, 12)] + [
    (1, 16),
    (3, 2),
    (4, 8),
    (5, 3),
    (9, 16),
    (13, 16),
]


@pytest.mark.parametrize("comb", [Comb(*comb) for comb in COMBS], ids=str)
def test_tables_of_every_comb_give_the_power(comb):
    base = powmod(secrets.randbelow(public.n), n, n_square)
    powers = FixedBase(base, n, 129, comb)
    whole = comb.width * comb.layers * comb.tables(129)
    for exponent in (
        0,
        1,
        2,
        (1 << comb.width) - 1,
        2**129 - 1,
        2**whole - 1,
        secrets.randbits(129),
    ):
        for message in (0, 1, -1, 12345, -public.max_int, secrets.randbelow(public.n)):
            expected = (1 + message * n) * powmod(base, exponent, n_square) % n_square
            assert powers.masked(message, digits(exponent, 129, comb)) == expected


def test_a_base_that_is_no_residue_works_too():
    base, comb = mpz(secrets.randbelow(int(n_square))), Comb(4, 2)
    expected = (1 + 7 * n) * powmod(base, 2**63 + 5, n_square) % n_square
    assert FixedBase(base, n, 64, comb).masked(7, digits(2**63 + 5, 64, comb)) == expected


def test_a_random_power_uses_every_bit_of_every_digit(monkeypatch):
    powers, seen = FixedBase(mpz(4), n, 100, Comb(5, 4)), []
    monkeypatch.setattr(powers, "masked", lambda message, digits: seen.append(list(digits)))
    for _ in range(1000):
        powers.mask(0)
    assert {len(drawn) for drawn in seen} == {5 * 4}
    for place in range(20):
        assert {drawn[place] for drawn in seen} == set(range(32))


@pytest.mark.parametrize("bits", [1024, 1536, 2176, 4224])
@pytest.mark.parametrize("count", [1, 32, 323, MANY, 1 << 14, 1 << 30])
def test_the_best_comb_costs_least_and_stays_small(bits, count):
    best = Comb.best(bits, count)
    assert best.tables(bits) << best.width <= 1 << 16
    nearby = [Comb(best.width + more, layers) for more in (-1, 0, 1) for layers in range(1, 25)]
    for comb in nearby:
        if comb.width and comb.tables(bits) << comb.width <= 1 << 16:
            assert best.cost(bits, count) <= comb.cost(bits, count)


def test_a_step_is_a_look_up_or_a_square_between_two_layers():
    assert Comb(9, 1).steps(1024) == 114
    assert Comb(12, 11).steps(1024) == 88 + 10


def test_exponents_are_as_long_as_their_assumption_says():
    assert PublicNoise(n, "short")._exponent_bits == 1024
    assert PublicNoise(n, "long")._exponent_bits == 2048 + 128


@pytest.mark.parametrize("kind", ["uniform", "short", "long"])
def test_noise_of_every_kind_is_an_nth_residue_and_never_the_same(kind):
    source = PublicNoise(n, kind)
    masks = [source.mask(0) for _ in range(5)]
    source.prepare(200)
    masks += [source.mask(0) for _ in range(5)]
    assert len(set(masks)) == 10
    for mask in masks:
        assert private._trapdoor.decrypt(mask) == 0  # exactly the n-th residues decrypt to 0
        assert mask != 1


def test_owners_noise_is_an_nth_residue():
    masks = {private._trapdoor.mask(0) for _ in range(5)}
    assert len(masks) == 5
    assert all(private._trapdoor.decrypt(mask) == 0 for mask in masks)


def test_the_base_of_short_noise_is_minus_a_square_to_the_n():
    source = PublicNoise(n, "short")
    residue = source._residue()
    assert source._residue() == residue  # drawn once
    # −y² with p ≡ q ≡ 3 (mod 4) is a square modulo neither prime
    assert powmod(residue, (p - 1) // 2, p) == p - 1
    assert powmod(residue, (q - 1) // 2, q) == q - 1


def test_tables_come_when_they_pay_and_grow():
    source, steps = PublicNoise(n, "short"), []
    for _ in range(40):
        source.mask(0)
        steps.append(None if source._powers is None else source._powers.comb.steps(1024))
    assert steps[:2] == [None, None]
    assert steps[2] == Comb.best(1024, 34).steps(1024)
    assert steps[-1] == Comb.best(1024, 35 + MANY).steps(1024) < steps[2] / 1.6
    assert steps[2:] == sorted(steps[2:], reverse=True)
    assert len(set(steps)) == 3


def test_uniform_noise_never_uses_tables():
    key = PublicKey(public.n)
    key.precompute()
    assert key.noise._powers is None


def test_what_was_prepared_for_makes_no_wider_tables():
    source = PublicNoise(n, "short")
    source.prepare(60)
    comb = source._powers.comb
    for _ in range(60):
        source.mask(0)
    assert source._powers.comb == comb
    source.mask(0)
    assert source._powers.comb == Comb.best(1024, 61 + MANY) != comb


def test_a_smaller_wish_does_not_shrink_the_tables():
    source = PublicNoise(n, "short")
    source.prepare(1000)
    comb = source._powers.comb
    source.prepare(10)
    assert source._powers.comb == comb
    assert source.expected(10) == 1000


def test_a_child_process_makes_tables_of_its_own(monkeypatch):
    source = PublicNoise(n, "short")
    source.prepare(30)
    inherited = source._base
    monkeypatch.setattr(noise.os, "getpid", lambda: -1)
    source.mask(0)
    assert source._powers is None
    source.prepare(30)
    assert source._base != inherited


FORKED = """
import os
from lepton_lab import paillier
public, private = paillier.generate_keypair(2048)
public.precompute(10)
base = public.noise._base
if not os.fork():
    number = public.encrypt(5)
    os._exit(0 if public.noise._base != base and public.noise._powers is None and private.decrypt(number) == 5 else 1)
print(os.waitstatus_to_exitcode(os.wait()[1]), public.noise._base == base)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only on Windows: there is no fork")
def test_a_forked_child_drops_what_its_parent_precomputed():
    ran = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True)
    assert ran.stdout == "0 True\n"


def test_threads_may_share_a_key():
    key = PublicKey(public.n, "short")
    with ThreadPoolExecutor(4) as threads:
        encrypted = list(threads.map(key.encrypt, range(80)))
        assert list(threads.map(private.decrypt, encrypted)) == list(range(80))
    assert len({number.ciphertext() for number in encrypted}) == 80


# Constant-time powers


def powers() -> list[tuple[mpz, mpz, mpz]]:
    moduli = [p * p, q * q, mpz(3), mpz(2**127 - 1)]
    return [
        (mpz(x), mpz(e), m)
        for m in moduli
        for x in (0, 1, m - 1, secrets.randbelow(int(m)))
        for e in (1, 2, 3, min(p, m) - 1)
    ]


@pytest.mark.parametrize("backend", ["openssl", "gmp"])
def test_both_backends_give_the_power(monkeypatch, backend):
    if backend == "gmp":
        monkeypatch.setattr(modexp, "_LIB", None)
    elif modexp.BACKEND != "openssl":
        pytest.skip("optional peer: libcrypto 3 does not load here; install OpenSSL 3")
    for x, e, m in powers():
        assert modexp.SecretPower(e, m)(x) == powmod(x, e, m)


def test_threads_do_not_disturb_each_other():
    power = modexp.SecretPower(p - 1, p * p)
    xs = [mpz(secrets.randbelow(int(p * p))) for _ in range(120)]
    start = threading.Barrier(4)

    def work() -> list[mpz]:
        start.wait()
        return [power(x) for x in xs]

    with ThreadPoolExecutor(4) as threads:
        runs = [threads.submit(work) for _ in range(4)]
        expected = [powmod(x, p - 1, p * p) for x in xs]
        assert all(run.result() == expected for run in runs)


def test_a_library_that_is_missing_or_too_old_is_not_used(monkeypatch):
    monkeypatch.setattr(
        modexp, "_FILES", dict.fromkeys([modexp.sys.platform], "no-such-library.so")
    )
    assert modexp._libcrypto() is None
    monkeypatch.undo()
    if modexp.BACKEND == "openssl":
        monkeypatch.setitem(modexp._FUNCTIONS, "BN_no_such_function", (None, []))
        assert modexp._libcrypto() is None


def test_the_library_that_python_brings_is_used_before_the_systems(monkeypatch, tmp_path):
    """As python.org's Python for macOS and conda's bring one."""
    if modexp.BACKEND != "openssl":
        pytest.skip("optional peer: libcrypto 3 does not load here; install OpenSSL 3")
    name, loaded, cdll = (
        modexp._FILES.get(modexp.sys.platform, "libcrypto.so.3"),
        [],
        modexp.ctypes.CDLL,
    )
    monkeypatch.setattr(modexp.sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr(modexp.ctypes, "CDLL", lambda path: loaded.append(path) or cdll(name))
    assert modexp._libcrypto() is not None
    assert loaded == [str(tmp_path / "lib" / name)]


def test_decryption_is_right_without_openssl(monkeypatch):
    monkeypatch.setattr(modexp, "_LIB", None)
    key = paillier.PrivateKey(p, q)
    assert key.decrypt(public.encrypt(-1.5)) == -1.5
    assert private.decrypt(key.encrypt(2.5)) == 2.5


# Many powers at once


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 10**40), st.integers(-(2**70), 2**70)), max_size=40))
def test_a_product_of_powers_is_that_of_the_powers(terms):
    modulus = mpz(2**521 - 1)
    expected = mpz(1)
    for base, exponent in terms:
        expected = expected * powmod(base, exponent, modulus) % modulus
    assert power_product([mpz(b) for b, _ in terms], [e for _, e in terms], modulus) == expected


@pytest.mark.parametrize("count", [1, 2, 300])
@pytest.mark.parametrize("exponent", [0, 1, -1, 127, 128, -128, -129, 2**64, -(2**64)])
def test_the_edges_of_signed_digits(count, exponent):
    modulus, base = mpz(2**127 - 1), mpz(3)
    product = power_product([base] * count, [exponent] * count, modulus)
    assert product == powmod(powmod(base, count, modulus), exponent, modulus)
    assert invert(product, modulus)


weights = st.integers(-(2**64), 2**64) | st.floats(-1e6, 1e6)


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.integers(-1000, 1000), st.integers(-(2**64), 2**64)), min_size=1, max_size=20
    )
)
def test_dot_products_of_integers_are_exact(terms):
    encrypted = [public.encrypt(x) for x, _ in terms]
    total = paillier.dot([w for _, w in terms], encrypted)
    assert private.decrypt(total) == sum(x * w for x, w in terms)
    assert total.exponent == encrypted[0].exponent


@settings(max_examples=15)
@given(st.lists(weights, min_size=3, max_size=3))
def test_dot_products_agree_with_one_product_after_the_other(row):
    encrypted = [
        public.encrypt(1.5),
        EncryptedNumber.from_phe(public.to_phe().encrypt(-2)),
        public.encrypt(7) * 3,
    ]
    one_by_one = sum(number * weight for number, weight in zip(encrypted, row, strict=True))
    assert private.decrypt(paillier.dot(row, encrypted)) == private.decrypt(one_by_one)


def test_a_matrix_times_an_encrypted_vector():
    matrix = np.array([[1, -2, 3], [0, 0, 0], [-7, 8, 9]])
    encrypted = [public.encrypt(x) for x in (0.5, -4, 2)]
    products = [private.decrypt(total) for total in paillier.matvec(matrix, encrypted)]
    assert products == (matrix @ [0.5, -4, 2]).tolist()
    floats = [private.decrypt(total) for total in paillier.matvec(matrix / 4, encrypted)]
    assert floats == (matrix / 4 @ [0.5, -4, 2]).tolist()
    assert paillier.matvec([], encrypted) == []


def test_a_weighted_sum_is_blinded_and_bounded():
    encrypted = [public.encrypt(x) for x in (1, 2)]
    assert paillier.dot([1, 0], encrypted).ciphertext() != encrypted[0].ciphertext()
    assert paillier.dot([1, 2], encrypted).bound == paillier.dot([-(2**64), 0], encrypted).bound
    with pytest.raises(PlaintextOverflow):
        paillier.dot([2**64 + 1, 1], encrypted)
    with pytest.raises(PlaintextOverflow):
        paillier.dot([1, 1], encrypted, limit=public.max_int)


@pytest.mark.parametrize(
    ("row", "count"),
    [
        ([1], 2),
        ([1, 2, 3], 2),
        ([], 0),
        ([1, float("nan")], 2),
        ([1, "2"], 2),
        (5, 1),
        ([[1], [2]], 2),
    ],
)
def test_senseless_weights_are_refused(row, count):
    with pytest.raises(InvalidParameter):
        paillier.dot(row, [public.encrypt(1)] * count)
    for strangers in ([1, 2], [public.encrypt(1), paillier.generate_keypair(2048)[0].encrypt(1)]):
        with pytest.raises(InvalidParameter):
            paillier.dot([1, 2], strangers)


# Many decryptions at once


def theirs(values: list[int | float]) -> list[EncryptedNumber]:
    key = public.to_phe()
    return [
        EncryptedNumber.from_phe(phe.EncryptedNumber(key, int(_raw(v)), 0), public.max_int, public)
        for v in values
    ]


def _raw(value: int) -> mpz:
    return public.encrypt(value, limit=public.max_int, exponent=0)._c


@pytest.mark.parametrize(
    "bound", [0, 1, 2, 1000, 2**57, 2**64, 2**300, public.max_int], ids=range(8)
)
def test_values_within_any_bound_open_together(bound):
    values = [bound, -bound, 0, bound // 2, -(bound // 3)] * 9
    assert private.decrypt_many(theirs(values), bound) == values


@settings(max_examples=10)
@given(st.integers(1, 2**80), st.data())
def test_values_within_the_bound_open_together(bound, data):
    values = data.draw(st.lists(st.integers(-bound, bound), max_size=40))
    assert private.decrypt_many(theirs(values), bound) == values


def test_numbers_of_different_exponents_open_together():
    values = [1e-9, 3, -2.5, 1e30, 0, 2**60] * 2
    mixed = [EncryptedNumber.from_phe(public.to_phe().encrypt(value)) for value in values]
    assert private.decrypt_many(iter(mixed), 2**61) == values
    assert private.decrypt_many([public.encrypt(x) for x in values], 10**31 << 128) == values
    assert private.decrypt_many([], 5) == []


CHEATS = {
    "into the neighbour": [5, 7 + (1 << 18), -3, 2, 0, 9, 1, 4],
    "across two": [5, 1 << 36, -3, 2, 0, 9, 1, 4],
    "below": [5, -(1 << 18), -3, 2, 0, 9, 1, 4],
    "far out": [5, 7, public.max_int, 2, 0, 9, 1, 4],
    "the last": [5, 7, 2, 0, 9, 1, 4, -public.max_int],
    "p itself": [5, 7, 2, int(p), 9, 1, 4, 3],
}


@pytest.mark.parametrize("kind", CHEATS)
def test_a_cheating_sender_moves_nothing_to_its_neighbour(kind):
    assert private.decrypt_many(theirs(CHEATS[kind]), 2**16) == CHEATS[kind]


def test_without_the_random_check_the_cheat_would_pass(monkeypatch):
    monkeypatch.setattr(trapdoor.secrets, "randbits", lambda bits: 0)
    cheat = CHEATS["into the neighbour"]
    assert private.decrypt_many(theirs(cheat), 2**16) == [5, 7, -2, 2, 0, 9, 1, 4] != cheat


def test_a_bound_must_be_a_number():
    for bound in (-1, 1.5, None, True):
        with pytest.raises(InvalidParameter):
            private.decrypt_many([public.encrypt(1)], bound)


def test_a_narrow_bound_opens_modulo_p_alone(monkeypatch):
    number = public.encrypt(-2.5)
    wide = public.encrypt(7, limit=public.max_int, exponent=0)
    monkeypatch.setattr(private._trapdoor, "_to_q_1", None)
    assert private.decrypt(number) == -2.5
    with pytest.raises(TypeError):
        private.decrypt(wide)
