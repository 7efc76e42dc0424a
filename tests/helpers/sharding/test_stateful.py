"""Tests lepton_lab.sharding.store over real Redis servers against a plain dict, in any order.

While k nodes that answer hold an object whole, it comes back, and what comes back is what was
acknowledged last. With fewer the store may raise one of its errors, but it never answers with
anything else.

The nodes may do what the store says it withstands: any of them dies at any time; of those that hold
an object, as many as leave k others are emptied, altered, or put back to an earlier state. A write
that raised is indeterminate: the object is then as before or as written, until the next write that
is acknowledged.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lepton_lab.errors import LabError, NodeError, NotEnoughShards, NotFound, WriteConflict
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import RedisServers
from lepton_lab.sharding import Receipt, ShardedStore

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]

K, N, QUORUM = 3, 5, 4
SEGMENT = 256  # bytes, so that a small object has many stripes
STRIPE = K * (SEGMENT - 16)
ABSENT = None
NAMES = st.sampled_from(["a", "b"])
NODES = st.integers(0, N - 1)
DATA = st.builds(
    lambda seed, size: bytes((seed + i) % 251 for i in range(size)),
    st.integers(0, 250),
    st.sampled_from([0, 1, 64, STRIPE - 1, STRIPE, STRIPE + 1, 4 * STRIPE + 7]),
)
TRIES = 2  # a node that dies while a version is claimed may cost one


class DeadlySource(io.BytesIO):
    """A file whose reading comes to a certain byte when a node dies."""

    def __init__(self, data: bytes, at: int, die) -> None:
        super().__init__(data)
        self._at, self._die = at, die

    def readinto(self, buffer) -> int:
        count = super().readinto(buffer)
        if self._die is not None and self.tell() >= self._at:
            self._die()
            self._die = None
        return count


class Machine(RuleBasedStateMachine):
    """Five servers, one ring, two names."""

    servers: ClassVar[RedisServers]

    def __init__(self) -> None:
        super().__init__()
        for index, node in enumerate(self.servers.nodes):
            if not self.servers.alive(index):
                self.servers.restart(index)
            node.delete_many(list(node))
        self.folder = tempfile.TemporaryDirectory()
        ring = KeyRing.create(
            Path(self.folder.name) / "ring", "a passphrase for tests", scrypt_n=1 << 14
        )
        self.store = ShardedStore(self.servers.nodes, ring, k=K, segment=SEGMENT)
        self.alive = set(range(N))
        self.model: dict[str, bytes] = {}
        self.possible: dict[str, set[bytes | None]] = {"a": {ABSENT}, "b": {ABSENT}}
        self.holders: dict[str, set[int]] = {"a": set(range(N)), "b": set(range(N))}
        self.state: dict[str, int] = {
            "a": 0,
            "b": 0,
        }  # counts what changed an object, acknowledged or not
        self.receipts: dict[str, list[Receipt]] = {"a": [], "b": []}
        self.copies: dict[int, tuple[dict[str, bytes], dict[str, int], dict[str, bool]]] = {}

    def teardown(self) -> None:
        try:
            for index in set(range(N)) - self.alive:
                self.servers.restart(index)
                self.alive.add(index)
            for name, possible in self.possible.items():
                if possible == {self.model.get(name)} and name in self.model:
                    self.store.repair(name)
                    assert self.store.check(name).intact
                self.read(name)
        finally:
            self.folder.cleanup()

    # --- the model --------------------------------------------------------------------------------

    def answering(self, name: str) -> int:
        return len(self.alive & self.holders[name])

    def settled(self, name: str) -> bool:
        return len(self.possible[name]) == 1

    def acknowledged(self, name: str, value: bytes | None, holders: set[int]) -> None:
        if value is ABSENT:
            self.model.pop(name, None)
        else:
            self.model[name] = value
        self.possible[name], self.holders[name] = {value}, set(holders)
        self.state[name] += 1

    def indeterminate(self, name: str, value: bytes | None) -> None:
        self.possible[name].add(value)
        self.state[name] += 1

    def may_damage(self, index: int, *names: str) -> bool:
        """The store bears it: of every object k others hold all, and none is between two states."""
        return all(self.settled(name) and len(self.holders[name] - {index}) >= K for name in names)

    # --- what users do ----------------------------------------------------------------------------

    @rule(name=NAMES, data=DATA)
    def put(self, name: str, data: bytes) -> None:
        self.write(name, data, data)

    def write(self, name: str, data: bytes, source) -> None:
        for _ in range(TRIES):
            if source is not data:
                source.seek(0)  # a put that was refused may have read it
            try:
                receipt = self.store.put(name, source)
            except WriteConflict:
                self.indeterminate(name, data)
                continue
            except NotEnoughShards:
                self.indeterminate(name, data)
                assert len(self.alive) < QUORUM
                return
            lacking = {
                index
                for index, node in enumerate(self.servers.nodes)
                if node.name in receipt.lacking
            }
            self.acknowledged(name, data, set(range(N)) - lacking)
            self.receipts[name].append(receipt)
            return
        raise AssertionError("a lone writer was refused again and again")

    @precondition(lambda self: len(self.alive) > 1)
    @rule(name=NAMES, data=DATA, index=NODES, at=st.integers(0, 5 * STRIPE))
    def put_while_a_node_dies(self, name: str, data: bytes, index: int, at: int) -> None:
        self.write(name, data, DeadlySource(data, at, lambda: self.kill(index)))

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        for _ in range(TRIES):
            try:
                self.store.delete(name)
            except WriteConflict:
                self.indeterminate(name, ABSENT)
            except NotFound:
                assert ABSENT in self.possible[name] or self.answering(name) < K
                return
            except LabError:
                self.indeterminate(name, ABSENT)
                assert len(self.alive) < QUORUM or self.answering(name) < K
                return
            else:
                assert self.possible[name] != {ABSENT}
                self.acknowledged(name, ABSENT, self.alive)
                return
        raise AssertionError("a lone writer was refused again and again")

    @rule(name=NAMES, receipt=st.integers(0, 5))
    def get(self, name: str, receipt: int) -> None:
        self.read(
            name, self.receipts[name][-receipt] if 0 < receipt <= len(self.receipts[name]) else None
        )

    def read(self, name: str, receipt: Receipt | None = None) -> None:
        try:
            found = self.store.get(name, receipt=receipt)
        except NotFound:
            assert ABSENT in self.possible[name] or self.answering(name) < K
        except LabError:
            assert not self.settled(name) or self.answering(name) < K
        else:
            assert found in self.possible[name]

    @rule(name=NAMES)
    def check_and_repair(self, name: str) -> None:
        if not self.settled(name):
            return
        value = self.possible[name]
        try:
            report = self.store.repair(name)
        except NotFound:
            assert value == {ABSENT} or self.answering(name) < K
            return
        except LabError:
            assert self.answering(name) < K
            return
        assert value == {self.model[name]}
        assert set(report.unreachable) == {
            self.servers.nodes[index].name for index in set(range(N)) - self.alive
        }
        self.holders[name] |= self.alive
        health = self.store.check(name)
        assert health.margin == len(self.alive) - K
        assert all(
            node.good == health.stripes
            for node in health.nodes.values()
            if node.unreachable is None
        )

    @rule(name=NAMES)
    def shred(self, name: str) -> None:
        try:
            self.store.shred(name)
        except NotFound:
            assert ABSENT in self.possible[name]
        # whatever the nodes hold of it, nobody can read it; so nothing is asked of them
        self.acknowledged(name, ABSENT, set(range(N)))
        self.receipts[name].clear()

    # --- what befalls nodes -----------------------------------------------------------------------

    @rule(index=NODES)
    def kill(self, index: int) -> None:
        self.servers.kill(index)
        self.alive.discard(index)

    @rule(index=NODES)
    def restart(self, index: int) -> None:
        if index not in self.alive:
            self.servers.restart(index)
            self.alive.add(index)

    @rule(index=NODES)
    def restart_empty(self, index: int) -> None:
        if self.may_damage(index, *self.possible):
            self.servers.restart(index, empty=True)
            self.alive.add(index)
            for holders in self.holders.values():
                holders.discard(index)

    @rule(index=NODES)
    def copy(self, index: int) -> None:
        """Keep what a node holds now, to put it back later."""
        if index in self.alive:
            node = self.servers.nodes[index]
            held = {name: index in holders for name, holders in self.holders.items()}
            self.copies[index] = ({key: node[key] for key in node}, dict(self.state), held)

    @precondition(lambda self: self.copies)
    @rule(index=NODES)
    def return_with_stale_data(self, index: int) -> None:
        if index in self.copies and self.may_damage(index, *self.possible):
            self.restart(index)
            node, (content, state, held) = self.servers.nodes[index], self.copies[index]
            node.delete_many(list(node))
            for key, value in content.items():
                node[key] = value
            for name, holders in self.holders.items():
                if state[name] != self.state[name] or not held[name]:
                    holders.discard(index)

    @rule(
        name=NAMES,
        index=NODES,
        where=st.integers(0),
        how=st.sampled_from(["flip", "cut", "swap", "remove"]),
    )
    def alter(self, name: str, index: int, where: int, how: str) -> None:
        node = self.servers.nodes[index]
        if index not in self.alive or not self.may_damage(index, *self.possible):
            return
        keys = sorted(node)
        if not keys:
            return
        key = keys[where % len(keys)]
        value = node[key]
        if how == "remove":
            del node[key]
        elif how == "cut":
            node[key] = value[: where % max(1, len(value))]
        elif how == "swap":
            node[key] = node[keys[(where + 1) % len(keys)]]
        else:
            node[key] = bytes([value[0] ^ 1]) + value[1:] if value else b"x"
        for holders in self.holders.values():
            holders.discard(index)

    @invariant()
    def what_the_dict_says_is_there(self) -> None:
        if self.alive == set(range(N)) and all(map(self.settled, self.possible)):
            assert self.store.names() == sorted(self.model)


@pytest.fixture(scope="module")
def machine() -> Iterator[type[Machine]]:
    try:
        servers = RedisServers.start(N, tls=False, sync=False, timeout=5)
    except NodeError:
        pytest.skip("no redis-server is on PATH: apt install redis-server")
    with servers:
        yield type("WithServers", (Machine,), {"servers": servers})


def test_nothing_acknowledged_is_lost_and_nothing_false_comes_back(machine):
    run_state_machine_as_test(
        machine, settings=settings(max_examples=25, stateful_step_count=35, deadline=None)
    )


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_nothing_false_comes_back_in_long_runs(machine):
    run_state_machine_as_test(
        machine, settings=settings(max_examples=200, stateful_step_count=50, deadline=None)
    )
