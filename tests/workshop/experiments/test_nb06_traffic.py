"""Tests lepton_lab.workshop.experiments.nb06_traffic: the lab's own traffic on the loopback."""

from __future__ import annotations

import importlib.util

import pytest

from lepton_lab.errors import NodeError
from lepton_lab.nodes.servers.binaries import find_binaries
from lepton_lab.workshop.experiments import nb06_traffic as traffic


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
