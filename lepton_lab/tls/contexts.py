"""Makes the two ends of a connection as `ssl` wants them: TLS 1.3 only, both with a certificate.

`server_context` and `client_context` make an ssl.SSLContext each (RFC 8446). `MemoryEndpoint` is
one end of a connection that has no socket: its bytes pass through the caller's hands.
"""

from __future__ import annotations

import os
import secrets
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from lepton_lab.errors import CertificateError, InvalidKey, InvalidName, InvalidParameter
from lepton_lab.files import private_folder, write_atomically
from lepton_lab.tls.ca import Identity, LabCA
from lepton_lab.tls.names import general_name

Authority = LabCA | x509.Certificate
_LONGEST_RECORD = 2**14  # bytes of plaintext (RFC 8446 §5.1)


def server_context(
    identity: Identity, ca: Authority, *, require_client: bool = True
) -> ssl.SSLContext:
    """Make the server's end: it shows `identity` and admits clients that `ca` has certified.

    ca: a LabCA or, where its private key is not at hand, its certificate. require_client=False
    admits clients without a certificate, so that only the server is authenticated.

    The server issues no session tickets. A connection resumed by a ticket rests on the check of the
    certificate in an earlier connection, so a ticket would let a client in whose certificate has
    expired since. Whoever wants resumption sets `num_tickets` on the context and accepts that.

    Raises InvalidParameter; InvalidKey when the private key is not the certificate's;
    CertificateError when OpenSSL refuses the certificate.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, ca)
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_NONE
    _load_identity(context, identity)
    return context


def client_context(ca: Authority, identity: Identity | None = None) -> ssl.SSLContext:
    """Make the client's end: it trusts servers that `ca` certified, and shows `identity` if given.

    Only `ca` is trusted: the system's trust store is not consulted. The server's certificate must
    be for the name that the client asks for. SSLKEYLOGFILE is not honoured. With no identity the
    client stays anonymous, and a server that requires a certificate refuses it.

    Raises InvalidParameter; InvalidKey when the private key is not the certificate's;
    CertificateError when OpenSSL refuses the certificate.
    """
    # PROTOCOL_TLS_CLIENT sets check_hostname and CERT_REQUIRED.
    context = _context(ssl.PROTOCOL_TLS_CLIENT, ca)
    # A common name is free text. Only subject alternative names count as host names (RFC 9525 §2).
    context.hostname_checks_common_name = False
    if identity is not None:
        _load_identity(context, identity)
    return context


def _context(protocol: int, ca: Authority) -> ssl.SSLContext:
    if not isinstance(ca, LabCA | x509.Certificate):
        raise InvalidParameter(f"ca is a LabCA or its certificate, not {type(ca).__name__}")
    # Not ssl.create_default_context, because that one honours SSLKEYLOGFILE.
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    # Python up to 3.11.2, the version of Debian 12, tells OpenSSL to take a connection that was
    # cut off for one that ended in order (CPython's issue 95494).
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    certificate = ca.certificate if isinstance(ca, LabCA) else ca
    with _refusals("the authority's certificate"):
        context.load_verify_locations(cadata=certificate.public_bytes(Encoding.DER))
    return context


def require_client_context(context: ssl.SSLContext) -> None:
    """Raise InvalidParameter unless a context is a client's and checks certificate and name."""
    if not isinstance(context, ssl.SSLContext) or context.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise InvalidParameter("a client's ssl.SSLContext is needed: see client_context")
    if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
        raise InvalidParameter(
            "this context would accept any server as the right one: see client_context"
        )


def require_server_context(context: ssl.SSLContext) -> None:
    """Raise InvalidParameter unless a context is a server's."""
    if not isinstance(context, ssl.SSLContext) or context.protocol == ssl.PROTOCOL_TLS_CLIENT:
        raise InvalidParameter("a server's ssl.SSLContext is needed: see server_context")


def require_server_name(name: str) -> None:
    """Raise InvalidParameter unless a server's name can be checked.

    Without a name `SSLContext.wrap_socket` refuses by itself (ValueError), but `wrap_bio` accepts
    every certificate that the authority has issued, whatever `check_hostname` says.
    """
    try:
        general_name(name)
    except InvalidName as reason:
        raise InvalidParameter(
            f"server_name is the name in the server's certificate: {reason}"
        ) from None


def _load_identity(context: ssl.SSLContext, identity: Identity) -> None:
    """Give a context its certificate and private key.

    `ssl` takes them only from a file, so there is one for a moment. The key in it is encrypted
    under a passphrase that is kept nowhere, so remnants of the file on a medium open nothing.
    """
    if not isinstance(identity, Identity):
        raise InvalidParameter(f"an Identity is needed, not {type(identity).__name__}")
    if identity.private_key.public_key() != identity.certificate.public_key():
        raise InvalidKey(
            "the private key does not belong to the certificate: give the Identity its own key"
        )
    passphrase = secrets.token_hex(32)
    encryption = BestAvailableEncryption(passphrase.encode())
    key = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    with _temporary_file(identity.certificate_pem + key) as path, _refusals("this certificate"):
        context.load_cert_chain(path, password=passphrase)


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    """Turn OpenSSL's refusal of a certificate or key into CertificateError, which says why."""
    try:
        yield
    except ssl.SSLError as error:
        why = (error.reason or str(error)).replace("_", " ").lower()
        raise CertificateError(f"OpenSSL refuses {what}: {why}") from None


@contextmanager
def _temporary_file(data: bytes) -> Iterator[Path]:
    """Put data into a file that lasts as long as the `with` block."""
    if sys.platform == "linux":
        # A file in memory, without a name: an interruption leaves nothing of it behind.
        with open(os.memfd_create("identity"), "wb") as file:
            file.write(data)
            file.flush()
            yield Path(f"/proc/self/fd/{file.fileno()}")
    else:
        with private_folder() as folder:
            path = folder / "identity.pem"
            write_atomically(path, data, sync=False)  # with mode 0600
            yield path


class MemoryEndpoint:
    """One end of a TLS connection between two memory buffers, without a socket.

    With a server name it is a client, which checks that name; without one it is a server. Bytes
    from the other end go in by `take`; bytes for the other end come out by `sent`.

    Raises InvalidParameter for a context of the other kind, or a client's that does not verify.
    """

    def __init__(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        is_server = server_name is None
        if server_name is None:
            require_server_context(context)
        else:
            require_client_context(context)
            require_server_name(server_name)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, is_server, server_name)

    def finishes(self, step: Callable[[], object]) -> bool:
        """Try a step of `tls` (do_handshake or unwrap). False if it needs more bytes first."""
        try:
            step()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> bytes | None:
        """Return application data, b"" at an orderly end, None if nothing has arrived yet."""
        try:
            return self.tls.read(_LONGEST_RECORD)
        except ssl.SSLWantReadError:
            return None

    def take(self, data: bytes) -> None:
        """Accept bytes from the other end. Empty data means that the other end has closed."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def sent(self) -> bytes:
        """Return the bytes that are to go to the other end."""
        return self._outgoing.read()
