"""Handshakes by the OpenSSL inside `cryptography`, with the group that OPENSSL_CONF names: run by `handshakes.groups`.

    python -m lepton_lab.workshop.experiments.nb06_hybrid

For every line that it reads it makes one handshake in memory and prints what it took as a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time

from OpenSSL import SSL, crypto

from lepton_lab import tls

NAME = "localhost"


class Pair:
    """Two contexts of pyOpenSSL, TLS 1.3 only; the client verifies the server."""

    def __init__(self) -> None:
        ca = tls.LabCA.create()
        identity = ca.issue(NAME)
        self.server, self.client = SSL.Context(SSL.TLS_METHOD), SSL.Context(SSL.TLS_METHOD)
        for context in (self.server, self.client):
            context.set_min_proto_version(SSL.TLS1_3_VERSION)
        self.server.use_certificate(identity.certificate)
        self.server.use_privatekey(identity.private_key)
        if store := self.client.get_cert_store():
            store.add_cert(crypto.X509.from_cryptography(ca.certificate))
        self.client.set_verify(SSL.VERIFY_PEER)

    def shake(self) -> dict[str, object]:
        """One handshake: seconds, bytes from each side, and the group that was agreed on."""
        began = time.perf_counter()
        there, here = SSL.Connection(self.server, None), SSL.Connection(self.client, None)
        there.set_accept_state()
        here.set_connect_state()
        here.set_tlsext_host_name(NAME.encode())
        sizes, waiting = {here: 0, there: 0}, [here, there]
        while waiting:
            for end, other in ((here, there), (there, here)):
                try:
                    end.do_handshake()
                    if end in waiting:
                        waiting.remove(end)
                except SSL.WantReadError:
                    pass
                try:
                    data = end.bio_read(2**16)
                except SSL.WantReadError:
                    continue
                sizes[end] += len(data)
                other.bio_write(data)
        seconds = time.perf_counter() - began
        bytes_of = {"client_bytes": sizes[here], "server_bytes": sizes[there]}
        return {**bytes_of, "seconds": seconds, "group": here.get_group_name() or ""}


def main() -> None:
    """Answer every line of the standard input."""
    pair = Pair()
    for _ in sys.stdin:
        print(json.dumps(pair.shake()), flush=True)


if __name__ == "__main__":
    main()
