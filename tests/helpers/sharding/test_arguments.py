"""Tests lepton_lab.sharding.arguments: what a store refuses, and its largest object."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest

from lepton_lab.errors import InvalidParameter, LabError, MessageTooLarge
from lepton_lab.nodes import DirectoryNode, MemoryNode
from lepton_lab.sharding import Receipt, ShardedStore, manifest, stripes
from lepton_lab.sharding.manifest import is_shard


@pytest.fixture
def store(ring):
    return ShardedStore([MemoryNode(f"node-{index}") for index in range(5)], ring)


# --- sources -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "view",
    [memoryview(b"abcdef")[::2], memoryview(b"abcdef").cast("B", (2, 3)), memoryview(b"")[::2]],
    ids=["strided", "two dimensions", "empty"],
)
def test_a_view_of_any_shape_is_stored_as_its_bytes(store, view):
    assert store.put("x", view).size == view.nbytes
    assert store.get("x") == view.tobytes()


def test_a_view_of_wider_items_is_stored_as_its_bytes(store):
    numbers = np.arange(100, dtype=np.uint32)
    store.put("x", memoryview(numbers))
    assert store.get("x") == numbers.tobytes()


def closed():
    file = io.BytesIO(b"data")
    file.close()
    return file


class NothingYet:
    """A source whose `read` gives what a file in non-blocking mode gives."""

    def read(self, size=-1):
        return None


class NothingYetInto(io.RawIOBase):
    def readable(self):
        return True

    def readinto(self, buffer):
        return None


class PathOfNul(os.PathLike):
    def __fspath__(self):
        return "a\0b"


@pytest.mark.parametrize(
    "source",
    ["/etc/hostname", "text", closed(), NothingYet(), NothingYetInto(), PathOfNul(), [b"x"], 5,
     None, io.StringIO("text"), iter([b"x"])],
    ids=lambda source: type(source).__name__,
)  # fmt: skip
def test_sources_that_are_refused_store_nothing(store, source):
    with pytest.raises(InvalidParameter):
        store.put("x", source)
    assert store.names() == []
    assert not any(len(node) for node in store.nodes)


# --- sinks and receipts --------------------------------------------------------------------------


def test_sinks_that_are_refused(store, tmp_path):
    store.put("x", b"data" * 1000)
    (tmp_path / "f").write_bytes(b"")
    closed_sink = io.BytesIO()
    closed_sink.close()
    with (tmp_path / "f").open("rb") as read_only:
        for sink in ("out", 5, [], tmp_path / "out", io.StringIO(), read_only, closed_sink):
            with pytest.raises(InvalidParameter, match="sink"):
                store.get("x", sink)
    assert not (tmp_path / "out").exists()


def test_the_least_of_sinks_will_do(store):
    class Least:
        taken = b""

        def write(self, data):
            self.taken += bytes(data)

    store.put("x", b"data" * 1000)
    sink = Least()
    assert store.get("x", sink) == 4000
    assert sink.taken == b"data" * 1000


@pytest.mark.parametrize(
    "receipt",
    ["x", ("x", 1, "0" * 64), Receipt("x", "1", "0" * 64, 1), Receipt("x", 0, "0" * 64, 1),
     Receipt("x", True, "0" * 64, 1), Receipt("x", 1 << 70, "0" * 64, 1), Receipt("x", 1, None, 1),
     Receipt("x", 1, "0" * 63, 1), Receipt("y", 1, "0" * 64, 1), Receipt(None, 1, "0" * 64, 1)],
)  # fmt: skip
def test_receipts_that_are_refused(store, receipt):
    store.put("x", b"data")
    with pytest.raises(InvalidParameter, match="receipt"):
        store.get("x", receipt=receipt)


# --- the store's own parameters ------------------------------------------------------------------


def five():
    return [MemoryNode(f"node-{index}") for index in range(5)]


@pytest.mark.parametrize(
    "parameters",
    [{"k": True}, {"k": 3.0}, {"k": "3"}, {"k": 0}, {"k": 6}, {"n": 6}, {"n": "4"}, {"n": 4.0},
     {"write_quorum": 3.5}, {"write_quorum": "3"}, {"write_quorum": True}, {"write_quorum": 2},
     {"write_quorum": np.bool_(True)}, {"k": np.float64(3)},
     {"segment": 0}, {"segment": 65}, {"segment": 1 << 21}, {"segment": "64"},
     {"timeout": 0}, {"timeout": -1}, {"timeout": float("inf")}, {"timeout": "10"},
     {"timeout": float("nan")}, {"timeout": True}],
    ids=str,
)  # fmt: skip
def test_parameters_that_are_refused(ring, parameters):
    with pytest.raises(InvalidParameter):
        ShardedStore(five(), ring, **parameters)


def test_whole_numbers_of_numpy_are_whole_numbers(ring):
    store = ShardedStore(
        five(), ring, k=np.int64(2), n=np.uint8(4), write_quorum=np.int32(3), segment=np.int16(64)
    )
    assert (type(store.k), type(store.n), type(store.write_quorum)) == (int, int, int)
    store.put("x", b"data" * 100)
    assert store.get("x") == b"data" * 100


@pytest.mark.parametrize("keyring", [None, {}, "ring", object()])
def test_what_is_not_a_key_ring_is_refused(keyring):
    with pytest.raises(InvalidParameter, match=r"KeyRing\.create"):
        ShardedStore(five(), keyring)


@pytest.mark.parametrize("nodes", [{}, {"a": {}}, None, 5, "nodes", [], [[]] * 5, [None] * 5])
def test_what_is_not_a_list_of_nodes_is_refused(ring, nodes):
    with pytest.raises(LabError):
        ShardedStore(nodes, ring)


# --- which node is which -------------------------------------------------------------------------


def test_the_same_node_twice_is_refused(ring):
    node, mapping = MemoryNode("m"), {}
    for nodes in ([node, node, MemoryNode()], [mapping, {}, mapping]):
        with pytest.raises(InvalidParameter, match=r"nodes 0 and . are the same place"):
            ShardedStore(nodes, ring, k=1)


def test_nodes_of_one_name_stay_as_many_in_every_report(ring, tmp_path):
    places = [tmp_path / f"disk{index}" / "shards" for index in range(5)]
    nodes = [DirectoryNode(place, "shards", sync=False) for place in places]
    store = ShardedStore(nodes, ring)
    receipt = store.put("x", b"data" * 1000)
    names = [f"shards (node {index})" for index in range(5)]
    assert list(store.check("x").nodes) == names
    assert receipt.lacking == ()
    for index in (1, 3):
        for key in list(nodes[index]):
            del nodes[index][key]
    health = store.check("x")
    assert [node.good for node in health.nodes.values()] == [1, 0, 1, 0, 1]
    assert store.repair("x").rebuilt == {names[1]: 1, names[3]: 1}
    for index in (0, 4):
        places[index].rename(places[index].with_name("gone"))
    with pytest.raises(LabError) as error:
        store.put("x", b"newer")
    assert set(error.value.failures) == {names[0], names[4]}


def test_a_node_that_is_named_like_a_position_does_not_hide_another(ring):
    nodes = [MemoryNode("a (node 1)"), MemoryNode("a"), MemoryNode("a"), {}]
    nodes[3] = {}
    store = ShardedStore(nodes, ring, k=2)
    store.put("x", b"data")
    assert len(store.check("x").nodes) == 4


# --- the largest object --------------------------------------------------------------------------


@pytest.mark.parametrize("more", [0, 1])
def test_an_object_has_a_largest_number_of_segments(ring, monkeypatch, more):
    for module in (manifest, stripes):
        monkeypatch.setattr(module, "MOST_SEGMENTS", 12)
    store = ShardedStore(five(), ring, segment=64)
    data = b"x" * (12 * 48 + more)
    if not more:
        store.put("x", data)
        assert store.get("x") == data
        return
    with pytest.raises(MessageTooLarge, match="12 segments"):
        store.put("x", data)
    assert not any(is_shard(key) for node in store.nodes for key in node)
    assert store.names() == []
