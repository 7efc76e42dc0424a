"""Turns what `ssl` and the network raise into errors that say which end refused what."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from lepton_lab.errors import CertificateError, NodeError

# Our check of the peer's certificate, by OpenSSL's X509_V_ERR_… code (x509_vfy.h).
_CERTIFICATE_FAULTS = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed: not trusted",
    19: "its certificate comes from an authority that is not trusted",
    20: "its certificate comes from an authority that is not trusted",
    26: "its certificate is not for this purpose (a server's shown by a client, or the reverse)",
    47: "its certificate has a name that its authority may not certify",
    48: "its certificate has a name that its authority may not certify",
    62: "its certificate is for another host name",
    64: "its certificate is for another address",
}

# The peer's check of our certificate arrives as an alert (RFC 8446 §6.2). The keys are the ends of
# OpenSSL's names for these alerts.
_ALERTS = {
    "BAD_CERTIFICATE": "it refused our certificate: not valid, or not for the name it expected",
    "UNSUPPORTED_CERTIFICATE": "it refused our certificate: not for this purpose",
    "CERTIFICATE_REVOKED": "it refused our certificate: revoked",
    "CERTIFICATE_EXPIRED": "it refused our certificate: expired",
    "CERTIFICATE_UNKNOWN": "it refused our certificate: not acceptable",
    "UNKNOWN_CA": "it refused our certificate: it does not trust the authority",
    "ACCESS_DENIED": "it refused our certificate: not allowed",
    "CERTIFICATE_REQUIRED": "it requires a certificate, and we have shown none",
}

_NO_CLIENT_CERTIFICATE = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
_BROKEN_OFF = "it broke off the connection"
_OTHER_REASONS = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
    "HTTP_REQUEST": "it does not speak TLS",
    "HTTPS_PROXY_REQUEST": "it does not speak TLS",
    "UNSUPPORTED_PROTOCOL": "it does not speak TLS 1.3",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it does not speak TLS 1.3",
}


@contextmanager
def typed_errors(peer: str) -> Iterator[None]:
    """Turn every OSError raised inside, ssl.SSLError included, into an error that names the peer.

    Raises CertificateError or NodeError in its place.
    """
    try:
        yield
    except OSError as error:
        raise explained(error, peer) from None


def explained(error: OSError, peer: str) -> CertificateError | NodeError:
    """Return a CertificateError if a certificate was refused, by either end, else a NodeError."""
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = _CERTIFICATE_FAULTS.get(error.verify_code, error.verify_message)
        return CertificateError(f"{peer}: {fault}")
    if not isinstance(error, ssl.SSLError):
        return NodeError(peer, _network_reason(error))
    reason = error.reason or ""
    alert = reason.partition("_ALERT_")[2]
    if alert in _ALERTS:
        return CertificateError(f"{peer}: {_ALERTS[alert]}")
    if reason == _NO_CLIENT_CERTIFICATE:
        return CertificateError(f"{peer}: it has shown no certificate, and one is required")
    why = _OTHER_REASONS.get(reason) or f"TLS failed: {reason.replace('_', ' ').lower() or error}"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
        why = _BROKEN_OFF
    return NodeError(peer, why)


def _network_reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return _BROKEN_OFF
    return (error.strerror or str(error)).lower()
