"""Tests lepton_lab.tls.admission and lepton_lab.tls.receive: who is served when many come."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from lepton_lab import tls
from lepton_lab.errors import LabError, NodeError
from tests.support.tls_peers import ALICE, BOB, connected, listening, message, strangers
from tests.support.waiting import until

FIRST_BYTE = b"\x16"  # of a ClientHello's record


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    left = [thread.name for thread in threading.enumerate() if "lepton_lab" in thread.name]
    assert left == []


def served_within(seconds: float, receiver: tls.Receiver, **options: object) -> bool:
    """Whether an honest client gets a message through in that time."""
    started = time.monotonic()
    tls.send(b"honest", "127.0.0.1", receiver.port, ALICE, timeout=20, **options)
    took = time.monotonic() - started
    assert receiver.receive(10) == b"honest"
    assert took < seconds
    return True


def reasons(receiver: tls.Receiver) -> list[str]:
    return [failure.reason for failure in receiver.failures if isinstance(failure, NodeError)]


# --- messages, memory and connections are limits of their own ---


def test_messages_that_nobody_has_taken_yet_keep_no_connection():
    with listening(connections=2) as receiver:
        for number in range(10):
            tls.send(bytes([number]), "127.0.0.1", receiver.port, ALICE, timeout=5)
        assert [receiver.receive(1) for _ in range(10)] == [bytes([each]) for each in range(10)]


@pytest.mark.parametrize("limit", [1, 3])
def test_as_many_messages_are_kept_as_was_said_and_the_next_one_waits(limit):
    with listening(messages=limit) as receiver, ThreadPoolExecutor(1) as pool:
        for _ in range(limit):
            tls.send(b"x", "127.0.0.1", receiver.port, ALICE, timeout=5)
        waiting = pool.submit(tls.send, b"next", "127.0.0.1", receiver.port, ALICE)
        until(lambda: len(receiver._ready) == limit + 1)
        time.sleep(0.1)
        assert not waiting.done()
        assert [receiver.receive(5) for _ in range(limit + 1)] == [*[b"x"] * limit, b"next"]
        assert waiting.result().size == 4


def test_after_a_message_is_taken_there_is_room_for_the_next():
    with listening(messages=1) as receiver:
        for number in range(5):
            tls.send(bytes([number]), "127.0.0.1", receiver.port, ALICE, timeout=5)
            assert receiver.receive(5) == bytes([number])


def test_memory_is_reserved_before_it_is_used_and_never_exceeded():
    hold = 100_001
    with listening(hold=hold) as receiver, ExitStack() as clients:
        for _ in range(6):
            client = clients.enter_context(connected(receiver))
            client.sendall(message(bytes(40_000)))
        until(lambda: len(receiver._ready) == 6)
        held = [len(each.held) for _, each in receiver._ready]
        assert sum(held) <= hold
        assert receiver._memory.left == hold - sum(held)
        assert [len(receiver.receive(5)) for _ in range(6)] == [40_000] * 6
        assert receiver._memory.left == hold


def test_the_memory_of_a_message_that_is_being_written_out_is_free_for_others():
    started, go_on = threading.Event(), threading.Event()

    class SlowSink:
        size = 0

        def write(self, data: memoryview) -> int:
            self.size += len(data)
            if self.size > 50_000:
                started.set()
                go_on.wait(20)
            return len(data)

    with listening(hold=50_000) as receiver, ThreadPoolExecutor(2) as pool:
        sending = pool.submit(tls.send, bytes(10**6), "127.0.0.1", receiver.port, ALICE)
        taking = pool.submit(receiver.receive_into, SlowSink())
        assert started.wait(20)
        tls.send(bytes(50_000), "127.0.0.1", receiver.port, BOB, timeout=5)
        go_on.set()
        assert taking.result().size == sending.result().size == 10**6
        assert len(receiver.receive(5)) == 50_000


def test_a_sink_that_takes_nothing_does_not_lose_a_message_that_was_acknowledged():
    """The error is the lab's own, which must not be taken for the sender's."""

    class NothingTaken:
        def write(self, data: memoryview) -> int:
            return 0

    with listening() as receiver:
        tls.send(b"kept", "127.0.0.1", receiver.port, ALICE)
        with pytest.raises((LabError, BlockingIOError)):
            receiver.receive_into(NothingTaken())
        assert receiver.receive(5) == b"kept"


# --- strangers ---


@pytest.mark.parametrize("count", [3, 20])
def test_silent_strangers_delay_no_client(count):
    with listening(connections=2, timeout=30) as receiver, strangers(receiver, count):
        assert served_within(5, receiver)


def test_silent_strangers_cost_no_thread():
    with listening(connections=8, timeout=30) as receiver, strangers(receiver, 30):
        until(lambda: len(receiver._admission._silent) == 30)
        ours = [each for each in threading.enumerate() if "lepton_lab" in each.name]
        assert len(ours) == 1


def test_the_one_that_has_been_silent_longest_makes_room_for_the_next():
    with listening(connections=1, timeout=30) as receiver, strangers(receiver, 6) as found:
        until(lambda: len(receiver.failures) == 2)
        assert reasons(receiver) == ["it said nothing while others came"] * 2
        for dropped in found[:2]:
            dropped.settimeout(5)
            assert dropped.recv(1) == b""
        for staying in found[2:]:
            staying.settimeout(0)
            with pytest.raises(BlockingIOError):
                staying.recv(1)


def test_silent_strangers_that_come_back_at_once_delay_no_client():
    stop = threading.Event()

    def come_back(port: int) -> None:
        while not stop.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as plain:
                plain.settimeout(5)
                plain.recv(1)

    with listening(connections=2, timeout=1) as receiver, ThreadPoolExecutor(12) as pool:
        for _ in range(12):
            pool.submit(come_back, receiver.port)
        until(lambda: len(receiver.failures) > 12)
        assert served_within(10, receiver)
        assert served_within(10, receiver)
        stop.set()


def test_strangers_that_say_a_byte_and_then_nothing_make_room_after_a_second():
    with listening(connections=2, timeout=30) as receiver, strangers(receiver, 6, FIRST_BYTE):
        until(lambda: len(receiver._admission._handshakes) == 2)
        assert served_within(10, receiver)
        assert set(reasons(receiver)) == {"its handshake took long while others waited"}


def test_a_handshake_that_drips_is_over_at_its_deadline():
    """The time-out is for all of it: a byte now and then must not begin it again."""
    with listening(timeout=1) as receiver, strangers(receiver, 1, FIRST_BYTE) as (stranger,):
        started = time.monotonic()
        with suppress(OSError):
            for byte in b"\3\1\2\0" + bytes(200):
                stranger.sendall(bytes([byte]))
                time.sleep(0.1)
        until(lambda: receiver.failures)
        assert time.monotonic() - started < 10
        assert reasons(receiver) == ["no answer in time"]


def test_strangers_never_take_the_place_of_a_verified_client():
    """It is silent for long, and still the many who come have not shown a certificate."""
    with (
        listening(connections=1, timeout=30) as receiver,
        connected(receiver) as slow,
        strangers(receiver, 3),
        strangers(receiver, 3, FIRST_BYTE),
    ):
        time.sleep(2.5)
        slow.sendall(message(b"slow"))
        assert receiver.receive(10) == b"slow"


# --- verified clients ---


def test_verified_clients_that_say_nothing_make_room_for_another():
    with listening(connections=2, timeout=30) as receiver, ExitStack() as clients:
        for _ in range(2):
            clients.enter_context(connected(receiver, BOB))
        assert served_within(10, receiver)
        why = "it was silent while another verified client waited for a place"
        assert reasons(receiver) == [why]


def test_a_verified_client_that_speaks_keeps_its_place_when_others_are_silent():
    with listening(connections=2, timeout=30) as receiver, ExitStack() as clients:
        silent = clients.enter_context(connected(receiver, BOB))
        speaking = clients.enter_context(connected(receiver, BOB))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(tls.send, b"next", "127.0.0.1", receiver.port, ALICE)
            whole = message(*[b"."] * 20)
            for start in range(0, len(whole), 5):
                speaking.sendall(whole[start : start + 5])
                time.sleep(0.1)
            assert waiting.result().size == 4
        assert sorted([receiver.receive(5), receiver.receive(5)]) == [b"." * 20, b"next"]
        with pytest.raises(OSError):  # noqa: PT011 - cut off, in one way or another
            silent.recv(1) or pytest.fail("an orderly end")


def test_a_client_that_waits_for_us_is_not_silent():
    """Its message is too long to be held, so it is the receiver who keeps it waiting."""
    with listening(connections=1, hold=10, timeout=3) as receiver, connected(receiver) as parked:
        parked.sendall(message(b"longer than is held"))
        until(lambda: receiver._ready)
        with pytest.raises(NodeError):
            tls.send(b"no place", "127.0.0.1", receiver.port, BOB, timeout=10)
        assert reasons(receiver) == ["no place became free in time: try again later"]
        assert receiver.receive(5) == b"longer than is held"


def test_a_client_that_may_not_send_here_is_told_so_although_there_is_no_place():
    with (
        listening(connections=1, hold=0, allowed=["alice"], timeout=30) as receiver,
        connected(receiver) as parked,
    ):
        parked.sendall(message(b"x"))
        until(lambda: receiver._ready)
        with pytest.raises(LabError, match="does not allow"):
            tls.send(b"x", "127.0.0.1", receiver.port, BOB, timeout=10)
        assert receiver.receive(5) == b"x"


def test_more_clients_than_places_are_all_served(monkeypatch):
    # A machine under load may need more than a second for a handshake.
    monkeypatch.setattr("lepton_lab.tls.admission.GRACE", 60.0)
    with listening(connections=3) as receiver, ThreadPoolExecutor(30) as pool:
        sending = [
            pool.submit(tls.send, bytes([each]), "127.0.0.1", receiver.port, ALICE)
            for each in range(30)
        ]
        found = sorted(receiver.receive(20) for _ in range(30))
        assert found == [bytes([each]) for each in range(30)]
        assert all(each.result().size == 1 for each in sending)
        assert receiver.failures == ()


# --- a system that has no more to give ---


def test_without_threads_a_client_is_lost_and_the_receiver_goes_on(monkeypatch):
    with listening() as receiver:
        original = threading.Thread.start

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        with strangers(receiver, 1, FIRST_BYTE):
            until(lambda: receiver.failures)
        assert reasons(receiver) == ["no thread could be started for it"]
        monkeypatch.setattr(threading.Thread, "start", original)
        assert served_within(10, receiver)


def test_without_file_descriptors_a_silent_stranger_makes_room(monkeypatch):
    with listening(timeout=30) as receiver, strangers(receiver, 1):
        until(lambda: receiver._admission._silent)
        listener = receiver._admission._listener
        refusals = [OSError(errno.EMFILE, "too many open files")]

        class Exhausted:
            def accept(self) -> object:
                if refusals:
                    raise refusals.pop()
                return listener.accept()

            def fileno(self) -> int:
                return listener.fileno()

        monkeypatch.setattr(receiver._admission, "_accept_one", _with(receiver, Exhausted()))
        assert served_within(10, receiver)
        assert reasons(receiver)[-1] == "it said nothing while others came"


def _with(receiver: tls.Receiver, listener: object) -> object:
    """Accept by another listener than the admission's own."""
    admission = receiver._admission
    accept_one = admission._accept_one
    real = admission._listener

    def accept() -> None:
        admission._listener = listener
        try:
            accept_one()
        finally:
            admission._listener = real

    return accept


def test_a_receiver_can_be_entered_again_after_it_was_closed():
    receiver = listening(timeout=30)
    with receiver, strangers(receiver, 3):
        until(lambda: len(receiver._admission._silent) == 3)
    receiver.port = 0
    with receiver:
        assert served_within(10, receiver)


def test_close_ends_clients_in_every_stage_at_once():
    with (
        ThreadPoolExecutor(1) as pool,
        listening(connections=2, hold=0, timeout=60) as receiver,
        strangers(receiver, 2),
        connected(receiver),
        connected(receiver) as parked,
        strangers(receiver, 2, FIRST_BYTE),
    ):
        parked.sendall(message(b"x"))
        until(lambda: receiver._ready)
        started = time.monotonic()
        pool.submit(receiver.close).result(20)
        assert time.monotonic() - started < 10
