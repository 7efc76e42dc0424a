"""The key ring's file: a header that anyone may read and nobody may change, and a sealed body.

    offset  size  field
    0       8     "LEPTRING"
    8       1     format, 1
    9       1     passphrase KDF, 1: scrypt (RFC 7914) with r = 8, p = 1
    10      1     log₂ N, 14 to 19
    11      16    ring id, random
    27      4     generation: 1, and one more with each new master key
    31      16    scrypt's salt
    47      32    commitment to the passphrase key
    79      60    master key(32), sealed by `aes.encrypt` under the passphrase key; associated data: bytes 0 to 46
    139     8     sequence: how often the ring was written
    147     32    body's salt, fresh with each writing
    179     32    commitment to the body key
    211     …     body, sealed by `aes.encrypt` under the body key; associated data: bytes 0 to 210

Bytes 0 to 138 are the *slot*: what the passphrase opens, rewritten only with a new passphrase or master key. Numbers
are big-endian. A key and its commitment are the two halves of

    HKDF-SHA256(secret, salt, info = framed("lepton_lab key ring", purpose), 64)

with scrypt's output, no salt and "passphrase"; or the master key, the body's salt and "body". The commitment is
compared before AES-GCM is asked: a GCM ciphertext can be made to open under many keys at once, and then one refusal
tells of many passphrases (Len, Grubbs and Ristenpart, 2021).
"""

from __future__ import annotations

import hmac
import os
import secrets
import struct
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from lepton_lab import aes
from lepton_lab.buffers import framed
from lepton_lab.errors import DecryptionError, InvalidParameter, NotFound
from lepton_lab.keyring.records import Body

SCRYPT_N = 1 << 17  # with r = 8: 128 MiB, a few tenths of a second
_LEAST, _MOST = (
    14,
    19,
)  # log₂ N: 16 MiB; 512 MiB, the most that a file may ask of us before it has proved anything
FILE_LIMIT = 1 << 28

_MAGIC, _FORMAT, _SCRYPT = b"LEPTRING", 1, 1
_BOUND = struct.Struct(">8sBBB16sI16s")  # the slot's bytes before its commitment
_SLOT_SIZE = _BOUND.size + 32 + 60
_REST = struct.Struct(">Q32s32s")
HEADER_SIZE = _SLOT_SIZE + _REST.size


@dataclass(frozen=True)
class PassphraseKey:
    """What scrypt made of a passphrase. With it the slot can be opened and rewritten without asking again."""

    salt: bytes
    log2_n: int
    stretched: bytes = field(repr=False)

    @classmethod
    def new(cls, passphrase: str, n: int) -> Self:
        """Under a fresh salt. n: scrypt's cost, a power of two from 2¹⁴ to 2¹⁹. Raises InvalidParameter."""
        if type(n) is not int or n not in (1 << log2 for log2 in range(_LEAST, _MOST + 1)):
            raise InvalidParameter(f"scrypt's N is a power of two from 2^{_LEAST} to 2^{_MOST}")
        return cls.of(passphrase, secrets.token_bytes(16), n.bit_length() - 1)

    @classmethod
    def of(cls, passphrase: str, salt: bytes, log2_n: int) -> Self:
        """Under a salt and cost that were checked before."""
        password = passphrase_bytes(passphrase)
        return cls(
            salt, log2_n, Scrypt(salt=salt, length=32, n=1 << log2_n, r=8, p=1).derive(password)
        )

    def fits(self, slot: Slot) -> bool:
        """Whether it was made for this slot's salt and cost."""
        return (self.salt, self.log2_n) == (slot.salt, slot.log2_n)


def passphrase_bytes(passphrase: str) -> bytes:
    """A passphrase as scrypt takes it: UTF-8 of its NFC form, so that é is é whichever keyboard wrote it.

    Raises InvalidParameter for what is not a non-empty str of valid Unicode.
    """
    if not isinstance(passphrase, str) or not passphrase:
        raise InvalidParameter("a passphrase is a non-empty str")
    try:
        return unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError:
        raise InvalidParameter("a passphrase must be valid Unicode") from None


@dataclass(frozen=True)
class Slot:
    """The first bytes of the file: what the passphrase opens, and who the ring is."""

    data: bytes

    @classmethod
    def seal(cls, key: PassphraseKey, ring_id: bytes, generation: int, master: bytes) -> Self:
        """The master key under a passphrase."""
        bound = _BOUND.pack(_MAGIC, _FORMAT, _SCRYPT, key.log2_n, ring_id, generation, key.salt)
        slot_key, commitment = _key_and_commitment(key.stretched, b"", b"passphrase")
        return cls(bound + commitment + aes.encrypt(slot_key, master, bound))

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Check what can be checked without a key. Raises DecryptionError; it names a format that is newer."""
        if len(data) < _SLOT_SIZE or data[:8] != _MAGIC:
            raise DecryptionError
        if data[8] > _FORMAT:
            raise DecryptionError(
                f"a key ring of format {data[8]}: this release reads format {_FORMAT}"
            )
        if data[8] != _FORMAT or data[9] != _SCRYPT or not _LEAST <= data[10] <= _MOST:
            raise DecryptionError
        return cls(data[:_SLOT_SIZE])

    @property
    def log2_n(self) -> int:
        """The cost of scrypt, checked."""
        return self.data[10]

    @property
    def ring_id(self) -> bytes:
        """Stays for the life of the ring."""
        return self.data[11:27]

    @property
    def generation(self) -> int:
        """Which master key this is."""
        return int.from_bytes(self.data[27:31], "big")

    @property
    def salt(self) -> bytes:
        """The salt of scrypt."""
        return self.data[31:47]

    def open(self, key: PassphraseKey) -> bytes:
        """The master key. Raises DecryptionError."""
        bound, commitment, sealed = self.data[:47], self.data[47:79], self.data[79:]
        slot_key, expected = _key_and_commitment(key.stretched, b"", b"passphrase")
        if not hmac.compare_digest(commitment, expected):
            raise DecryptionError
        return aes.decrypt(slot_key, sealed, bound)


@dataclass(frozen=True)
class SealedFile:
    """A whole file, read and not yet opened."""

    slot: Slot
    sequence: int
    data: bytes = field(repr=False)

    @classmethod
    def seal(cls, slot: Slot, sequence: int, master: bytes, body: Body) -> Self:
        """The file with this body, under a fresh key of its own from the master key."""
        salt = secrets.token_bytes(32)
        body_key, commitment = _key_and_commitment(master, salt, b"body")
        header = slot.data + _REST.pack(sequence, salt, commitment)
        return cls(slot, sequence, header + aes.encrypt(body_key, body.to_bytes(), header))

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Check what can be checked without a key. Raises DecryptionError."""
        slot = Slot.read(data)
        if len(data) < HEADER_SIZE:
            raise DecryptionError
        return cls(slot, int.from_bytes(data[_SLOT_SIZE : _SLOT_SIZE + 8], "big"), data)

    @property
    def header(self) -> bytes:
        """What differs from writing to writing, if nothing else does: it holds a fresh salt."""
        return self.data[:HEADER_SIZE]

    def open(self, master: bytes) -> Body:
        """The body. Raises DecryptionError."""
        _, salt, commitment = _REST.unpack_from(self.data, _SLOT_SIZE)
        body_key, expected = _key_and_commitment(master, salt, b"body")
        if not hmac.compare_digest(commitment, expected):
            raise DecryptionError
        return Body.from_bytes(aes.decrypt(body_key, self.data[HEADER_SIZE:], self.header))


def open_for_reading(path: Path) -> BinaryIO:
    """The file, open. Raises NotFound when it is absent, InvalidParameter when it is a folder, else OSError."""
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"there is no key ring at {path}") from None
    except (IsADirectoryError, PermissionError):  # the second is Windows's word for it
        if path.is_dir():
            raise InvalidParameter(f"{path} is a folder; a key ring is one file") from None
        raise


def read_rest(file: BinaryIO, head: bytes = b"") -> SealedFile:
    """The rest of an open file, behind what was read of it already. Raises DecryptionError, for one too large too."""
    if os.fstat(file.fileno()).st_size > FILE_LIMIT:
        raise DecryptionError
    return SealedFile.read(head + file.read())


def _key_and_commitment(secret: bytes, salt: bytes, purpose: bytes) -> tuple[bytes, bytes]:
    both = HKDF(SHA256(), 64, salt or None, framed(b"lepton_lab key ring", purpose)).derive(secret)
    return both[:32], both[32:]
