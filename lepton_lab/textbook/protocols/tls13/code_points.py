"""The numbers of TLS 1.3 and their names (RFC 8446 Appendix B and the registries that it names)."""

from __future__ import annotations

from collections.abc import Mapping

VERSIONS = {0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}

CONTENT_TYPES = {  # §B.1
    20: "change_cipher_spec",
    21: "alert",
    22: "handshake",
    23: "application_data",
}

HANDSHAKE_TYPES = {  # §B.3
    1: "client_hello",
    2: "server_hello",
    4: "new_session_ticket",
    5: "end_of_early_data",
    8: "encrypted_extensions",
    11: "certificate",
    13: "certificate_request",
    15: "certificate_verify",
    20: "finished",
    24: "key_update",
    254: "message_hash",
}

EXTENSIONS = {  # §4.2 and the registry
    0: "server_name",
    1: "max_fragment_length",
    5: "status_request",
    10: "supported_groups",
    11: "ec_point_formats",
    13: "signature_algorithms",
    14: "use_srtp",
    15: "heartbeat",
    16: "application_layer_protocol_negotiation",
    18: "signed_certificate_timestamp",
    19: "client_certificate_type",
    20: "server_certificate_type",
    21: "padding",
    22: "encrypt_then_mac",
    23: "extended_master_secret",
    27: "compress_certificate",
    28: "record_size_limit",
    35: "session_ticket",
    41: "pre_shared_key",
    42: "early_data",
    43: "supported_versions",
    44: "cookie",
    45: "psk_key_exchange_modes",
    47: "certificate_authorities",
    48: "oid_filters",
    49: "post_handshake_auth",
    50: "signature_algorithms_cert",
    51: "key_share",
    0xFF01: "renegotiation_info",
}

GROUPS = {  # §4.2.7; RFC 8734, RFC 8998, draft-ietf-tls-mlkem and draft-ietf-tls-ecdhe-mlkem
    0x0017: "secp256r1",
    0x0018: "secp384r1",
    0x0019: "secp521r1",
    0x001D: "x25519",
    0x001E: "x448",
    0x001F: "brainpoolP256r1tls13",
    0x0020: "brainpoolP384r1tls13",
    0x0021: "brainpoolP512r1tls13",
    0x0029: "curveSM2",
    0x0100: "ffdhe2048",
    0x0101: "ffdhe3072",
    0x0102: "ffdhe4096",
    0x0103: "ffdhe6144",
    0x0104: "ffdhe8192",
    0x0200: "MLKEM512",
    0x0201: "MLKEM768",
    0x0202: "MLKEM1024",
    0x11EB: "SecP256r1MLKEM768",
    0x11EC: "X25519MLKEM768",
    0x11ED: "SecP384r1MLKEM1024",
    0x11EE: "curveSM2MLKEM768",
}

SIGNATURE_SCHEMES = {  # §4.2.3; RFC 8734, RFC 8998, draft-ietf-tls-mldsa
    0x0201: "rsa_pkcs1_sha1",
    0x0202: "dsa_sha1_RESERVED",
    0x0203: "ecdsa_sha1",
    0x0402: "dsa_sha256_RESERVED",
    0x0502: "dsa_sha384_RESERVED",
    0x0602: "dsa_sha512_RESERVED",
    0x0708: "sm2sig_sm3",
    0x0401: "rsa_pkcs1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
    0x0904: "mldsa44",
    0x0905: "mldsa65",
    0x0906: "mldsa87",
}

ALERT_LEVELS = {1: "warning", 2: "fatal"}

ALERTS = {  # §6, §B.2
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}

OTHER_SUITES = {  # not TLS 1.3's, but seen in its ClientHellos
    0x00FF: "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",  # RFC 5746 §3.3: no suite at all
    0x5600: "TLS_FALLBACK_SCSV",  # RFC 7507 §4
}
PSK_MODES = {0: "psk_ke", 1: "psk_dhe_ke"}  # §4.2.9
POINT_FORMATS = {  # RFC 8422 §5.1.2
    0: "uncompressed",
    1: "ansiX962_compressed_prime",
    2: "ansiX962_compressed_char2",
}
COMPRESSIONS = {1: "zlib", 2: "brotli", 3: "zstd"}  # RFC 8879 §3
KEY_UPDATES = {0: "update_not_requested", 1: "update_requested"}  # §4.6.3

HELLO_RETRY_REQUEST_RANDOM = bytes.fromhex(  # SHA-256 of "HelloRetryRequest" (§4.1.3)
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)


def named(number: int, names: Mapping[int, str], length: int = 2) -> str:
    """Return the name of a number that is `length` bytes long on the wire.

    RFC 8701's GREASE values, and numbers that are in no table here, are named as such.
    """
    if number in names:
        return names[number]
    what = "GREASE" if length == 2 and _is_grease(number) else "unknown here"
    return f"{what} (0x{number:0{2 * length}x})"


def _is_grease(number: int) -> bool:
    """Whether both bytes are the same and end in A: 0x0a0a, 0x1a1a, … (RFC 8701 §2)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def is_hello_retry_request(message: bytes) -> bool:
    """Whether a handshake message is a ServerHello with the one random of a HelloRetryRequest."""
    return message[:1] == b"\x02" and message[6:38] == HELLO_RETRY_REQUEST_RANDOM
