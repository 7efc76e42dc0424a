"""A whole TLS 1.3 connection in memory, with its secrets, to be taken apart."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from lepton_lab.buffers import BytesLike, view_of
from lepton_lab.capture import Capture, CapturedRecord
from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.files import private_folder
from lepton_lab.tls.endpoint import Endpoint
from lepton_lab.tls.errors import typed_errors

_LINE = re.compile(rb"([A-Z0-9_]+) ([0-9A-Fa-f]{64}) ((?:[0-9A-Fa-f]{2})+)")


def record_handshake(
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
    server_name: str,
    *,
    request: BytesLike = b"Is anybody there?",
    response: BytesLike = b"Only those who can prove it.",
) -> Capture:
    """Every record of a connection between two contexts, with the secrets that open them (RFC 8446, RFC 9850).

    A handshake, `request` from the client, `response` from the server, close_notify from the client and then from the
    server. server_name: what the server's certificate must say. The secrets come from a key log, written 0600 in a 0700
    folder and deleted; afterwards the client's context has no key log, whatever it had before. Do not use that context
    elsewhere meanwhile.

    Raises CertificateError, which says whose certificate was refused and why; NodeError when the two do not agree on
    TLS 1.3; InvalidParameter, also for a client's context that does not verify the server and its name.
    """
    wire = _Wire(Endpoint(client_context, server_name), Endpoint(server_context))
    with _key_log(client_context) as log, typed_errors(server_name):
        wire.shake_hands()
        version = wire.client.tls.version()
        if version != "TLSv1.3":
            raise NodeError(server_name, f"the two ends agreed on {version}, not on TLS 1.3")
        wire.say(wire.client, view_of(request))
        wire.say(wire.server, view_of(response))
        wire.close()
        secrets = _secrets(log.read_bytes(), wire.client_random)
    return Capture(tuple(wire.records), secrets, server_name)


class _Wire:
    """What lies between the two ends: it carries bytes across and keeps them, cut into records."""

    def __init__(self, client: Endpoint, server: Endpoint) -> None:
        self.client, self.server = client, server
        self.records: list[CapturedRecord] = []

    @property
    def client_random(self) -> bytes:
        """From the ClientHello (RFC 8446 §4.1.2): behind the headers of record and message and a version."""
        return self.records[0].data[11:43]

    def shake_hands(self) -> None:
        """Until both ends are done; either raises ssl.SSLError when it is not content."""
        waiting = [self.client, self.server]
        while waiting:
            for end in (self.client, self.server):
                if end.finishes(end.tls.do_handshake) and end in waiting:
                    waiting.remove(end)
                self._carry(end)

    def say(self, speaker: Endpoint, data: memoryview) -> None:
        """Application data from one end, read to its last byte at the other."""
        left = len(data)
        if left:
            speaker.tls.write(data)
        self._carry(speaker)
        while left:
            left -= len(self._other(speaker).read() or b"")

    def close(self) -> None:
        """A close_notify from the client, then from the server (RFC 8446 §6.1)."""
        self.client.finishes(self.client.tls.unwrap)
        self._carry(self.client)
        self.server.finishes(self.server.tls.unwrap)
        self._carry(self.server)
        self.client.finishes(self.client.tls.unwrap)

    def _other(self, end: Endpoint) -> Endpoint:
        return self.server if end is self.client else self.client

    def _carry(self, speaker: Endpoint) -> None:
        data = speaker.sent()
        sender: Literal["client", "server"] = "client" if speaker is self.client else "server"
        self.records += [CapturedRecord(sender, record) for record in _records(data)]
        if data:
            self._other(speaker).take(data)


def _records(data: bytes) -> Iterator[bytes]:
    """Cut by their headers: 0 1 type   1 2 version   3 2 n   5 n content (RFC 8446 §5.1)."""
    while data:
        end = 5 + int.from_bytes(data[3:5], "big")
        yield data[:end]
        data = data[end:]


@contextmanager
def _key_log(context: ssl.SSLContext) -> Iterator[Path]:
    """A file that nobody else can read, into which a context writes its secrets, and which is gone at the end."""
    with private_folder() as folder:
        log = folder / "secrets.log"
        os.close(
            os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        )  # `ssl` would leave the mode to the umask
        context.keylog_filename = str(log)
        try:
            yield log
        finally:
            context.keylog_filename = None  # type: ignore[assignment]  # None is what switches it off


def _secrets(log: bytes, client_random: bytes) -> dict[str, bytes]:
    """The secrets of one connection: lines of a label, the connection's client random, a secret (RFC 9850 §2).

    Lines that are empty or begin with # say nothing. Raises InvalidParameter for any other.
    """
    secrets = {}
    for line in log.splitlines():
        if line and not line.startswith(b"#"):
            found = _LINE.fullmatch(line)
            if found is None:
                raise InvalidParameter(
                    "a line of the key log is not a label, a client random and a secret"
                )
            label, random, secret = found.groups()
            if bytes.fromhex(random.decode()) == client_random:
                secrets[label.decode()] = bytes.fromhex(secret.decode())
    return secrets
