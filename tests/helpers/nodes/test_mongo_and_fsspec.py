"""Tests lepton_lab.nodes.mongo_node and lepton_lab.nodes.fsspec_node.

URLs, failures in one language, and objects stored there.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from itertools import count

import pytest

from lepton_lab.errors import (
    InvalidParameter,
    NodeError,
    NotEnoughShards,
    OversizedValue,
    UnreadableValue,
)
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import DirectoryNode, FsspecNode, MongoNode, as_node, open_nodes
from lepton_lab.sharding import ShardedStore
from tests.support.mongo_servers import mongo_server

fsspec = pytest.importorskip("fsspec", reason="optional peer: pip install fsspec")
pymongo = pytest.importorskip("pymongo", reason="optional peer: pip install pymongo")
DATA = secrets.token_bytes(4 << 20)
SECRET = "hunter2"


@pytest.fixture
def ring(tmp_path):
    return KeyRing.create(tmp_path / "ring", "a passphrase for tests", scrypt_n=1 << 14)


@pytest.fixture(scope="module")
def mongo():
    with mongo_server() as url:
        yield url


# --- fsspec ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_objects_lie_on_file_systems_of_fsspec_as_on_any_node(ring, tmp_path, kind):
    where = f"{tmp_path}/" if kind == "file" else secrets.token_hex(8)
    nodes = open_nodes(f"fsspec+{kind}://{where}node-{index}" for index in range(6))
    store = ShardedStore(nodes, ring, n=5)
    receipt = store.put("x", DATA)
    assert store.get("x", receipt=receipt) == DATA
    held = [node for node in nodes if len(node)]
    assert len(held) == 5
    held[0].clear()
    held[1].clear()
    assert store.get("x", receipt=receipt) == DATA
    assert len(store.repair("x").rebuilt) == 2
    assert store.check("x").intact
    store.delete("x")
    assert store.names() == []


def test_a_mapping_of_fsspec_is_a_node_as_it_is_and_known_by_its_place(ring):
    mappings = [fsspec.get_mapper(f"memory://{secrets.token_hex(8)}") for _ in range(3)]
    store = ShardedStore(mappings, ring, k=2)
    assert [node.name for node in store.nodes] == [
        f"memory://{mapping.root}" for mapping in mappings
    ]
    assert all(isinstance(node, FsspecNode) for node in store.nodes)
    store.put("x", b"data")
    assert ShardedStore(mappings[::-1], ring, k=2).get("x") == b"data"


class Faulty(fsspec.AbstractFileSystem):
    """A file system whose every call fails with what it is given."""

    protocol = "faulty"
    cachable = False

    def __init__(self, error) -> None:
        super().__init__()
        self._error = error

    def _fail(self, *_, **__):
        raise self._error

    info = cat_file = pipe_file = rm_file = find = exists = invalidate_cache = _fail


class ClientError(Exception):
    """Like boto's, which is no OSError and tells what it was told."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(13, "Permission denied", "/a/path"), "permission denied"),
        (TimeoutError(), "timeouterror"),
        (OSError(28, "No space left on device"), "no space left on device"),
        (ClientError(f"403 for {SECRET}"), r"its file system failed \(ClientError\)"),
        (ValueError("nonsense"), r"its file system failed \(ValueError\)"),
        (KeyError("inside"), r"its file system failed \(KeyError\)"),
    ],
)
def test_whatever_a_file_system_raises_is_a_node_error_that_repeats_nothing(error, reason):
    node = FsspecNode(fsspec.mapping.FSMap("bucket/x", Faulty(error)), "far away")
    uses = {
        "read": lambda: node["a"],
        "read into": lambda: node.read_into("a", bytearray(9)),
        "write": lambda: node.write("a", b"1"),
        "delete": lambda: node.__delitem__("a"),
        "look": lambda: "a" in node,
        "claim": lambda: node.set_if_absent("a", b"1"),
        "list": lambda: list(node),
        "delete many": lambda: node.delete_many(["a", "b"]),
    }
    for use in uses.values():
        with pytest.raises(NodeError, match=f"^far away: {reason}$") as caught:
            use()
        assert SECRET not in str(caught.value)


def test_a_long_value_is_not_read_to_its_end():
    memory = pytest.importorskip(
        "fsspec.implementations.memory", reason="optional peer: pip install fsspec"
    )

    class Counting(memory.MemoryFileSystem):
        protocol = "counting"
        cachable = False
        read = 0

        def cat_file(self, path, start=None, end=None, **more):
            value = super().cat_file(path, start, end, **more)
            Counting.read += len(value)
            return value

        def info(self, path, **more):
            return super().info(path, **more) | {"size": 1}  # it lies

    files = Counting()
    node = FsspecNode(fsspec.mapping.FSMap(f"/{secrets.token_hex(8)}", files))
    node["a"] = bytes(1 << 20)
    with pytest.raises(OversizedValue, match="101 bytes is longer than the 100"):
        node.read_into("a", bytearray(100))
    assert Counting.read == 101


def test_a_local_folder_that_is_gone_is_no_empty_node(tmp_path):
    (node,) = open_nodes([f"fsspec+file://{tmp_path}/node"])
    node["a/b"] = b"1"
    (tmp_path / "node").rename(tmp_path / "unplugged")
    with pytest.raises(NodeError, match="its folder is not there"):
        node["a/b"] = b"2"
    with pytest.raises(NodeError, match="its folder is not there"):
        node["c"] = b"2"
    assert not (tmp_path / "node").exists()


def test_files_that_are_no_keys_are_left_alone(tmp_path):
    (node,) = open_nodes([f"fsspec+file://{tmp_path}"])
    (tmp_path / "README.txt").write_text("not ours")
    node["a"] = b"1"
    assert list(node) == ["a"]
    node.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["README.txt"]


@pytest.mark.skipif(os.name == "nt", reason="only on Windows are there no pipes")
def test_a_pipe_or_a_link_in_a_values_place_is_one_bad_value(tmp_path):
    (node,) = open_nodes([f"fsspec+file://{tmp_path}/node"])
    node["a"] = b"1"
    os.mkfifo(tmp_path / "node" / "pipe=")
    (tmp_path / "node" / "link=").symlink_to("/etc/passwd")
    for key in ("pipe", "link"):
        for read in (lambda key=key: node[key], lambda key=key: node.read_into(key, bytearray(9))):
            with pytest.raises(UnreadableValue, match="not a regular file"):
                read()
    assert node.get_bounded(["a", "pipe", "link"], 3) == [b"1", bytes(4), bytes(4)]


@pytest.mark.parametrize("answer", [None, 5, "text", [1]])
def test_a_file_system_that_gives_no_bytes_is_a_node_error(answer):
    class Odd(fsspec.AbstractFileSystem):
        protocol = "odd"
        cachable = False

        def info(self, path, **_):
            return {"size": 3, "type": "file"}

        def cat_file(self, path, **_):
            return answer

    node = FsspecNode(fsspec.mapping.FSMap("bucket", Odd()))
    for read in (lambda: node["a"], lambda: node.get_bounded(["a"], 9)):
        with pytest.raises(NodeError, match="where bytes should be"):
            read()


def test_two_nodes_over_one_folder_have_one_identity(tmp_path):
    first, second = open_nodes([f"fsspec+file://{tmp_path}/a", f"fsspec+file://{tmp_path}/b"])
    assert first.identity == DirectoryNode(tmp_path / "a").identity
    assert first.identity != second.identity
    mapping = fsspec.get_mapper("memory://somewhere")
    assert FsspecNode(mapping).identity == FsspecNode(mapping, "another").identity


# --- MongoDB -----------------------------------------------------------------------------------


def test_objects_lie_in_collections_as_on_any_node(ring, mongo):
    nodes = open_nodes(f"{mongo}?collection=node_{index}" for index in range(5))
    store = ShardedStore(nodes, ring, n=4)
    receipt = store.put("x", DATA)
    assert store.get("x", receipt=receipt) == DATA
    held = [node for node in nodes if len(node)]
    held[0].clear()
    assert store.get("x", receipt=receipt) == DATA
    assert len(store.repair("x").rebuilt) == 1
    assert store.check("x").intact
    store.shred("x")
    assert not any(list(node) for node in nodes)
    for node in nodes:
        node.close()


def test_two_collections_of_one_database_are_two_nodes_and_one_is_not(mongo):
    one, two = open_nodes([mongo, f"{mongo}?collection=other"])
    one["a"] = b"1"
    assert "a" not in two
    assert two.name == f"{mongo}?collection=other"
    with pytest.raises(InvalidParameter, match="is there twice"):
        open_nodes([mongo, f"{mongo}?socketTimeoutMS=100"])
    one.clear()
    for node in (one, two):
        node.close()


def test_a_collection_of_somebodys_client_is_a_node_and_stays_open(mongo):
    database = mongo.rpartition("/")[2]
    with pymongo.MongoClient(mongo) as client:
        node = MongoNode(client[database]["mine"])
        assert node.name == f"{database}.mine"
        node["a"] = b"1"
        node.close()
        assert node["a"] == b"1"
        client[database]["mine"].insert_many(
            [{"_id": 5, "v": b"x"}, {"_id": "%zz", "v": b"x"}, {"_id": "t", "v": "text"}]
        )
        assert sorted(node) == ["a", "t"]
        with pytest.raises(NodeError, match="it holds a str where bytes should be"):
            node["t"]
        client.drop_database(database)


def test_a_value_longer_than_a_document_is_a_node_error_and_the_next_one_is_stored(mongo):
    (node,) = open_nodes([mongo])
    with pytest.raises(NodeError, match="the value is longer than a document can be"):
        node["big"] = bytes(17 << 20)
    node["a"] = b"1"
    assert node["a"] == b"1"
    node.clear()
    node.close()


def test_a_server_that_is_away_is_a_node_error_in_time():
    address = f"mongodb://u:{SECRET}@127.0.0.1:1/lab?serverSelectionTimeoutMS=200"
    (node,) = open_nodes([address])
    assert node.name == "mongodb://127.0.0.1:1/lab"
    start = time.monotonic()
    for use in (
        lambda: node["a"],
        lambda: node.write("a", b"1"),
        lambda: list(node),
        lambda: node.set_if_absent("a", b""),
    ):
        with pytest.raises(NodeError, match="no answer within the time-out") as caught:
            use()
        assert SECRET not in str(caught.value)
    assert time.monotonic() - start < 20
    node.close()


def test_a_server_that_dies_is_named_and_the_object_is_still_there(ring):
    with mongo_server() as lasting:
        with mongo_server() as mortal:
            urls = [
                lasting,
                f"{lasting}?collection=b",
                f"{mortal}?serverSelectionTimeoutMS=500&socketTimeoutMS=500",
            ]
            if os.environ.get("LEPTON_LAB_MONGODB"):
                pytest.skip(
                    "optional peer: unset LEPTON_LAB_MONGODB; this test kills a server of its own"
                )
            nodes = open_nodes(urls)
            store = ShardedStore(nodes, ring, k=2, write_quorum=2)
            receipt = store.put("x", DATA)
        assert store.get("x", receipt=receipt) == DATA
        assert store.check("x").nodes[nodes[2].name].unreachable is not None
        assert store.put("x", b"newer").lacking == (nodes[2].name,)
        for node in nodes[:2]:
            node.clear()
        with pytest.raises(NotEnoughShards, match="acknowledged"):
            store.get("x")
        for node in nodes:
            node.close()


class Endless:
    """A collection that answers every question with documents without end."""

    full_name = "endless"

    def find(self, *_):
        return ({"_id": f"k{number}", "v": b"x"} for number in count())

    def find_one(self, *_):
        return 5

    update_one = find


def test_a_collection_without_end_is_a_node_error(monkeypatch):
    monkeypatch.setattr("lepton_lab.nodes.mongo_node._MOST_KEYS", 1000)
    node = MongoNode(Endless())
    with pytest.raises(NodeError, match="it lists more than 1,000 keys"):
        list(iter(node))
    monkeypatch.setattr("lepton_lab.nodes.listing.MOST_BYTES", 500)
    with pytest.raises(NodeError, match="it lists keys of more than"):
        list(iter(node))
    with pytest.raises(NodeError, match="not one to this question"):
        node.get_many(["k0", "k1"])
    with pytest.raises(NodeError, match=r"pymongo failed \(AttributeError\)|where bytes"):
        node["a"]


# --- URLs --------------------------------------------------------------------------------------

REFUSED = {
    f"mongodb://u:{SECRET}@h": "behind a slash a database",
    f"mongodb://u:{SECRET}@h/a.b": "behind a slash a database",
    f"mongodb://u:{SECRET}@/lab": "names a host",
    f"mongodb://u:{SECRET}@h:99999/lab": "does not take",
    f"mongodb://u:{SECRET}@h/lab?serverSelectionTimeout=5": "does not take",
    f"mongodb://u:{SECRET}@h/lab?socketTimeoutMS=soon": "does not take",
    f"mongodb://u:{SECRET}@h/lab?tls=true&tlsAllowInvalidHostnames=true": "always checked",
    f"mongodb://u:{SECRET}@h/lab?tls=true&tlsInsecure=true": "always checked",
    f"mongodb://u:{SECRET}@h/lab?tls=true&tlsCAFile=/nonexistent": "certificates cannot be used",
    f"fsspec+nowhere://u:{SECRET}@h/x": "no such protocol",
    f"fsspec+memory://?token={SECRET}": "behind the protocol comes the place",
    f"fsspec+file:///tmp/x?auto_mkdir=yes&{SECRET}": "malformed",
}


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_cannot_be_is_refused_and_its_password_is_not_repeated(url):
    with pytest.raises(InvalidParameter, match=REFUSED[url]) as caught:
        open_nodes([url])
    assert SECRET not in str(caught.value)


def test_a_write_is_acknowledged_when_it_is_journalled_unless_the_url_says_otherwise():
    for options, expected in (
        ("", {"w": "majority", "j": True}),
        ("?w=1&journal=false", {"w": 1, "j": False}),
    ):
        (node,) = open_nodes([f"mongodb://127.0.0.1:1/lab{options}"])
        assert node._collection.write_concern.document == expected
        assert node._collection.database.client.options.pool_options.socket_timeout == 5
        node.close()


def test_a_package_that_is_missing_is_named(monkeypatch):
    for package, url in (("pymongo", "mongodb://h/lab"), ("fsspec", "fsspec+memory://x")):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            with pytest.raises(NodeError, match=f"needs {package}: pip install 'lepton-lab"):
                open_nodes([url])


@pytest.mark.parametrize("thing", [{}, None, 5, "memory://x"])
def test_what_is_no_mapping_of_fsspec_and_no_collection_is_refused(thing):
    with pytest.raises(InvalidParameter):
        FsspecNode(thing)
    with pytest.raises(InvalidParameter):
        MongoNode(thing)


def test_as_node_knows_a_mapping_of_fsspec():
    mapping = fsspec.get_mapper("memory://somewhere")
    assert isinstance(as_node(mapping, "n"), FsspecNode)
