"""TLS 1.3 beside plain TCP on the loopback: handshakes, and the speed of messages.

Handshakes are measured with and without a client's certificate and a ticket. In memory, the bytes
of a handshake are counted, and what ML-KEM-768 adds to X25519.
"""

from __future__ import annotations

import io
import multiprocessing
import socket
import ssl
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.rows import Row, interleaved
from lepton_lab import tls
from lepton_lab.errors import NotFound
from lepton_lab.workshop.experiments import nb06_handshakes as handshakes

NAME = "localhost"
HANDSHAKES = 10  # in one sample
PIECE = 2**18
TCP = "TCP connection"
MUTUAL = "mutual handshake"
PLAIN = "plain TCP"
SECURED = "mutual TLS, bare `ssl`"
MESSAGE = "tls.send to Receiver.receive_into"


def run(quick: bool) -> list[Row]:
    """Measure handshakes in milliseconds and bulk data in MB/s, to servers in another process."""
    ca = tls.LabCA.create()
    with _servers(ca) as ports:
        return [*_handshakes(ca, ports, quick), *_bulk(ca, ports, quick), *_in_memory(quick)]


def _handshakes(ca: tls.LabCA, ports: dict[str, int], quick: bool) -> Iterator[Row]:
    mutual = tls.client_context(ca, ca.issue("alice", client=True))
    anonymous = tls.client_context(ca)
    tickets: list[ssl.SSLSession] = []

    def connect(port: int, context: ssl.SSLContext | None, *, resumes: bool = False) -> None:
        for _ in range(HANDSHAKES):
            with _connected(port) as plain:
                if context is None:
                    plain.recv(1)
                    continue
                ticket = tickets[-1] if resumes and tickets else None
                with context.wrap_socket(plain, server_hostname=NAME, session=ticket) as connection:
                    # The server's first byte follows its ticket; before it, it may still refuse.
                    connection.recv(1)
                    if resumes and connection.session is not None:
                        tickets[:] = [connection.session]

    seconds = interleaved(
        {
            TCP: lambda: connect(ports["greet plain"], None),
            MUTUAL: lambda: connect(ports["greet mutual"], mutual),
            "one-sided handshake": lambda: connect(ports["greet one-sided"], anonymous),
            "resumed mutual handshake": lambda: connect(
                ports["greet mutual"], mutual, resumes=True
            ),
        },
        5 if quick else 25,
    )
    for name, taken in seconds.items():
        yield Row(name, taken * 1000 / HANDSHAKES, "ms", seconds[MUTUAL] / taken, MUTUAL)


def _bulk(ca: tls.LabCA, ports: dict[str, int], quick: bool) -> Iterator[Row]:
    context = tls.client_context(ca, ca.issue("alice", client=True))
    data = bytes((16 if quick else 128) * 2**20)

    def pour(port: int, context: ssl.SSLContext | None) -> None:
        with _connected(port) as plain:
            end = plain if context is None else context.wrap_socket(plain, server_hostname=NAME)
            with end:
                end.sendall(len(data).to_bytes(8, "big"))
                for start in range(0, len(data), PIECE):
                    end.sendall(memoryview(data)[start : start + PIECE])
                end.recv(1)

    seconds = interleaved(
        {
            PLAIN: lambda: pour(ports["drain plain"], None),
            SECURED: lambda: pour(ports["drain mutual"], context),
            MESSAGE: lambda: tls.send(data, "127.0.0.1", ports["receive"], context, NAME),
        },
        3 if quick else 9,
    )
    for name, taken in seconds.items():
        speed = len(data) / 1e6 / taken
        note = "both ends hash the message, for the acknowledgement" if name == MESSAGE else ""
        yield Row(name, speed, "MB/s", seconds[PLAIN] / taken, PLAIN, note)


def _in_memory(quick: bool) -> Iterator[Row]:
    """Count the bytes of each kind of handshake, and measure both groups in memory.

    Compare the groups with each other only: the OpenSSL inside `cryptography` makes their
    handshakes, and Python's `ssl` uses another one.
    """
    taken = {name: work() for name, work in handshakes.kinds().items()}
    for name, handshake in taken.items():
        yield Row(f"{name} handshake, bytes", handshake.size, "bytes", note="tickets included")
    rounds = 20 if quick else 200
    try:
        with handshakes.groups() as works:
            every = [{name: work() for name, work in works.items()} for _ in range(rounds)]
            seen = every[rounds // 10 :]  # the first tenth warms up
    except NotFound as missing:
        yield Row(handshakes.HYBRID, 0.0, "not measured", note=str(missing))
        return
    medians = {name: statistics.median(each[name].seconds for each in seen) for name in seen[0]}
    classic = handshakes.CLASSIC
    for name, median in medians.items():
        yield Row(name, median * 1000, "ms", medians[classic] / median, classic, "in memory")
    for name, handshake in seen[0].items():
        yield Row(f"{name}, bytes", handshake.size, "bytes", note="one-sided, tickets included")


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    # without this a handshake waits 40 ms for an acknowledgement
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


# --- servers, in a process of their own so that they do not share the sender's interpreter lock --


@contextmanager
def _servers(ca: tls.LabCA) -> Iterator[dict[str, int]]:
    """Start the servers; give the port of each by its name."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "authority.pem")
        ca.save(path)
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(path, theirs), daemon=True
        )
        process.start()
        try:
            yield ours.recv()
        finally:
            process.terminate()
            process.join()
            ours.close()
            theirs.close()


def _serve(path: Path, parent: Connection) -> None:
    ca = tls.LabCA.load(path)
    identity = ca.issue(NAME, also=["127.0.0.1"])
    mutual = tls.server_context(identity, ca)
    one_sided = tls.server_context(identity, ca, require_client=False)
    # The lab's own servers issue no tickets. These do, as OpenSSL's do by default, so that a
    # resumed handshake can be measured beside the others.
    for context in (mutual, one_sided):
        context.num_tickets = 2
    contexts = {"plain": None, "mutual": mutual, "one-sided": one_sided}
    ports = {}
    for answer in (_greet, _drain):
        for name, context in contexts.items():
            listener = socket.create_server(("127.0.0.1", 0))
            ports[f"{answer.__name__[1:]} {name}"] = listener.getsockname()[1]
            threading.Thread(target=_answer, args=(listener, context, answer), daemon=True).start()
    receiving = tls.server_context(identity, ca)
    with tls.Receiver("127.0.0.1", 0, receiving, hold=PIECE) as receiver:
        ports["receive"] = receiver.port
        parent.send(ports)
        while True:
            receiver.receive_into(_Nowhere(), None)


def _answer(
    listener: socket.socket, context: ssl.SSLContext | None, answer: Callable[[socket.socket], None]
) -> None:
    while True:
        plain, _ = listener.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with (
            plain if context is None else context.wrap_socket(plain, server_side=True) as connection
        ):
            answer(connection)


def _greet(connection: socket.socket) -> None:
    connection.sendall(b"!")
    # The end that closes first has to wait for its port to be free again: let it be the client.
    connection.recv(1)


def _drain(connection: socket.socket) -> None:
    left = int.from_bytes(connection.recv(8), "big")
    buffer = bytearray(PIECE)
    while left:
        left -= connection.recv_into(buffer)
    connection.sendall(b"!")


class _Nowhere(io.RawIOBase):
    def write(self, raw: Any) -> int:
        return len(raw)
