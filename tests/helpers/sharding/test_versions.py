"""Tests lepton_lab.sharding.versions, lepton_lab.sharding.commit and lepton_lab.sharding.verifier.

The key ring notes what was acknowledged: a rollback of all nodes together is never believed.
"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import (
    IntegrityError,
    InvalidParameter,
    LabError,
    NotEnoughShards,
    NotFound,
    StaleVersion,
)
from lepton_lab.keyring import KeyRing
from lepton_lab.sharding import ShardedStore, commit
from lepton_lab.sharding.manifest import context, name_and_version
from lepton_lab.sharding.versions import Versions
from tests.support.rings import CHEAP, WORDS
from tests.support.switched_node import SwitchedNode

NAME = "x"


class PowerCut(BaseException):
    """The end of a writer's process: nothing catches it."""


def cut(*_, **__):
    raise PowerCut


@pytest.fixture
def nodes():
    return [SwitchedNode(f"node-{index}") for index in range(5)]


@pytest.fixture
def store(ring, nodes):
    return ShardedStore(nodes, ring)


def snapshot(nodes):
    return [dict(node._values) for node in nodes]


def restore(nodes, copies):
    for node, copy in zip(nodes, copies, strict=True):
        node._values = dict(copy)


def key_versions(ring, name=NAME):
    found = ring.find(context(name.encode()))
    return sorted(name_and_version(each)[1] for _, each in found)


def killed_put(store, data, monkeypatch, step):
    """A put by a writer that is killed just before this step of the commit."""
    with monkeypatch.context() as patch:
        patch.setattr(commit, step, cut)
        with pytest.raises(PowerCut):
            store.put(NAME, data)


# --- what a rollback meets -----------------------------------------------------------------------


@pytest.mark.parametrize("step", ["publish_first", "acknowledge", "retire"])
def test_a_writer_that_is_killed_leaves_no_key_with_which_a_rollback_is_believed(
    store, ring, nodes, monkeypatch, step
):
    store.put(NAME, b"1")
    copies = [snapshot(nodes)]
    killed_put(store, b"2", monkeypatch, step)
    copies.append(snapshot(nodes))
    receipt = store.put(NAME, b"3")
    assert key_versions(ring) == [receipt.version]
    for copy in copies:
        restore(nodes, copy)
        with pytest.raises(StaleVersion, match="put back"):
            store.get(NAME)


def test_versions_between_a_look_and_a_claim_leave_no_key_either(store, ring, nodes, monkeypatch):
    other = ShardedStore(nodes, ring)
    store.put(NAME, b"1")
    copies = []
    honest = commit.claim

    def interrupted(*arguments):
        monkeypatch.setattr(commit, "claim", honest)
        for data in (b"2", b"3"):
            other.put(NAME, data)
            copies.append(snapshot(nodes))
        return honest(*arguments)

    monkeypatch.setattr(commit, "claim", interrupted)
    receipt = store.put(NAME, b"4")
    assert (receipt.version, key_versions(ring)) == (4, [4])
    for copy in copies:
        restore(nodes, copy)
        with pytest.raises(StaleVersion):
            store.get(NAME)


def test_a_put_that_failed_after_publishing_is_open_until_the_next_one(store, ring, nodes):
    store.put(NAME, b"1")
    first = snapshot(nodes)
    honest = commit.publish_first

    def with_two_nodes_dying(*arguments):
        nodes[0].dead = nodes[1].dead = True
        honest(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit, "publish_first", with_two_nodes_dying)
        with pytest.raises(NotEnoughShards, match="nodes that took the manifest"):
            store.put(NAME, b"2")
    nodes[0].dead = nodes[1].dead = False
    assert store.get(NAME) == b"2"
    open_state = snapshot(nodes)
    restore(nodes, first)
    assert store.get(NAME) == b"1"  # what was acknowledged; 2 never was
    restore(nodes, open_state)
    store.put(NAME, b"3")
    assert len(key_versions(ring)) == 1
    for copy in (first, open_state):
        restore(nodes, copy)
        with pytest.raises(StaleVersion):
            store.get(NAME)


def test_a_deletion_is_acknowledged_too(store, ring, nodes):
    store.put(NAME, b"data")
    before = snapshot(nodes)
    store.delete(NAME)
    restore(nodes, before)
    for verb in (store.get, store.check, store.repair, store.delete):
        with pytest.raises(NotFound, match="deleted"):
            verb(NAME)
    assert store.names() == []
    assert store.put(NAME, b"again").version == 3
    assert store.names() == [NAME]
    restore(nodes, before)
    with pytest.raises(StaleVersion):
        store.get(NAME)


def test_a_repair_acknowledges_what_a_killed_writer_published(store, ring, nodes, monkeypatch):
    store.put(NAME, b"1")
    before = snapshot(nodes)
    killed_put(store, b"2", monkeypatch, "acknowledge")
    assert key_versions(ring) == [1, 2]
    store.repair(NAME)
    assert key_versions(ring) == [2]
    assert ring.acknowledged(NAME.encode()).version == 2
    restore(nodes, before)
    with pytest.raises(StaleVersion):
        store.get(NAME)


def test_a_repair_on_too_few_nodes_acknowledges_nothing(store, ring, nodes, monkeypatch):
    store.put(NAME, b"1")
    killed_put(store, b"2", monkeypatch, "acknowledge")
    nodes[3].dead = nodes[4].dead = True
    assert set(store.repair(NAME).unreachable) == {"node-3", "node-4"}
    assert ring.acknowledged(NAME.encode()).version == 1
    nodes[3].dead = nodes[4].dead = False
    store.repair(NAME)
    assert ring.acknowledged(NAME.encode()).version == 2


def test_a_repair_on_too_few_nodes_still_shreds_what_is_older_than_the_record(store, ring, nodes):
    old_key = ring.new_data_key(context(NAME.encode(), 1, bytes(16)))
    store.put(NAME, b"1")
    store.put(NAME, b"2")
    left_over = ring.new_data_key(context(NAME.encode(), 1, bytes(16)))
    nodes[3].dead = nodes[4].dead = True
    store.repair(NAME)
    assert old_key.id not in ring
    assert left_over.id not in ring


def test_a_ring_without_a_record_gets_one_by_repair(store, ring, nodes, monkeypatch):
    with monkeypatch.context() as patch:  # as an earlier release wrote it
        patch.setattr(KeyRing, "acknowledge", lambda *_, **__: None)
        store.put(NAME, b"data")
    assert ring.acknowledged(NAME.encode()) is None
    assert (store.names(), store.get(NAME)) == ([NAME], b"data")
    store.repair(NAME)
    for node in nodes:
        node.clear()
    assert store.names() == [NAME]
    with pytest.raises(NotEnoughShards):
        store.get(NAME)


# --- nodes that show nothing ---------------------------------------------------------------------


def test_an_object_whose_nodes_were_all_wiped_is_never_called_unknown(store, ring, nodes):
    store.put(NAME, b"data")
    for node in nodes:
        node.clear()
    assert store.names() == [NAME]
    for verb in (store.get, store.check, store.repair, store.delete, store.rebalance):
        with pytest.raises(NotEnoughShards, match="version 1, which was acknowledged") as error:
            verb(NAME)
        assert set(error.value.failures) == {node.name for node in nodes}
    assert "version 1" in store.rebalance().failed[NAME]
    assert store.put(NAME, b"again").version == 2  # its number is not used a second time
    assert store.get(NAME) == b"again"


def test_a_wiped_object_can_be_shredded(store, ring, nodes):
    store.put(NAME, b"data")
    for node in nodes:
        node.clear()
    assert store.shred(NAME).data_keys == 1
    assert (store.names(), ring.acknowledged(NAME.encode())) == ([], None)
    with pytest.raises(NotFound):
        store.get(NAME)


def test_acknowledged_names_are_listed_without_asking_a_node(store, nodes):
    store.put("a", b"data")
    store.put("b", b"data")
    store.delete("b")
    for node in nodes:
        node.dead = True
        node.asked = 0
    assert store.names() == ["a"]
    assert [node.asked for node in nodes] == [0] * 5


def test_nodes_are_asked_about_a_name_whose_first_writer_was_killed(store, nodes, monkeypatch):
    killed_put(store, b"data", monkeypatch, "acknowledge")
    assert (store.names(), store.get(NAME)) == ([NAME], b"data")
    store.delete(NAME)
    assert store.names() == []
    killed_put(store, b"again", monkeypatch, "acknowledge")
    assert store.names() == [NAME]


# --- the record and the nodes, one against the other ---------------------------------------------


def test_the_acknowledged_version_with_another_digest_is_refused(store, ring, monkeypatch):
    store.put(NAME, b"data")
    others = store.put("another object", b"data").digest
    honest = ring.acknowledged

    def with_another_digest(subject):
        state = honest(subject)
        return state and state._replace(digest=bytes.fromhex(others))

    monkeypatch.setattr(ring, "acknowledged", with_another_digest)
    with pytest.raises(IntegrityError, match="key ring acknowledged"):
        store.get(NAME)


def test_a_receipt_is_one_of_its_own_object_only(store):
    other = store.put("a", b"A")
    store.put("b", b"B")
    store.put("b", b"BB")
    with pytest.raises(InvalidParameter, match="another object"):
        store.get("b", receipt=other)


def test_an_object_that_another_client_shreds_and_puts_again_is_not_stale(
    store, ring, nodes, monkeypatch
):
    for data in (b"1", b"2", b"3"):
        store.put(NAME, data)
    other = ShardedStore(nodes, ring)
    honest = Versions.newest

    def interrupted(*arguments, **more):
        monkeypatch.setattr(Versions, "newest", honest)
        other.shred(NAME)
        assert other.put(NAME, b"anew").version == 1
        return honest(*arguments, **more)

    monkeypatch.setattr(Versions, "newest", interrupted)
    assert store.get(NAME) == b"anew"


def test_of_two_acknowledgements_the_record_keeps_the_higher_version(store, ring, nodes):
    other = ShardedStore(nodes, ring)
    honest = commit.acknowledge

    def interrupted(*arguments):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(commit, "acknowledge", honest)
            assert other.put(NAME, b"theirs").version == 2
        honest(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit, "acknowledge", interrupted)
        assert store.put(NAME, b"ours").version == 1
    assert ring.acknowledged(NAME.encode()).version == 2
    assert key_versions(ring) == [2]
    assert store.get(NAME) == b"theirs"


# --- two writers, killed and failing at any step, and every snapshot rolled back ------------------

STEPS = ["claim", "publish_first", "acknowledge", "retire"]
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "delete", "repair"]),
        st.integers(0, 1),  # which writer
        st.sampled_from([None, *STEPS]),  # where it is interrupted
        st.sampled_from(["killed", "other writer", "node dies"]),  # by what
        st.integers(0, 4),  # which node
    ),
    min_size=2,
    max_size=7,
)


def once_before(honest, happen):
    """The honest function, before whose first call something happens."""
    left = [happen]

    def interrupted(*arguments, **more):
        if left:
            left.pop()()
        return honest(*arguments, **more)

    return interrupted


@settings(max_examples=40)
@given(actions=ACTIONS)
def test_no_rollback_is_believed_whatever_two_writers_do(tmp_path_factory, actions):
    ring = KeyRing.create(tmp_path_factory.mktemp("ring") / "ring", WORDS, **CHEAP)
    nodes = [SwitchedNode(f"node-{index}") for index in range(5)]
    writers = [ShardedStore(nodes, ring), ShardedStore(nodes, ring)]
    acknowledged = 0  # the highest version that any operation was acknowledged
    contents = {}  # of acknowledged puts, by version; None for a deletion
    copies = [snapshot(nodes)]

    def write(writer, data):
        nonlocal acknowledged
        receipt = writer.put(NAME, data)
        contents[receipt.version] = data
        acknowledged = max(acknowledged, receipt.version)

    for number, (verb, who, step, event, index) in enumerate(actions):
        writer, other = writers[who], writers[1 - who]
        data = b"%d" % number

        def happen(step=step, event=event, index=index, other=other, data=data):
            """What happens when the operation comes to the step."""
            copies.append(snapshot(nodes))
            if event == "killed":
                raise PowerCut
            if event == "node dies":
                nodes[index].dead = True
                return
            with contextlib.suppress(LabError):
                write(other, data + b" of the other")

        with pytest.MonkeyPatch.context() as patch:
            if step is not None:
                patch.setattr(commit, step, once_before(getattr(commit, step), happen))
            with contextlib.suppress(LabError, PowerCut):
                if verb == "put":
                    write(writer, data)
                elif verb == "delete":
                    writer.delete(NAME)
                else:
                    writer.repair(NAME)
        record = ring.acknowledged(NAME.encode())
        if record is not None:
            acknowledged = max(acknowledged, record.version)
            assert all(version >= record.version for version in key_versions(ring))
        for node in nodes:
            node.dead = False
        copies.append(snapshot(nodes))

    for copy in copies:
        restore(nodes, copy)
        try:
            found = writers[0].get(NAME)
        except NotFound:
            record = ring.acknowledged(NAME.encode())
            assert record is None or record.deleted or key_versions(ring)[-1] > record.version
        except LabError:
            continue
        else:
            version = writers[0].check(NAME).version
            assert version >= acknowledged
            assert contents.get(version, found) == found
