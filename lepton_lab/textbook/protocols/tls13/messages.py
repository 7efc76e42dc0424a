"""The messages, each read into its fields as RFC 8446 §4 defines them.

Handshake
 0   1   msg_type
 1   3   n, the length of what follows
 4   n   the message: ClientHello, ServerHello, …
"""

from __future__ import annotations

from collections.abc import Callable

from lepton_lab.textbook.protocols.tls13 import names
from lepton_lab.textbook.protocols.tls13.certificates import summary_of
from lepton_lab.textbook.protocols.tls13.errors import MalformedCapture
from lepton_lab.textbook.protocols.tls13.extensions import read_extensions
from lepton_lab.textbook.protocols.tls13.fields import Field, Reader
from lepton_lab.textbook.protocols.tls13.suites import SUITE_NAMES

ALL_SUITES = SUITE_NAMES | names.OTHER_SUITES


def read_handshake(data: bytes) -> tuple[str, tuple[Field, ...]]:
    """One handshake message, its header included: its name in RFC 8446 and its fields, which cover every byte.

    Raises MalformedCapture.
    """
    name, parser = MESSAGES.get(data[0], ("", None)) if data else ("", None)
    if parser is None:
        raise MalformedCapture(
            "handshake", f"no message of type {data[:1].hex() or 'nothing'} is explained here"
        )
    if names.is_hello_retry_request(data):
        name = "HelloRetryRequest"
    fields: list[Field] = []
    with Reader(data, name, fields) as message:
        message.number("msg_type", 1, "type", "which message this is (§4)", names.HANDSHAKE_TYPES)
        with message.vector("", 3) as body:
            parser(body, name)
    return name, tuple(fields)


def read_change_cipher_spec(data: bytes) -> tuple[Field, ...]:
    """The one byte 1, sent for the sake of middleboxes that know TLS 1.2 only (§5, §D.4). MalformedCapture."""
    if data != b"\x01":
        raise MalformedCapture("ChangeCipherSpec", "it is a single byte 1, and nothing else")
    meaning = (
        "does nothing: it makes TLS 1.3 look like a resumed TLS 1.2 to what stands between (§D.4)"
    )
    return (Field(0, 1, data, "ChangeCipherSpec.type", "change_cipher_spec", meaning, "type"),)


def read_alert(data: bytes) -> tuple[Field, ...]:
    """An alert (§6): 0 1 level, 1 1 description. Raises MalformedCapture."""
    fields: list[Field] = []
    with Reader(data, "Alert", fields) as alert:
        alert.number(
            "level", 1, "type", "in TLS 1.3 the description alone counts (§6)", names.ALERT_LEVELS
        )
        alert.number("description", 1, "type", "what has happened (§6.1, §6.2)", names.ALERTS)
    return tuple(fields)


def read_application_data(data: bytes) -> tuple[Field, ...]:
    """What the application says: TLS does not look into it."""
    fields: list[Field] = []
    meaning = "what the application says"
    Reader(data, "ApplicationData", fields).take("data", len(data), "data", meaning, value=_as_text)
    return tuple(fields)


def _as_text(data: bytes) -> object:
    return data.decode("ascii") if data.isascii() and data.decode("ascii").isprintable() else data


def _client_hello(message: Reader, name: str) -> None:
    _hello(message, "the client's contribution to the freshness of every key")
    message.opaque(
        "legacy_session_id",
        1,
        "random",
        "not empty to look like TLS 1.2; the server sends it back (§D.4)",
    )
    meaning = "a suite that the client offers, the one it likes best first; those without a name here are older than 1.3"
    message.numbers("cipher_suites", 2, 2, "choice", meaning, names=ALL_SUITES)
    message.opaque(
        "legacy_compression_methods",
        1,
        "choice",
        "always one byte 0: TLS 1.3 does not compress",
        least=1,
    )
    read_extensions(message, name)


def _server_hello(message: Reader, name: str) -> None:
    retry = (
        "SHA-256 of 'HelloRetryRequest': this is no ServerHello but a request to try again (§4.1.3)"
    )
    _hello(
        message,
        retry
        if name == "HelloRetryRequest"
        else "the server's contribution to the freshness of every key",
    )
    message.opaque("legacy_session_id_echo", 1, "random", "the client's legacy_session_id again")
    message.number("cipher_suite", 2, "choice", "the suite that is used", ALL_SUITES)
    message.number("legacy_compression_method", 1, "choice", "always 0")
    read_extensions(message, name)


def _hello(message: Reader, whose: str) -> None:
    meaning = "always TLS 1.2; what counts stands in supported_versions (§4.1.2)"
    message.number("legacy_version", 2, "version", meaning, names.VERSIONS)
    message.take("random", 32, "random", whose)


def _encrypted_extensions(message: Reader, name: str) -> None:
    read_extensions(message, name)


def _certificate_request(message: Reader, name: str) -> None:
    message.opaque("certificate_request_context", 1, "data", "empty during the handshake (§4.3.2)")
    read_extensions(message, name)


def _certificate(message: Reader, name: str) -> None:
    message.opaque(
        "certificate_request_context",
        1,
        "data",
        "the request's; empty during the handshake (§4.4.2)",
    )
    with message.vector("certificate_list", 3) as certificates:
        index = 0
        while certificates.left:
            meaning = "an X.509 certificate in DER; the first is the sender's, each of the next certifies the one before"
            certificates.opaque(
                f"[{index}].cert_data", 3, "certificate", meaning, least=1, value=summary_of
            )
            read_extensions(certificates, name, f"[{index}].")
            index += 1


def _certificate_verify(message: Reader, name: str) -> None:
    meaning = "how the signature was made (§4.4.3)"
    message.number("algorithm", 2, "choice", meaning, names.SIGNATURE_SCHEMES)
    meaning = "by the certificate's key over the transcript: the sender has that key, here and now"
    message.opaque("signature", 2, "signature", meaning, least=1)


def _finished(message: Reader, name: str) -> None:
    meaning = (
        "MAC of the transcript: both have seen the same messages and hold the same secret (§4.4.4)"
    )
    message.take("verify_data", message.left, "mac", meaning)


def _end_of_early_data(message: Reader, name: str) -> None:
    """Nothing inside: from the next record on the client uses its handshake keys (§4.5)."""


def _new_session_ticket(message: Reader, name: str) -> None:
    message.number(
        "ticket_lifetime",
        4,
        "data",
        "seconds for which the ticket is good, at most a week (§4.6.1)",
    )
    message.number(
        "ticket_age_add",
        4,
        "random",
        "added to the ticket's age, so that uses of it cannot be linked by it",
    )
    message.opaque("ticket_nonce", 1, "random", "makes each ticket's PSK another one")
    message.opaque(
        "ticket",
        2,
        "ticket",
        "what the client brings back to resume; only the server can read it",
        least=1,
    )
    read_extensions(message, name)


def _key_update(message: Reader, name: str) -> None:
    meaning = "whether the other side should change its key too (§4.6.3)"
    message.number("request_update", 1, "type", meaning, names.KEY_UPDATES)


MESSAGES: dict[int, tuple[str, Callable[[Reader, str], None]]] = {
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
