"""Looks at a TLS server: what it agrees to, and which authority vouches for it."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from lepton_lab.errors import CertificateError
from lepton_lab.tls.connections import tcp_connected
from lepton_lab.tls.contexts import MemoryEndpoint
from lepton_lab.tls.errors import typed_errors
from lepton_lab.tls.names import UNREADABLE, names_of

# IANA's TLS Supported Groups; the last three are from draft-ietf-tls-ecdhe-mlkem.
_GROUPS = {
    0x17: "secp256r1",
    0x18: "secp384r1",
    0x19: "secp521r1",
    0x1D: "x25519",
    0x1E: "x448",
    0x100: "ffdhe2048",
    0x101: "ffdhe3072",
    0x102: "ffdhe4096",
    0x103: "ffdhe6144",
    0x104: "ffdhe8192",
    0x11EB: "SecP256r1MLKEM768",
    0x11EC: "X25519MLKEM768",
    0x11ED: "SecP384r1MLKEM1024",
}
_SILENCE = 1.0  # seconds to wait for a server that may be waiting for us
_HANDSHAKE = 22  # the content type of a record
_SERVER_HELLO = 2  # the type of a handshake message
_KEY_SHARE = 51  # the type of an extension


@dataclass(frozen=True)
class Connection:
    """What a server and we agreed on.

    `chain` runs from the server's certificate up to the authority that we trust.
    """

    server_name: str
    version: str
    cipher: str
    group: str | None  # of the key exchange; None below TLS 1.3
    chain: tuple[x509.Certificate, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the server's certificate."""
        return names_of(self.chain[0])


def inspect(
    host: str,
    port: int,
    context: ssl.SSLContext,
    server_name: str | None = None,
    *,
    timeout: float = 10.0,
) -> Connection:
    """Connect to any TLS server and disconnect, to see version, cipher, group and certificates.

    context: from `client_context`. server_name: the name that the server's certificate must carry,
    by default `host`. timeout: seconds for everything together.

    A TLS 1.3 server verifies our certificate after our part of the handshake is over (RFC 8446
    §4.4.4). So this goes on until the server has shown that it accepted it: it speaks, it sends a
    session ticket, or it answers our close_notify.

    `chain` has the authorities in the context. Intermediate certificates are not in it, because
    Python's `ssl` does not show them before 3.13.

    Raises CertificateError, which says whose certificate was refused and why; NodeError when the
    server cannot be reached, does not speak TLS 1.3, breaks off or falls silent; InvalidParameter,
    also for a context that does not verify the server and its name.
    """
    name = host if server_name is None else server_name
    peer = f"{host}:{port}"
    end = MemoryEndpoint(context, name)
    with tcp_connected(host, port, timeout) as wire, typed_errors(peer):
        conversation = _Conversation(wire, end, time.monotonic() + timeout)
        conversation.until(lambda: end.finishes(end.tls.do_handshake))
        _await_acceptance(conversation)
        conversation.leave()
    version = end.tls.version() or ""
    cipher = end.tls.cipher()
    chain = _chain(end.tls, context, peer)
    group = _group(conversation.first_heard)
    return Connection(name, version, cipher[0] if cipher else "", group, chain)


class _Conversation:
    """A MemoryEndpoint joined to a socket; keeps the server's first bytes for its ServerHello."""

    def __init__(self, wire: socket.socket, end: MemoryEndpoint, deadline: float) -> None:
        self.end = end
        self.first_heard = b""
        self._wire = wire
        self._deadline = deadline

    def until(self, is_done: Callable[[], bool], within: float | None = None) -> None:
        """Exchange bytes until `is_done`.

        Raises TimeoutError after `within` seconds or past the deadline, and OSError.
        """
        last = self._deadline
        if within is not None:
            last = min(last, time.monotonic() + within)
        try:
            while not is_done():
                self._say()
                self._hear(last - time.monotonic())
        except ssl.SSLError:
            # Send our alert; whether it arrives changes nothing.
            with suppress(OSError):
                self._say()
            raise
        self._say()

    def leave(self) -> None:
        """Send a close_notify, without waiting for the other's (RFC 8446 §6.1)."""
        with suppress(OSError):
            self.end.finishes(self.end.tls.unwrap)
        with suppress(OSError):
            self._say()

    def _say(self) -> None:
        data = self.end.sent()
        if data:
            # What is said after the deadline, a close_notify or an alert, is tried without waiting.
            self._wire.settimeout(max(0.0, self._deadline - time.monotonic()))
            self._wire.sendall(data)

    def _hear(self, seconds: float) -> None:
        if seconds <= 0:
            raise TimeoutError
        self._wire.settimeout(seconds)
        data = self._wire.recv(2**16)
        self.first_heard = self.first_heard or data
        self.end.take(data)


def _await_acceptance(conversation: _Conversation) -> None:
    """Return when the server has accepted our certificate, or asked for none.

    Raises OSError, which may be the server's alert.
    """
    end = conversation.end

    def has_spoken() -> bool:
        if end.read() is not None:
            return True
        return end.tls.session is not None and end.tls.session.has_ticket

    try:
        conversation.until(has_spoken, within=_SILENCE)
    except TimeoutError:
        # A server that waits for us and gives no tickets. It will answer our close_notify.
        with suppress(ssl.SSLEOFError):
            conversation.until(lambda: end.finishes(end.tls.unwrap))


def _group(heard: bytes) -> str | None:
    """Find the group in a ServerHello's key_share: it is not secret, but `ssl` does not show it.

    record, RFC 8446 §5.1:        0 1 type   1 2 version   3 2 length
    ServerHello, §4.1.3:          0 1 type 2   1 3 length   4 2 version   6 32 random
                                  38 1 n   39 n session id   39+n 2 cipher suite
                                  41+n 1 compression   42+n 2 length of the extensions
    extension, §4.2 and §4.2.8:   0 2 type 51   2 2 length   4 2 group   …
    """
    hello = heard[5 : 5 + int.from_bytes(heard[3:5], "big")]
    is_server_hello = heard[:1] == bytes([_HANDSHAKE]) and hello[:1] == bytes([_SERVER_HELLO])
    if not is_server_hello or len(hello) < 39:
        return None
    position = 44 + hello[38]
    while position + 6 <= len(hello):
        kind = int.from_bytes(hello[position : position + 2], "big")
        length = int.from_bytes(hello[position + 2 : position + 4], "big")
        if kind == _KEY_SHARE:
            group = int.from_bytes(hello[position + 4 : position + 6], "big")
            return _GROUPS.get(group, f"0x{group:04x}")
        position += 4 + length
    return None


def _chain(tls: ssl.SSLObject, context: ssl.SSLContext, peer: str) -> tuple[x509.Certificate, ...]:
    """The server's certificate, and above it those of the context's authorities that issued it."""
    data = tls.getpeercert(binary_form=True) or b""
    try:
        chain = [x509.load_der_x509_certificate(data)]
        trusted = context.get_ca_certs(binary_form=True)
        authorities = [x509.load_der_x509_certificate(each) for each in trusted]
        # A self-signed server may be trusted itself.
        authorities = [each for each in authorities if each != chain[0]]
        while issuer := _issuer_of(chain[-1], authorities):
            chain.append(issuer)
            # A self-signed authority is its own issuer: without this the chain would never end.
            authorities.remove(issuer)
    except UNREADABLE:
        raise CertificateError(f"{peer}: its certificate cannot be read") from None
    return tuple(chain)


def _issuer_of(
    certificate: x509.Certificate, authorities: list[x509.Certificate]
) -> x509.Certificate | None:
    for authority in authorities:
        with suppress(*UNREADABLE, InvalidSignature):
            certificate.verify_directly_issued_by(authority)
            return authority
    return None
