"""What somebody has to look after: counted on servers that run, and calculated for nodes that share nothing."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lepton_lab.nodes import LocalNodes

_PATIENCE = 5.0  # seconds
_YEAR = 365  # days


def counted(nodes: LocalNodes) -> dict[str, int]:
    """Of the servers under some local nodes: the processes that live, the certificates that they show and ask for.

    Certificates are told apart by their bytes, private keys by the public keys that belong to them. Where this machine
    has only servers without TLS, or none at all, there are none to count.
    """
    if nodes.servers is None:
        return _listed(0, 0, 0, 0, 0)
    running = [index for index in range(len(nodes.nodes)) if nodes.servers.alive(index)]
    urls = [urlsplit(nodes.servers.urls[index]) for index in running]
    secured = [url for url in urls if url.scheme == "rediss"]
    if not secured:
        return _listed(len(running), 0, 0, 0, 0)
    servers = {_shown_on(url.port or 0) for url in secured}
    clients = {_named_in(url.query, "ssl_certfile") for url in secured}
    authorities = {_named_in(url.query, "ssl_ca_certs") for url in secured}
    certificates = [x509.load_der_x509_certificate(data) for data in servers | clients]
    keys = {certificate.public_key().public_numbers() for certificate in certificates}  # type: ignore[union-attr]
    days = min((each.not_valid_after_utc - each.not_valid_before_utc).days for each in certificates)
    return _listed(len(running), len(servers), len(clients) + len(authorities), len(keys), days)


def one_each(n: int, days: int) -> dict[str, int]:
    """The same for n nodes that each have a key and a certificate of their own, which live for some days.

    One client has a third pair, and the authority keeps its key, because every renewal needs it.
    """
    return _listed(n, n, 2, n + 2, days)


def _listed(processes: int, servers: int, others: int, keys: int, days: int) -> dict[str, int]:
    renewed = servers + others - 1 if servers else 0  # all but the authority's own
    return {
        "processes": processes,
        "certificates of servers": servers,
        "of the client and the authority": others,
        "private keys that are kept": keys,
        "days that a certificate lives": days,
        "certificates made in a year": renewed * _YEAR // days if days else 0,
    }


def _shown_on(port: int) -> bytes:
    """The certificate that a server on this machine shows to anybody, before it asks who that is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = (
        False,
        ssl.CERT_NONE,
    )  # it is looked at here, not trusted
    with (
        socket.create_connection(("127.0.0.1", port), _PATIENCE) as plain,
        context.wrap_socket(plain) as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


def _named_in(query: str, name: str) -> bytes:
    pem = Path(parse_qs(query)[name][0]).read_bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
