"""What an operator has to look after: servers, certificates and private keys.

They are counted on servers that run, and calculated for nodes that share nothing.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lepton_lab.nodes import LocalNodes

_TIMEOUT = 5.0  # seconds
_YEAR = 365  # days


def counted(nodes: LocalNodes) -> dict[str, int]:
    """Count the running servers of some local nodes, and the certificates and keys they use.

    Certificates are told apart by their bytes, private keys by the public keys that belong to
    them. With no servers, or servers without TLS, there are no certificates to count.
    """
    if nodes.servers is None:
        return _counts(processes=0, servers=0, others=0, keys=0, days=0)
    running = [index for index in range(len(nodes.nodes)) if nodes.servers.alive(index)]
    urls = [urlsplit(nodes.servers.urls[index]) for index in running]
    secured = [url for url in urls if url.scheme == "rediss"]
    if not secured:
        return _counts(processes=len(running), servers=0, others=0, keys=0, days=0)
    of_servers = {_certificate_shown_by(url.port or 0) for url in secured}
    of_clients = {_certificate_in_url(url.query, "ssl_certfile") for url in secured}
    of_authorities = {_certificate_in_url(url.query, "ssl_ca_certs") for url in secured}
    certificates = [x509.load_der_x509_certificate(data) for data in of_servers | of_clients]
    keys = {each.public_key().public_numbers() for each in certificates}  # type: ignore[union-attr]
    lifetimes = [each.not_valid_after_utc - each.not_valid_before_utc for each in certificates]
    return _counts(
        processes=len(running),
        servers=len(of_servers),
        others=len(of_clients) + len(of_authorities),
        keys=len(keys),
        days=min(lifetimes).days,
    )


def one_each(n: int, days: int) -> dict[str, int]:
    """The same counts for n nodes that each have their own key and their own certificate.

    days: how long a certificate lives.

    One client has another key and certificate, and the authority keeps its key, because every
    renewal needs it.
    """
    return _counts(processes=n, servers=n, others=2, keys=n + 2, days=days)


def _counts(*, processes: int, servers: int, others: int, keys: int, days: int) -> dict[str, int]:
    # Every certificate is renewed but the authority's own.
    renewed = servers + others - 1 if servers else 0
    made_in_a_year = renewed * _YEAR // days if days else 0
    return {
        "processes": processes,
        "certificates of servers": servers,
        "of the client and the authority": others,
        "private keys that are kept": keys,
        "days that a certificate lives": days,
        "certificates made in a year": made_in_a_year,
    }


def _certificate_shown_by(port: int) -> bytes:
    """The certificate that a server on this machine shows to any client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The certificate is only looked at here, and nothing is sent: it need not be trusted.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), _TIMEOUT) as plain,
        context.wrap_socket(plain) as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


def _certificate_in_url(query: str, parameter: str) -> bytes:
    pem = Path(parse_qs(query)[parameter][0]).read_bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
