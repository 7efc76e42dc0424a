"""Tests lepton_lab.sharding.store, lepton_lab.sharding.stripes, lepton_lab.sharding.versions,
lepton_lab.sharding.commit and lepton_lab.sharding.reports: the store as its users see it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import (
    IntegrityError,
    InvalidName,
    InvalidParameter,
    LabError,
    NotEnoughShards,
    NotFound,
    StaleVersion,
    WriteConflict,
)
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import DirectoryNode, MemoryNode
from lepton_lab.sharding import ShardedStore
from lepton_lab.sharding.manifest import SEGMENT, TAG, SealedManifest, is_shard
from tests.support.power_cut import PowerCut, limit_writes
from tests.support.rings import CHEAP
from tests.support.switched_node import SwitchedNode

PIECE = SEGMENT - TAG


@pytest.fixture
def store(ring):
    return ShardedStore([MemoryNode(f"node-{i}") for i in range(5)], ring, k=3)


@pytest.fixture
def mortal(ring):
    return ShardedStore([SwitchedNode(f"node-{i}") for i in range(5)], ring, k=3)


def shards_of(node):
    return [key for key in node if is_shard(key)]


def alter(node, key, position=0):
    value = bytearray(node[key])
    value[position] ^= 1
    node[key] = bytes(value)


SIZES = [
    0,
    1,
    47,
    48,
    100_000,
    PIECE - 1,
    PIECE,
    PIECE + 1,
    3 * PIECE - 1,
    3 * PIECE,
    3 * PIECE + 1,
    7 * PIECE + 5,
]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_comes_back_from_bytes_file_and_path(store, tmp_path, size):
    data = bytes(itertools.islice(itertools.cycle(b"lepton lab"), size))
    path = tmp_path / "source"
    path.write_bytes(data)
    for name, source in (
        ("bytes", data),
        ("file", io.BytesIO(data)),
        ("path", path),
        ("view", memoryview(data)),
    ):
        receipt = store.put(name, source)
        assert (receipt.name, receipt.version, receipt.size, receipt.lacking) == (name, 1, size, ())
        assert store.get(name, receipt=receipt) == data
        sink = io.BytesIO()
        assert store.get(name, sink) == size
        assert sink.getvalue() == data


@pytest.mark.parametrize("size", [0, 1, 3 * PIECE + 1])
def test_any_two_of_five_nodes_may_die(ring, size):
    data = b"x" * size
    for dead in itertools.combinations(range(5), 2):
        store = ShardedStore([SwitchedNode(f"node-{i}") for i in range(5)], ring, k=3)
        store.put("x", data)
        for index in dead:
            store.nodes[index].dead = True
        assert store.get("x") == data


def test_three_dead_nodes_are_named_with_the_numbers(mortal):
    mortal.put("x", b"data")
    for node in mortal.nodes[:3]:
        node.dead = True
    with pytest.raises(NotEnoughShards) as error:
        mortal.get("x")
    assert (error.value.found, error.value.needed) == (2, 3)
    assert set(error.value.failures) == {"node-0", "node-1", "node-2"}


def test_plain_dicts_are_nodes_and_hold_immutable_bytes(ring):
    nodes = [{} for _ in range(4)]
    store = ShardedStore(nodes, ring, k=2)
    store.put("x", b"z" * (9 * PIECE))
    assert store.get("x") == b"z" * (9 * PIECE)
    assert all(type(value) is bytes for node in nodes for value in node.values())


def test_a_small_object_stays_small_and_a_large_one_costs_n_over_k(store):
    store.put("small", b"x" * 120_000)
    stored = sum(len(value) for node in store.nodes for value in node.values())
    assert stored < 120_000 * 5 / 3 * 1.05
    store.delete("small")
    store.put("large", b"x" * (9 * PIECE))
    stored = sum(len(value) for node in store.nodes for value in node.values())
    assert stored < 9 * PIECE * 5 / 3 * 1.01


def test_nodes_see_neither_name_nor_content(store):
    store.put("a telling name", b"a telling content" * 50)
    everything = b"".join(
        key.encode() + value for node in store.nodes for key, value in node.items()
    )
    assert b"telling" not in everything
    assert b"a telling name".hex().encode() not in everything


# --- lies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lie",
    ["flip", "flip the tag", "truncate", "extend", "empty", "another stripe", "another index"],
)
def test_a_false_shard_is_found_named_survived_and_repaired(store, lie):
    data = bytes(range(256)) * 30_000
    store.put("x", data)
    node = store.nodes[1]
    key, other = shards_of(node)[0], shards_of(node)[1]
    honest = node[key]
    if lie == "flip":
        alter(node, key, 1000)
    elif lie == "flip the tag":
        alter(node, key, -1)
    else:
        node[key] = {
            "truncate": honest[:-1],
            "extend": honest + b"\0",
            "empty": b"",
            "another stripe": node[other],
            "another index": store.nodes[2][shards_of(store.nodes[2])[0]],
        }[lie]
    assert store.get("x") == data
    health = store.check("x")
    assert (health.nodes["node-1"].altered, health.margin, health.readable, health.intact) == (
        1,
        1,
        True,
        False,
    )
    report = store.repair("x")
    assert report.rebuilt == {"node-1": 1}
    assert node[key] == honest
    assert store.check("x").intact


def test_faults_on_different_nodes_in_different_stripes_are_all_survived(store):
    data = b"spread" * (5 * 3 * PIECE // 6)
    store.put("x", data)
    for stripe in range(5):
        for index in (stripe % 5, (stripe + 2) % 5):
            node = store.nodes[index]
            key = sorted(shards_of(node))[stripe]
            if stripe % 2:
                alter(node, key)
            else:
                node[key] += b"too much"
    assert store.get("x") == data
    assert store.check("x").margin == 0


def test_with_too_few_good_shards_it_says_what_was_wrong_with_each(store):
    store.put("x", b"data")
    for node in store.nodes[:2]:
        alter(node, shards_of(node)[0])
    del store.nodes[2][shards_of(store.nodes[2])[0]]
    with pytest.raises(NotEnoughShards) as error:
        store.get("x")
    assert error.value.failures == {"node-0": "altered", "node-1": "altered", "node-2": "missing"}
    with pytest.raises(NotEnoughShards):
        store.repair("x")
    assert not store.check("x").readable


def test_shards_of_another_object_or_version_are_refused(store):
    store.put("x", b"first" * 1000)
    x = {key.split("/")[0] for key in store.nodes[0]}.pop()
    store.put("y", b"other" * 1000)
    for node in store.nodes[:3]:
        ours = next(key for key in shards_of(node) if key.startswith(x))
        theirs = next(key for key in shards_of(node) if not key.startswith(x))
        node[ours] = node[theirs]
    with pytest.raises(NotEnoughShards):
        store.get("x")


def test_shards_of_an_older_version_are_refused(store):
    store.put("x", b"first" * 1000)
    old = [next(node[key] for key in shards_of(node)) for node in store.nodes]
    store.put("x", b"newer" * 1000)
    for node, raw in zip(store.nodes[:2], old, strict=False):
        node[next(iter(shards_of(node)))] = raw
    assert store.get("x") == b"newer" * 1000
    assert [node.altered for node in store.check("x").nodes.values()] == [1, 1, 0, 0, 0]
    store.nodes[2][next(iter(shards_of(store.nodes[2])))] = old[2]
    with pytest.raises(NotEnoughShards, match="altered"):
        store.get("x")


def test_an_object_of_an_erasure_code_that_is_not_known_is_left_as_it_is(store):
    store._code_id = 2  # a later release's
    store.put("x", b"data" * 1000)
    before = [dict(node) for node in store.nodes]
    for operation in (store.get, store.check, store.repair):
        with pytest.raises(IntegrityError, match="erasure code 2"):
            operation("x")
    assert [dict(node) for node in store.nodes] == before


def test_claims_of_writers_that_failed_stop_no_lone_writer(mortal):
    mortal.put("x", b"first")
    nodes = mortal.nodes
    nodes[3].dead = nodes[4].dead = True
    for _ in range(
        3
    ):  # each leaves a claim on three nodes, of which two will be among the four that answer
        with pytest.raises(NotEnoughShards):
            mortal.put("x", b"never acknowledged")
    nodes[3].dead = nodes[4].dead = False
    nodes[0].dead = True
    assert mortal.put("x", b"second").version == 5
    assert mortal.get("x") == b"second"


def test_nodes_that_claim_every_version_end_in_a_conflict(store):
    liar = lambda keys, limit: [b"mine" if key.endswith("claim") else None for key in keys]  # noqa: E731
    for node in store.nodes[:3]:
        node.get_bounded = liar
    with pytest.raises(WriteConflict, match="taken"):
        store.put("x", b"data")


def test_an_altered_manifest_on_one_node_changes_nothing_and_on_all_is_named(store):
    store.put("x", b"data")
    manifests = [
        (node, key) for node in store.nodes for key in node if key.endswith(("manifest", "head"))
    ]
    for node, key in manifests[:2]:
        alter(node, key, 80)
    assert store.get("x") == b"data"
    for node, key in manifests[2:]:
        alter(node, key, 80)
    with pytest.raises(IntegrityError, match="node-3"):
        store.get("x")


def test_a_node_that_answers_with_far_too_much_is_not_believed(store):
    store.put("x", b"data")
    for key in [key for key in store.nodes[0] if key.endswith(("manifest", "head"))]:
        store.nodes[0][key] = b"z" * (8 << 20)
    assert store.get("x") == b"data"
    store.repair("x")
    assert all(len(value) < 1 << 20 for value in store.nodes[0].values())


@settings(max_examples=60)
@given(position=st.integers(0, 300), bit=st.integers(0, 7))
def test_no_altered_bit_of_a_manifest_is_believed(tmp_path_factory, position, bit):
    store = ShardedStore([{}], shared_ring(tmp_path_factory), k=1)
    store.put("x", b"data")
    node = store.nodes[0]
    for key in [key for key in node if key.endswith(("manifest", "head"))]:
        value = bytearray(node[key])
        value[position % len(value)] ^= 1 << bit
        node[key] = bytes(value)
    with pytest.raises((IntegrityError, NotFound)):
        store.get("x")


_RINGS: list[KeyRing] = []


def shared_ring(factory):
    if not _RINGS:
        _RINGS.append(
            KeyRing.create(factory.mktemp("ring") / "ring", "a passphrase for tests", **CHEAP)
        )
    return _RINGS[0]


@given(st.binary(max_size=600))
def test_parsing_a_manifest_from_anywhere_raises_one_typed_error(record):
    with contextlib.suppress(IntegrityError):
        SealedManifest.parse(record)


# --- versions -------------------------------------------------------------------------------------


def snapshot(store):
    return [dict(node) for node in store.nodes]


def restore(store, copies):
    for node, copy in zip(store.nodes, copies, strict=True):
        for key in list(node):
            del node[key]
        for key, value in copy.items():
            node[key] = value


def test_the_newest_version_is_read_and_the_older_one_is_gone_from_the_nodes(store):
    for version in (1, 2, 3):
        assert store.put("x", b"%d" % version).version == version
    assert store.get("x") == b"3"
    assert {key.split("/")[1] for node in store.nodes for key in node} == {"head", f"{3:016x}"}


def test_a_rollback_of_all_nodes_is_refused(store):
    store.put("x", b"old")
    copies = snapshot(store)
    receipt = store.put("x", b"new")
    restore(store, copies)
    with pytest.raises(StaleVersion):
        store.get("x", receipt=receipt)
    with pytest.raises(StaleVersion):  # the ring itself knows of the later version
        store.get("x")


def test_a_rollback_that_the_ring_cannot_know_is_still_refused_by_the_receipt(
    store, ring, monkeypatch
):
    # A ring without records, as before the first put by this release, that also shreds nothing.
    monkeypatch.setattr(type(ring), "acknowledge", lambda self, *_, **__: None)
    store.put("x", b"old")
    copies = snapshot(store)
    receipt = store.put("x", b"new")
    restore(store, copies)
    assert store.get("x") == b"old"
    with pytest.raises(StaleVersion):
        store.get("x", receipt=receipt)


def test_emptied_nodes_are_stale_for_a_receipt(store):
    receipt = store.put("x", b"data")
    restore(store, [{}] * 5)
    with pytest.raises(StaleVersion):
        store.get("x", receipt=receipt)
    with pytest.raises(NotEnoughShards, match="version 1, which was acknowledged"):
        store.get("x")


def test_the_same_version_with_another_digest_is_refused(store):
    receipt = store.put("x", b"data")
    forged = type(receipt)("x", 1, "00" * 32, receipt.size)
    with pytest.raises(IntegrityError):
        store.get("x", receipt=forged)
    store.put("x", b"newer")
    assert store.get("x", receipt=receipt) == b"newer"


def test_one_node_with_old_data_changes_nothing(store):
    store.put("x", b"old" * 100)
    copies = snapshot(store)
    store.put("x", b"new" * 100)
    restore(store, [copies[0], copies[1], *snapshot(store)[2:]])
    assert store.get("x") == b"new" * 100
    assert store.check("x").nodes["node-0"].missing == 1
    store.repair("x")
    assert store.check("x").intact


def test_a_head_that_a_slow_writer_set_back_does_not_hide_a_later_version(store):
    store.put("x", b"old")
    heads = [next(node[key] for key in node if key.endswith("head")) for node in store.nodes]
    store.put("x", b"new")
    for node, head in zip(store.nodes, heads, strict=True):
        node[next(key for key in node if key.endswith("head"))] = head
    assert store.get("x") == b"new"


def test_a_put_with_too_few_nodes_raises_and_leaves_the_old_version(mortal):
    mortal.put("x", b"old")
    keys = len(mortal.keyring.find(b""))
    for node in mortal.nodes[:2]:
        node.dead = True
    with pytest.raises(NotEnoughShards) as error:
        mortal.put("x", b"new" * (PIECE * 2))
    assert set(error.value.failures) == {"node-0", "node-1"}
    assert mortal.get("x") == b"old"
    assert len(mortal.keyring.find(b"")) == keys
    for node in mortal.nodes:
        node.dead = False
    assert mortal.get("x") == b"old"
    assert {key.split("/")[1] for node in mortal.nodes for key in shards_of(node)} == {f"{1:016x}"}
    assert mortal.put("x", b"newer").version > 1
    assert mortal.get("x") == b"newer"


def test_a_receipt_names_the_nodes_that_lack_it(mortal):
    mortal.nodes[4].dead = True
    assert mortal.put("x", b"data").lacking == ("node-4",)
    mortal.nodes[4].dead = False
    assert mortal.repair("x").rebuilt == {"node-4": 1}
    assert mortal.check("x").intact


def test_a_source_that_fails_midway_leaves_nothing(store):
    class Failing(io.RawIOBase):
        def __init__(self):
            self.left = 5 * PIECE

        def readable(self):
            return True

        def readinto(self, buffer):
            if self.left <= 0:
                raise OSError(5, "Input/output error")
            self.left -= len(buffer)
            return len(buffer)

    with pytest.raises(OSError, match="Input/output"):
        store.put("x", Failing())
    assert not any(shards_of(node) for node in store.nodes)
    assert store.keyring.find(b"") == []
    with pytest.raises(NotFound):
        store.get("x")


def test_of_writers_at_once_every_one_wins_a_version_of_its_own_or_is_told(store):
    outcomes = {}
    start = threading.Barrier(6)

    def write(number):
        start.wait()
        try:
            outcomes[number] = store.put("x", b"%d" % number * 100).version
        except WriteConflict:
            outcomes[number] = None

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = {version: number for number, version in outcomes.items() if version}
    assert len(won) == sum(version is not None for version in outcomes.values())
    if won:
        assert store.get("x") == b"%d" % won[max(won)] * 100


def test_a_writer_that_was_overtaken_is_told_and_leaves_nothing(store, ring):
    other = ShardedStore(store.nodes, ring, k=3)

    class Overtaken(io.BytesIO):
        def readinto(self, buffer):
            if self.tell() >= 6 * PIECE:  # beyond what is read before the version is claimed
                other.put("x", b"faster")
            return super().readinto(buffer)

    with pytest.raises(WriteConflict):
        store.put("x", Overtaken(b"s" * (6 * PIECE + 1)))
    assert store.get("x") == b"faster"
    assert store.check("x").intact


# --- names, deletion, shredding -------------------------------------------------------------------


def test_names_deletion_and_what_comes_after(store):
    assert store.names() == []
    for name in ("b", "a", "数据"):
        store.put(name, name.encode())
    assert store.names() == ["a", "b", "数据"]
    receipt = store.put("a", b"again")
    store.delete("a")
    assert store.names() == ["b", "数据"]
    for verb in (store.get, store.check, store.repair, store.delete):
        with pytest.raises(NotFound):
            verb("a")
    with pytest.raises(NotFound):
        store.get("a", receipt=receipt)
    assert store.put("a", b"reborn").version == receipt.version + 2
    assert store.get("a", receipt=receipt) == b"reborn"


def test_a_node_that_slept_through_a_deletion_does_not_bring_the_object_back(mortal):
    mortal.put("x", b"data")
    mortal.nodes[0].dead = True
    mortal.delete("x")
    mortal.nodes[0].dead = False
    with pytest.raises(NotFound):
        mortal.get("x")


def test_a_shredded_object_is_unreadable_even_when_its_shards_return(store):
    store.put("x", b"first")
    store.put("x", b"data" * 1000)
    copies = snapshot(store)
    report = store.shred("x")
    assert report.data_keys == 1
    assert all(len(node) == 0 for node in store.nodes)
    restore(store, copies)
    with pytest.raises(NotFound):
        store.get("x")
    with pytest.raises(NotFound):
        store.shred("x")
    assert store.names() == []
    store.put("x", b"anew")
    assert store.get("x") == b"anew"


def test_shredding_does_not_wait_for_a_dead_node(mortal):
    mortal.put("x", b"data")
    mortal.nodes[0].dead = True
    assert mortal.shred("x").unreachable == {"node-0": "refused"}
    mortal.nodes[0].dead = False
    with pytest.raises(NotFound):
        mortal.get("x")


def test_unknown_names_are_not_found(store):
    for verb in (store.get, store.check, store.repair, store.delete, store.shred):
        with pytest.raises(NotFound):
            verb("never put")


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 1025, "é" * 513, b"bytes", None, "\ud800"])
def test_names_that_cannot_be(store, name):
    for verb in (
        store.get,
        store.check,
        store.repair,
        store.delete,
        store.shred,
        lambda n: store.put(n, b""),
    ):
        with pytest.raises(InvalidName):
            verb(name)


@pytest.mark.parametrize("name", ["x", "x" * 1024, "é" * 512, "../../etc", "a/b", "*?[", "名字"])
def test_names_that_can(ring, tmp_path, name):
    store = ShardedStore([DirectoryNode(tmp_path / f"node-{i}") for i in range(3)], ring, k=2)
    store.put(name, b"data")
    assert store.get(name) == b"data"
    assert store.names() == [name]


# --- other rings, other shapes --------------------------------------------------------------------


def test_another_ring_finds_nothing(store, tmp_path):
    store.put("x", b"data")
    stranger = KeyRing.create(tmp_path / "other", "another passphrase", **CHEAP)
    with pytest.raises(NotFound):
        ShardedStore(store.nodes, stranger, k=3).get("x")


def test_a_rotated_ring_still_reads_and_receipts_stay_valid(store, ring, tmp_path):
    receipt = store.put("x", b"data")
    ring.rotate()
    again = KeyRing.open(tmp_path / "ring", "a passphrase for tests")
    assert ShardedStore(store.nodes, again, k=3).get("x", receipt=receipt) == b"data"


def test_another_k_reads_what_was_put_and_so_do_fewer_nodes_which_says_what_is_missing(store, ring):
    store.put("x", b"data")
    assert ShardedStore(store.nodes, ring, k=2).get("x") == b"data"
    fewer = ShardedStore(store.nodes[:4], ring, k=2)
    assert fewer.get("x") == b"data"
    assert fewer.check("x").margin == 1
    assert fewer.repair("x").unreachable == {"no node for shard 4": "the store has too few nodes"}


@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 1), (3, 3), (4, 2), (6, 4), (14, 10)])
def test_every_shape_survives_n_minus_k(ring, n, k):
    store = ShardedStore([SwitchedNode(f"node-{i}") for i in range(n)], ring, k=k)
    data = bytes(range(251)) * 99_991
    store.put("x", data)
    for node in store.nodes[: n - k]:
        node.dead = True
    if n - k <= store.write_quorum - 1:
        assert store.get("x") == data


@pytest.mark.parametrize(
    ("n", "k", "quorum"),
    [(2, 3, None), (5, 0, None), (5, 3, 2), (5, 3, 6), (0, 1, None), (5, "3", None)],
)
def test_shapes_that_cannot_be(ring, n, k, quorum):
    with pytest.raises(InvalidParameter):
        ShardedStore([{} for _ in range(n)], ring, k=k, write_quorum=quorum)


@pytest.mark.parametrize("source", [None, 5, "text file"])
def test_sources_that_cannot_be(store, source, tmp_path):
    if source == "text file":
        (tmp_path / "t").write_text("x")
        with (tmp_path / "t").open() as text, pytest.raises(InvalidParameter):
            store.put("x", text)
        return
    with pytest.raises(InvalidParameter):
        store.put("x", source)


def test_a_missing_file_and_a_folder_are_the_systems_errors(store, tmp_path):
    with pytest.raises(FileNotFoundError):
        store.put("x", tmp_path / "absent")
    with pytest.raises(IsADirectoryError):
        store.put("x", tmp_path)
    with pytest.raises(NotFound):
        store.get("x")


def test_memory_is_bounded_by_the_stripes_in_flight(ring, tmp_path):
    import tracemalloc

    class Zeros(io.RawIOBase):
        left = 200 * SEGMENT

        def readinto(self, buffer):
            count = min(len(buffer), self.left)
            self.left -= count
            buffer[:count] = bytes(count)
            return count

    class Nowhere(io.RawIOBase):
        def write(self, raw):
            return len(raw)

    store = ShardedStore([DirectoryNode(tmp_path / f"node-{i}") for i in range(5)], ring, k=3)
    tracemalloc.start()
    try:
        store.put("x", Zeros())
        store.get("x", Nowhere())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * SEGMENT


def test_every_error_is_a_lab_error():
    for error in (
        InvalidName,
        NotFound,
        NotEnoughShards,
        StaleVersion,
        WriteConflict,
        IntegrityError,
        InvalidParameter,
    ):
        assert issubclass(error, LabError)


def test_a_writer_killed_at_any_write_leaves_the_old_version_or_the_new(ring, monkeypatch):
    writes = limit_writes(monkeypatch)
    nodes = [MemoryNode(f"node-{i}") for i in range(5)]
    store = ShardedStore(nodes, ring, k=3)
    acknowledged, outcomes = b"0", set()
    for budget in range(40):
        writes.refill()
        store.put("x", acknowledged)
        writes.left = budget
        new = b"new %d" % budget
        try:
            store.put("x", new)
            outcomes.add("acknowledged")
            acknowledged = new
        except PowerCut:
            outcomes.add("cut")
        writes.refill()
        assert store.get("x") in {acknowledged, new}
        acknowledged = store.get("x")
    assert outcomes == {"acknowledged", "cut"}


def test_a_mapping_that_fails_in_words_that_nobody_knows_is_never_taken_for_one_that_stored(ring):
    class Odd(dict):
        def __setitem__(self, key, value):
            if is_shard(key):
                raise ZeroDivisionError
            super().__setitem__(key, value)

    store = ShardedStore([*({} for _ in range(4)), Odd()], ring, k=3)
    assert store.put("x", b"data" * SEGMENT).lacking == (store.nodes[4].name,)
    assert not shards_of(store.nodes[4])
    assert store.get("x") == b"data" * SEGMENT


def test_a_str_is_not_a_source_for_it_could_be_a_path_or_the_content(store, tmp_path):
    (tmp_path / "f").write_bytes(b"data")
    with pytest.raises(InvalidParameter, match=r"Path\(...\)"):
        store.put("x", str(tmp_path / "f"))
    assert store.names() == []
    store.put("x", tmp_path / "f")
    assert store.get("x") == b"data"
