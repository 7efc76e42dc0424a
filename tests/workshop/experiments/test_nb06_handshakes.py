"""Tests lepton_lab.workshop.experiments.nb06_handshakes and its other process,
lepton_lab.workshop.experiments.nb06_hybrid_server.
"""

from __future__ import annotations

import importlib.util
import subprocess

import pytest

from lepton_lab.errors import NotFound
from lepton_lab.workshop.experiments import nb06_handshakes as handshakes


def test_a_resumed_handshake_sends_no_certificate_and_a_mutual_one_sends_two():
    found = handshakes.best(handshakes.kinds(), rounds=2)
    assert list(found) == list(handshakes.KINDS)
    assert found["resumed"].size < found["one-sided"].size < found["mutual"].size
    assert (
        found["one-sided"].client_bytes < found["resumed"].client_bytes
    )  # which carries its ticket
    assert all(0 < each.seconds < 60 for each in found.values())


def test_the_hybrid_group_is_agreed_on_and_costs_what_fips_203_says():
    try:
        with handshakes.groups() as works:
            found = {name: work() for name, work in works.items()}
            again = handshakes.best(works, rounds=2)
    except NotFound as missing:
        pytest.skip(f"optional peer: {missing}")
    classic, hybrid = found[handshakes.CLASSIC], found[handshakes.HYBRID]
    assert (classic.group.lower(), hybrid.group) == ("x25519", "X25519MLKEM768")
    assert hybrid.client_bytes - classic.client_bytes == 1184  # the encapsulation key
    # the ciphertext; ECDSA's length varies a little, and each of the two session tickets by a
    # block of AES
    assert abs(hybrid.server_bytes - classic.server_bytes - 1088) < 8 + 2 * 16
    assert abs(again[handshakes.HYBRID].size - hybrid.size) < 16


def test_without_pyopenssl_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(handshakes, "find_spec", lambda name: None)
    with pytest.raises(NotFound, match="pip install pyopenssl"), handshakes.groups():
        pass


def test_a_group_that_openssl_does_not_know_is_said_and_no_process_is_left(monkeypatch):
    if importlib.util.find_spec("OpenSSL") is None:
        pytest.skip("optional peer: pip install pyopenssl")
    started: list[subprocess.Popen] = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **settings):
            super().__init__(*args, **settings)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    monkeypatch.setattr(handshakes, "HYBRID", "NoSuchGroup")
    with pytest.raises(NotFound, match="NoSuchGroup"), handshakes.groups() as works:
        works["NoSuchGroup"]()
    assert started
    assert all(process.poll() is not None for process in started)
