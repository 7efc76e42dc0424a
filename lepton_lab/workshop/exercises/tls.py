"""Exercises of `06_tls`."""

from __future__ import annotations

import fnmatch
import hmac

from lepton_lab.workshop.engine import Exercise, WrongAnswer, function


def _matches(certified: str, host: str) -> bool:
    pattern, name = certified.lower().split("."), host.lower().split(".")
    if pattern[0] == "*":
        pattern[0] = name[0]
    return pattern == name


def _matches_any_depth(certified: str, host: str) -> bool:
    return fnmatch.fnmatchcase(host.lower(), certified.lower())


def _matches_wildcard_in_any_place(certified: str, host: str) -> bool:
    pattern, name = certified.lower().split("."), host.lower().split(".")
    return len(pattern) == len(name) and all(
        p in ("*", n) for p, n in zip(pattern, name, strict=True)
    )


def _matches_case(certified: str, host: str) -> bool:
    pattern, name = certified.split("."), host.split(".")
    return pattern[1:] == name[1:] and pattern[0] in ("*", name[0])


def _expand_label(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    name = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(name)]) + name + bytes([len(context)]) + context
    return hmac.digest(secret, info + b"\x01", "sha256")[:length]


def _label_without_prefix(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    info = (
        length.to_bytes(2, "big")
        + bytes([len(label)])
        + label.encode()
        + bytes([len(context)])
        + context
    )
    return hmac.digest(secret, info + b"\x01", "sha256")[:length]


def _label_with_short_length(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    info = length.to_bytes(2, "big") + bytes([len(label)]) + b"tls13 " + label.encode()
    return hmac.digest(secret, info + bytes([len(context)]) + context + b"\x01", "sha256")[:length]


def _label_without_lengths(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    info = length.to_bytes(2, "big") + b"tls13 " + label.encode() + context
    return hmac.digest(secret, info + b"\x01", "sha256")[:length]


def _label_with_length_of_one_byte(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    name = b"tls13 " + label.encode()
    info = bytes([length, len(name)]) + name + bytes([len(context)]) + context
    return hmac.digest(secret, info + b"\x01", "sha256")[:length]


def _label_without_counter(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    name = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(name)]) + name + bytes([len(context)]) + context
    return hmac.digest(secret, info, "sha256")[:length]


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def _nonce(iv: bytes, sequence: int) -> bytes:
    return _xor(iv, sequence.to_bytes(12, "big"))


# RFC 8448 §3: the server's handshake traffic secret, and its write_iv
_SECRET = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
_IV = bytes.fromhex("5d313eb2671276ee13000b30")
_HASH = bytes(range(32))

EXERCISES: tuple[Exercise, ...] = (
    function(
        "tls.shared",
        "Bob's side",
        "Write shared(p, received, b): what Bob, whose secret exponent is b, shares with whoever sent the number.",
        solution=lambda p, received, b: pow(received, b, p),
        probes=[(23, 8, 15), (227, 14, 9), (10007, 5, 4242), (2**127 - 1, 3, 2**100 + 7)],
        wrong=[
            WrongAnswer(
                lambda p, received, b: received * b % p,
                "that multiplies; what came is to be raised to the power b",
            ),
            WrongAnswer(
                lambda p, received, b: pow(b, received, p),
                "base and exponent are exchanged: what came is raised",
            ),
            WrongAnswer(
                lambda p, received, b: received ^ b,
                "^ is XOR in Python; a power modulo p is pow(…, …, p)",
            ),
            WrongAnswer(
                lambda p, received, b: pow(received, b, p - 1),
                "exponents live modulo p - 1, powers modulo p",
            ),
        ],
    ),
    function(
        "tls.matches",
        "Is the certificate for this name?",
        "Write matches(certified, host): whether a certificate's name covers a host (RFC 9525): letters regardless of "
        "their case, and a * in place of the first label covers exactly one label.",
        solution=_matches,
        probes=[
            ("server.test", "server.test"),
            ("server.test", "SERVER.test"),
            ("server.test", "evil-server.test"),
            ("server.test", "server.test.evil.example"),
            ("server.test", "mallory.test"),
            ("*.clinic.test", "db.clinic.test"),
            ("*.CLINIC.test", "db.clinic.TEST"),
            ("*.clinic.test", "a.db.clinic.test"),
            ("*.clinic.test", "clinic.test"),
            ("db.*.test", "db.clinic.test"),
        ],
        wrong=[
            WrongAnswer(
                lambda certified, host: certified == host,
                "server.test and SERVER.test are one name, and * is none",
            ),
            WrongAnswer(
                lambda certified, host: certified.lower() == host.lower(),
                "and a wildcard: *.clinic.test covers db.clinic.test",
            ),
            WrongAnswer(
                lambda certified, host: host.lower().endswith(certified.lower().lstrip("*")),
                "anybody may register evil-server.test: compare label by label, not the end of the text",
            ),
            WrongAnswer(
                lambda certified, host: certified.lower().lstrip("*.") in host.lower(),
                "server.test.evil.example contains server.test and belongs to evil.example: compare label by label",
            ),
            WrongAnswer(
                _matches_any_depth,
                "* covers one label, not several, and only the first: a.db.clinic.test is somebody else's to certify",
            ),
            WrongAnswer(
                _matches_wildcard_in_any_place,
                "* may stand for the first label alone: db.*.test covers nothing",
            ),
            WrongAnswer(_matches_case, "nearly: DB.Clinic.test and db.clinic.test are one name"),
        ],
    ),
    function(
        "tls.expand_label",
        "HKDF-Expand-Label",
        "Write expand_label(secret, label, context, length): HKDF-Expand-Label with SHA-256 (RFC 8446, section 7.1), "
        "for lengths up to 32 bytes; label is a str, 'key' for example.",
        solution=_expand_label,
        probes=[
            (_SECRET, "key", b"", 16),
            (_SECRET, "iv", b"", 12),
            (_SECRET, "finished", b"", 32),
            (_SECRET, "c hs traffic", _HASH, 32),
        ],
        wrong=[
            WrongAnswer(
                _label_without_prefix,
                "every label of TLS 1.3 begins with 'tls13 ', the space included",
            ),
            WrongAnswer(
                _label_with_short_length, "the length in front of the label counts 'tls13 ' too"
            ),
            WrongAnswer(
                _label_without_lengths, "label and context each stand behind their length, one byte"
            ),
            WrongAnswer(
                _label_with_length_of_one_byte,
                "the length of the output takes two bytes, big-endian",
            ),
            WrongAnswer(
                _label_without_counter,
                "HKDF-Expand appends its counter: the first block ends in a byte 1",
            ),
        ],
    ),
    function(
        "tls.nonce",
        "A nonce for each record",
        "Write nonce(iv, sequence): the nonce of the record with that sequence number (RFC 8446, section 5.3).",
        solution=_nonce,
        probes=[(_IV, 0), (_IV, 1), (_IV, 255), (_IV, 256), (_IV, 2**64 - 1)],
        wrong=[
            WrongAnswer(
                lambda iv, sequence: _xor(iv, sequence.to_bytes(12, "little")),
                "numbers are big-endian on the wire: the last byte counts the ones",
            ),
            WrongAnswer(
                lambda iv, sequence: iv[:4] + sequence.to_bytes(8, "big"),
                "that is TLS 1.2's way: here the number is XORed into the IV, not put in its place",
            ),
            WrongAnswer(
                lambda iv, sequence: _xor(iv, (sequence + 1).to_bytes(12, "big")),
                "the first record under a key has the number 0",
            ),
            WrongAnswer(
                lambda iv, sequence: _xor(iv, sequence.to_bytes(8, "big") + bytes(4)),
                "the 8 bytes of the number are filled with zeros on the left, up to 12",
            ),
            WrongAnswer(
                lambda iv, sequence: (int.from_bytes(iv, "big") + sequence).to_bytes(13, "big")[
                    -12:
                ],
                "the number is XORed into the IV, not added to it",
            ),
            WrongAnswer(
                lambda iv, sequence: iv,
                "with the same nonce twice, AES-GCM is lost: where does the number go in?",
            ),
        ],
    ),
    function(
        "tls.content",
        "What a header gives away",
        "Write content(length): how many bytes of content a protected record of TLS 1.3 holds, when its header says "
        "`length` and nothing is padded.",
        solution=lambda length: length - 17,
        probes=[(26,), (23,), (17 + 2**14,), (19,)],
        wrong=[
            WrongAnswer(
                lambda length: length - 16,
                "beside the tag of 16 bytes there is one more: the content's real type",
            ),
            WrongAnswer(
                lambda length: length - 22,
                "the header's length does not count the header's own 5 bytes",
            ),
            WrongAnswer(
                lambda length: length - 5,
                "that is the header, which it does not count; what AES-GCM adds, it does",
            ),
            WrongAnswer(
                lambda length: length, "AES-GCM adds a tag, and TLS 1.3 puts the real type inside"
            ),
            WrongAnswer(lambda length: length - 29, "no nonce is sent: both sides count"),
        ],
    ),
)
