"""Tests lepton_lab.tls.receive and lepton_lab.tls.protocol: a message arrives whole or not at all.

Whatever the sender does. Who is served when many come is in test_admission.py.
"""

from __future__ import annotations

import gc
import hashlib
import io
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import tls
from lepton_lab.errors import (
    CertificateError,
    IntegrityError,
    InvalidParameter,
    LabError,
    MessageTooLarge,
    NodeError,
)
from lepton_lab.textbook.attacks.man_in_the_middle import TappedLine
from tests.support.tls_peers import ALICE, MAGIC, SERVER, Zeros, connected, listening, message
from tests.support.waiting import until

MESSAGE = message(b"abc", b"de")


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    left = [thread.name for thread in threading.enumerate() if "lepton_lab" in thread.name]
    assert left == []
    gc.collect(1)  # a socket that is not closed warns here, and a warning is an error


def still_serves(receiver: tls.Receiver) -> bool:
    tls.send(b"still there?", "127.0.0.1", receiver.port, ALICE)
    return receiver.receive(10) == b"still there?"


# --- what should work ---


@pytest.mark.parametrize("size", [0, 1, 2**14, 2**18 - 1, 2**18, 2**18 + 1, 2**21 + 7])
def test_a_message_arrives_and_the_sender_knows(size):
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    with listening() as receiver:
        transfer = tls.send(data, "127.0.0.1", receiver.port, ALICE)
        assert receiver.receive() == data
    assert (transfer.size, transfer.digest) == (size, hashlib.sha256(data).digest())
    assert (transfer.version, transfer.peer) == ("TLSv1.3", "127.0.0.1")
    assert transfer.cipher.startswith("TLS_")
    assert transfer.seconds > 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_host_names_and_both_kinds_of_address_work(host):
    try:
        socket.create_server(
            (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ).close()
    except OSError:
        pytest.skip(f"this machine has no {host}: give its loopback that address to run this")
    with tls.Receiver(host, 0, SERVER) as receiver:
        tls.send(b"x", host, receiver.port, ALICE)
        assert receiver.receive() == b"x"


def test_bytes_paths_and_binary_files_can_be_sent(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"on the disk")

    class Dribble(io.RawIOBase):
        def __init__(self) -> None:
            self.left = list(b"a dribble")

        def read(self, count: int = -1) -> bytes:
            return bytes([self.left.pop(0)]) if self.left and count else b""

        readinto = None

    with listening() as receiver:
        for source, expected in (
            (bytearray(b"array"), b"array"),
            (memoryview(b"abcdef")[::2], b"ace"),
            (str(path), b"on the disk"),
            (path, b"on the disk"),
            (io.BytesIO(b"file"), b"file"),
            (Dribble(), b"a dribble"),
        ):
            tls.send(source, "127.0.0.1", receiver.port, ALICE)
            assert receiver.receive() == expected


@pytest.mark.parametrize("data", [None, 5, ["a"], io.StringIO("text")])
def test_what_is_no_source_of_bytes_is_refused(data):
    with listening() as receiver, pytest.raises(InvalidParameter):
        tls.send(data, "127.0.0.1", receiver.port, ALICE)


def test_a_source_that_fails_raises_its_own_error_and_nothing_arrives(tmp_path):
    class Failing(io.BytesIO):
        def readinto(self, buffer: object) -> int:
            raise OSError(5, "the medium is worn out")

    with listening() as receiver:
        with pytest.raises(FileNotFoundError):
            tls.send(tmp_path / "absent", "127.0.0.1", receiver.port, ALICE)
        with pytest.raises(OSError, match="worn out"):
            tls.send(Failing(), "127.0.0.1", receiver.port, ALICE)
        with pytest.raises(NodeError):
            receiver.receive(0.05)
        assert still_serves(receiver)


def test_messages_keep_their_order_and_their_borders():
    with listening() as receiver:
        for number in range(20):
            tls.send(b"x" * number, "127.0.0.1", receiver.port, ALICE)
        assert [len(receiver.receive()) for _ in range(20)] == list(range(20))


def test_many_senders_at_once_lose_nothing(monkeypatch):
    # A machine under load may need more than a second for a handshake.
    monkeypatch.setattr("lepton_lab.tls.admission.GRACE", 60.0)
    messages = [str(number).encode() * 10_000 for number in range(40)]
    with listening(connections=6) as receiver, ThreadPoolExecutor(12) as pool:
        sending = [
            pool.submit(tls.send, each, "127.0.0.1", receiver.port, ALICE) for each in messages
        ]
        assert sorted(receiver.receive() for _ in messages) == sorted(messages)
        assert all(each.result().size for each in sending)
        assert receiver.failures == ()


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=200_000))
def test_any_bytes_arrive_as_they_were(data):
    with listening() as receiver:
        tls.send(data, "127.0.0.1", receiver.port, ALICE)
        assert receiver.receive() == data


def test_a_receiver_can_say_who_sent_a_message():
    sink = io.BytesIO()
    with listening() as receiver:
        transfer = tls.send(b"from alice", "127.0.0.1", receiver.port, ALICE)
        received = receiver.receive_into(sink)
    assert (received.size, received.digest, received.sender) == (10, transfer.digest, ("alice",))
    assert sink.getvalue() == b"from alice"


def test_an_acknowledged_message_survives_the_end_of_listening():
    with listening() as receiver:
        tls.send(b"acknowledged", "127.0.0.1", receiver.port, ALICE)
    assert receiver.receive() == b"acknowledged"
    with pytest.raises(NodeError, match="closed"):
        receiver.receive()


# --- big messages ---


class Counter(io.RawIOBase):
    """A sink that keeps nothing, and takes no more than some bytes at a time."""

    size = 0

    def write(self, raw: memoryview) -> int:
        taken = min(len(raw), 10_000)
        self.size += taken
        return taken


def test_a_message_longer_than_is_held_waits_for_its_receiver():
    data = bytes(range(256)) * 4096
    with listening(hold=1000) as receiver, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(tls.send, data, "127.0.0.1", receiver.port, ALICE)
        time.sleep(0.1)
        assert not sending.done()
        assert receiver.receive() == data
        assert sending.result().size == len(data)


def test_a_big_stream_passes_in_constant_memory():
    size = 48 * 2**20
    sink = Counter()
    with listening(hold=2**16, max_bytes=2**40) as receiver, ThreadPoolExecutor(1) as pool:
        tracemalloc.start()
        try:
            sending = pool.submit(tls.send, Zeros(size), "127.0.0.1", receiver.port, ALICE)
            received = receiver.receive_into(sink)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert (received.size, sink.size, sending.result().size) == (size, size, size)
        assert received.digest == sending.result().digest
    assert peak < 4 * 2**20


def test_what_is_held_is_bounded_over_all_messages():
    with listening(hold=100_000) as receiver, ThreadPoolExecutor(4) as pool:
        sending = [
            pool.submit(tls.send, bytes(60_000), "127.0.0.1", receiver.port, ALICE)
            for _ in range(4)
        ]
        until(lambda: len(receiver._ready) == 4)
        assert sum(len(each.held) for _, each in receiver._ready) <= 100_000
        assert sum(each.done() for each in sending) < 4
        assert [len(receiver.receive()) for _ in range(4)] == [60_000] * 4
        assert all(each.result().size == 60_000 for each in sending)
        assert receiver._memory.left == 100_000


def test_a_message_of_exactly_what_is_held_does_not_wait():
    with listening(hold=1000) as receiver:
        tls.send(bytes(1000), "127.0.0.1", receiver.port, ALICE)
        tls.send(b"", "127.0.0.1", receiver.port, ALICE)
        assert (receiver.receive(), receiver.receive()) == (bytes(1000), b"")


def test_a_message_over_the_receivers_limit_is_refused_by_the_sender_already():
    with listening(max_bytes=10) as receiver:
        with pytest.raises(MessageTooLarge, match="10 bytes"):
            tls.send(bytes(11), "127.0.0.1", receiver.port, ALICE)
        tls.send(bytes(10), "127.0.0.1", receiver.port, ALICE)
        assert receiver.receive() == bytes(10)


def test_a_sink_that_fails_leaves_the_sender_without_an_acknowledgement():
    class Full(io.RawIOBase):
        def write(self, raw: memoryview) -> int:
            raise OSError(28, "no space left")

    with listening(hold=1000) as receiver, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(tls.send, bytes(2**20), "127.0.0.1", receiver.port, ALICE)
        with pytest.raises(OSError, match="no space left"):
            receiver.receive_into(Full())
        with pytest.raises(NodeError):
            sending.result()
        assert still_serves(receiver)


def test_a_sink_that_fails_does_not_lose_a_message_that_was_acknowledged():
    class Full(io.RawIOBase):
        def write(self, raw: memoryview) -> int:
            raise OSError(28, "no space left")

    with listening() as receiver:
        tls.send(b"kept", "127.0.0.1", receiver.port, ALICE)
        with pytest.raises(OSError, match="no space left"):
            receiver.receive_into(Full())
        assert receiver.receive() == b"kept"


# --- hostile senders ---


@pytest.mark.parametrize("is_orderly", [True, False])
def test_a_message_cut_at_any_byte_is_never_received(is_orderly):
    with listening() as receiver:
        for cut in range(len(MESSAGE)):
            with connected(receiver) as connection:
                connection.sendall(MESSAGE[:cut])
                if is_orderly:
                    connection.settimeout(0)
                    with suppress(OSError):  # close_notify, without waiting for the other's
                        connection.unwrap()
        until(lambda: len(receiver.failures) == len(MESSAGE))
        with pytest.raises(NodeError, match="no message"):
            receiver.receive(0.01)
        assert still_serves(receiver)
        assert {type(failure) for failure in receiver.failures} == {NodeError}


def test_a_big_message_cut_while_it_is_being_received_gives_one_typed_error():
    for take in (
        lambda receiver: receiver.receive(0.5),
        lambda receiver: receiver.receive_into(io.BytesIO(), 0.5),
    ):
        with listening(hold=1000) as receiver:
            with connected(receiver) as connection:
                connection.sendall(MAGIC + struct.pack(">I", 5000) + bytes(2000))
                until(lambda: receiver._ready)
            with pytest.raises(NodeError):
                take(receiver)
            assert still_serves(receiver)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (MAGIC + struct.pack(">I", 2**20 + 1), NodeError),
        (MAGIC + struct.pack(">I", 2**32 - 1), NodeError),
        (MAGIC + (struct.pack(">I", 2**16) + bytes(2**16)) * 3, MessageTooLarge),
        (MAGIC + struct.pack(">I", 1001), MessageTooLarge),
        (b"lepton\0\2" + MESSAGE[8:], NodeError),
        (b"GET / HTTP/1.1\r\n\r\n", NodeError),
        (bytes(1000), NodeError),
    ],
    ids=[
        "long piece",
        "longest piece",
        "long message",
        "long only piece",
        "next version",
        "another protocol",
        "zeros",
    ],
)
def test_lengths_and_formats_that_cannot_be_are_refused_at_once(raw, kind):
    with listening(max_bytes=1000, timeout=30) as receiver:
        with connected(receiver) as connection:
            connection.sendall(raw)
            until(lambda: receiver.failures)
        assert type(receiver.failures[0]) is kind
        assert still_serves(receiver)


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=60))
def test_garbage_is_never_a_message(garbage):
    for raw in (garbage, MESSAGE[:-3] + b"\1" + garbage):
        if not raw.startswith(MESSAGE):
            with listening() as receiver:
                with connected(receiver) as connection:
                    connection.sendall(raw)
                until(lambda: receiver.failures)
                assert not receiver._ready


def test_a_slow_sender_and_one_that_dribbles_run_out_of_time():
    with listening(timeout=1.0) as receiver:
        with connected(receiver) as connection:
            connection.sendall(MESSAGE[:10])
            until(lambda: receiver.failures)
        with connected(receiver) as connection:  # never silent for long, yet it would take hours
            connection.sendall(MAGIC + struct.pack(">I", 2**20))
            with suppress(OSError):  # reset or broken pipe
                for _ in range(200):
                    connection.sendall(b".")
                    time.sleep(0.05)
        assert [failure.reason for failure in receiver.failures] == ["no answer in time"] * 2
        assert still_serves(receiver)


def test_a_piece_of_the_longest_length_is_taken():
    with listening() as receiver, connected(receiver) as connection:
        connection.sendall(message(bytes(2**20), b"and the end"))
        assert receiver.receive(10) == bytes(2**20) + b"and the end"


def test_an_endless_sender_is_cut_at_the_limit():
    with listening(max_bytes=2**20) as receiver:
        with connected(receiver) as connection, suppress(OSError):  # reset or broken pipe
            connection.sendall(MAGIC)
            while True:
                connection.sendall(struct.pack(">I", 2**16) + bytes(2**16))
        assert [type(each) for each in receiver.failures] == [MessageTooLarge]
        until(lambda: receiver._memory.left == 2**26)  # given back after the failure is noted
        assert still_serves(receiver)


def test_a_flood_of_empty_messages_waits_outside_and_every_one_is_a_message(monkeypatch):
    """They take no memory, so the number of messages has a limit of its own."""
    monkeypatch.setattr("lepton_lab.tls.admission.GRACE", 60.0)
    with listening(connections=4, messages=4) as receiver, ThreadPoolExecutor(40) as pool:
        sending = [pool.submit(tls.send, b"", "127.0.0.1", receiver.port, ALICE) for _ in range(40)]
        until(lambda: sum(each.done() for each in sending) == 4)
        time.sleep(0.2)
        assert (receiver._whole, sum(each.done() for each in sending)) == (4, 4)
        assert [receiver.receive() for _ in sending] == [b""] * 40
        assert {each.result().size for each in sending} == {0}
        assert receiver.failures == ()
        assert still_serves(receiver)


def test_a_handshake_cut_at_any_byte_is_one_typed_error_each():
    with listening() as receiver:
        with TappedLine(receiver.port) as line:
            tls.send(b"whole", "127.0.0.1", line.port, ALICE)
            assert receiver.receive() == b"whole"
        said = next(each.data for each in line.seen if each.sender == "client")  # the ClientHello
        for cut in range(0, len(said), 5):
            with socket.create_connection(("127.0.0.1", receiver.port)) as plain:
                plain.sendall(said[:cut])
        cuts = len(range(0, len(said), 5))
        until(lambda: len(receiver.failures) == cuts)
        assert {type(failure) for failure in receiver.failures} == {NodeError}
        assert still_serves(receiver)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        bytes(100),
        b"\x16\x03\x01\xff\xff" + bytes(70_000),
        b"\x16\x03",
    ],
)
def test_what_is_no_client_hello_is_dropped(raw):
    with listening(timeout=1.0) as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port)) as plain:
            plain.sendall(raw)
        until(lambda: receiver.failures)
        assert isinstance(receiver.failures[0], NodeError)
        assert still_serves(receiver)


def test_a_client_that_stalls_in_its_handshake_delays_nobody():
    with listening(timeout=30) as receiver:
        stalling = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(10)]
        started = time.monotonic()
        assert still_serves(receiver)
        assert time.monotonic() - started < 10
        for each in stalling:
            each.close()


def test_a_client_that_stalls_in_its_handshake_is_dropped_in_time():
    with listening(timeout=1.0, connections=2) as receiver:
        stalling = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(4)]
        assert still_serves(receiver)
        until(lambda: len(receiver.failures) == 4)
        for each in stalling:
            each.close()


def test_a_receiver_closes_at_once_whatever_its_clients_are_doing():
    with listening(timeout=60, hold=0) as receiver:
        stalling = socket.create_connection(("127.0.0.1", receiver.port))
        with (
            connected(receiver) as silent,
            connected(receiver) as halfway,
            connected(receiver) as parked,
        ):
            halfway.sendall(MESSAGE[:10])
            parked.sendall(MESSAGE[:-4])
            until(lambda: receiver._ready)
            started = time.monotonic()
            receiver.close()
            assert time.monotonic() - started < 30
            for each in (silent, halfway, parked):
                with pytest.raises(OSError):  # noqa: PT011 - cut, and never by an acknowledgement
                    each.recv(1) or pytest.fail("an orderly end")
        stalling.close()
        receiver.close()


def test_closing_wakes_whoever_waits_for_a_message():
    with ThreadPoolExecutor(1) as pool, listening() as receiver:
        waiting = pool.submit(receiver.receive, None)
        time.sleep(0.05)
        receiver.close()
        with pytest.raises(NodeError, match="closed"):
            waiting.result()


def test_only_the_last_hundred_failures_are_kept():
    with listening() as receiver:
        for _ in range(130):
            socket.create_connection(("127.0.0.1", receiver.port)).close()
        until(lambda: len(receiver.failures) == 100)
        assert still_serves(receiver)


# --- arguments ---


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "1", True])
def test_timeouts_that_are_none_are_refused(timeout):
    with pytest.raises(InvalidParameter):
        listening(timeout=timeout)
    with pytest.raises(InvalidParameter):
        tls.send(b"", "127.0.0.1", 1, ALICE, timeout=timeout)
    with listening() as receiver, pytest.raises(InvalidParameter):
        receiver.receive(timeout)


@pytest.mark.parametrize(
    "options",
    [
        *({"max_bytes": -1}, {"max_bytes": 2**63}, {"max_bytes": "1"}, {"hold": -1}, {"hold": 1.5}),
        *({"connections": 0}, {"connections": None}, {"allowed": "alice"}, {"allowed": 5}),
    ],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(InvalidParameter):
        listening(**options)


@pytest.mark.parametrize("context", [None, ALICE, "context"])
def test_a_receiver_wants_a_servers_context(context):
    with pytest.raises(InvalidParameter):
        tls.Receiver("127.0.0.1", 0, context)


def test_a_receiver_is_entered_once():
    with listening() as receiver, pytest.raises(InvalidParameter):
        receiver.__enter__()


def test_an_address_that_cannot_be_had_is_a_typed_error():
    with listening() as receiver, pytest.raises(NodeError, match="in use"):
        tls.Receiver("127.0.0.1", receiver.port, SERVER).__enter__()
    with pytest.raises(NodeError):
        tls.Receiver("192.0.2.1", 0, SERVER).__enter__()
    with pytest.raises(NodeError):
        tls.Receiver("no-such-host.invalid", 0, SERVER).__enter__()
    for host, port in (("", 0), ("127.0.0.1", -1), ("127.0.0.1", "0")):
        with pytest.raises(InvalidParameter):
            tls.Receiver(host, port, SERVER)


def test_every_error_of_this_module_is_the_labs_own():
    assert all(
        issubclass(each, LabError)
        for each in (CertificateError, NodeError, MessageTooLarge, IntegrityError)
    )
