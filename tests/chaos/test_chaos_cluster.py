"""Tests lepton_lab.sharding over a cluster: a real Redis Cluster loses a primary in the middle of a
put, and fails over to its replica.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest

from lepton_lab.chaos.harness import TriggeringFile
from lepton_lab.errors import LabError, NodeError, NotEnoughShards, WriteConflict
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import RedisServers
from lepton_lab.sharding import ShardedStore

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]
MIB = 1 << 20


@pytest.fixture
def cluster() -> Iterator[RedisServers]:
    try:
        started = RedisServers.cluster(3, 1, timeout=1, fail_over=0.5, sync=False)
    except NodeError:
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    with started:
        yield started


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the cluster did not come back in time"
        time.sleep(0.05)


def answers(node) -> bool:
    try:
        node["is it there?"] = b"yes"
    except NodeError:
        return False
    return True


def put(store: ShardedStore, content) -> bool:
    """Whether it was acknowledged; a refusal names the primary that died and no other."""
    try:
        store.put("x", content)
    except NotEnoughShards as error:
        named = set(error.failures)
    else:
        return True
    assert named == {"primary-1"}
    return False


@pytest.mark.parametrize("size", [24 * MIB, pytest.param(256 * MIB, marks=pytest.mark.slow)])
def test_a_put_during_a_fail_over_is_acknowledged_or_raises_and_nothing_acknowledged_is_lost(
    cluster, tmp_path, size
):
    store = ShardedStore(
        cluster.nodes, KeyRing.create(tmp_path / "ring", "a passphrase", scrypt_n=1 << 14), k=2
    )
    old, new = os.urandom(MIB), os.urandom(size)
    receipt = store.put("x", old)
    acknowledged = put(store, TriggeringFile(new, size // 3, lambda: cluster.kill(1)))
    owed = [new] if acknowledged else [old, new]
    assert store.get("x", receipt=receipt) in owed  # while one primary is dead

    until(lambda: answers(cluster.nodes[1]))
    assert (
        store.get("x", receipt=receipt) in owed
    )  # its replica may lack what it had acknowledged; the others do not

    for _ in range(4):
        try:
            receipt = store.put("x", old)
        except WriteConflict:
            continue
        break
    assert store.get("x", receipt=receipt) == old
    store.repair("x")
    assert store.check("x").intact

    cluster.restart(1)  # as a replica of its own replica
    until(lambda: _is_whole(store))
    assert store.get("x", receipt=receipt) == old


def _is_whole(store: ShardedStore) -> bool:
    try:
        store.repair("x")
        return store.check("x").intact
    except LabError:
        return False
