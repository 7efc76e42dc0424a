"""Tests lepton_lab.paillier.secret_power: both backends compute the power, on every thread."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from gmpy2 import mpz, powmod

from lepton_lab import paillier
from lepton_lab.paillier import secret_power

public, private = paillier.generate_keypair(2048)
p = mpz(private.p)
q = mpz(private.q)


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
        monkeypatch.setattr(secret_power, "_LIB", None)
    elif secret_power.BACKEND != "openssl":
        pytest.skip("optional peer: libcrypto 3 does not load here; install OpenSSL 3")
    for x, e, m in powers():
        assert secret_power.SecretPower(e, m)(x) == powmod(x, e, m)


def test_threads_do_not_disturb_each_other():
    power = secret_power.SecretPower(p - 1, p * p)
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
        secret_power, "_FILES", dict.fromkeys([secret_power.sys.platform], "no-such-library.so")
    )
    assert secret_power._libcrypto() is None
    monkeypatch.undo()
    if secret_power.BACKEND == "openssl":
        monkeypatch.setitem(secret_power._FUNCTIONS, "BN_no_such_function", (None, []))
        assert secret_power._libcrypto() is None


def test_the_library_that_python_brings_is_used_before_the_systems(monkeypatch, tmp_path):
    """As python.org's Python for macOS and conda's bring one."""
    if secret_power.BACKEND != "openssl":
        pytest.skip("optional peer: libcrypto 3 does not load here; install OpenSSL 3")
    name = secret_power._FILES.get(secret_power.sys.platform, "libcrypto.so.3")
    loaded = []
    cdll = secret_power.ctypes.CDLL
    monkeypatch.setattr(secret_power.sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr(secret_power.ctypes, "CDLL", lambda path: loaded.append(path) or cdll(name))
    assert secret_power._libcrypto() is not None
    assert loaded == [str(tmp_path / "lib" / name)]


def test_decryption_is_right_without_openssl(monkeypatch):
    monkeypatch.setattr(secret_power, "_LIB", None)
    key = paillier.PrivateKey(p, q)
    assert key.decrypt(public.encrypt(-1.5)) == -1.5
    assert private.decrypt(key.encrypt(2.5)) == 2.5
