"""The exercises of notebook `06_tls`."""

from __future__ import annotations

import fnmatch
import hmac
import secrets

from lepton_lab.workshop.engine import Exercise, Probe, WrongAnswer, function

# Bob's side ---------------------------------------------------------------------------------------


def _draw_exchanges() -> list[Probe]:
    """Small moduli, and one of 2048 bits. A received number is from 2 to p − 2, as in a group."""
    probes: list[Probe] = []
    for bits in (8, 64, 512, 2048):
        p = secrets.randbits(bits) | 1 << bits - 1 | 1
        probes.append((p, 2 + secrets.randbelow(p - 3), 1 + secrets.randbits(bits)))
    return probes


_SHARED = function(
    "tls.shared",
    "Bob's side",
    "Write shared(p, received, b): what Bob, whose secret exponent is b, shares with the sender of "
    "the number he received.",
    solution=lambda p, received, b: pow(received, b, p),
    probes=[(23, 8, 15), (227, 14, 9), (10007, 5, 4242), (2**127 - 1, 3, 2**100 + 7)],
    draw=_draw_exchanges,
    wrong=[
        WrongAnswer(
            lambda p, received, b: received * b % p,
            "that multiplies; the number that came is to be raised to the power b",
        ),
        WrongAnswer(
            lambda p, received, b: pow(b, received, p),
            "base and exponent are exchanged: the number that came is raised",
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
)

# Is the certificate for this name? ----------------------------------------------------------------


def _matches(certified: str, host: str) -> bool:
    pattern = certified.lower().split(".")
    name = host.lower().split(".")
    if pattern[0] == "*":
        pattern[0] = name[0]
    return pattern == name


def _matches_any_depth(certified: str, host: str) -> bool:
    return fnmatch.fnmatchcase(host.lower(), certified.lower())


def _matches_wildcard_in_any_place(certified: str, host: str) -> bool:
    pattern = certified.lower().split(".")
    name = host.lower().split(".")
    if len(pattern) != len(name):
        return False
    return all(p in ("*", n) for p, n in zip(pattern, name, strict=True))


def _matches_case(certified: str, host: str) -> bool:
    pattern = certified.split(".")
    name = host.split(".")
    return pattern[1:] == name[1:] and pattern[0] in ("*", name[0])


def _random_label() -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    first = secrets.choice(letters)
    others = (secrets.choice(letters + "0123456789-") for _ in range(secrets.randbelow(8)))
    return first + "".join(others) + secrets.choice(letters)


def _random_case(name: str) -> str:
    return "".join(secrets.choice((letter.lower(), letter.upper())) for letter in name)


def _draw_names() -> list[Probe]:
    """Names that match and names that nearly do, with labels drawn at random."""
    probes: list[Probe] = []
    for _ in range(5):
        a, b, c, d = (_random_label() for _ in range(4))
        name = f"{a}.{b}.{c}"
        wildcard = f"*.{b}.{c}"
        cases = [
            (name, name),
            (name, f"{a}-{b}.{c}"),
            (name, f"{a}.{b}-{c}"),
            (name, f"{a}{b}.{c}"),
            (name, f"{d}.{name}"),
            (name, f"{name}.{d}"),
            (name, f"{a}.{b}"),
            (name, f"{d}{name}"),
            (name, f"{name}\n"),
            (name, wildcard),
            (wildcard, name),
            (wildcard, f"{d}.{a}.{b}.{c}"),
            (wildcard, f"{b}.{c}"),
            (wildcard, f"{a}-{b}.{c}"),
            (wildcard, f"{a}.{d}.{c}"),
            (f"{a}*.{b}.{c}", f"{a}{d}.{b}.{c}"),
            (f"*{a}.{b}.{c}", f"{d}{a}.{b}.{c}"),
            (f"{a}.*.{c}", name),
            (f"{a}.{b}.*", name),
            (f"*.*.{c}", name),
        ]
        probes += [(_random_case(certified), _random_case(host)) for certified, host in cases]
    return probes


_MATCHES = function(
    "tls.matches",
    "Is the certificate for this name?",
    "Write matches(certified, host): whether a certificate's name covers a host (RFC 9525). Upper "
    "and lower case are the same, and a * that is the whole first label covers exactly one label.",
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
        ("api.bank.test", "api-bank.test"),
    ],
    draw=_draw_names,
    wrong=[
        WrongAnswer(
            lambda certified, host: certified == host,
            "server.test and SERVER.test are one name, and * is not a letter",
        ),
        WrongAnswer(
            lambda certified, host: certified.lower() == host.lower(),
            "and a wildcard: *.clinic.test covers db.clinic.test",
        ),
        WrongAnswer(
            lambda certified, host: host.lower().endswith(certified.lower().lstrip("*")),
            "anyone may register evil-server.test: compare label by label, not the end of the text",
        ),
        WrongAnswer(
            lambda certified, host: certified.lower().lstrip("*.") in host.lower(),
            "server.test.evil.example contains server.test and belongs to evil.example: compare "
            "label by label",
        ),
        WrongAnswer(
            _matches_any_depth,
            "* covers one label, not several, and only the first: a.db.clinic.test needs a "
            "certificate of its own",
        ),
        WrongAnswer(
            _matches_wildcard_in_any_place,
            "* may stand for the first label alone: db.*.test covers nothing",
        ),
        WrongAnswer(_matches_case, "nearly: DB.Clinic.test and db.clinic.test are one name"),
    ],
)

# HKDF-Expand-Label --------------------------------------------------------------------------------


def _first_block(secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand for at most 32 bytes: T(1) alone (RFC 5869 §2.3)."""
    return hmac.digest(secret, info + b"\x01", "sha256")[:length]


def _with_length(data: bytes) -> bytes:
    """Bytes behind their length, one byte."""
    return bytes([len(data)]) + data


def _hkdf_label(label: str, context: bytes, length: int) -> bytes:
    """The structure HkdfLabel of RFC 8446 §7.1."""
    name = b"tls13 " + label.encode()
    return length.to_bytes(2, "big") + _with_length(name) + _with_length(context)


def _expand_label(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    return _first_block(secret, _hkdf_label(label, context, length), length)


def _expand_without_prefix(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    info = length.to_bytes(2, "big") + _with_length(label.encode()) + _with_length(context)
    return _first_block(secret, info, length)


def _expand_with_short_name(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    name = bytes([len(label)]) + b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + name + _with_length(context)
    return _first_block(secret, info, length)


def _expand_without_lengths(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    info = length.to_bytes(2, "big") + b"tls13 " + label.encode() + context
    return _first_block(secret, info, length)


def _expand_with_length_of_one_byte(
    secret: bytes, label: str, context: bytes, length: int
) -> bytes:
    # The structure without the first byte of its two-byte length.
    return _first_block(secret, _hkdf_label(label, context, length)[1:], length)


def _expand_without_counter(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    return hmac.digest(secret, _hkdf_label(label, context, length), "sha256")[:length]


def _draw_labels() -> list[Probe]:
    probes: list[Probe] = []
    for length, context_size in ((1, 0), (16, secrets.randbelow(256)), (31, 255), (32, 48)):
        label = _random_label()
        context = secrets.token_bytes(context_size)
        probes.append((secrets.token_bytes(32), label, context, length))
    return probes


# RFC 8448 §3: the server's handshake traffic secret, and its write_iv.
_SECRET = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
_WRITE_IV = bytes.fromhex("5d313eb2671276ee13000b30")

_EXPAND_LABEL = function(
    "tls.expand_label",
    "HKDF-Expand-Label",
    "Write expand_label(secret, label, context, length): HKDF-Expand-Label with SHA-256 (RFC 8446, "
    "section 7.1), for lengths up to 32 bytes; label is a str, 'key' for example.",
    solution=_expand_label,
    probes=[
        (_SECRET, "key", b"", 16),
        (_SECRET, "iv", b"", 12),
        (_SECRET, "finished", b"", 32),
        (_SECRET, "c hs traffic", bytes(range(32)), 32),
    ],
    draw=_draw_labels,
    wrong=[
        WrongAnswer(
            _expand_without_prefix,
            "every label of TLS 1.3 begins with 'tls13 ', the space included",
        ),
        WrongAnswer(
            _expand_with_short_name, "the length in front of the label counts 'tls13 ' too"
        ),
        WrongAnswer(
            _expand_without_lengths, "label and context each stand behind their length, one byte"
        ),
        WrongAnswer(
            _expand_with_length_of_one_byte,
            "the length of the output takes two bytes, big-endian",
        ),
        WrongAnswer(
            _expand_without_counter,
            "HKDF-Expand appends its counter: the first block ends in a byte 1",
        ),
    ],
)

# A nonce for each record --------------------------------------------------------------------------


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def _nonce(iv: bytes, sequence: int) -> bytes:
    return _xor(iv, sequence.to_bytes(12, "big"))


def _nonce_by_adding(iv: bytes, sequence: int) -> bytes:
    total = int.from_bytes(iv, "big") + sequence
    return total.to_bytes(13, "big")[-12:]


_NONCE = function(
    "tls.nonce",
    "A nonce for each record",
    "Write nonce(iv, sequence): the nonce of the record with that sequence number (RFC 8446, "
    "section 5.3).",
    solution=_nonce,
    probes=[(_WRITE_IV, sequence) for sequence in (0, 1, 255, 256, 2**64 - 1)],
    draw=lambda: (
        [(secrets.token_bytes(12), secrets.randbits(bits)) for bits in (3, 9, 17, 33, 64)]
        + [(bytes(12), 0), (b"\xff" * 12, 1)]
    ),
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
        WrongAnswer(_nonce_by_adding, "the number is XORed into the IV, not added to it"),
        WrongAnswer(
            lambda iv, sequence: iv,
            "using one nonce twice breaks AES-GCM: where does the number go in?",
        ),
    ],
)

# What a header gives away -------------------------------------------------------------------------

_MOST_LENGTH = 2**14 + 17  # of the content and what is added to it (RFC 8446 §5.2)

_CONTENT = function(
    "tls.content",
    "What a header gives away",
    "Write content(length): how many bytes of content a protected record of TLS 1.3 holds when its "
    "header says `length`, 17 at least, and nothing is padded.",
    solution=lambda length: length - 17,
    probes=[(26,), (23,), (17 + 2**14,), (19,)],
    draw=lambda: [(17,), *((17 + secrets.randbelow(_MOST_LENGTH - 16),) for _ in range(200))],
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
            "the length does not count the header's 5 bytes; it does count what AES-GCM adds",
        ),
        WrongAnswer(
            lambda length: length, "AES-GCM adds a tag, and TLS 1.3 puts the real type inside"
        ),
        WrongAnswer(lambda length: length - 29, "no nonce is sent: both sides count the records"),
    ],
)

EXERCISES: tuple[Exercise, ...] = (_SHARED, _MATCHES, _EXPAND_LABEL, _NONCE, _CONTENT)
