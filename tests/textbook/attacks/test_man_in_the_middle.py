"""Tests lepton_lab.textbook.attacks.man_in_the_middle: he wins where a peer is not checked.

Against `lepton_lab.tls` he loses.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lepton_lab import tls
from lepton_lab.errors import CertificateError, InvalidParameter, NodeError
from lepton_lab.textbook.attacks import man_in_the_middle as mitm
from lepton_lab.textbook.primitives import diffie_hellman as tb_dh

CA = tls.LabCA.create()
SERVER = tls.server_context(CA.issue("localhost"), CA)
ALICE = tls.client_context(CA, CA.issue("alice", client=True))
SECRET = b"diagnosis: malignant" * 40


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if "line" in thread.name] == []


@pytest.mark.parametrize(("p", "g"), [(23, 5), (10007, 5), (2**127 - 1, 43)])
def test_each_side_agrees_with_mallory_and_with_nobody_else(p, g):
    trace = mitm.intercept(p, g, 6, 15, 13)
    assert trace.result == (trace["Alice's s"], trace["Bob's s"])
    assert trace["Alice's s"] != tb_dh.exchange(p, g, 6, 15).result
    assert trace["M"] == pow(g, 13, p)


@pytest.mark.parametrize("port", [0, -1, 2**16, "1", True, None])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(InvalidParameter):
        mitm.TappedLine(port)
    with pytest.raises(InvalidParameter):
        mitm.TappedLine(1, change=lambda number, record: record, as_server=SERVER)


@contextmanager
def plain_server(answer: bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as connection:
                while connection.recv(2**16):
                    pass
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_plain_connection_passes_unchanged_and_is_read():
    with plain_server(b"answer" * 50_000) as port, mitm.TappedLine(port) as line:
        with socket.create_connection(("127.0.0.1", line.port), 10) as connection:
            connection.sendall(SECRET)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(2**16), b""))
        assert answer == b"answer" * 50_000
        assert line.text == SECRET + answer
        assert [each.sender for each in line.seen][:1] == ["client"]
        assert sorted(each.time for each in line.seen) == [each.time for each in line.seen]


def test_tls_passes_unchanged_and_shows_neither_content_nor_sender():
    with tls.Receiver("127.0.0.1", 0, SERVER) as receiver, mitm.TappedLine(receiver.port) as line:
        for _ in range(3):
            tls.send(SECRET, "127.0.0.1", line.port, ALICE, "localhost")
            assert receiver.receive() == SECRET
    assert SECRET[:9] not in line.text
    assert b"alice" not in line.text
    assert b"localhost" in line.text  # the name that is asked for, in the ClientHello


@pytest.mark.parametrize(
    "change",
    [
        lambda number, record: record[:-1] + bytes([record[-1] ^ 1]) if number == LAST else record,
        lambda number, record: record * 2 if number == LAST else record,
        lambda number, record: b"" if number == LAST else record,
        lambda number, record: (
            record + bytes.fromhex("1703030013") + bytes(19) if number == LAST else record
        ),
    ],
    ids=["altered", "replayed", "left out", "made up"],
)
def test_a_record_that_is_not_the_senders_is_noticed_and_nothing_is_received(
    change: Callable[[int, bytes], bytes],
):
    with (
        tls.Receiver("127.0.0.1", 0, SERVER) as receiver,
        mitm.TappedLine(receiver.port, change=change) as line,
    ):
        with pytest.raises(NodeError):
            tls.send(SECRET, "127.0.0.1", line.port, ALICE, "localhost", timeout=2)
        with pytest.raises(NodeError):
            receiver.receive(0.01)
        tls.send(b"unharmed", "127.0.0.1", receiver.port, ALICE, "localhost")
        assert receiver.receive() == b"unharmed"


# before it: ClientHello, ChangeCipherSpec, Certificate, CertificateVerify and Finished in four, the
# message's format; it is a piece of the message
LAST = 6


def test_a_client_that_does_not_check_the_name_tells_mallory_everything():
    open_door = tls.server_context(CA.issue("localhost"), CA, require_client=False)
    mallory = tls.server_context(CA.issue("mallory.test"), CA, require_client=False)
    careless = tls.client_context(CA)
    careless.check_hostname = False
    with (
        tls.Receiver("127.0.0.1", 0, open_door) as receiver,
        mitm.TappedLine(
            receiver.port,
            as_server=mallory,
            as_client=tls.client_context(CA),
            server_name="localhost",
        ) as line,
    ):
        with pytest.raises(CertificateError, match="another host name"):
            tls.send(SECRET, "127.0.0.1", line.port, tls.client_context(CA), "localhost")
        assert SECRET[:9] not in line.text
        with (
            socket.create_connection(("127.0.0.1", line.port), 10) as plain,
            careless.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            greeting = connection.recv(100)
            connection.sendall(greeting[:8] + len(SECRET).to_bytes(4, "big") + SECRET + bytes(4))
            assert int.from_bytes(connection.recv(8), "big") == len(SECRET)
        assert receiver.receive() == SECRET
        assert SECRET in line.text


def test_a_client_certificate_that_mallory_cannot_show_keeps_him_out_as_well():
    mallory = tls.server_context(CA.issue("mallory.test"), CA)
    careless = tls.client_context(CA, CA.issue("alice", client=True))
    careless.check_hostname = False
    with (
        tls.Receiver("127.0.0.1", 0, SERVER) as receiver,
        mitm.TappedLine(
            receiver.port,
            as_server=mallory,
            as_client=tls.client_context(CA),
            server_name="localhost",
        ) as line,
        socket.create_connection(("127.0.0.1", line.port), 10) as plain,
        careless.wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False
        ) as connection,
    ):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connection.recv(100) or pytest.fail("an orderly end")
        for _ in range(1000):
            if receiver.failures:
                break
            time.sleep(0.01)
        assert [type(each) for each in receiver.failures] == [CertificateError]


def test_leaving_ends_whatever_still_hangs():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with (
            mitm.TappedLine(silent.getsockname()[1]) as line,
            socket.create_connection(("127.0.0.1", line.port)) as connection,
        ):
            connection.sendall(b"?")
            while not line.seen:
                time.sleep(0.01)
        assert time.monotonic() - started < 8


def test_a_server_that_is_not_there_is_the_clients_loss_alone():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        mitm.TappedLine(port) as line,
        socket.create_connection(("127.0.0.1", line.port), 5) as connection,
    ):
        assert connection.recv(1) == b""
