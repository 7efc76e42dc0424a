"""Handshakes by the OpenSSL inside `cryptography`, with the group that OPENSSL_CONF names.

`nb06_handshakes.groups` runs it as a process of its own:

    python -m lepton_lab.workshop.experiments.nb06_hybrid_server

For every line that it reads it makes one handshake in memory and prints what it took as a line of
JSON.
"""

from __future__ import annotations

import json
import sys
import time

from OpenSSL import SSL, crypto

from lepton_lab import tls

NAME = "localhost"
_CHUNK = 2**16  # bytes that are carried at once


class ContextPair:
    """Contexts of pyOpenSSL for both sides, TLS 1.3 only. The client verifies the server."""

    def __init__(self) -> None:
        ca = tls.LabCA.create()
        identity = ca.issue(NAME)
        self.server = SSL.Context(SSL.TLS_METHOD)
        self.client = SSL.Context(SSL.TLS_METHOD)
        for context in (self.server, self.client):
            context.set_min_proto_version(SSL.TLS1_3_VERSION)
        self.server.use_certificate(identity.certificate)
        self.server.use_privatekey(identity.private_key)
        store = self.client.get_cert_store()
        if store:
            store.add_cert(crypto.X509.from_cryptography(ca.certificate))
        self.client.set_verify(SSL.VERIFY_PEER)

    def shake(self) -> dict[str, object]:
        """Make one handshake. Returns the seconds, the bytes from each side, and the group."""
        start = time.perf_counter()
        server_end = SSL.Connection(self.server, None)
        client_end = SSL.Connection(self.client, None)
        server_end.set_accept_state()
        client_end.set_connect_state()
        client_end.set_tlsext_host_name(NAME.encode())
        sent = {client_end: 0, server_end: 0}
        unfinished = [client_end, server_end]
        while unfinished:
            for end, other in ((client_end, server_end), (server_end, client_end)):
                try:
                    end.do_handshake()
                    if end in unfinished:
                        unfinished.remove(end)
                except SSL.WantReadError:
                    pass  # it waits for the other end's bytes
                try:
                    data = end.bio_read(_CHUNK)
                except SSL.WantReadError:
                    continue  # it has nothing to send
                sent[end] += len(data)
                other.bio_write(data)
        return {
            "seconds": time.perf_counter() - start,
            "client_bytes": sent[client_end],
            "server_bytes": sent[server_end],
            "group": client_end.get_group_name() or "",
        }


def main() -> None:
    """Answer every line of the standard input with one handshake."""
    contexts = ContextPair()
    for _ in sys.stdin:
        print(json.dumps(contexts.shake()), flush=True)


if __name__ == "__main__":
    main()
