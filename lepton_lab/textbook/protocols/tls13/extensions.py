"""The extensions: what each holds depends on the message that it stands in (RFC 8446 §4.2).

Extension
 0   2   extension_type
 2   2   n, the length of extension_data
 4   n   extension_data
"""

from __future__ import annotations

from collections.abc import Callable

from lepton_lab.textbook.protocols.tls13 import code_points
from lepton_lab.textbook.protocols.tls13.dissection_errors import MalformedCapture
from lepton_lab.textbook.protocols.tls13.fields import WireFieldReader, text

ExtensionParser = Callable[[WireFieldReader, str], None]


def read_extensions(message: WireFieldReader, name: str, part: str = "") -> None:
    """Read the vector `extensions` of the message `name`, or of a part of it.

    Raises MalformedCapture, also when a type comes twice.
    """
    seen: set[int] = set()
    with message.vector(f"{part}extensions", 2) as extensions:
        while extensions.left:
            code = _read_extension(extensions, len(seen), name)
            if code in seen:
                known_as = code_points.named(code, code_points.EXTENSIONS)
                raise MalformedCapture(extensions.path, f"{known_as} comes twice")
            seen.add(code)


def _read_extension(extensions: WireFieldReader, index: int, message: str) -> int:
    """Read one extension of a message; return its type."""
    start = extensions.position
    code = int.from_bytes(extensions.data[start : start + 2], "big")
    parser, purpose = PARSERS.get(code, UNKNOWN)
    type_name = f"[{index}].extension_type"
    extensions.number(type_name, 2, "type", f"{purpose} (§4.2)", code_points.EXTENSIONS)
    data_name = f"[{index}].{code_points.EXTENSIONS.get(code, 'extension_data')}"
    with extensions.vector(data_name, 2) as data:
        if data.left or (code, message) not in EMPTY:
            parser(data, message)
    return code


def _unknown(data: WireFieldReader, message: str) -> None:
    data.take("", data.left, "data", "not explained here")


def _nothing(data: WireFieldReader, message: str) -> None:
    """Read nothing: its presence is all it says, and bytes inside would be left over."""


def _server_name(data: WireFieldReader, message: str) -> None:
    with data.vector("server_name_list", 2, 1) as server_names:
        meaning = "0: a host name (RFC 6066 §3)"
        server_names.number("[0].name_type", 1, "type", meaning, {0: "host_name"})
        meaning = "the name that the client wants to speak to, in the clear"
        server_names.opaque("[0].HostName", 2, "name", meaning, least=1, value=text)


def _max_fragment_length(data: WireFieldReader, message: str) -> None:
    meaning = "2 to the power of 8 more than this, in bytes (RFC 6066 §4)"
    data.number("max_fragment_length", 1, "choice", meaning)


def _status_request(data: WireFieldReader, message: str) -> None:
    kind = data.number("status_type", 1, "type", "1: an OCSP answer (RFC 6066 §8)", {1: "ocsp"})
    if kind != 1:
        data.take("request", data.left, "data", "not explained here")
    elif message == "ClientHello":
        data.opaque("responder_id_list", 2, "data", "OCSP responders that the client trusts")
        data.opaque("request_extensions", 2, "data", "extensions of the OCSP request")
    else:
        meaning = "a signed answer that the certificate is not revoked (§4.4.2.1)"
        data.opaque("response", 3, "data", meaning)


def _supported_groups(data: WireFieldReader, message: str) -> None:
    meaning = "a group for the key exchange (§4.2.7)"
    data.numbers("named_group_list", 2, 2, "choice", meaning, names=code_points.GROUPS)


def _ec_point_formats(data: WireFieldReader, message: str) -> None:
    meaning = "how points may be written: a relic of TLS 1.2 (RFC 8422 §5.1.2)"
    names = code_points.POINT_FORMATS
    data.numbers("ec_point_format_list", 1, 1, "choice", meaning, names=names)


def _signature_algorithms(data: WireFieldReader, message: str) -> None:
    meaning = (
        "a scheme that the sender can verify; "
        "those without a name here are older than TLS 1.3 (§4.2.3)"
    )
    names = code_points.SIGNATURE_SCHEMES
    data.numbers("supported_signature_algorithms", 2, 2, "choice", meaning, names=names)


def _application_protocols(data: WireFieldReader, message: str) -> None:
    meaning = "a protocol to speak inside (RFC 7301 §3.1)"
    index = 0
    with data.vector("protocol_name_list", 2, 2) as protocols:
        while protocols.left:
            protocols.opaque(f"[{index}]", 1, "name", meaning, least=1, value=text)
            index += 1


def _timestamps(data: WireFieldReader, message: str) -> None:
    meaning = "promises of logs to publish the certificate (RFC 6962 §3.3)"
    data.opaque("sct_list", 2, "data", meaning)


def _padding(data: WireFieldReader, message: str) -> None:
    data.take("", data.left, "padding", "zeros that make the ClientHello longer (RFC 7685)")


def _session_ticket(data: WireFieldReader, message: str) -> None:
    data.take("", data.left, "ticket", "a ticket of TLS 1.2 (RFC 5077 §3.2)")


def _compress_certificate(data: WireFieldReader, message: str) -> None:
    meaning = "a compression that the sender can undo (RFC 8879 §3)"
    data.numbers("algorithms", 1, 2, "choice", meaning, names=code_points.COMPRESSIONS)


def _record_size_limit(data: WireFieldReader, message: str) -> None:
    meaning = "the longest TLSInnerPlaintext that the sender takes (RFC 8449 §4)"
    data.number("record_size_limit", 2, "length", meaning)


def _pre_shared_key(data: WireFieldReader, message: str) -> None:
    if message != "ClientHello":
        meaning = "which of the PSKs offered is used, from 0 (§4.2.11)"
        data.number("selected_identity", 2, "choice", meaning)
        return
    with data.vector("identities", 2, 7) as identities:
        index = 0
        while identities.left:
            meaning = "a ticket from an earlier connection, or the name of a key"
            identities.opaque(f"[{index}].identity", 2, "ticket", meaning, least=1)
            meaning = "milliseconds since the ticket came, plus its ticket_age_add"
            identities.number(f"[{index}].obfuscated_ticket_age", 4, "random", meaning)
            index += 1
    with data.vector("binders", 2, 33) as binders:
        index = 0
        while binders.left:
            meaning = "MAC under the PSK of the ClientHello up to the binders (§4.2.11.2)"
            binders.opaque(f"[{index}]", 1, "mac", meaning, least=32)
            index += 1


def _early_data(data: WireFieldReader, message: str) -> None:
    if message == "NewSessionTicket":
        meaning = "how many bytes of early data the ticket is good for (§4.2.10)"
        data.number("max_early_data_size", 4, "length", meaning)


def _supported_versions(data: WireFieldReader, message: str) -> None:
    names = code_points.VERSIONS
    if message == "ClientHello":
        meaning = "a version that the client speaks (§4.2.1)"
        data.numbers("versions", 1, 2, "version", meaning, names=names)
    else:
        meaning = "the version that is spoken; the one in the old place stays at TLS 1.2 (§4.2.1)"
        data.number("selected_version", 2, "version", meaning, names)


def _cookie(data: WireFieldReader, message: str) -> None:
    meaning = "what the server has the client bring back, so as not to remember it (§4.2.2)"
    data.opaque("cookie", 2, "data", meaning, least=1)


def _psk_modes(data: WireFieldReader, message: str) -> None:
    meaning = "a way in which a PSK may be used (§4.2.9)"
    data.numbers("ke_modes", 1, 1, "choice", meaning, names=code_points.PSK_MODES)


def _certificate_authorities(data: WireFieldReader, message: str) -> None:
    meaning = "an issuer that is trusted, its name in DER (§4.2.4)"
    index = 0
    with data.vector("authorities", 2, 3) as authorities:
        while authorities.left:
            authorities.opaque(f"[{index}]", 2, "name", meaning, least=1)
            index += 1


def _oid_filters(data: WireFieldReader, message: str) -> None:
    index = 0
    with data.vector("filters", 2) as filters:
        while filters.left:
            oid_name = f"[{index}].certificate_extension_oid"
            filters.opaque(oid_name, 1, "type", "an extension's OID (§4.2.5)", least=1)
            values_name = f"[{index}].certificate_extension_values"
            filters.opaque(values_name, 2, "data", "the values that it must have")
            index += 1


def _key_share(data: WireFieldReader, message: str) -> None:
    if message == "HelloRetryRequest":
        meaning = "the group that the client should send a share of (§4.2.8)"
        data.number("selected_group", 2, "choice", meaning, code_points.GROUPS)
    elif message == "ServerHello":
        _key_share_entry(data, "server_share", "the server's")
    else:
        index = 0
        with data.vector("client_shares", 2) as shares:
            while shares.left:
                _key_share_entry(shares, f"[{index}]", "the client's")
                index += 1


def _key_share_entry(shares: WireFieldReader, name: str, whose: str) -> None:
    meaning = "the group of the public key that follows (§4.2.8)"
    shares.number(f"{name}.group", 2, "choice", meaning, code_points.GROUPS)
    meaning = f"{whose} ephemeral public key in that group (§4.2.8)"
    shares.opaque(f"{name}.key_exchange", 2, "key", meaning, least=1)


def _renegotiation_info(data: WireFieldReader, message: str) -> None:
    meaning = "a relic of TLS 1.2; empty here (RFC 5746 §3.2)"
    data.opaque("renegotiated_connection", 1, "data", meaning)


# (type, message): here an extension without data is allowed, and says "I know this" or "agreed".
EMPTY = {
    (0, "EncryptedExtensions"),
    (1, "EncryptedExtensions"),
    (5, "CertificateRequest"),
    (18, "ClientHello"),
    (18, "CertificateRequest"),
    (35, "ClientHello"),
    (42, "ClientHello"),
    (42, "EncryptedExtensions"),
    (48, "CertificateRequest"),
}

# By type: how its data is read, and what it is for.
PARSERS: dict[int, tuple[ExtensionParser, str]] = {
    0: (_server_name, "which of its names the server is meant under"),
    1: (_max_fragment_length, "records shorter than usual, for small devices"),
    5: (_status_request, "proof that the certificate is not revoked comes with it"),
    10: (_supported_groups, "the groups in which the keys may be exchanged"),
    11: (_ec_point_formats, "a relic of TLS 1.2"),
    13: (_signature_algorithms, "the signatures that the sender can verify"),
    16: (_application_protocols, "what will be spoken inside"),
    18: (_timestamps, "proof that the certificate is published"),
    21: (_padding, "makes the ClientHello longer, for servers that stumble over some lengths"),
    22: (_nothing, "a relic of TLS 1.2: encrypt first, then MAC"),
    23: (
        _nothing,
        "a relic of TLS 1.2: a master secret that depends on the whole handshake, as all do now",
    ),
    27: (_compress_certificate, "certificates may come compressed"),
    28: (_record_size_limit, "how long a record the sender can take"),
    35: (_session_ticket, "a relic of TLS 1.2: resuming by a ticket"),
    41: (_pre_shared_key, "keys that both sides have already: usually a resumption"),
    42: (_early_data, "data before the handshake is done, under the PSK alone: it can be replayed"),
    43: (_supported_versions, "the version, where middleboxes do not look for it"),
    44: (_cookie, "what the server wants to be reminded of"),
    45: (_psk_modes, "whether a PSK is used with a fresh key exchange or without one"),
    47: (_certificate_authorities, "the issuers that the sender trusts"),
    48: (_oid_filters, "what a client's certificate must contain"),
    49: (_nothing, "the client may be asked for its certificate later"),
    50: (_signature_algorithms, "the signatures that the sender can verify in certificates"),
    51: (_key_share, "ephemeral public keys: both have the shared secret after one round trip"),
    0xFF01: (_renegotiation_info, "a relic of TLS 1.2: TLS 1.3 does not renegotiate"),
}
UNKNOWN: tuple[ExtensionParser, str] = (
    _unknown,
    "not explained here; a peer that does not know an extension ignores it",
)
