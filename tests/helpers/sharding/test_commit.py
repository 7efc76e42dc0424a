"""Tests lepton_lab.sharding.commit: writers that are slow, killed or shredded under, step by step.

Each test stops one client at one step, lets another one work, and lets the first go on. Nothing
that was acknowledged may be lost, and nothing that was replaced or shredded may come back.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Iterator

import pytest

from lepton_lab.errors import (
    IntegrityError,
    NodeError,
    NotEnoughShards,
    NotFound,
    StaleVersion,
    WriteConflict,
)
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import MemoryNode
from lepton_lab.sharding import ShardedStore, commit
from lepton_lab.sharding.calls import GuardedNode
from tests.support.rings import WORDS

UNREADABLE = (StaleVersion, NotEnoughShards, IntegrityError, NotFound)


@pytest.fixture
def nodes() -> list[MemoryNode]:
    return [MemoryNode(f"node-{index}") for index in range(5)]


@pytest.fixture
def ours(ring, nodes) -> ShardedStore:
    return ShardedStore(nodes, ring)


@pytest.fixture
def theirs(ring, nodes) -> ShardedStore:
    """Another client: the same nodes, and the same ring's file through a handle of its own."""
    return ShardedStore(nodes, KeyRing.open(ring.path, WORDS))


def once_before(monkeypatch, owner, name, action):
    """Before the next call of this function, and of no later one, do something else."""
    honest = getattr(owner, name)

    def interrupted(*arguments, **named):
        monkeypatch.setattr(owner, name, honest)
        action()
        return honest(*arguments, **named)

    monkeypatch.setattr(owner, name, interrupted)


def once_after(monkeypatch, owner, name, action):
    honest = getattr(owner, name)

    def interrupted(*arguments, **named):
        monkeypatch.setattr(owner, name, honest)
        result = honest(*arguments, **named)
        action()
        return result

    monkeypatch.setattr(owner, name, interrupted)


def snapshot(nodes):
    return [dict(node._values) for node in nodes]


def restore(nodes, contents):
    for node, content in zip(nodes, contents, strict=True):
        node._values.clear()
        node._values.update(content)


@pytest.mark.parametrize("later", [1, 8, 9, 20])
def test_a_writer_that_publishes_late_hides_no_later_version(ours, theirs, monkeypatch, later):
    ours.put("x", b"first")

    def overtake():
        for number in range(later):
            theirs.put("x", b"theirs %d" % number)

    once_before(monkeypatch, commit, "publish_first", overtake)
    ours.put("x", b"late")
    newest = b"theirs %d" % (later - 1)
    assert ours.get("x") == theirs.get("x") == newest
    assert ours.repair("x").version == later + 2
    assert ours.check("x").intact
    assert ours.put("x", b"next").version == later + 3
    assert theirs.get("x") == b"next"


def test_a_put_that_is_shredded_under_is_refused_and_leaves_no_record(ours, theirs, ring):
    ours.put("x", b"first")

    class ShreddingSource(io.BytesIO):
        def readinto(self, buffer) -> int:
            if self.tell() and theirs.keyring.find(b""):
                theirs.shred("x")
            return super().readinto(buffer)

    small = ShardedStore(ours.nodes, ring, segment=1024)
    with pytest.raises(WriteConflict, match="shredded"):
        small.put("x", ShreddingSource(os.urandom(60_000)))
    assert ours.names() == []
    assert ring.acknowledged(b"x") is None
    assert ring.find(b"") == []
    with pytest.raises(NotFound):
        ours.get("x")


def test_a_shred_just_before_the_acknowledgement_is_seen(ours, theirs, ring, monkeypatch):
    ours.put("x", b"first")
    once_before(monkeypatch, commit, "acknowledge", lambda: theirs.shred("x"))
    with pytest.raises(WriteConflict, match="shredded"):
        ours.put("x", b"second")
    assert (ours.names(), ring.acknowledged(b"x"), ring.find(b"")) == ([], None, [])


def test_a_shred_takes_the_keys_of_what_is_written_meanwhile(
    ours, theirs, ring, nodes, monkeypatch
):
    ours.put("x", b"first")
    kept = []

    def write():
        ours.put("x", b"second")
        kept.append(snapshot(nodes))

    once_after(monkeypatch, theirs.keyring, "acknowledged", write)
    theirs.shred("x")
    assert ring.find(b"") == []
    restore(nodes, kept[0])
    assert ours.names() == []
    with pytest.raises(UNREADABLE):
        ours.get("x")


@pytest.mark.parametrize("verb", ["delete", "repair"])
def test_a_deletion_whose_writer_was_killed_is_finished(ours, ring, nodes, monkeypatch, verb):
    ours.put("x", b"a secret")
    before = snapshot(nodes)

    def die():
        raise KeyboardInterrupt

    once_before(monkeypatch, commit, "acknowledge", die)
    with pytest.raises(KeyboardInterrupt):
        ours.delete("x")
    with pytest.raises(NotFound):
        ours.get("x")
    if verb == "delete":
        ours.delete("x")
    else:
        with pytest.raises(NotFound, match="deleted"):
            ours.repair("x")
    assert ours.names() == []
    assert ring.acknowledged(b"x").deleted
    restore(nodes, before)
    with pytest.raises(UNREADABLE):
        ours.get("x")
    assert ours.put("x", b"again").version == 3
    assert ours.get("x") == b"again"


def test_a_writer_paused_since_before_a_shred_overwrites_nothing(ours, theirs, ring, monkeypatch):
    ours.put("x", b"first")

    def begin_again():
        theirs.shred("x")
        theirs.put("x", b"new life 1")
        assert theirs.put("x", b"new life 2").version == 2

    once_after(monkeypatch, commit, "claim", begin_again)
    with pytest.raises(WriteConflict):
        ours.put("x", b"old life")
    assert theirs.get("x") == ours.get("x") == b"new life 2"
    assert theirs.check("x").intact
    assert len(ring.find(b"")) == 1


def test_a_writer_paused_at_the_last_moment_overwrites_nothing(ours, theirs, ring, monkeypatch):
    ours.put("x", b"first")

    def begin_again():
        theirs.shred("x")
        theirs.put("x", b"new life 1")
        assert theirs.put("x", b"new life 2").version == 2

    once_before(monkeypatch, commit, "publish_first", begin_again)
    with pytest.raises(WriteConflict):
        ours.put("x", b"old life")
    assert theirs.get("x") == ours.get("x") == b"new life 2"
    assert len(ring.find(b"")) == 1


def test_what_is_left_on_a_node_from_before_a_shredding_may_be_replaced(ours, nodes):
    ours.put("x", b"old life")
    left = [dict(node._values) for node in nodes[:2]]
    ours.shred("x")
    for node, content in zip(nodes, left, strict=False):
        node._values.update(content)
    receipt = ours.put("x", b"new life")
    assert receipt.lacking == ()
    assert ours.get("x", receipt=receipt) == b"new life"


def test_a_node_that_fails_only_while_old_shards_are_deleted_lacks_nothing(
    ours, nodes, monkeypatch
):
    ours.put("x", b"first")

    def refuse(keys):
        raise NodeError(nodes[0].name, "it deletes nothing")

    monkeypatch.setattr(nodes[0], "delete_many", refuse)
    receipt = ours.put("x", b"second")
    assert receipt.lacking == ()
    assert ours.check("x").intact


@pytest.mark.parametrize(
    "name", ["{version}", "{version}/", "{version}/claim/x", "zzz", "head/x", "", "{version}/put"]
)
def test_names_that_no_writer_makes_are_swept_and_stop_no_repair(ours, nodes, name):
    receipt = ours.put("x", b"data")
    object_id = next(iter(nodes[0])).partition("/")[0]
    strange = f"{object_id}/" + name.format(version=f"{receipt.version:016x}")
    nodes[0][strange] = b"planted"
    ours.repair("x")
    assert strange not in nodes[0]
    assert ours.check("x").intact


class OwnInterruption(BaseException):
    """As some libraries have, to pass by `except Exception`."""


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError, KeyboardInterrupt, GeneratorExit, SystemExit, OwnInterruption]
)
def test_whatever_a_mapping_raises_is_its_own_failure(ring, nodes, error):
    class Raising(dict):
        def __getitem__(self, key):
            raise error

        def __setitem__(self, key, value):
            raise error

        def __iter__(self):
            raise error

    store = ShardedStore([Raising(), *nodes[1:]], ring)
    assert store.put("x", b"data").lacking == ("node-0",)
    assert store.get("x") == b"data"
    assert store.check("x").nodes["node-0"].unreachable
    store.repair("x")
    store.shred("x")


class Listing(MemoryNode):
    """A node whose listing is what the test says."""

    names: Iterator[object] = iter(())

    def keys_with_prefix(self, prefix):
        yield from self.names


class StrangeText(str):
    def startswith(self, *arguments):
        raise RuntimeError


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["x" * 5000], "no end"),
        ([StrangeText("x")], "StrangeText"),
        ([5], "int"),
        ([b"x"], "bytes"),
    ],
)
def test_a_listing_of_strange_names_is_the_nodes_failure(names, expected):
    node = Listing()
    node.names = iter(names)
    with pytest.raises(NodeError, match=expected):
        GuardedNode(node, "a node").keys_with_prefix("x")


def test_a_listing_ends_when_the_operation_has_ended():
    node = Listing()
    guarded = GuardedNode(node, "a node")

    def endless():
        yield "x"
        guarded.ended = True
        while True:
            yield "x"

    node.names = endless()
    with pytest.raises(NodeError, match="has ended"):
        guarded.keys_with_prefix("x")
