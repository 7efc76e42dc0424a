"""Scenarios in which nodes answer falsely, fail in foreign ways, or go back to an older state."""

from __future__ import annotations

from lepton_lab.chaos.byzantine_node import DISRUPTIONS, FALSE_ANSWERS, old_value
from lepton_lab.chaos.harness import NAMES, STRIPE, Harness, K, N
from lepton_lab.chaos.ledger import PromiseBroken, require
from lepton_lab.errors import IntegrityError, NotEnoughShards, StaleVersion, WriteConflict
from lepton_lab.sharding import ShardedStore
from lepton_lab.sharding.manifest import is_shard


def false_answers_while_reading(harness: Harness) -> None:
    """Answer reads falsely on up to n − k nodes: every object is read rightly all the same."""
    chosen = harness.choose_faulty()
    for index in chosen:
        harness.nodes[index].take_snapshot()
    if harness.random.chance(0.7):
        # Now the snapshots are out of date.
        harness.put(harness.random.pick(NAMES))
    for index in chosen:
        harness.nodes[index].false_answer = harness.random.pick(FALSE_ANSWERS)
    for name in NAMES:
        harness.get(name)
        health = harness.store.check(name)
        named = {
            node
            for node, found in health.nodes.items()
            if found.missing or found.altered or found.unreachable
        }
        require(named <= harness.faulty, f"{named} are named, but {harness.faulty} are faulty")


def false_answers_while_writing(harness: Harness) -> None:
    """Answer a writer falsely on one node: each write is acknowledged, and readable, or refused."""
    chosen = harness.choose_faulty(most=1)
    name = harness.random.pick(NAMES)
    for index in chosen:
        harness.nodes[index].take_snapshot()
        harness.nodes[index].false_answer = harness.random.pick(FALSE_ANSWERS)
    for _ in range(2):
        require(harness.put(name) is not None, "one Byzantine node kept a writer from writing")
        harness.get(name)
    harness.store.repair(name)
    harness.get(name)


def foreign_failures(harness: Harness) -> None:
    """Let a node sleep, raise another library's errors, or list keys without end."""
    name = harness.random.pick(NAMES)
    for index in harness.choose_faulty(most=1):
        harness.nodes[index].disruption = harness.random.pick(DISRUPTIONS)
        harness.nodes[index].endless_keys = harness.random.chance(0.5)
    harness.get(name)
    require(harness.put(name) is not None, "one failing node kept a writer from writing")
    harness.store.check(name)
    harness.store.repair(name)
    harness.get(name)


def all_nodes_rolled_back(harness: Harness) -> None:
    """Roll all nodes back together: a reader notices, with today's receipt and without."""
    name = harness.random.pick(NAMES)
    for node in harness.nodes:
        node.take_snapshot()
    receipt = harness.put(name)
    harness.faulty = {node.name for node in harness.nodes}
    for node in harness.nodes:
        node.false_answer = old_value
    for floor in (receipt, None):
        try:
            harness.store.get(name, receipt=floor)
        except StaleVersion:
            harness.ledger.counts["rollbacks noticed"] += 1
        else:
            raise PromiseBroken("a rollback of all nodes was believed")


def two_writers_rolled_back(harness: Harness) -> None:
    """Let two writers work on one name while snapshots are taken; then roll back to each of them.

    A snapshot may hold a version whose put failed or was overtaken. Whatever it holds, a later read
    gives the newest acknowledged content or raises.
    """
    name = harness.random.pick(NAMES)
    writes = [harness.content(2) for _ in range(6)]
    snapshots: list[list[dict[str, bytes]]] = []

    def write(store: ShardedStore, contents: list[bytes]) -> None:
        for content in contents:
            harness.ledger.write_begins(name, content)
            try:
                receipt = store.put(name, content)
            except (WriteConflict, NotEnoughShards):
                continue
            harness.ledger.write_acknowledged(content, receipt)

    with harness.meanwhile(
        lambda: write(harness.store, writes[:3]), lambda: write(harness.other, writes[3:])
    ):
        for _ in range(3):
            snapshots.append([node.contents() for node in harness.nodes])
    harness.put(name)
    harness.ledger.settle(name)
    newest = harness.ledger[name].content
    harness.faulty = {node.name for node in harness.nodes}
    for snapshot in snapshots:
        for node, held in zip(harness.nodes, snapshot, strict=True):
            node.snapshot = held
            node.false_answer = old_value
        _require_newest_or_refusal(harness, name, newest)


def _require_newest_or_refusal(harness: Harness, name: str, newest: bytes | None) -> None:
    for reader in (harness.store, harness.other):
        try:
            found = reader.get(name)
        except (StaleVersion, NotEnoughShards, IntegrityError):
            harness.ledger.counts["rollbacks noticed"] += 1
        else:
            require(found == newest, "a rollback of all nodes was believed")


def faults_in_different_stripes(harness: Harness) -> None:
    """Damage every node, but at most n − k shards of each stripe: all is read and repaired."""
    name = harness.random.pick(NAMES)
    receipt = harness.put(name, harness.random.draw_bytes(5 * STRIPE))
    version = receipt.version if receipt else 0
    shards = [_shards_by_stripe(sorted(node), version) for node in harness.nodes]
    for stripe in range(5):
        for index in harness.random.several(N, N - K):
            node = harness.nodes[index]
            key = shards[index][stripe]
            if harness.random.chance(0.5):
                del node[key]
            else:
                node[key] = bytes(len(node[key]))
    harness.faulty = {node.name for node in harness.nodes}
    harness.get(name)


def _shards_by_stripe(keys: list[str], version: int) -> list[str]:
    """Return a node's shard keys of the one object that has five stripes at this version."""
    by_object: dict[str, list[str]] = {}
    for key in keys:
        if is_shard(key) and f"/{version:016x}/" in key:
            by_object.setdefault(key.partition("/")[0], []).append(key)
    return next(found for found in by_object.values() if len(found) == 5)
