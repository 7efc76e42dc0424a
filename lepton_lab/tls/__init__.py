"""TLS 1.3 and nothing older, with both ends authenticated by default and the server's name checked always (RFC 8446).

    ca = LabCA.create()
    server, client = ca.issue("localhost"), ca.issue("alice", client=True)
    with Receiver("localhost", 0, server_context(server, ca)) as receiver:
        send(b"hello", "localhost", receiver.port, client_context(ca, client))
        receiver.receive()

`authority` makes certificates, `contexts` what `ssl` makes of them; `send` and `Receiver` move messages and files;
`inspect` looks at a server, `record_handshake` keeps a whole connection with its secrets, to be taken apart. A
certificate says who a peer is; what that peer may do is for its server to decide (`Receiver(allowed=…)`).
"""

from __future__ import annotations

from lepton_lab.tls.ca import PERMITTED, Identity, IdentityFiles, LabCA
from lepton_lab.tls.contexts import client_context, server_context
from lepton_lab.tls.inspect import Connection, inspect
from lepton_lab.tls.receive import Received, Receiver
from lepton_lab.tls.record import record_handshake
from lepton_lab.tls.send import Transfer, send

__all__ = [
    "PERMITTED",
    "Connection",
    "Identity",
    "IdentityFiles",
    "LabCA",
    "Received",
    "Receiver",
    "Transfer",
    "client_context",
    "inspect",
    "record_handshake",
    "send",
    "server_context",
]
