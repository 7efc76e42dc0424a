"""Looking at a server: what it agrees to, and who vouches for it."""

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
from lepton_lab.tls.endpoint import Endpoint
from lepton_lab.tls.errors import typed_errors
from lepton_lab.tls.names import UNREADABLE, names_of
from lepton_lab.tls.send import reached

# IANA's TLS Supported Groups; the last three from draft-ietf-tls-ecdhe-mlkem.
_GROUPS = {
    **{0x17: "secp256r1", 0x18: "secp384r1", 0x19: "secp521r1", 0x1D: "x25519", 0x1E: "x448"},
    **{
        0x100: "ffdhe2048",
        0x101: "ffdhe3072",
        0x102: "ffdhe4096",
        0x103: "ffdhe6144",
        0x104: "ffdhe8192",
    },
    **{0x11EB: "SecP256r1MLKEM768", 0x11EC: "X25519MLKEM768", 0x11ED: "SecP384r1MLKEM1024"},
}
_SILENCE = 1.0  # seconds
_HANDSHAKE, _SERVER_HELLO, _KEY_SHARE = 22, 2, 51


@dataclass(frozen=True)
class Connection:
    """What a server and we agreed on. `chain` runs from its certificate up to the authority that we trust."""

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
    """Connect to any TLS server, agree with it and part, to see version, cipher, group and certificates.

    context: from `client_context`. server_name: what the certificate must say, by default `host`. timeout: seconds for
    all of it. A TLS 1.3 server verifies our certificate after our part of the handshake is over (RFC 8446 §4.4.4), so
    this goes on until the server has taken it: it speaks, it sends a session ticket, or it answers our close_notify.
    `chain` has the authorities in the context; intermediate certificates, which Python's `ssl` does not show before
    3.13, are not in it.

    Raises CertificateError, which says whose certificate was refused and why; NodeError when the server cannot be
    reached, does not speak TLS 1.3, breaks off or falls silent; InvalidParameter, also for a context that does not
    verify the server and its name.
    """
    name = host if server_name is None else server_name
    end = Endpoint(context, name)
    with reached(host, port, timeout) as wire, typed_errors(f"{host}:{port}"):
        conversation = _Conversation(wire, end, time.monotonic() + timeout)
        conversation.until(lambda: end.finishes(end.tls.do_handshake))
        _await_consent(conversation)
        conversation.leave()
    cipher = end.tls.cipher()
    chain = _chain(end.tls, context, f"{host}:{port}")
    return Connection(
        name,
        end.tls.version() or "",
        cipher[0] if cipher else "",
        _group(conversation.heard),
        chain,
    )


class _Conversation:
    """An endpoint on a socket, with all that the server has said kept for a look at its ServerHello."""

    def __init__(self, wire: socket.socket, end: Endpoint, deadline: float) -> None:
        self.end, self.heard = end, b""
        self._wire, self._deadline = wire, deadline

    def until(self, is_done: Callable[[], bool], within: float | None = None) -> None:
        """Exchange bytes until `is_done`. Raises TimeoutError past `within` seconds or the deadline, OSError."""
        last = self._deadline if within is None else min(self._deadline, time.monotonic() + within)
        try:
            while not is_done():
                self._say()
                self._hear(last - time.monotonic())
        except ssl.SSLError:
            with suppress(OSError):  # our alert; whether it arrives changes nothing
                self._say()
            raise
        self._say()

    def leave(self) -> None:
        """A close_notify, without waiting for the other's (RFC 8446 §6.1)."""
        with suppress(OSError):
            self.end.finishes(self.end.tls.unwrap)
        with suppress(OSError):
            self._say()

    def _say(self) -> None:
        if data := self.end.sent():
            self._wire.sendall(data)

    def _hear(self, seconds: float) -> None:
        if seconds <= 0:
            raise TimeoutError
        self._wire.settimeout(seconds)
        data = self._wire.recv(2**16)
        self.heard = self.heard or data
        self.end.take(data)


def _await_consent(conversation: _Conversation) -> None:
    """Return when the server has taken our certificate, or asked for none. Raises OSError, its alert among them."""
    end = conversation.end

    def has_spoken() -> bool:
        return end.read() is not None or (
            end.tls.session is not None and end.tls.session.has_ticket
        )

    try:
        conversation.until(has_spoken, within=_SILENCE)
    except (
        TimeoutError
    ):  # a server that waits for us and gives no tickets; it will answer our leaving
        with suppress(ssl.SSLEOFError):
            conversation.until(lambda: end.finishes(end.tls.unwrap))


def _group(heard: bytes) -> str | None:
    """The group in a ServerHello's key_share, which is the one extension there that is neither secret nor in `ssl`.

    record, RFC 8446 §5.1:        0 1 type   1 2 version   3 2 length
    ServerHello, §4.1.3:          0 1 type 2   1 3 length   4 2 version   6 32 random   38 1 n   39 n session id
                                  39+n 2 cipher suite   41+n 1 compression   42+n 2 length of the extensions
    extension, §4.2 and §4.2.8:   0 2 type 51   2 2 length   4 2 group   …
    """
    hello = heard[5 : 5 + int.from_bytes(heard[3:5], "big")]
    if heard[:1] != bytes([_HANDSHAKE]) or hello[:1] != bytes([_SERVER_HELLO]) or len(hello) < 39:
        return None
    position = 44 + hello[38]
    while position + 6 <= len(hello):
        kind, length, group = (
            int.from_bytes(hello[position + i : position + i + 2], "big") for i in (0, 2, 4)
        )
        if kind == _KEY_SHARE:
            return _GROUPS.get(group, f"0x{group:04x}")
        position += 4 + length
    return None


def _chain(tls: ssl.SSLObject, context: ssl.SSLContext, peer: str) -> tuple[x509.Certificate, ...]:
    data = tls.getpeercert(binary_form=True) or b""
    try:
        chain = [x509.load_der_x509_certificate(data)]
        authorities = [
            x509.load_der_x509_certificate(each) for each in context.get_ca_certs(binary_form=True)
        ]
        while issuer := next(
            (each for each in authorities if each not in chain and _issued(each, chain[-1])), None
        ):
            chain.append(issuer)
    except UNREADABLE:
        raise CertificateError(f"{peer}: its certificate cannot be read") from None
    return tuple(chain)


def _issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True
