"""Scenarios in which servers die, hang, or run out of memory.

The functions at the end do the work for any fault; `network_scenarios.py` uses them too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from lepton_lab.chaos.harness import NAMES, Harness, K, N, TriggeringFile
from lepton_lab.chaos.ledger import require
from lepton_lab.sharding import ShardedStore

Fault = Callable[[int], None]  # takes the index of the node to strike


def killed_during_a_put(harness: Harness) -> None:
    """Kill up to n − k servers at some byte of a put."""
    strike_during_a_put(harness, harness.kill)


def hanging_during_a_put(harness: Harness) -> None:
    """Hang up to n − k servers at some byte of a put."""
    strike_during_a_put(harness, harness.hang)


def full_during_a_put(harness: Harness) -> None:
    """Fill up to n − k servers at some byte of a put."""
    strike_during_a_put(harness, harness.fill)


def killed_during_a_get(harness: Harness) -> None:
    """Kill servers while a client reads."""
    strike_during_a_get(harness, harness.kill)


def hanging_during_a_get(harness: Harness) -> None:
    """Hang servers while a client reads."""
    strike_during_a_get(harness, harness.hang)


def killed_during_a_repair(harness: Harness) -> None:
    """Kill a server while a lost node is rebuilt."""
    strike_during_a_repair(harness, harness.kill)


def hanging_during_a_repair(harness: Harness) -> None:
    """Hang a server while a lost node is rebuilt."""
    strike_during_a_repair(harness, harness.hang)


def too_many_faulty(harness: Harness) -> None:
    """Kill more than n − k servers: the store refuses, and has everything when they come back."""
    strike_too_many(harness, harness.kill, harness.store)


def strike_during_a_put(harness: Harness, fault: Fault, store: ShardedStore | None = None) -> None:
    """Strike a few nodes at some byte of a put."""
    name = harness.random.pick(NAMES)
    content = harness.content()
    chosen = harness.choose_faulty()
    moment = harness.random.below(len(content) + 1)
    source = TriggeringFile(content, moment, lambda: harness.strike(fault, chosen))
    receipt = harness.put(name, content, source, to=store)
    require(
        receipt is None or len(receipt.lacking) <= 1,
        "a put was acknowledged by fewer nodes than the write quorum",
    )
    harness.get(name, by=store)


def strike_during_a_get(harness: Harness, fault: Fault, store: ShardedStore | None = None) -> None:
    """Strike a few nodes at some byte of a get."""
    name = harness.random.pick(NAMES)
    chosen = harness.choose_faulty()
    size = len(harness.ledger[name].content or b"")
    moment = harness.random.below(size + 1)
    harness.get(name, TriggeringFile(b"", moment, lambda: harness.strike(fault, chosen)), by=store)
    harness.get(name, by=store)


def strike_during_a_repair(
    harness: Harness, fault: Fault, store: ShardedStore | None = None
) -> None:
    """Empty one node; while it is rebuilt, strike it or another one."""
    name = harness.random.pick(NAMES)
    emptied, another = harness.choose_faulty(least=2)
    harness.servers.restart(emptied, empty=True)
    victim = harness.random.pick([emptied, another])
    timer = threading.Timer(harness.random.up_to(0.02), fault, [victim])
    timer.start()
    try:
        (store or harness.store).repair(name)
    finally:
        timer.join()
    harness.get(name, by=store)


def strike_too_many(harness: Harness, fault: Fault, store: ShardedStore) -> None:
    """Strike more than n − k nodes: a put must be refused, and every other verb may be."""
    name = harness.random.pick(NAMES)
    harness.strike(fault, harness.choose_faulty(most=N, least=N - K + 1))
    require(harness.put(name, to=store) is None, "a put on too few nodes was acknowledged")
    harness.check_refusal_of(lambda: harness.get(name, by=store))
    harness.check_refusal_of(lambda: store.check(name))
    harness.check_refusal_of(lambda: store.repair(name))
