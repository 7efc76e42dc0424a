"""TLS as it was: a connection of version 1.2 whose secret the client encrypts to the server's RSA key, recorded."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import Certificate

from lepton_lab.capture import CapturedRecord
from lepton_lab.errors import NodeError

_SUITE = "AES256-GCM-SHA384"  # OpenSSL's name for TLS_RSA_WITH_AES_256_GCM_SHA384


def record_rsa_key_exchange(
    certificate: Certificate, key: RSAPrivateKey, request: bytes, response: bytes
) -> list[CapturedRecord]:
    """Every record of such a connection in memory, a request and a response in it. Nobody should use it any more.

    certificate: self-signed, so that the client can be told to trust it. Raises NodeError where this machine's OpenSSL
    has the key exchange switched off, as well it may.
    """
    try:
        server, client = (
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )
        for context in (server, client):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(_SUITE)
        _show(server, certificate, key)
        client.load_verify_locations(cadata=certificate.public_bytes(Encoding.DER))
        client.check_hostname = False  # of this certificate nothing matters but its key
        return list(_recorded(server, client, request, response))
    except ssl.SSLError as error:
        raise NodeError("OpenSSL", f"it no longer has this key exchange ({error.reason})") from None


def _show(context: ssl.SSLContext, certificate: Certificate, key: RSAPrivateKey) -> None:
    with TemporaryDirectory() as folder:  # 0700; the key is for this demonstration alone
        file = Path(folder, "server.pem")
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(certificate.public_bytes(Encoding.PEM) + pem)
        context.load_cert_chain(file)


def _recorded(
    server: ssl.SSLContext, client: ssl.SSLContext, request: bytes, response: bytes
) -> Iterator[CapturedRecord]:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here, there = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    waiting: list[ssl.SSLObject] = [here, there]
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
            yield from _carried(end is here, to_server if end is here else to_client)
    for end, data in ((here, request), (there, response)):
        end.write(data)
        yield from _carried(end is here, to_server if end is here else to_client)


def _carried(is_client: bool, wire: ssl.MemoryBIO) -> Iterator[CapturedRecord]:
    """What lies on a wire, noted record by record and put back for its reader."""
    data = wire.read()
    if data:
        wire.write(data)
    sender: Literal["client", "server"] = "client" if is_client else "server"
    while data:
        end = 5 + int.from_bytes(data[3:5], "big")
        yield CapturedRecord(sender, data[:end])
        data = data[end:]
