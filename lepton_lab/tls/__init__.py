"""TLS 1.3 only; both ends authenticate, and a client always checks the server's name (RFC 8446).

    ca = LabCA.create()
    server = ca.issue("localhost")
    client = ca.issue("alice", client=True)
    with Receiver("localhost", 0, server_context(server, ca)) as receiver:
        send(b"hello", "localhost", receiver.port, client_context(ca, client))
        receiver.receive()

`ca` makes certificates and `contexts` turns them into what `ssl` needs. `send` and `Receiver` move
messages and files, in the format that `protocol` describes. `inspect` shows what a server agrees
to, and `record_handshake` keeps a whole connection with its secrets, to be taken apart. A
certificate says who a peer is; the server decides what that peer may do (`Receiver(allowed=…)`).

`tls.send` and `tls.inspect` are the functions. The modules of the same names are reached as
`from lepton_lab.tls.send import …`.
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
