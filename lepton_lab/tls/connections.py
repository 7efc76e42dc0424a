"""Opens connections within a time-out, reads whom the peer is certified as, and closes in order."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cryptography import x509

from lepton_lab.errors import CertificateError, InvalidParameter, NodeError
from lepton_lab.tls.contexts import require_client_context, require_server_name
from lepton_lab.tls.errors import typed_errors
from lepton_lab.tls.names import UNREADABLE, names_of

LONGEST_TIMEOUT = 86400  # seconds: a day
_LINGER = 1.0  # seconds for an alert to reach a peer that is still sending


def require_address(host: str, port: int, *, lowest_port: int = 1) -> None:
    """Raise InvalidParameter unless a host can be looked up and a port is a port."""
    try:
        is_host = isinstance(host, str) and host.isprintable() and bool(host.encode("idna"))
    except UnicodeError:
        is_host = False
    if not is_host:
        raise InvalidParameter("host is a host name or an address")
    is_int = isinstance(port, int) and not isinstance(port, bool)
    if not is_int or not lowest_port <= port <= 65535:
        raise InvalidParameter(f"port is an int from {lowest_port} to 65535")


def require_seconds(timeout: float) -> None:
    """Raise InvalidParameter unless a time-out is a number of seconds above 0, at most a day."""
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    # NaN fails the comparison too.
    if not is_number or not 0 < timeout <= LONGEST_TIMEOUT:
        raise InvalidParameter(
            f"a time-out is a number of seconds, above 0 and at most {LONGEST_TIMEOUT}"
        )


@contextmanager
def tcp_connected(host: str, port: int, timeout: float) -> Iterator[socket.socket]:
    """Open a TCP connection for the length of a `with` block.

    timeout: seconds for all addresses of the host together; looking up its name is not counted.
    Raises NodeError when there is no connection in time, InvalidParameter.
    """
    require_address(host, port)
    require_seconds(timeout)
    with typed_errors(f"{host}:{port}"):
        plain = _tcp_connection(host, port, timeout)
        # What is written is complete: sending it must not wait for more (Nagle's algorithm).
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with plain:
        yield plain


def _tcp_connection(host: str, port: int, timeout: float) -> socket.socket:
    """Try the addresses of a host in turn, all within one time-out.

    `socket.create_connection` would give each address the whole time-out.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    deadline = time.monotonic() + timeout
    failure: OSError = TimeoutError()
    for family, kind, protocol, _, address in addresses:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            plain = socket.socket(family, kind, protocol)
        except OSError as error:
            failure = error  # a machine without IPv6, for example
            continue
        try:
            plain.settimeout(left)
            plain.connect(address)
        except OSError as error:
            plain.close()
            failure = error
        except BaseException:
            plain.close()
            raise
        else:
            return plain
    raise failure


@contextmanager
def tls_connected(
    host: str, port: int, context: ssl.SSLContext, server_name: str, timeout: float
) -> Iterator[ssl.SSLSocket]:
    """Open a TLS 1.3 connection for a `with` block, the server and its name verified.

    timeout: seconds for the TCP connection, and again for the handshake. Raises CertificateError,
    NodeError, InvalidParameter.
    """
    require_client_context(context)
    require_server_name(server_name)
    peer = f"{host}:{port}"
    with tcp_connected(host, port, timeout) as plain:
        with typed_errors(peer):
            # A total deadline: `ssl` counts the time-out over the whole handshake.
            plain.settimeout(timeout)
            connection = context.wrap_socket(
                plain, server_hostname=server_name, suppress_ragged_eofs=False
            )
        with connection:
            peer_names(connection, peer)
            yield connection


def peer_names(connection: ssl.SSLSocket, peer: str) -> tuple[str, ...]:
    """Return the names in the certificate that the other end has shown; none if it showed none.

    Raises NodeError when the connection is not TLS 1.3, CertificateError for a certificate that
    cannot be read.
    """
    if connection.version() != "TLSv1.3":
        raise NodeError(peer, f"the two ends agreed on {connection.version()}, not TLS 1.3")
    data = connection.getpeercert(binary_form=True)
    if not data:
        return ()
    try:
        return names_of(x509.load_der_x509_certificate(data))
    except UNREADABLE:
        raise CertificateError(f"{peer}: its certificate cannot be read") from None


def send_all(connection: ssl.SSLSocket, data: memoryview, timeout: float) -> None:
    """Send all of `data` within `timeout` seconds in total. Raises OSError.

    `sendall` gives every record the whole time-out, so a peer that takes one record at a time, each
    just in time, could hold the sender for as long as it likes.
    """
    deadline = time.monotonic() + timeout
    while data:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        data = data[connection.send(data) :]


def close_in_order(connection: ssl.SSLSocket, timeout: float) -> None:
    """Send close_notify (RFC 8446 §6.1), wait up to `timeout` seconds for the other's, and close.

    By now everything has been acknowledged, so errors here change nothing and are ignored.
    """
    with connection, suppress(OSError):
        connection.settimeout(timeout)
        connection.unwrap()


def close_after_alert(connection: ssl.SSLSocket) -> None:
    """Close so that what was sent last, such as an alert, still arrives.

    A close with bytes unread resets the connection, and the reset may overtake the alert. So this
    reads for a second at most, until the peer has closed too.
    """
    until = time.monotonic() + _LINGER
    # The plain socket's methods: the TLS layer is of no use after an alert.
    with connection, suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_WR)
        while (left := until - time.monotonic()) > 0:
            connection.settimeout(left)
            if not socket.socket.recv(connection, 2**14):
                return
