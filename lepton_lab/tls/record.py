"""Records a whole TLS 1.3 connection in memory, with its secrets, so that it can be taken apart."""

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
from lepton_lab.tls.contexts import MemoryEndpoint, require_server_name
from lepton_lab.tls.errors import typed_errors

_KEY_LOG_LINE = re.compile(rb"([A-Z0-9_]+) ([0-9A-Fa-f]{64}) ((?:[0-9A-Fa-f]{2})+)")


def record_handshake(
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
    server_name: str,
    *,
    request: BytesLike = b"Is anybody there?",
    response: BytesLike = b"Only those who can prove it.",
) -> Capture:
    """Connect two contexts in memory; return every record, and the secrets that open them.

    The connection is a handshake, `request` from the client, `response` from the server, and
    close_notify from the client and then from the server (RFC 8446). server_name: the name that the
    server's certificate must carry.

    The secrets come from a key log (RFC 9850), a file with mode 0600 in a folder with mode 0700
    that is deleted at the end. Afterwards the client's context has no key log, whatever it had
    before. Do not use that context elsewhere in the meantime.

    Raises CertificateError, which says whose certificate was refused and why; NodeError when the
    two do not agree on TLS 1.3; InvalidParameter, also for a client's context that does not verify
    the server and its name.
    """
    # MemoryEndpoint takes a missing name for a server's end.
    require_server_name(server_name)
    wire = _MemoryWire(MemoryEndpoint(client_context, server_name), MemoryEndpoint(server_context))
    with _key_log(client_context) as log, typed_errors(server_name):
        wire.shake_hands()
        version = wire.client.tls.version()
        if version != "TLSv1.3":
            raise NodeError(server_name, f"the two ends agreed on {version}, not on TLS 1.3")
        wire.say(wire.client, view_of(request))
        wire.say(wire.server, view_of(response))
        wire.close()
        secrets = secrets_in(log.read_bytes(), wire.client_random)
    return Capture(tuple(wire.records), secrets, server_name)


class _MemoryWire:
    """Carries bytes between two endpoints and keeps them, cut into records."""

    def __init__(self, client: MemoryEndpoint, server: MemoryEndpoint) -> None:
        self.client = client
        self.server = server
        self.records: list[CapturedRecord] = []

    @property
    def client_random(self) -> bytes:
        """The random of the ClientHello (RFC 8446 §4.1.2), after two headers and a version."""
        return self.records[0].data[11:43]

    def shake_hands(self) -> None:
        """Carry bytes until both ends have finished. Raises ssl.SSLError when either refuses."""
        waiting = [self.client, self.server]
        while waiting:
            for end in (self.client, self.server):
                if end.finishes(end.tls.do_handshake) and end in waiting:
                    waiting.remove(end)
                self._carry(end)

    def say(self, speaker: MemoryEndpoint, data: memoryview) -> None:
        """Send application data from one end, and read all of it at the other."""
        left = len(data)
        if left:
            speaker.tls.write(data)
        self._carry(speaker)
        while left:
            left -= len(self._other(speaker).read() or b"")

    def close(self) -> None:
        """Send a close_notify from the client, then one from the server (RFC 8446 §6.1)."""
        self.client.finishes(self.client.tls.unwrap)
        self._carry(self.client)
        self.server.finishes(self.server.tls.unwrap)
        self._carry(self.server)
        self.client.finishes(self.client.tls.unwrap)

    def _other(self, end: MemoryEndpoint) -> MemoryEndpoint:
        return self.server if end is self.client else self.client

    def _carry(self, speaker: MemoryEndpoint) -> None:
        data = speaker.sent()
        sender: Literal["client", "server"] = "client" if speaker is self.client else "server"
        self.records += [CapturedRecord(sender, record) for record in records_in(data)]
        # An empty `take` would mean that the speaker has closed.
        if data:
            self._other(speaker).take(data)


def records_in(data: bytes) -> Iterator[bytes]:
    """Cut bytes into records: 0 1 type   1 2 version   3 2 n   5 n content (RFC 8446 §5.1)."""
    while data:
        end = 5 + int.from_bytes(data[3:5], "big")
        yield data[:end]
        data = data[end:]


@contextmanager
def _key_log(context: ssl.SSLContext) -> Iterator[Path]:
    """Have a context write its secrets to a file that only its owner can read, gone at the end."""
    with private_folder() as folder:
        log = folder / "secrets.log"
        # `ssl` would create the file with whatever mode the umask leaves.
        os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        context.keylog_filename = str(log)
        try:
            yield log
        finally:
            context.keylog_filename = None  # type: ignore[assignment]  # None switches it off


def secrets_in(log: bytes, client_random: bytes) -> dict[str, bytes]:
    """Return the secrets of one connection in a key log, by their labels (RFC 9850 §2).

    A line is a label, a connection's client random and a secret, with spaces between. Empty lines
    and lines that begin with # are skipped. Raises InvalidParameter for any other line.
    """
    secrets = {}
    for line in log.splitlines():
        if not line or line.startswith(b"#"):
            continue
        found = _KEY_LOG_LINE.fullmatch(line)
        if found is None:
            raise InvalidParameter(
                "a line of the key log is not a label, a client random and a secret"
            )
        label, random, secret = found.groups()
        # A key log may hold other connections of the same context.
        if bytes.fromhex(random.decode()) == client_random:
            secrets[label.decode()] = bytes.fromhex(secret.decode())
    return secrets
