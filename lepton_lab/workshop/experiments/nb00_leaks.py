"""What somebody on the line learns of a TLS connection that he cannot read: how many records, how long, and when."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from lepton_lab import tls
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks.man_in_the_middle import TappedBytes, TappedLine

_HEADER, _APPLICATION_DATA = 5, 23
_MOST = 2**14  # bytes of content in a record (RFC 8446 §5.1)
_PATIENCE = 10.0


class Glimpse(NamedTuple):
    """A record of the client's that passed: when, in seconds after the first, and the length that its header says."""

    time: float
    length: int


def watched(
    messages: Sequence[bytes], pauses: Iterable[float] = (), *, server_name: str = "localhost"
) -> tuple[list[Glimpse], bytes]:
    """Send messages over TLS, a record each, and return what somebody on the line has seen of them, and all the bytes.

    messages: each of 1 to 2^14 bytes, which fit a record. pauses: seconds to wait before each message, none where
    there are no more. server_name: whom the client asks for. Raises InvalidParameter.
    """
    if not all(0 < len(message) <= _MOST for message in messages):
        raise InvalidParameter("a message that is to be one record has 1 to 2^14 bytes")
    ca = tls.LabCA.create()
    server = tls.server_context(ca.issue(server_name), ca, require_client=False)
    with _silent_server(server) as port, TappedLine(port) as line:
        waits = iter(pauses)
        with (
            socket.create_connection(("127.0.0.1", line.port), _PATIENCE) as plain,
            tls.client_context(ca).wrap_socket(plain, server_hostname=server_name) as connection,
        ):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for message in messages:
                time.sleep(next(waits, 0.0))
                connection.sendall(message)
            with suppress(OSError):
                connection.unwrap()
        seen = [each for each in line.seen if each.sender == "client"]
        glimpses = [glimpse for glimpse in _records(seen) if glimpse.length][
            -len(messages) - 1 : -1
        ]
    first = glimpses[0].time if glimpses else 0.0
    return [Glimpse(glimpse.time - first, glimpse.length) for glimpse in glimpses], line.text


def _records(seen: Iterable[TappedBytes]) -> Iterator[Glimpse]:
    """The protected records in a stream, each with the time at which it was whole (RFC 8446 §5.1)."""
    waiting = b""
    for each in seen:
        waiting += each.data
        while len(waiting) >= (end := _HEADER + int.from_bytes(waiting[3:5], "big")) > _HEADER:
            if waiting[0] == _APPLICATION_DATA:
                yield Glimpse(each.time, end - _HEADER)
            waiting = waiting[end:]


@contextmanager
def _silent_server(context: ssl.SSLContext) -> Iterator[int]:
    """A server that takes one connection in and says nothing, on a port that is yielded."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_PATIENCE)

        def serve() -> None:
            with suppress(OSError), listener.accept()[0] as plain:
                plain.settimeout(_PATIENCE)
                with context.wrap_socket(plain, server_side=True) as connection:
                    while connection.recv(2**14):
                        pass
                    connection.unwrap()

        thread = threading.Thread(target=serve, name="a silent server", daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()
