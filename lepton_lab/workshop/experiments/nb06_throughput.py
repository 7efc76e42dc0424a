"""How many bytes a second go through a connection on this machine, for notebook 06.

Three ways are compared: plain TCP, TCP under TLS, and a message by the helper. Both ends are in
this process, each in its own thread. The names are those of the reference run.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import ExitStack

from lepton_lab import tls
from lepton_lab.errors import NodeError

PLAIN = "plain TCP"
BARE = "mutual TLS, bare `ssl`"
MESSAGE = "tls.send to Receiver.receive_into"
_BUFFER_SIZE = 2**18  # bytes
_TIMEOUT = 30.0  # seconds


def throughput(size: int = 2**25, rounds: int = 3) -> dict[str, float]:
    """Megabytes a second of PLAIN, BARE and MESSAGE: the best of some rounds, in which all take
    turns.

    size: bytes that are sent each time.

    PLAIN and BARE are timed from the first byte of data to the receiver's answer that it has all
    of it. The helper connects by itself, so MESSAGE is timed from before its handshake. Raises
    NodeError when a receiver closes the connection early.
    """
    ca = tls.LabCA.create()
    server = tls.server_context(ca.issue("localhost"), ca)
    client = tls.client_context(ca, ca.issue("client", client=True))
    data = bytes(size)
    best = dict.fromkeys((PLAIN, BARE, MESSAGE), float("inf"))
    for _ in range(rounds):
        best[PLAIN] = min(best[PLAIN], _send_all(data, None, None))
        best[BARE] = min(best[BARE], _send_all(data, server, client))
        with tls.Receiver("127.0.0.1", 0, server) as receiver:
            transfer = tls.send(data, "127.0.0.1", receiver.port, client, "localhost")
        best[MESSAGE] = min(best[MESSAGE], transfer.seconds)
    return {name: size / 1e6 / seconds for name, seconds in best.items()}


def _send_all(data: bytes, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> float:
    """Seconds to send the data, under TLS where contexts are given."""
    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_TIMEOUT)
        drain = threading.Thread(target=_drain, args=(listener, server, len(data)), daemon=True)
        drain.start()
        address = listener.getsockname()
        plain = stack.enter_context(socket.create_connection(address, _TIMEOUT))
        sender = plain if client is None else client.wrap_socket(plain, server_hostname="localhost")
        stack.enter_context(sender)
        start = time.perf_counter()
        sender.sendall(data)
        answer = sender.recv(1)
        seconds = time.perf_counter() - start
        drain.join()
    if not answer:
        raise NodeError("receiver", "it closed the connection before it had all of the data")
    return seconds


def _drain(listener: socket.socket, context: ssl.SSLContext | None, expected: int) -> None:
    """Accept a connection, read so many bytes, and answer one byte when all have come."""
    buffer = bytearray(_BUFFER_SIZE)
    with ExitStack() as stack:
        plain = stack.enter_context(listener.accept()[0])
        plain.settimeout(_TIMEOUT)
        receiver = plain if context is None else context.wrap_socket(plain, server_side=True)
        stack.enter_context(receiver)
        while expected > 0:
            count = receiver.recv_into(buffer)
            if count == 0:
                return
            expected -= count
        if expected == 0:
            receiver.sendall(b"\0")
