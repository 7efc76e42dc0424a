"""Keys in PEM files: find the first, bound what it asks for, encrypt one under a passphrase.

`cryptography` reads encrypted keys with any key-derivation function at any cost, and writes them
only with a weak one. So what a file asks for is read here before it is spent, and what is written
is PBES2 (RFC 8018 §6.2) with scrypt (RFC 7914 §7):

    EncryptedPrivateKeyInfo ::= SEQUENCE { algorithm SEQUENCE { pbes2, SEQUENCE { kdf, cipher } },
                                           sealed OCTET STRING }                    RFC 5958 §3
    kdf    ::= SEQUENCE { scrypt, SEQUENCE { salt OCTET STRING, N INTEGER, r INTEGER, p INTEGER } }
    kdf    ::= SEQUENCE { pbkdf2, SEQUENCE { salt OCTET STRING, iterations INTEGER, … } }
    cipher ::= SEQUENCE { aes256-CBC, iv OCTET STRING }
"""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

from lepton_lab.errors import InvalidKey

BLOCK_LIMIT = 1 << 16  # bytes of one key in PEM; RSA with 16,384 bits takes 13,000

# The most that an encrypted key may ask for. scrypt with N = 2¹⁹, r = 8, p = 1 is within these.
MEMORY_LIMIT = (1 << 29) + (1 << 20)  # bytes
BLOCKS_LIMIT = 1 << 23  # scrypt's N·r·p: about ten seconds
ITERATIONS_LIMIT = 10_000_000  # PBKDF2's: about ten seconds

_MARKER = re.compile(rb"-----(BEGIN|END) ([A-Z0-9 ]{1,40})-----")
_ENCRYPTED = b"ENCRYPTED PRIVATE KEY"

_PBES2 = bytes.fromhex("06092a864886f70d01050d")  # 1.2.840.113549.1.5.13
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")  # 1.2.840.113549.1.5.12
_SCRYPT = bytes.fromhex("06092b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
_AES256_CBC = bytes.fromhex("060960864801650304012a")  # 2.16.840.1.101.3.4.1.42
_SEQUENCE = 0x30
_INTEGER = 0x02
_OCTET_STRING = 0x04


@dataclass(frozen=True)
class KeyBlock:
    """One key in a PEM file: its kind ("PUBLIC KEY", …), all its bytes, and those between."""

    kind: bytes
    data: bytes
    text: bytes

    @property
    def is_public(self) -> bool:
        """Whether it says that it is a public key."""
        return self.kind.endswith(b"PUBLIC KEY")

    @property
    def is_encrypted(self) -> bool:
        """Whether a passphrase is needed: PKCS#8, or OpenSSL's own form from before it."""
        return self.kind == _ENCRYPTED or b"\nProc-Type: 4,ENCRYPTED" in self.text


def first_key(pem: bytes) -> KeyBlock | None:
    """The first key in a PEM file, after whatever text, certificates or parameters; or None.

    Takes time in proportion to the file. Raises InvalidKey when the key is longer than 64 KiB.
    """
    markers = list(_MARKER.finditer(pem))
    # From the end: for each beginning, the nearest end of the same kind behind it.
    ends: dict[bytes, re.Match[bytes]] = {}
    found = None
    for marker in reversed(markers):
        kind = marker[2]
        if marker[1] == b"END":
            ends[kind] = marker
        elif kind in ends and kind.endswith(b"KEY"):
            found = (marker, ends[kind])
    if found is None:
        return None
    begin, end = found
    if end.end() - begin.start() > BLOCK_LIMIT:
        raise InvalidKey(f"this key is longer than {BLOCK_LIMIT} bytes: no RSA key here is")
    return KeyBlock(begin[2], pem[begin.start() : end.end()], pem[begin.end() : end.start()])


def pem_of(kind: str, der: bytes) -> bytes:
    """DER in PEM (RFC 7468), in lines of 64 characters."""
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""]).encode()


# --- encrypted keys ------------------------------------------------------------------------------


def encrypted_pem(der: bytes, passphrase: bytes) -> bytes:
    """A PKCS#8 key, encrypted under a passphrase with a fresh salt and IV."""
    # OpenSSL refuses an N·r that takes more than 32 MiB; p makes up for it in time.
    n = 1 << 14
    r = 8
    p = 5
    salt = secrets.token_bytes(16)
    iv = secrets.token_bytes(16)
    key = Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase)
    padder = PKCS7(128).padder()
    padded = padder.update(der) + padder.finalize()
    encryptor = Cipher(AES256(key), CBC(iv)).encryptor()
    sealed = encryptor.update(padded) + encryptor.finalize()
    costs = _integer(n) + _integer(r) + _integer(p)
    kdf = _sequence(_SCRYPT, _sequence(_tlv(_OCTET_STRING, salt), costs))
    cipher = _sequence(_AES256_CBC, _tlv(_OCTET_STRING, iv))
    algorithm = _sequence(_PBES2, _sequence(kdf, cipher))
    return pem_of(_ENCRYPTED.decode(), _sequence(algorithm, _tlv(_OCTET_STRING, sealed)))


def refuse_costly(block: KeyBlock) -> None:
    """Raise InvalidKey when an encrypted PKCS#8 key asks for more than the limits above.

    The same for one that is malformed, or whose scheme is not PBES2 with scrypt or PBKDF2. Keys in
    OpenSSL's older form pass: their KDF is MD5, once.
    """
    if block.kind != _ENCRYPTED:
        return
    try:
        kdf, costs = _kdf_of(base64.b64decode(b"".join(block.text.split()), validate=True))
        bearable = _bearable(kdf, costs)
    except ValueError:
        bearable = False
    if not bearable:
        raise InvalidKey(
            "this encrypted key is malformed, too costly, or not of PBES2 with scrypt or PBKDF2"
        )


def _kdf_of(der: bytes) -> tuple[bytes, list[int]]:
    """The KDF's identifier, as DER, and the integers that it is given.

    Raises ValueError for what is not PBES2, or not DER.
    """
    ((_, outer),) = _parts(der)
    (_, algorithm), (_, _sealed) = _parts(outer)
    scheme, (_, parameters) = _parts(algorithm)
    if _tlv(*scheme) != _PBES2:
        raise ValueError
    (_, kdf), _cipher = _parts(parameters)
    name, (_, settings) = _parts(kdf)
    costs = []
    for tag, content in _parts(settings):
        if tag == _INTEGER:
            costs.append(int.from_bytes(content, "big", signed=True))
    return _tlv(*name), costs


def _bearable(kdf: bytes, costs: list[int]) -> bool:
    """Whether a KDF stays within the limits. Raises ValueError when a cost is missing."""
    if kdf == _SCRYPT:
        n, r, p, *_ = costs
        power_of_two = n > 1 and n & (n - 1) == 0
        if not power_of_two or r < 1 or p < 1:
            return False
        # RFC 7914 §5, §6: N blocks of 128·r bytes for the table, p for the data, two to work in.
        memory = 128 * r * (n + p + 2)
        return memory <= MEMORY_LIMIT and n * r * p <= BLOCKS_LIMIT
    return kdf == _PBKDF2 and bool(costs) and 1 <= costs[0] <= ITERATIONS_LIMIT


# --- DER (X.690 §8.1) ----------------------------------------------------------------------------


def _tlv(tag: int, content: bytes) -> bytes:
    """Tag, length, value."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    data = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(data))) + data + content


def _sequence(*parts: bytes) -> bytes:
    return _tlv(_SEQUENCE, b"".join(parts))


def _integer(number: int) -> bytes:
    return _tlv(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _parts(der: bytes) -> list[tuple[int, bytes]]:
    """The (tag, content) of what stands side by side in DER.

    Raises ValueError when it does not end where it should.
    """
    parts = []
    position = 0
    while position < len(der):
        header = der[position : position + 6]
        # The length is one byte below 0x80, or says in how many more bytes it follows.
        more = header[1] & 0x7F if len(header) > 1 and header[1] & 0x80 else 0
        if len(header) < 2 + more or more > 4:
            raise ValueError
        size = int.from_bytes(header[2 : 2 + more], "big") if more else header[1]
        start = position + 2 + more
        position = start + size
        if position > len(der):
            raise ValueError
        parts.append((header[0], der[start:position]))
    return parts
