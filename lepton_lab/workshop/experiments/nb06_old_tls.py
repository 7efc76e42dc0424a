"""TLS without forward secrecy: a connection of TLS 1.2 whose secret is encrypted to the server's
RSA key.

Notebook 06 records one and decrypts it afterwards with the stolen key.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import Certificate

from lepton_lab.capture import CapturedRecord
from lepton_lab.errors import NodeError

_CIPHER_SUITE = "AES256-GCM-SHA384"  # OpenSSL's name for TLS_RSA_WITH_AES_256_GCM_SHA384
_HEADER_SIZE = 5  # bytes before a record's content, the last two of them its length


def record_rsa_key_exchange(
    certificate: Certificate, key: RSAPrivateKey, request: bytes, response: bytes
) -> list[CapturedRecord]:
    """Every record of one such connection in memory, with a request and a response. For study only.

    certificate: the server's, self-signed, so that the client can be told to trust it. key: its
    key.

    Raises NodeError where this machine's OpenSSL has the key exchange switched off, as many now do.
    """
    try:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for context in (server, client):
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(_CIPHER_SUITE)
        _load_key(server, certificate, key)
        client.load_verify_locations(cadata=certificate.public_bytes(Encoding.DER))
        client.check_hostname = False  # only the key of this certificate matters here
        return list(_record(server, client, request, response))
    except ssl.SSLError as error:
        reason = f"this OpenSSL no longer has the RSA key exchange ({error.reason})"
        raise NodeError("OpenSSL", reason) from None


def _load_key(context: ssl.SSLContext, certificate: Certificate, key: RSAPrivateKey) -> None:
    # `ssl` reads keys from files only. The folder is 0700, and the key is for this demonstration
    # alone.
    with TemporaryDirectory() as folder:
        file = Path(folder, "server.pem")
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(certificate.public_bytes(Encoding.PEM) + pem)
        context.load_cert_chain(file)


def _record(
    server: ssl.SSLContext, client: ssl.SSLContext, request: bytes, response: bytes
) -> Iterator[CapturedRecord]:
    """Make the connection in memory and yield each record that passes."""
    to_server = ssl.MemoryBIO()
    to_client = ssl.MemoryBIO()
    client_end = client.wrap_bio(to_client, to_server)
    server_end = server.wrap_bio(to_server, to_client, server_side=True)
    unfinished: list[ssl.SSLObject] = [client_end, server_end]
    while unfinished:
        for end in list(unfinished):
            try:
                end.do_handshake()
                unfinished.remove(end)
            except ssl.SSLWantReadError:
                pass  # it waits for the other end's bytes
            if end is client_end:
                yield from _client_records(to_server)
            else:
                yield from _server_records(to_client)
    client_end.write(request)
    yield from _client_records(to_server)
    server_end.write(response)
    yield from _server_records(to_client)


def _client_records(to_server: ssl.MemoryBIO) -> Iterator[CapturedRecord]:
    for record in _waiting_records(to_server):
        yield CapturedRecord("client", record)


def _server_records(to_client: ssl.MemoryBIO) -> Iterator[CapturedRecord]:
    for record in _waiting_records(to_client):
        yield CapturedRecord("server", record)


def _waiting_records(buffer: ssl.MemoryBIO) -> list[bytes]:
    """The records that wait in a buffer. They are put back for the end that will read them."""
    data = buffer.read()
    if data:
        buffer.write(data)
    records = []
    while data:
        end = _HEADER_SIZE + int.from_bytes(data[3:_HEADER_SIZE], "big")
        records.append(data[:end])
        data = data[end:]
    return records
