"""What an observer of a TLS connection learns: how many records, how long, and when."""

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

_HEADER_SIZE = 5  # bytes before a record's content, the last two of them its length (RFC 8446 §5.1)
_APPLICATION_DATA = 23
_MAX_CONTENT = 2**14  # bytes of content in one record (RFC 8446 §5.1)
_TIMEOUT = 10.0  # seconds


class ObservedRecord(NamedTuple):
    """One record that the client sent.

    time: seconds after the first record. length: the length that its header says, in bytes.
    """

    time: float
    length: int


def watched(
    messages: Sequence[bytes], pauses: Iterable[float] = (), *, server_name: str = "localhost"
) -> tuple[list[ObservedRecord], bytes]:
    """Send messages over TLS, one record each, and return what an observer saw.

    messages: each of 1 to 2¹⁴ bytes, which fit one record.
    pauses: seconds to wait before each message; 0 where there are no more.
    server_name: the name that the client asks for.

    Returns the records of the messages, and all bytes that passed in both directions. Raises
    InvalidParameter for a message of another length.
    """
    if not all(0 < len(message) <= _MAX_CONTENT for message in messages):
        raise InvalidParameter("a message that fits one record has 1 to 2^14 bytes")
    ca = tls.LabCA.create()
    server = tls.server_context(ca.issue(server_name), ca, require_client=False)
    client = tls.client_context(ca)
    with _silent_server(server) as port, TappedLine(port) as line:
        _send_messages(messages, pauses, line.port, client, server_name)
        from_client = [each for each in line.seen if each.sender == "client"]
        text = line.text
    records = [record for record in _protected_records(from_client) if record.length]
    # The last record is the close_notify alert; the ones before the messages belong to the
    # handshake.
    records = records[-len(messages) - 1 : -1]
    first = records[0].time if records else 0.0
    return [ObservedRecord(record.time - first, record.length) for record in records], text


def _send_messages(
    messages: Sequence[bytes],
    pauses: Iterable[float],
    port: int,
    context: ssl.SSLContext,
    server_name: str,
) -> None:
    waits = iter(pauses)
    with (
        socket.create_connection(("127.0.0.1", port), _TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=server_name) as connection,
    ):
        # Without this, the kernel may join two small records into one packet.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for message in messages:
            time.sleep(next(waits, 0.0))
            connection.sendall(message)
        with suppress(OSError):
            connection.unwrap()


def _protected_records(seen: Iterable[TappedBytes]) -> Iterator[ObservedRecord]:
    """The protected records in a stream, each with the time at which its last byte came."""
    waiting = b""
    for each in seen:
        waiting += each.data
        while len(waiting) >= _HEADER_SIZE:
            length = int.from_bytes(waiting[3:_HEADER_SIZE], "big")
            end = _HEADER_SIZE + length
            if length == 0 or len(waiting) < end:
                break
            if waiting[0] == _APPLICATION_DATA:
                yield ObservedRecord(each.time, length)
            waiting = waiting[end:]


@contextmanager
def _silent_server(context: ssl.SSLContext) -> Iterator[int]:
    """Run a server that takes one connection and answers nothing. Yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_TIMEOUT)

        def serve() -> None:
            with suppress(OSError), listener.accept()[0] as plain:
                plain.settimeout(_TIMEOUT)
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
