"""Scenarios in which nodes answer falsely, or all of them go back to an older state."""

from __future__ import annotations

from lepton_lab.chaos.byzantine_node import FALSE_ANSWERS, old_value
from lepton_lab.chaos.harness import NAMES, STRIPE, Harness, K, N
from lepton_lab.chaos.ledger import PromiseBroken, require
from lepton_lab.errors import StaleVersion
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


def all_nodes_rolled_back(harness: Harness) -> None:
    """Roll all nodes back together: a reader with today's receipt must notice."""
    name = harness.random.pick(NAMES)
    for node in harness.nodes:
        node.take_snapshot()
    receipt = harness.put(name)
    harness.faulty = {node.name for node in harness.nodes}
    for node in harness.nodes:
        node.false_answer = old_value
    try:
        harness.store.get(name, receipt=receipt)
    except StaleVersion:
        return
    raise PromiseBroken("a rollback of all nodes was believed")


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
