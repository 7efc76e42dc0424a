"""Servers that are full: what cannot be stored is refused by name, and what was stored stays."""

from __future__ import annotations

import os
import random

import pytest

from lepton_lab.errors import NodeError, NotEnoughShards
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import RedisServers
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
        store = ShardedStore(servers.nodes, KeyRing.create(tmp_path / "ring", "a passphrase", scrypt_n=1 << 14), k=3)
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
        assert all(len(node) <= before + 4 for node, before in zip(servers.nodes, held, strict=True))  # claims stay
        again = store.put("x", old[::-1])
        assert store.get("x", receipt=again) == old[::-1]
