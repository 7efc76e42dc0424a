"""Scenarios in which the network between a client and the servers is slow, lossy or cut."""

from __future__ import annotations

from lepton_lab.chaos.harness import NAMES, Harness, N
from lepton_lab.chaos.ledger import require
from lepton_lab.chaos.server_scenarios import (
    strike_during_a_get,
    strike_during_a_put,
    strike_during_a_repair,
    strike_too_many,
)


def slow_network(harness: Harness) -> None:
    """Slow every connection, each differently: no node is faulty, so all must be acknowledged."""
    for index in range(N):
        harness.network.slow(index, harness.random.up_to(0.008))
    name = harness.random.pick(NAMES)
    receipt = harness.put(name, harness.content(4), to=harness.remote)
    require(receipt is not None and not receipt.lacking, "a slow network lost a write")
    harness.get(name, by=harness.remote)
    require(harness.remote.check(name).intact, "a slow network made a node look bad")


def partition_during_a_put(harness: Harness) -> None:
    """Lose what a few nodes are sent, or what they answer, during a put."""
    strike_during_a_put(harness, harness.lose, harness.remote)


def partition_during_a_get(harness: Harness) -> None:
    """Lose what a few nodes are sent, or what they answer, during a get."""
    strike_during_a_get(harness, harness.lose, harness.remote)


def partition_during_a_repair(harness: Harness) -> None:
    """Lose what a node is sent, or what it answers, during a repair."""
    strike_during_a_repair(harness, harness.lose, harness.remote)


def connections_cut_during_a_put(harness: Harness) -> None:
    """Close every connection to a few nodes during a put."""
    strike_during_a_put(harness, harness.cut, harness.remote)


def answers_drip(harness: Harness) -> None:
    """Let up to n − k servers answer one byte at a time, which no single read notices."""
    strike_during_a_put(harness, harness.drip, harness.remote)


def answers_flood(harness: Harness) -> None:
    """Let up to n − k servers answer with replies that never end."""
    strike_during_a_get(harness, harness.flood, harness.remote)


def minority_side_of_a_partition(harness: Harness) -> None:
    """Let one client reach too few nodes: it is refused, and one on the other side works on."""
    fault = harness.random.pick([harness.lose, harness.cut])
    strike_too_many(harness, fault, harness.remote)
    # Only the path of `remote` is faulty: `store` reaches every node directly.
    harness.faulty.clear()
    receipt = harness.put(harness.random.pick(NAMES))
    require(receipt is not None, "the client on the majority side was refused")
