"""The messages, each read into its fields as RFC 8446 §4 defines them.

Handshake
 0   1   msg_type
 1   3   n, the length of what follows
 4   n   the message: ClientHello, ServerHello, …
"""

from __future__ import annotations

from collections.abc import Callable

from lepton_lab.textbook.protocols.tls13 import code_points
from lepton_lab.textbook.protocols.tls13.certificates import summary_of
from lepton_lab.textbook.protocols.tls13.dissection_errors import MalformedCapture
from lepton_lab.textbook.protocols.tls13.extensions import read_extensions
from lepton_lab.textbook.protocols.tls13.fields import WireField, WireFieldReader
from lepton_lab.textbook.protocols.tls13.suites import SUITE_NAMES

ALL_SUITES = SUITE_NAMES | code_points.OTHER_SUITES


def read_handshake(data: bytes) -> tuple[str, tuple[WireField, ...]]:
    """Read one handshake message with its header; return its name and its fields.

    The fields cover every byte. Raises MalformedCapture.
    """
    name, parser = MESSAGES.get(data[0], ("", None)) if data else ("", None)
    if parser is None:
        kind = data[:1].hex() or "nothing"
        raise MalformedCapture("handshake", f"no message of type {kind} is explained here")
    if code_points.is_hello_retry_request(data):
        name = "HelloRetryRequest"
    fields: list[WireField] = []
    meaning = "which message this is (§4)"
    with WireFieldReader(data, name, fields) as message:
        message.number("msg_type", 1, "type", meaning, code_points.HANDSHAKE_TYPES)
        with message.vector("", 3) as body:
            parser(body, name)
    return name, tuple(fields)


def read_change_cipher_spec(data: bytes) -> tuple[WireField, ...]:
    """Read the one byte 1 that is sent for middleboxes that know only TLS 1.2 (§5, §D.4).

    Raises MalformedCapture.
    """
    if data != b"\x01":
        raise MalformedCapture("ChangeCipherSpec", "it is a single byte 1, and nothing else")
    meaning = (
        "does nothing: it makes TLS 1.3 look like a resumed TLS 1.2 to what stands between (§D.4)"
    )
    field = WireField(0, 1, data, "ChangeCipherSpec.type", "change_cipher_spec", meaning, "type")
    return (field,)


def read_alert(data: bytes) -> tuple[WireField, ...]:
    """Read an alert (§6): 0 1 level, 1 1 description. Raises MalformedCapture."""
    fields: list[WireField] = []
    with WireFieldReader(data, "Alert", fields) as alert:
        meaning = "in TLS 1.3 the description alone counts (§6)"
        alert.number("level", 1, "type", meaning, code_points.ALERT_LEVELS)
        meaning = "what has happened (§6.1, §6.2)"
        alert.number("description", 1, "type", meaning, code_points.ALERTS)
    return tuple(fields)


def read_application_data(data: bytes) -> tuple[WireField, ...]:
    """Read what the application says as one field: TLS does not look into it."""
    fields: list[WireField] = []
    reader = WireFieldReader(data, "ApplicationData", fields)
    reader.take("data", len(data), "data", "what the application says", value=_as_text)
    return tuple(fields)


def _as_text(data: bytes) -> object:
    is_text = data.isascii() and data.decode("ascii").isprintable()
    return data.decode("ascii") if is_text else data


def _client_hello(message: WireFieldReader, name: str) -> None:
    _hello(message, "the client's contribution to the freshness of every key")
    meaning = "not empty to look like TLS 1.2; the server sends it back (§D.4)"
    message.opaque("legacy_session_id", 1, "random", meaning)
    meaning = (
        "a suite that the client offers, the one it likes best first; "
        "those without a name here are older than 1.3"
    )
    message.numbers("cipher_suites", 2, 2, "choice", meaning, names=ALL_SUITES)
    meaning = "always one byte 0: TLS 1.3 does not compress"
    message.opaque("legacy_compression_methods", 1, "choice", meaning, least=1)
    read_extensions(message, name)


def _server_hello(message: WireFieldReader, name: str) -> None:
    if name == "HelloRetryRequest":
        meaning = (
            "SHA-256 of 'HelloRetryRequest': "
            "this is not a ServerHello but a request to try again (§4.1.3)"
        )
    else:
        meaning = "the server's contribution to the freshness of every key"
    _hello(message, meaning)
    message.opaque("legacy_session_id_echo", 1, "random", "the client's legacy_session_id again")
    message.number("cipher_suite", 2, "choice", "the suite that is used", ALL_SUITES)
    message.number("legacy_compression_method", 1, "choice", "always 0")
    read_extensions(message, name)


def _hello(message: WireFieldReader, meaning_of_random: str) -> None:
    meaning = "always TLS 1.2; what counts stands in supported_versions (§4.1.2)"
    message.number("legacy_version", 2, "version", meaning, code_points.VERSIONS)
    message.take("random", 32, "random", meaning_of_random)


def _encrypted_extensions(message: WireFieldReader, name: str) -> None:
    read_extensions(message, name)


def _certificate_request(message: WireFieldReader, name: str) -> None:
    message.opaque("certificate_request_context", 1, "data", "empty during the handshake (§4.3.2)")
    read_extensions(message, name)


def _certificate(message: WireFieldReader, name: str) -> None:
    meaning = "the request's; empty during the handshake (§4.4.2)"
    message.opaque("certificate_request_context", 1, "data", meaning)
    meaning = (
        "an X.509 certificate in DER; the first is the sender's, "
        "each of the next certifies the one before"
    )
    with message.vector("certificate_list", 3) as certificates:
        index = 0
        while certificates.left:
            cert_data = f"[{index}].cert_data"
            certificates.opaque(cert_data, 3, "certificate", meaning, least=1, value=summary_of)
            read_extensions(certificates, name, f"[{index}].")
            index += 1


def _certificate_verify(message: WireFieldReader, name: str) -> None:
    meaning = "how the signature was made (§4.4.3)"
    message.number("algorithm", 2, "choice", meaning, code_points.SIGNATURE_SCHEMES)
    meaning = "by the certificate's key over the transcript: the sender has that key, here and now"
    message.opaque("signature", 2, "signature", meaning, least=1)


def _finished(message: WireFieldReader, name: str) -> None:
    meaning = (
        "MAC of the transcript: both have seen the same messages and hold the same secret (§4.4.4)"
    )
    message.take("verify_data", message.left, "mac", meaning)


def _end_of_early_data(message: WireFieldReader, name: str) -> None:
    """It is empty: from the next record on the client uses its handshake keys (§4.5)."""


def _new_session_ticket(message: WireFieldReader, name: str) -> None:
    meaning = "seconds for which the ticket is good, at most a week (§4.6.1)"
    message.number("ticket_lifetime", 4, "data", meaning)
    meaning = "added to the ticket's age, so that uses of it cannot be linked by it"
    message.number("ticket_age_add", 4, "random", meaning)
    meaning = "gives each ticket a PSK of its own"
    message.opaque("ticket_nonce", 1, "random", meaning)
    meaning = "what the client brings back to resume; only the server can read it"
    message.opaque("ticket", 2, "ticket", meaning, least=1)
    read_extensions(message, name)


def _key_update(message: WireFieldReader, name: str) -> None:
    meaning = "whether the other side should change its key too (§4.6.3)"
    message.number("request_update", 1, "type", meaning, code_points.KEY_UPDATES)


MESSAGES: dict[int, tuple[str, Callable[[WireFieldReader, str], None]]] = {
    1: ("ClientHello", _client_hello),
    2: ("ServerHello", _server_hello),
    4: ("NewSessionTicket", _new_session_ticket),
    5: ("EndOfEarlyData", _end_of_early_data),
    8: ("EncryptedExtensions", _encrypted_extensions),
    11: ("Certificate", _certificate),
    13: ("CertificateRequest", _certificate_request),
    15: ("CertificateVerify", _certificate_verify),
    20: ("Finished", _finished),
    24: ("KeyUpdate", _key_update),
}
