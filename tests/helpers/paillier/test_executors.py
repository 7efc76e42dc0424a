"""Tests lepton_lab.paillier.executors: any executor serves, and learns only what it needs."""

from __future__ import annotations

import pickle
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import gmpy2
import numpy as np
import pytest
from gmpy2 import mpz

from lepton_lab import paillier
from lepton_lab.errors import InvalidParameter
from lepton_lab.paillier import EncryptedNumber, Layout, PublicKey, executors

public, private = paillier.generate_keypair(2048)
public.precompute(500)
WHOLE = Layout(bits=32, fraction_bits=0, additions=100)
VALUES = np.arange(700)


class Elsewhere(Executor):
    """An executor as strict as a network: the work and its results pass as bytes.

    `seen` is what an eavesdropper would hold.
    """

    def __init__(self) -> None:
        self.seen: list[object] = []

    def submit(self, fn, /, *args, **kwargs):
        work, given, named = pickle.loads(pickle.dumps((fn, args, kwargs)))
        self.seen += [*work.args, *given, *named.values()]
        future: Future = Future()
        future.set_result(pickle.loads(pickle.dumps(work(*given, **named))))
        return future

    def integers(self) -> set[int]:
        """Every integer that was sent, however deep in lists."""
        found = set()
        rest = list(self.seen)
        while rest:
            item = rest.pop()
            if isinstance(item, (list, tuple)):
                rest += item
            elif isinstance(item, (int, mpz)):
                found.add(int(item))
        return found


@pytest.fixture(scope="module", params=["processes", "threads", "elsewhere", "dask"])
def executor(request):
    """Two workers of each kind."""
    if request.param == "processes":
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            yield pool
    elif request.param == "threads":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    elif request.param == "elsewhere":
        yield Elsewhere()
    else:
        distributed = pytest.importorskip(
            "distributed", reason="optional peer: pip install distributed"
        )
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client.get_executor()


def test_any_executor_encrypts(executor):
    vector = public.encrypt_vector(VALUES, WHOLE, executor)
    assert len(set(vector.ciphertexts())) == len(vector.ciphertexts())
    assert (private.decrypt_vector(vector) == VALUES).all()


def test_any_executor_multiplies_by_a_matrix(executor):
    numbers = [public.encrypt(x) for x in range(8)]
    rows = [[1, 2, 3, 4, 5, 6, 7, -8], [0.5] * 8]
    assert [
        private.decrypt(total) for total in paillier.matvec(rows, numbers, executor=executor)
    ] == [56, 14]


def test_threads_decrypt():
    vector = public.encrypt_vector(VALUES, WHOLE)
    numbers = [public.encrypt(x) for x in range(8)]
    with ThreadPoolExecutor(2) as threads:
        assert (private.decrypt_vector(vector, threads) == VALUES).all()
        assert private.decrypt_many(numbers, 2**200, threads) == list(range(8))


def test_a_private_key_never_reaches_other_processes():
    vector = public.encrypt_vector([1], WHOLE)
    number = public.encrypt(1)
    for pool in (ProcessPoolExecutor(1, mp_context=get_context("spawn")), spy := Elsewhere()):
        with pool:
            with pytest.raises(InvalidParameter):
                private.decrypt_vector(vector, pool)
            with pytest.raises(InvalidParameter):
                private.decrypt_many([number], 10, pool)
    assert spy.seen == []


def secrets_of_the_hospital() -> tuple[list[EncryptedNumber], set[int]]:
    """Results of arithmetic, and the unblinded forms that anyone who knows the inputs recognises.

    They are x⁷, x⁻¹, xy, 1, and a number at a deeper exponent. That number is sent as well: its own
    exponent differs from the others', so it is deepened on the way.
    """
    x = public.encrypt(3)
    y = public.encrypt(4)
    shallow = public.encrypt(5, exponent=0)
    c = mpz(x.ciphertext())
    d = mpz(y.ciphertext())
    s = mpz(shallow.ciphertext())
    square = mpz(public.n) ** 2
    bare = {
        c**7 % square,
        gmpy2.invert(c, square),
        c * d % square,
        mpz(1),
        gmpy2.powmod(s, 16**32, square),
    }
    return [x * 7, -x, x + y, x * 0, shallow], {int(known) for known in bare}


def test_what_leaves_the_process_is_blinded_first():
    numbers, bare = secrets_of_the_hospital()
    spy = Elsewhere()
    totals = paillier.matvec([[1] * 5, [-2] * 5], numbers, executor=spy)
    sent = {integer for integer in spy.integers() if integer > public.n}
    assert len(sent) == 6, "five ciphertexts and n², or the spy is blind"
    assert not sent & bare
    assert [private.decrypt(total) for total in totals] == [30, -60]


def test_the_result_of_a_worker_is_blinded_once_more_on_its_way_out():
    number = public.encrypt(3)
    (total,) = paillier.matvec([[2]], [number], executor=Elsewhere())
    assert total.ciphertext() != number.ciphertext() ** 2 % public.n**2


@pytest.mark.parametrize("pool", [None, ThreadPoolExecutor(1)])
def test_within_the_process_nothing_is_blinded_for_nothing(monkeypatch, pool):
    numbers, _ = secrets_of_the_hospital()
    monkeypatch.setattr(public.noise, "mask", lambda message: pytest.fail("noise was drawn"))
    paillier.matvec([[1] * 5], numbers, executor=pool)


def test_workers_get_the_tables_that_their_client_has():
    for count in (10, 1 << 14):
        key = PublicKey(public.n, "short")
        spy = Elsewhere()
        key.precompute(count)
        executors._worker_noise.cache_clear()
        key.encrypt_vector(VALUES, WHOLE, spy)
        assert executors._worker_noise(key.n, "short").fixed_base.comb == key.noise.fixed_base.comb
    executors._worker_noise.cache_clear()


def test_a_client_that_lets_workers_encrypt_builds_tables_only_when_it_needs_them():
    key = PublicKey(public.n, "short")
    key.encrypt_vector(np.arange(6300), WHOLE, Elsewhere())
    assert key.noise.fixed_base is None
    for _ in range(3):
        key.encrypt(1)
    assert key.noise.fixed_base is not None


def test_threads_share_the_keys_own_tables():
    key = PublicKey(public.n, "short")
    executors._worker_noise.cache_clear()
    with ThreadPoolExecutor(2) as threads:
        vector = key.encrypt_vector(VALUES, WHOLE, threads)
    assert key.noise.fixed_base is not None
    assert executors._worker_noise.cache_info().currsize == 0
    assert (private.decrypt_vector(vector) == VALUES).all()


def test_on_threads_gmp_computes_without_the_interpreters_lock():
    def unlocked(piece):
        return [gmpy2.get_context().allow_release_gil for _ in piece]

    with ThreadPoolExecutor(2) as threads:
        assert executors.map_in_pieces(unlocked, [1, 2, 3], 1, threads) == [True] * 3
        assert list(threads.map(unlocked, [[1], [2]])) == [[False]] * 2
    assert executors.map_in_pieces(unlocked, [1, 2, 3], 1, None) == [False] * 3
