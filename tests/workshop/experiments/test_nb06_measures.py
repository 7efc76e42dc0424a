"""What notebook 06 measures: handshakes, what leaks beside the content, and the lab's own traffic on the loopback."""

from __future__ import annotations

import importlib.util
import subprocess
import threading

import pytest

from lepton_lab.errors import InvalidParameter, NodeError, NotFound
from lepton_lab.nodes.servers.binaries import find_binaries
from lepton_lab.workshop.experiments import nb00_leaks as leaks
from lepton_lab.workshop.experiments import nb06_handshakes as handshakes
from lepton_lab.workshop.experiments import nb06_traffic as traffic


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
    # the ciphertext; ECDSA's length varies a little, and each of the two session tickets by a block of AES
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


def test_lengths_and_names_are_seen_and_the_content_is_not():
    messages = [b"benign", b"malignant", b"x" * 2**14] * 5
    glimpses, text = leaks.watched(messages, server_name="oncology.clinic.test")
    assert [glimpse.length - 17 for glimpse in glimpses] == [len(message) for message in messages]
    assert b"malignant" not in text
    assert b"oncology.clinic.test" in text
    assert [thread.name for thread in threading.enumerate() if "silent" in thread.name] == []


@pytest.mark.parametrize("message", [b"", bytes(2**14 + 1)])
def test_what_is_no_single_record_is_refused(message):
    with pytest.raises(InvalidParameter):
        leaks.watched([message])


def test_times_are_seen():
    glimpses, _ = leaks.watched([b"a", b"b", b"c"], [0, 0, 0.3])
    assert glimpses[0].time == 0
    assert glimpses[2].time - glimpses[1].time > 0.25


@pytest.mark.redis
def test_redis_in_the_clear_shows_all_and_under_tls_nothing():
    if not any(binary.tls for binary in find_binaries()):
        with pytest.raises(NodeError, match="install"):
            traffic.redis_traffic("key", b"value")
        pytest.skip("install a redis-server with TLS to run this: apt install redis-server")
    found, password = traffic.redis_traffic("patient/17", b"diagnosis: malignant")
    rows = traffic.visible(
        found, {"password": password.encode(), "key": b"patient/17", "value": b"malignant"}
    )
    assert len(password) >= 32
    assert [row[1:] for row in rows] == [("readable", "not found")] * 3


@pytest.mark.slow
def test_jupyter_in_the_clear_shows_all_and_under_tls_nothing_but_the_name():
    if importlib.util.find_spec("jupyter_server") is None:
        pytest.skip("pip install -e .[lab] brings the Jupyter server")
    found, token = traffic.jupyter_traffic("patients.csv", b"diagnosis: malignant\n" * 100)
    needles = {
        "token": token.encode(),
        "name": b"patients.csv",
        "content": b"malignant",
        "host": b"localhost",
    }
    seen = {row[0]: row[1:] for row in traffic.visible(found, needles)}
    assert [seen[what] for what in ("token", "name", "content")] == [("readable", "not found")] * 3
    assert seen["host"] == ("readable", "readable")
