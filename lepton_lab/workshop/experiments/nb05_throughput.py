"""How many bytes a second go through a connection on this machine: bare, under TLS, and as a message of the helper's.

Both ends stand in this process, each in a thread of its own. Names are those of the reference run.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import ExitStack

from lepton_lab import tls
from lepton_lab.errors import NodeError

PLAIN, BARE, MESSAGE = "plain TCP", "mutual TLS, bare `ssl`", "tls.send to Receiver.receive_into"
_PIECE = 2**18
_PATIENCE = 30.0  # seconds


def throughput(size: int = 2**25, rounds: int = 3) -> dict[str, float]:
    """Megabytes a second of PLAIN, BARE and MESSAGE for `size` bytes, the best of some rounds, all in turn.

    Timed from the first byte of data to the receiver's answer that it has all of it; a message, whose helper connects
    by itself, from before its handshake. Raises NodeError when a receiver breaks off.
    """
    ca = tls.LabCA.create()
    server = tls.server_context(ca.issue("localhost"), ca)
    client = tls.client_context(ca, ca.issue("client", client=True))
    data = bytes(size)
    best = dict.fromkeys((PLAIN, BARE, MESSAGE), float("inf"))
    for _ in range(rounds):
        best[PLAIN] = min(best[PLAIN], _poured(data, None, None))
        best[BARE] = min(best[BARE], _poured(data, server, client))
        with tls.Receiver("127.0.0.1", 0, server) as receiver:
            best[MESSAGE] = min(
                best[MESSAGE],
                tls.send(data, "127.0.0.1", receiver.port, client, "localhost").seconds,
            )
    return {name: size / 1e6 / seconds for name, seconds in best.items()}


def _poured(data: bytes, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> float:
    with ExitStack() as open_, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_PATIENCE)
        drain = threading.Thread(target=_drain, args=(listener, server, len(data)), daemon=True)
        drain.start()
        plain = open_.enter_context(socket.create_connection(listener.getsockname(), _PATIENCE))
        sender = plain if client is None else client.wrap_socket(plain, server_hostname="localhost")
        open_.enter_context(sender)
        started = time.perf_counter()
        sender.sendall(data)
        answer = sender.recv(1)
        seconds = time.perf_counter() - started
        drain.join()
    if not answer:
        raise NodeError("receiver", "it has not had everything")
    return seconds


def _drain(listener: socket.socket, context: ssl.SSLContext | None, expected: int) -> None:
    plain = listener.accept()[0]
    plain.settimeout(_PATIENCE)
    buffer = bytearray(_PIECE)
    with (
        plain,
        plain if context is None else context.wrap_socket(plain, server_side=True) as receiver,
    ):
        while expected > 0 and (count := receiver.recv_into(buffer)):
            expected -= count
        if expected == 0:
            receiver.sendall(b"\0")
