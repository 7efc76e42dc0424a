"""The two ends of a connection as `ssl` wants them: TLS 1.3 only (RFC 8446), both showing a certificate by default."""

from __future__ import annotations

import os
import secrets
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from lepton_lab.errors import InvalidName, InvalidParameter
from lepton_lab.files import private_folder, write_atomically
from lepton_lab.tls.ca import Identity, LabCA
from lepton_lab.tls.names import general_name

Authority = LabCA | x509.Certificate


def server_context(
    identity: Identity, ca: Authority, *, require_client: bool = True
) -> ssl.SSLContext:
    """The server's end: it shows `identity` and admits clients whose certificate `ca` has issued.

    ca: a LabCA or, where its private key is not at hand, its certificate. require_client=False admits anybody, so that
    only the server is authenticated. Raises InvalidParameter, CertificateError when OpenSSL refuses the certificate.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, ca)
    context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_NONE
    _show(context, identity)
    return context


def client_context(ca: Authority, identity: Identity | None = None) -> ssl.SSLContext:
    """The client's end: it trusts servers certified by `ca` alone, under the name it asked for, and shows `identity`.

    The system's trust store is not consulted and SSLKEYLOGFILE is not honoured. With no identity the client stays
    anonymous, which a mutual server refuses. Raises InvalidParameter, CertificateError.
    """
    # A client's protocol checks host names and requires a certificate.
    context = _context(ssl.PROTOCOL_TLS_CLIENT, ca)
    if identity is not None:
        _show(context, identity)
    return context


def _context(protocol: int, ca: Authority) -> ssl.SSLContext:
    if not isinstance(ca, LabCA | x509.Certificate):
        raise InvalidParameter(f"ca is a LabCA or its certificate, not {type(ca).__name__}")
    context = ssl.SSLContext(protocol)  # not create_default_context: that honours SSLKEYLOGFILE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    # Python up to 3.11.2, Debian 12's, has OpenSSL take a cut connection for an orderly end (CPython's issue 95494).
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    certificate = ca.certificate if isinstance(ca, LabCA) else ca
    context.load_verify_locations(cadata=certificate.public_bytes(Encoding.DER))
    return context


def require_client_end(context: ssl.SSLContext) -> None:
    """Raise InvalidParameter unless a context is a client's, verifies the server's certificate and checks its name."""
    if not isinstance(context, ssl.SSLContext) or context.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise InvalidParameter("a client's ssl.SSLContext is needed: see client_context")
    if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
        raise InvalidParameter("this context would take anybody for the server: see client_context")


def require_server_end(context: ssl.SSLContext) -> None:
    """Raise InvalidParameter unless a context is a server's."""
    if not isinstance(context, ssl.SSLContext) or context.protocol == ssl.PROTOCOL_TLS_CLIENT:
        raise InvalidParameter("a server's ssl.SSLContext is needed: see server_context")


def require_server_name(name: str) -> None:
    """Raise InvalidParameter unless a server's name can be checked.

    With none, `SSLContext.wrap_socket` refuses by itself (ValueError), but `wrap_bio` accepts any certificate of an
    authority that is trusted.
    """
    try:
        general_name(name)
    except InvalidName as reason:
        raise InvalidParameter(f"server_name is what the certificate must say: {reason}") from None


def _show(context: ssl.SSLContext, identity: Identity) -> None:
    """Give a context its certificate and key. `ssl` takes them from a file only, so there is one for a moment.

    It is encrypted under a passphrase that nobody keeps: what a medium might retain of it opens nothing.
    """
    if not isinstance(identity, Identity):
        raise InvalidParameter(f"an Identity is needed, not {type(identity).__name__}")
    passphrase = secrets.token_hex(32)
    encryption = BestAvailableEncryption(passphrase.encode())
    key = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    with _file_of(identity.certificate_pem + key) as path:
        context.load_cert_chain(path, password=passphrase)


@contextmanager
def _file_of(data: bytes) -> Iterator[Path]:
    """A file for a moment: on Linux one in memory and without a name, of which an interruption can leave nothing."""
    if sys.platform == "linux":
        with open(os.memfd_create("identity"), "wb") as file:
            file.write(data)
            file.flush()
            yield Path(f"/proc/self/fd/{file.fileno()}")
    else:
        with private_folder() as folder:
            path = folder / "identity.pem"
            write_atomically(path, data, sync=False)  # 0600
            yield path
