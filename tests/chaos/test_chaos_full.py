"""Tests lepton_lab.sharding.store on full servers and disks: refusals name them, data stays."""

from __future__ import annotations

import os
import random
import resource

import pytest

from lepton_lab.errors import NodeError, NotEnoughShards
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import DirectoryNode, RedisServers
from lepton_lab.sharding import ShardedStore

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]
MIB = 1 << 20


def test_a_put_that_fills_every_server_is_refused_and_taken_back(tmp_path):
    try:
        servers = RedisServers.start(5, tls=False, sync=False, max_memory=16 * MIB)
    except NodeError:
        pytest.skip("no redis-server is on PATH: apt install redis-server")
    with servers:
        store = ShardedStore(
            servers.nodes, KeyRing.create(tmp_path / "ring", "a passphrase", scrypt_n=1 << 14), k=3
        )
        old = random.Random(1).randbytes(6 * MIB)
        receipt = store.put("x", old)
        held = [len(node) for node in servers.nodes]
        for name in ("x", "another"):
            with pytest.raises(NotEnoughShards) as refusal:
                store.put(name, bytes(90 * MIB))
            assert set(refusal.value.failures) <= {node.name for node in servers.nodes}
            assert len(refusal.value.failures) >= 2
            assert set(refusal.value.failures.values()) == {"the server's memory is full"}
        assert store.get("x", receipt=receipt) == old
        assert store.names() == ["x"]
        assert all(
            len(node) <= before + 4 for node, before in zip(servers.nodes, held, strict=True)
        )  # claims stay
        again = store.put("x", old[::-1])
        assert store.get("x", receipt=again) == old[::-1]


def test_a_file_system_that_takes_no_more_of_a_file_is_refused_by_name_and_nothing_half_stays(
    tmp_path,
):
    """A limit on the size of files stands in for a full disk where nobody may mount one."""
    nodes = [DirectoryNode(tmp_path / f"node-{index}") for index in range(5)]
    store = ShardedStore(
        nodes, KeyRing.create(tmp_path / "ring", "a passphrase", scrypt_n=1 << 14), k=3
    )
    old, new = random.Random(1).randbytes(200_000), random.Random(2).randbytes(9 * MIB)
    receipt = store.put("x", old)
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(NotEnoughShards) as refusal:
            store.put("x", new)
        assert store.get("x", receipt=receipt) == old
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(refusal.value.failures) >= 2
    assert set(refusal.value.failures.values()) == {"file too large"}
    left = {path for path in tmp_path.rglob("*") if path.is_file()} - files
    assert {path.name for path in left} <= {"claim="}
    assert store.get("x", receipt=store.put("x", new)) == new
