"""Tests lepton_lab.nodes.redis_wire, lepton_lab.nodes.redis_exchange,
lepton_lab.nodes.redis_limits, lepton_lab.nodes.redis_errors and lepton_lab.nodes.redis_node.

Against servers that lie, hang and hang up: a NodeError each time, and never another key's bytes.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from itertools import count
from types import SimpleNamespace

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import InvalidParameter, NodeError, OversizedValue, UnreadableValue
from lepton_lab.nodes import RedisNode, redis_clients, redis_exchange, redis_limits
from lepton_lab.nodes.redis_wire import literally
from tests.support.redis_impostor import Impostor, drip, flood


@pytest.fixture
def impostor():
    server = Impostor()
    yield server
    server.close()


@pytest.fixture
def node(impostor):
    node = RedisNode(redis_clients.server_client(host="127.0.0.1", port=impostor.port), name="n")
    yield node
    node.close()


@pytest.fixture
def hasty(impostor):
    """A node that soon gives up, for servers that hang."""
    node = RedisNode(
        redis_clients.server_client(host="127.0.0.1", port=impostor.port, socket_timeout=1.0),
        name="n",
    )
    yield node
    node.close()


@pytest.mark.parametrize("slow", [0.0, 0.001], ids=["at once", "byte by byte"])
def test_honest_answers_are_read(impostor, node, slow):
    impostor.slow = slow
    impostor.answers = [b"$5\r\nhello\r\n", b"$0\r\n\r\n", b"$200\r\n" + b"\r\n" * 100 + b"\r\n"]
    buffer = bytearray(200)
    assert node.read_into("a", buffer) == 5
    assert buffer[:5] == b"hello"
    assert node.read_into("a", buffer) == 0
    assert node.read_into("a", buffer) == 200
    assert buffer == b"\r\n" * 100
    assert impostor.connections == 1


@pytest.mark.parametrize("answer", [b"$-1\r\n", b"_\r\n"], ids=["RESP2", "RESP3"])
def test_an_absent_key_is_a_key_error_and_the_connection_serves_on(impostor, node, answer):
    impostor.answers = [answer, answer, b"$1\r\nx\r\n"]
    buffer = bytearray(1)
    for _ in range(2):
        with pytest.raises(KeyError):
            node.read_into("a", buffer)
    assert node.read_into("a", buffer) == 1
    assert impostor.connections == 1


@pytest.mark.parametrize("slow", [0.0, 0.001], ids=["at once", "byte by byte"])
def test_small_values_are_asked_for_at_once_and_told_apart(impostor, node, slow):
    impostor.slow = slow
    impostor.answers = [
        b"$3\r\none\r\n",
        b"_\r\n",
        b"$0\r\n\r\n",
        b"$70\r\n" + b"\r\n" * 35 + b"\r\n",
        b"$-1\r\n",
    ]
    assert node.get_bounded("abcde", 70) == [b"one", None, b"", b"\r\n" * 35, None]
    assert impostor.connections == 1


def test_an_answer_too_many_is_no_answer_to_the_next_question(impostor, node):
    impostor.answers = [b"$1\r\na\r\n", b"$1\r\nb\r\n$1\r\nc\r\n", b"$4\r\nnext\r\n"]
    with pytest.raises(NodeError, match="not one to this question"):
        node.get_bounded("ab", 8)
    assert node.get_bounded("d", 8) == [b"next"]
    assert impostor.connections == 2


def test_a_client_with_redis_pys_own_settings_serves_too(impostor):
    node = RedisNode(redis.Redis(port=impostor.port, driver_info=None), name="n")
    impostor.answers = [b"-ERR unknown subcommand\r\n", b"$5\r\nhello\r\n", b"$-1\r\n", b"+OK\r\n"]
    assert node.read_into("a", bytearray(5)) == 5
    with pytest.raises(KeyError):
        node.read_into("a", bytearray(5))
    node.write("a", b"1")
    assert impostor.connections == 1
    impostor.answers = [
        b"+OK\r\n$6\r\nforged\r\n",
        b"-ERR unknown subcommand\r\n",
        b"$4\r\ntrue\r\n",
    ]
    node.write("a", b"1")
    buffer = bytearray(6)
    assert node.read_into("a", buffer) == 4  # the answer before the question is not believed
    assert buffer[:4] == b"true"
    node.close()


HOSTILE = {
    "too long": (b"$9\r\n123456789\r\n", "9 bytes is longer than the 8"),
    "absurdly long": (b"$999999999999999999\r\n", "longer than the 8"),
    "beyond any integer": (b"$" + b"9" * 40 + b"\r\n", "not one to this question"),
    "negative": (b"$-2\r\n", "not one to this question"),
    "no number": (b"$five\r\nhello\r\n", "not one to this question"),
    "a status": (b"+OK\r\n", "not one to this question"),
    "a number": (b":5\r\n", "not one to this question"),
    "a list": (b"*1\r\n$5\r\nhello\r\n", "not one to this question"),
    "a push": (b">2\r\n$1\r\na\r\n$1\r\nb\r\n", "not one to this question"),
    "nonsense": (
        b"\x16\x03\x01\x00\x05hello, this is no answer at all, however long one waits for its end",
        "not one",
    ),
    "wrong end": (b"$5\r\nhelloXX", "not one to this question"),
    "more than was announced": (b"$5\r\nhello\r\n$5\r\nworld\r\n", "not one to this question"),
    "two absences": (b"$-1\r\n$-1\r\n", "not one to this question"),
    "cut off in the value": (b"$5\r\nhel", "within the time-out"),
    "cut off in the line": (b"$5", "within the time-out"),
    "silence": (None, "within the time-out"),
    "hanging up": (b"", "closed"),
    "an error": (
        b"-NOPERM this user has no permissions to secret-word\r\n",
        "access list does not permit",
    ),
    "an error that quotes": (
        b"-ERR unknown command, with args beginning with: `secret-word`\r\n",
        "answered ERR",
    ),
    "an unknown error": (b"-SECRET-word hunter2\r\n", "answered ERR"),
    "a malformed redirection": (b"-MOVED secret-word\r\n", "answered MOVED|not one"),
}


@pytest.mark.parametrize(("answer", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_to_a_read_is_a_node_error_and_the_next_key_gets_its_own_bytes(
    impostor, hasty, answer, reason
):
    impostor.answers = [answer, b"$4\r\nnext\r\n"]
    buffer = bytearray(8)
    with pytest.raises(NodeError, match=reason) as caught:
        hasty.read_into("a", buffer)
    assert caught.value.node == "n"
    assert "secret" not in str(caught.value).lower()
    assert hasty.read_into("b", buffer) == 4
    assert buffer[:4] == b"next"
    assert impostor.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"+NO\r\n",
        b":1\r\n",
        b"$2\r\nOK\r\n",
        b"+OK\r\n+OK\r\n",
        b"-OOM memory\r\n",
        b"-\r\n",
        b"",
        None,
        b"+O",
        b"nonsense\r\n",
    ],
)
def test_a_hostile_answer_to_a_write_is_a_node_error_and_the_next_write_is_on_its_own(
    impostor, hasty, answer
):
    impostor.answers = [answer, b"+OK\r\n"]
    if answer == b"+OK\r\n+OK\r\n":
        hasty.write("a", b"1")  # one good answer, and then one that nobody asked for
    else:
        with pytest.raises(NodeError):
            hasty.write("a", b"1")
    hasty.write("b", b"2")
    assert impostor.connections == 2


OPERATIONS = {
    "read": (lambda n: n["a"], lambda answer: type(answer) is bytes),
    "read into": (
        lambda n: n.read_into("a", bytearray(64)),
        lambda answer: type(answer) is int and 0 <= answer <= 64,
    ),
    "get_bounded": (
        lambda n: n.get_bounded("ab", 64),
        lambda answer: (
            len(answer) == 2 and all(value is None or len(value) <= 65 for value in answer)
        ),
    ),
    "write": (lambda n: n.write("a", b"x" * 100), lambda answer: answer is None),
    "set_if_absent": (lambda n: n.set_if_absent("a", b"1"), lambda answer: type(answer) is bool),
    "get_many": (
        lambda n: n.get_many("ab"),
        lambda answer: len(answer) == 2 and {bytes, type(None)} >= set(map(type, answer)),
    ),
    "delete_many": (lambda n: n.delete_many(["a"]), lambda answer: answer is None),
    "delete": (lambda n: n.__delitem__("a"), lambda answer: answer is None),
    "in": (lambda n: "a" in n, lambda answer: type(answer) is bool),
    "list": (list, lambda answer: answer == []),  # no reply here names a key with the prefix
}
REPLIES = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda kind, rest, end: kind + rest + end,
        st.sampled_from(
            [
                b"$",
                b"+",
                b"-",
                b":",
                b"*",
                b"_",
                b"%",
                b">",
                b"~",
                b"#",
                b"(",
                b",",
                b"=",
                b"|",
                b"!",
            ]
        ),
        st.one_of(st.binary(max_size=20), st.integers(-3, 70).map(lambda n: b"%d" % n)),
        st.sampled_from([b"\r\n", b"", b"\r\nabc\r\n", b"\r\n:1\r\n", b"\r\n$1\r\na\r\n*0\r\n"]),
    ),
    st.sampled_from(
        [
            b"-MOVED x\r\n",
            b"-ASK 1 x\r\n",
            b"-MOVED 1 h:p\r\n",
            b"*2\r\n$1\r\n0\r\n:1\r\n",
            b"*1\r\n*0\r\n",
        ]
    ),
)


@pytest.mark.parametrize(("operation", "is_sound"), OPERATIONS.values(), ids=OPERATIONS.keys())
def test_any_answer_whatever_gives_a_sound_result_or_a_node_error(impostor, operation, is_sound):
    node = RedisNode(
        redis_clients.server_client(host="127.0.0.1", port=impostor.port, socket_timeout=0.02),
        name="n",
    )

    @settings(max_examples=40)
    @given(REPLIES)
    def any_answer(reply):
        impostor.answers = [reply]
        try:
            answer = operation(node)
        except (NodeError, KeyError):
            return
        assert is_sound(answer)

    any_answer()
    node.close()


def test_a_server_that_drips_is_given_up(impostor, hasty):
    impostor.slow = 0.05
    impostor.answers = [b"$100\r\n" + b"x" * 102]
    begin = time.monotonic()
    with pytest.raises(NodeError, match="within the time-out"):
        hasty.read_into("a", bytearray(100))
    assert time.monotonic() - begin < 3  # the drip alone would take five seconds


def test_a_value_that_moves_fast_enough_may_take_longer_than_the_time_out(
    impostor, hasty, monkeypatch
):
    monkeypatch.setattr(redis_exchange, "SLOWEST", 10)
    impostor.slow = 0.05
    impostor.answers = [b"$40\r\n" + b"x" * 40 + b"\r\n"]
    begin = time.monotonic()
    assert hasty.read_into("a", bytearray(40)) == 40
    assert time.monotonic() - begin > 1  # the time-out


HOSTILE_FOR_EVER = {
    "drips its first line": drip(b"", b"+"),
    "drips after +O": drip(b"+O"),
    "drips a length": drip(b"$", b"0"),
    "drips a value": drip(b"$50\r\n"),
    "drips an error": drip(b"-ERR "),
    "drips an integer": drip(b":", b"0"),
    "floods a bulk string of 9 TB": flood(b"$9000000000000\r\n"),
    "floods a line": flood(b"+"),
    "floods an error": flood(b"-ERR "),
    "floods an integer": flood(b":", b"1" * (1 << 20)),
    "floods an array": flood(b"*2000000000\r\n", b"$1\r\na\r\n" * 100_000),
    "floods a nested array": flood(b"", b"*1\r\n" * 200_000),
    "floods a listing": flood(b"*2\r\n$1\r\n7\r\n*2000000000\r\n", b"$1\r\na\r\n" * 100_000),
    "floods a cursor": flood(b"*2\r\n$9000000000000\r\n", b"1" * (1 << 20)),
    "drips a listing": drip(b"*2\r\n$1\r\n7\r\n*9\r\n", b""),
    "floods a map": flood(b"%2000000000\r\n", b"$1\r\na\r\n" * 100_000),
}


@pytest.mark.parametrize("answer", HOSTILE_FOR_EVER.values(), ids=HOSTILE_FOR_EVER.keys())
@pytest.mark.parametrize("operation", OPERATIONS, ids=OPERATIONS)
def test_no_answer_to_any_command_is_waited_for_or_read_without_end(impostor, answer, operation):
    client = redis_clients.server_client(host="127.0.0.1", port=impostor.port, socket_timeout=0.4)
    node = RedisNode(client, name="n")
    impostor.always = lambda _: answer
    begin = time.monotonic()
    with suppress(NodeError):
        # What announces 9 TB is reported as a value that is too long, and was not read.
        assert OPERATIONS[operation][0](node) == [bytes(65), bytes(65)]
    assert time.monotonic() - begin < 2
    assert impostor.sent < 32 << 20  # what fits into the sockets' buffers comes on top
    node.close()


@pytest.mark.parametrize(
    "hello",
    [
        drip(b"%1\r\n$5\r\nproto\r\n:3\r", b""),
        drip(b"-"),
        flood(b"$9000000000000\r\n"),
        flood(b"%2000000000\r\n", b"$1\r\na\r\n" * 100_000),
        flood(b"", b"*1\r\n" * 200_000),
        b"*1\r\n" * 10_000,
    ],
)
def test_a_connection_that_is_opened_is_bounded_too(impostor, hello):
    impostor.hello = hello
    client = redis_clients.server_client(
        host="127.0.0.1", port=impostor.port, socket_timeout=0.4, username="u", password="hunter2"
    )
    node = RedisNode(client, name="n")
    for operation, _ in OPERATIONS.values():
        begin = time.monotonic()
        with pytest.raises(NodeError, match=r"^n: "):
            operation(node)
        assert time.monotonic() - begin < 2
    assert impostor.sent < 200 << 20


def listing(cursor: int, *keys: bytes) -> bytes:
    """A reply to SCAN."""
    words = [b"$%d\r\n%b\r\n" % (len(key), key) for key in keys]
    return b"*2\r\n$%d\r\n%d\r\n*%d\r\n%b" % (
        len(b"%d" % cursor),
        cursor,
        len(keys),
        b"".join(words),
    )


def test_a_listing_is_read_step_by_step_and_names_each_key_once(impostor, node):
    impostor.answers = [
        listing(9, b"lep:a", b"lep:b", b"foreign"),
        listing(17),
        listing(0, b"lep:b", b"lep:c/d"),
    ]
    assert list(iter(node)) == ["a", "b", "c/d"]  # list(node) would ask for its length first
    assert impostor.connections == 1


def test_a_cursor_that_repeats_ends_the_listing_with_an_error(impostor, node):
    cursors = iter([5, 6, 5, 6, 5, 6])
    impostor.always = lambda _: listing(next(cursors))
    with pytest.raises(NodeError, match="not one to this question"):
        list(node)
    assert len(list(cursors)) >= 2


@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_a_cursor_that_never_returns_to_0_ends_the_listing_with_an_error(impostor, pause):
    client = redis_clients.server_client(host="127.0.0.1", port=impostor.port, socket_timeout=0.4)
    node = RedisNode(client, name="n")
    cursors = count(1)

    def another(_):
        def pieces():
            yield pause
            yield listing(next(cursors))

        return pieces

    impostor.always = another
    begin = time.monotonic()
    with pytest.raises(NodeError, match="within the time-out"):
        list(node)
    assert time.monotonic() - begin < 3
    node.close()


def test_a_listing_without_end_stops_at_a_million_keys(impostor, node, monkeypatch):
    monkeypatch.setattr("lepton_lab.nodes.redis_node._MOST_KEYS", 1000)
    cursors = count(1)

    def another(_):
        cursor = next(cursors)
        return listing(cursor, *(b"lep:%d/%d" % (cursor, each) for each in range(400)))

    impostor.always = another
    with pytest.raises(NodeError, match="it lists more than 1,000 keys"):
        list(node)


def test_a_listing_of_long_keys_without_end_does_not_fill_the_memory(impostor, node, monkeypatch):
    monkeypatch.setattr("lepton_lab.nodes.listing.MOST_BYTES", 1 << 20)
    cursors = count(1)
    length = 4000

    def another(_):
        cursor = next(cursors)
        if cursor > 1000:
            return listing(0)
        return listing(cursor, b"lep:" + b"%d" % cursor + b"x" * length)

    impostor.always = another
    with pytest.raises(NodeError, match="it lists keys of more than 1 MiB"):
        list(node)
    length = 5000
    cursors = count(1)
    with pytest.raises(NodeError, match="it lists a key of more than 4,096 bytes"):
        list(node)


@pytest.mark.parametrize("answer", [b":3\r\n", b":-1\r\n", b"+OK\r\n", b":9999999999999999999\r\n"])
def test_a_count_of_keys_that_were_not_asked_for_is_refused(impostor, node, answer):
    impostor.always = lambda _: answer
    for use in (lambda: node.delete_many(["a", "b"]), lambda: "a" in node):
        with pytest.raises(NodeError, match="not one to this question"):
            use()


def test_a_key_that_holds_something_else_is_one_bad_value(impostor, node):
    impostor.always = lambda _: b"-WRONGTYPE Operation against a key of another kind\r\n"
    for read in (lambda: node["a"], lambda: node.read_into("a", bytearray(9))):
        with pytest.raises(UnreadableValue, match="the key holds something else than a value"):
            read()
    assert node.get_bounded("ab", 3) == [bytes(4), bytes(4)]


def test_values_that_are_asked_for_one_by_one_have_one_deadline_together(impostor):
    client = redis_clients.server_client(host="127.0.0.1", port=impostor.port, socket_timeout=0.4)
    node = RedisNode(client, name="n")

    def slowly():
        yield 0.3
        yield b"$99\r\n"

    impostor.always = lambda _: slowly
    begin = time.monotonic()
    with pytest.raises(NodeError, match="within the time-out"):
        node.get_bounded([f"k{i}" for i in range(100)], 9)
    assert time.monotonic() - begin < 4
    node.close()


def test_a_claim_is_answered_by_ok_or_by_null(impostor, node):
    impostor.answers = [b"+OK\r\n", b"$-1\r\n", b"_\r\n", b":1\r\n"]
    assert [node.set_if_absent("a", b"1") for _ in range(3)] == [True, False, False]
    with pytest.raises(NodeError, match="not one to this question"):
        node.set_if_absent("a", b"1")


def test_a_value_beyond_the_servers_limit_is_refused_before_it_is_sent(impostor, node):
    with pytest.raises(OversizedValue, match="longer than the 67108864"):
        node.write("a", bytes((64 << 20) + 1))
    impostor.answers = [b"$67108865\r\n"]
    with pytest.raises(OversizedValue, match="67108865 bytes is longer"):
        node["a"]


def test_a_clusters_layout_with_slots_that_do_not_exist_is_refused():
    require = redis_limits._require_slots
    server = [b"127.0.0.1", 6379, b"id"]
    require([[0, 8191, server], [8192, 16383, server]])
    require([[b"get", 2, []], b"else", [1]])
    for rows in (
        [[0, 10**12, server]],
        [[-5, 3, server]],
        [[9, 3, server]],
        [[0, 16383, server], [0, 16383, server]],
    ):
        with pytest.raises(redis.exceptions.InvalidResponse, match="slots that do not exist"):
            require(rows)


def cluster_node(impostor, answer, seconds=0.4) -> RedisNode:
    """A node of a cluster of one server, which answers everything but the layout as it is told."""
    host = b"$9\r\n127.0.0.1\r\n:%d\r\n" % impostor.port
    layout = b"*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n" + host + b"$2\r\nid\r\n"
    names = (b"get", b"set", b"exists", b"unlink", b"scan")
    rows = [
        b"*10\r\n$%d\r\n%b\r\n:2\r\n*0\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n" % (len(n), n)
        for n in names
    ]
    commands = b"*%d\r\n" % len(rows) + b"".join(rows)
    own = {b"CLUSTER": layout, b"COMMAND": commands}
    impostor.always = lambda words: own.get(words[0].split()[0], answer)
    client = redis_clients.cluster_client([("127.0.0.1", impostor.port)], socket_timeout=seconds)
    return RedisNode(client, "lep:{0}:", "n")


@pytest.mark.parametrize("code", ["MOVED", "ASK"])
def test_a_cluster_that_redirects_for_ever_is_a_node_error_in_time(impostor, code):
    node = cluster_node(impostor, f"-{code} 13907 127.0.0.1:{impostor.port}\r\n".encode(), 1)
    for name, (operation, _) in OPERATIONS.items():
        begin = time.monotonic()
        with pytest.raises(NodeError, match=r"^n: "):
            operation(node)
        assert time.monotonic() - begin < 3, name
    node.close()


@pytest.mark.parametrize(
    "answer",
    [
        drip(b"+O"),
        flood(b"$9000000000000\r\n"),
        flood(b"*2000000000\r\n", b"$1\r\na\r\n" * 100_000),
        drip(b"-MOVED 13907 ", b"1"),
    ],
)
def test_a_server_of_a_cluster_is_bounded_in_every_command(impostor, answer):
    node = cluster_node(impostor, answer)
    for name, (operation, _) in OPERATIONS.items():
        begin = time.monotonic()
        with suppress(NodeError):
            assert operation(node) == [bytes(65), bytes(65)]
        assert time.monotonic() - begin < 2, name
    assert impostor.sent < 200 << 20
    node.close()


def test_a_layout_that_floods_or_drips_is_not_waited_for(impostor):
    node = cluster_node(impostor, b"+OK\r\n")
    node._refresh_first = True
    for layout in (drip(b"*1\r\n"), flood(b"*2000000000\r\n", b"*0\r\n" * 100_000)):
        impostor.always = lambda _, layout=layout: layout
        begin = time.monotonic()
        with pytest.raises(NodeError, match=r"^n: "):
            node["a"]
        assert time.monotonic() - begin < 2
    node.close()


def test_a_release_of_redis_py_that_keeps_its_socket_elsewhere_is_refused(impostor, node):
    for kind in (None, object()):
        connection = SimpleNamespace(is_connected=True, _sock=kind)
        with pytest.raises(redis.ConnectionError, match="keeps its socket elsewhere"):
            redis_exchange.RedisExchange(connection, time.monotonic() + 1)
    impostor.answers = [b"$5\r\nhello\r\n"]
    assert node.read_into("a", bytearray(5)) == 5  # and this release does not


def test_two_nodes_at_one_server_with_one_prefix_have_one_identity():
    def at(prefix="lep:", **where):
        return RedisNode(redis_clients.server_client(**where), prefix).identity

    assert at(host="h", port=1) == at(host="h", port=1, socket_timeout=9)
    places = [
        at(host="h", port=1),
        at(host="h", port=2),
        at(host="i", port=1),
        at(host="h", port=1, db=1),
        at("other:", host="h", port=1),
        at(path="/run/h"),
    ]
    assert len(set(places)) == len(places)


def test_nobody_at_the_address_is_a_node_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    node = RedisNode(redis_clients.server_client(host="127.0.0.1", port=port))
    assert node.name == f"127.0.0.1:{port}"
    for operation, _ in OPERATIONS.values():
        with pytest.raises(NodeError, match=f"127.0.0.1:{port}: connection refused"):
            operation(node)


def test_a_password_is_in_no_error(impostor):
    impostor.hello = (
        b"-ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` `lepton` `hunter2`\r\n"
    )
    client = redis_clients.server_client(
        host="127.0.0.1", port=impostor.port, username="lepton", password="hunter2"
    )
    with pytest.raises(NodeError) as caught:
        RedisNode(client)["a"]
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert "hunter2" not in repr(RedisNode(client))


def test_glob_characters_in_a_prefix_stand_for_themselves():
    assert literally(b"a*b?c[d]e\\f^-") == b"a\\*b\\?c\\[d\\]e\\\\f^-"


@pytest.mark.parametrize("client", [None, "redis://localhost", redis.Redis(decode_responses=True)])
def test_a_client_that_cannot_carry_bytes_is_refused(client):
    with pytest.raises(InvalidParameter):
        RedisNode(client)


def test_a_session_keeps_one_connection_until_its_end_and_takes_another_after_a_failure(
    impostor, node
):
    looks = []
    with node.session() as one:
        pool = node._client.connection_pool
        impostor.answers = [b"$1\r\na\r\n", b"+OK\r\n", b"_\r\n"]
        assert one.get_bounded(["a"], 8) == [b"a"]
        looks.append(len(pool._in_use_connections))
        one.write("a", b"1")
        assert one.get_bounded(["b"], 8) == [None]
        looks.append(impostor.connections)
        impostor.answers = [b"+OK\r\n", b"$1\r\nx\r\n"]
        with pytest.raises(NodeError):
            one.get_bounded(["a"], 8)
        looks.append(len(pool._in_use_connections))
        assert one.get_bounded(["a"], 8) == [b"x"]
        looks.append(impostor.connections)
    assert looks == [1, 1, 0, 2]
    assert not pool._in_use_connections
