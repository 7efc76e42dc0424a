"""Tests lepton_lab.nodes.redis_wire and lepton_lab.nodes.redis_node.

Against servers that lie, hang and hang up: a NodeError each time, and never another key's bytes.
"""

from __future__ import annotations

import socket
import threading
import time

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.nodes import RedisNode, redis_clients, redis_wire
from lepton_lab.nodes.redis_node import _literally


class Impostor:
    """A server that answers HELLO, then whatever it was told to, once for each command; None hangs,
    b"" hangs up.
    """

    hello = b"%1\r\n$5\r\nproto\r\n:3\r\n"

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections, self.answers, self.slow = 0, [], 0.0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as commands:
            while line := self._line(commands):
                words = [
                    commands.read(int(self._line(commands)[1:]) + 2) for _ in range(int(line[1:]))
                ]
                answer = (
                    self.hello
                    if words[0] == b"HELLO\r\n"
                    else self.answers.pop(0)
                    if self.answers
                    else b""
                )
                if answer is None:
                    continue
                if not answer:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                if not self._say(connection, answer):
                    return

    def _say(self, connection: socket.socket, answer: bytes) -> bool:
        try:
            for piece in (
                [answer] if not self.slow else [answer[i : i + 1] for i in range(len(answer))]
            ):
                connection.sendall(piece)
                time.sleep(self.slow)
        except OSError:  # the node did not wait for the rest
            return False
        return True

    @staticmethod
    def _line(commands) -> bytes:
        try:
            return commands.readline()
        except OSError:
            return b""

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


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


def test_a_server_that_drips_is_given_up(impostor, hasty, monkeypatch):
    monkeypatch.setattr(redis_wire, "_SLOWEST", 1 << 30)
    impostor.slow = 0.05
    impostor.answers = [b"$100\r\n" + b"x" * 102]
    begin = time.monotonic()
    with pytest.raises(NodeError, match="within the time-out"):
        hasty.read_into("a", bytearray(100))
    assert time.monotonic() - begin < 3  # the drip alone would take five seconds


def test_a_client_that_keeps_its_own_reader_is_read_through_it(impostor, node, monkeypatch):
    class Nothing:
        socket = ()

    monkeypatch.setattr(redis_wire, "socket", Nothing)
    impostor.answers = [
        b"$5\r\nhello\r\n",
        b"$-1\r\n",
        b"$9\r\n123456789\r\n",
        b"+OK\r\n",
        b"$1\r\nx\r\n",
    ]
    buffer = bytearray(8)
    assert node.read_into("a", buffer) == 5
    with pytest.raises(KeyError):
        node.read_into("a", buffer)
    with pytest.raises(NodeError, match="9 bytes"):
        node.read_into("a", buffer)
    with pytest.raises(NodeError, match=r"longer|not one"):
        node.read_into("a", bytearray(1))
    assert node.read_into("a", buffer) == 1


def test_this_redis_py_is_read_straight_from_its_socket(impostor, node, monkeypatch):
    monkeypatch.setattr(redis_wire, "_fetch_slowly", None)
    impostor.answers = [b"$5\r\nhello\r\n"]
    assert node.read_into("a", bytearray(5)) == 5


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
    assert _literally(b"a*b?c[d]e\\f^-") == b"a\\*b\\?c\\[d\\]e\\\\f^-"


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
