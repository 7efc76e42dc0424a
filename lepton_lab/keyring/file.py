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
    79      60    master key(32), sealed by `aes.encrypt` under the passphrase key;
                  associated data: bytes 0 to 46
    139     1     body format, 0 or 1 (see `records`)
    140     7     sequence: how often the ring was written
    147     32    body's salt, fresh with each writing; its first 8 bytes name the writing
    179     32    commitment to the body key
    211     …     body, sealed by `aes.encrypt` under the body key; associated data: bytes 0 to 210

Bytes 0 to 138 are the *passphrase slot*: what the passphrase opens. It is rewritten only with a
new passphrase or master key. Numbers are big-endian. A key and its commitment are the two halves of

    HKDF-SHA256(secret, salt, info = framed("lepton_lab key ring", purpose), 64)

with scrypt's output, no salt and "passphrase"; or the master key, the body's salt and "body". The
commitment is compared before AES-GCM is asked: a GCM ciphertext can be made to open under many keys
at once, and then one refusal rules out many passphrases (Len, Grubbs and Ristenpart, 2021).
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
from lepton_lab.buffers import framed, whole_number
from lepton_lab.errors import DecryptionError, InvalidParameter, NotFound
from lepton_lab.files import open_regular
from lepton_lab.keyring.records import BODY_FORMAT, WRITING_ID_SIZE, RingBody

SCRYPT_N = 1 << 17  # with r = 8: 128 MiB, a few tenths of a second
FILE_LIMIT = 1 << 28  # bytes; a ring is neither written nor read beyond it

# log₂ N: 16 MiB; and 512 MiB, the most that a file may ask for before it has proved anything.
_SMALLEST_COST = 14
_LARGEST_COST = 19

_MAGIC = b"LEPTRING"
_FORMAT = 1
_SCRYPT = 1
_BOUND = struct.Struct(">8sBBB16sI16s")  # the slot's bytes before its commitment
_SLOT_SIZE = _BOUND.size + 32 + 60
_AFTER_SLOT = struct.Struct(">B7s32s32s")
HEADER_SIZE = _SLOT_SIZE + _AFTER_SLOT.size


@dataclass(frozen=True)
class PassphraseKey:
    """What scrypt made of a passphrase: it opens and rewrites the slot without asking again."""

    salt: bytes
    log2_n: int
    stretched: bytes = field(repr=False)

    @classmethod
    def new(cls, passphrase: str, n: int) -> Self:
        """Stretch a passphrase under a fresh salt.

        n: scrypt's cost, a power of two from 2¹⁴ to 2¹⁹. Raises InvalidParameter for another.
        """
        cost = whole_number(n, "scrypt's N", 1 << _SMALLEST_COST, 1 << _LARGEST_COST)
        if cost & (cost - 1):
            raise InvalidParameter(f"scrypt's N is a power of two, not {cost}")
        return cls.of(passphrase, secrets.token_bytes(16), cost.bit_length() - 1)

    @classmethod
    def of(cls, passphrase: str, salt: bytes, log2_n: int) -> Self:
        """Stretch a passphrase under a salt and a cost that were checked before."""
        password = passphrase_bytes(passphrase)
        stretched = Scrypt(salt=salt, length=32, n=1 << log2_n, r=8, p=1).derive(password)
        return cls(salt, log2_n, stretched)

    def fits(self, slot: PassphraseSlot) -> bool:
        """Whether it was made for this slot's salt and cost."""
        return self.salt == slot.salt and self.log2_n == slot.log2_n


def passphrase_bytes(passphrase: str) -> bytes:
    """A passphrase as scrypt takes it: UTF-8 of its NFC form, so that é is é on every keyboard.

    Raises InvalidParameter for anything but a non-empty str of valid Unicode.
    """
    if not isinstance(passphrase, str) or not passphrase:
        raise InvalidParameter("a passphrase is a non-empty str")
    try:
        return unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError:
        raise InvalidParameter("a passphrase must be valid Unicode") from None


@dataclass(frozen=True)
class PassphraseSlot:
    """The first bytes of the file: which ring it is, and the master key under the passphrase."""

    data: bytes

    @classmethod
    def seal(cls, key: PassphraseKey, ring_id: bytes, generation: int, master: bytes) -> Self:
        """Seal the master key under a passphrase."""
        bound = _BOUND.pack(_MAGIC, _FORMAT, _SCRYPT, key.log2_n, ring_id, generation, key.salt)
        slot_key, commitment = _key_and_commitment(key.stretched, b"", b"passphrase")
        return cls(bound + commitment + aes.encrypt(slot_key, master, bound))

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Check what can be checked without a key.

        Raises DecryptionError. Its message names the format of a file that a newer release wrote.
        """
        if len(data) < _SLOT_SIZE or data[:8] != _MAGIC:
            raise DecryptionError
        _refuse_newer(data[8], _FORMAT)
        if data[8] != _FORMAT or data[9] != _SCRYPT:
            raise DecryptionError
        # The cost is bounded before it is spent: nothing in the file is authentic yet.
        if not _SMALLEST_COST <= data[10] <= _LARGEST_COST:
            raise DecryptionError
        return cls(data[:_SLOT_SIZE])

    @property
    def log2_n(self) -> int:
        """The cost of scrypt, checked."""
        return self.data[10]

    @property
    def ring_id(self) -> bytes:
        """16 random bytes that stay for the life of the ring."""
        return self.data[11:27]

    @property
    def generation(self) -> int:
        """Which master key this is, counted from 1."""
        return int.from_bytes(self.data[27:31], "big")

    @property
    def salt(self) -> bytes:
        """The salt of scrypt."""
        return self.data[31:47]

    def open(self, key: PassphraseKey) -> bytes:
        """The master key. Raises DecryptionError."""
        bound = self.data[:47]
        commitment = self.data[47:79]
        sealed = self.data[79:]
        slot_key, expected = _key_and_commitment(key.stretched, b"", b"passphrase")
        if not hmac.compare_digest(commitment, expected):
            raise DecryptionError
        return aes.decrypt(slot_key, sealed, bound)


@dataclass(frozen=True)
class SealedFile:
    """A whole file, read and not yet opened."""

    slot: PassphraseSlot
    sequence: int
    data: bytes = field(repr=False)

    @classmethod
    def seal(cls, slot: PassphraseSlot, sequence: int, master: bytes, body: RingBody) -> Self:
        """Make the file with this body, under a fresh key derived from the master key.

        Raises InvalidParameter when it would be larger than `read_rest` accepts: what is written
        can be read again.
        """
        salt = secrets.token_bytes(32)
        body_key, commitment = _key_and_commitment(master, salt, b"body")
        plain = body.to_bytes()
        size = HEADER_SIZE + aes.NONCE_SIZE + len(plain) + aes.TAG_SIZE
        if size > FILE_LIMIT:
            raise InvalidParameter(
                f"the key ring is full: its file would take {size} bytes, and {FILE_LIMIT} is the "
                "most. Shred data keys that are not needed, or start another ring"
            )
        counted = sequence.to_bytes(7, "big")
        header = slot.data + _AFTER_SLOT.pack(BODY_FORMAT, counted, salt, commitment)
        return cls(slot, sequence, header + aes.encrypt(body_key, plain, header))

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Check what can be checked without a key. Raises DecryptionError."""
        slot = PassphraseSlot.read(data)
        if len(data) < HEADER_SIZE:
            raise DecryptionError
        _refuse_newer(data[_SLOT_SIZE], BODY_FORMAT)
        sequence = int.from_bytes(data[_SLOT_SIZE + 1 : _SLOT_SIZE + 8], "big")
        return cls(slot, sequence, data)

    @property
    def header(self) -> bytes:
        """The header. It changes with every writing, because it holds a fresh salt."""
        return self.data[:HEADER_SIZE]

    def without_body(self) -> Self:
        """The header alone, which is enough to tell one writing from another."""
        return type(self)(self.slot, self.sequence, self.header)

    @property
    def body_format(self) -> int:
        """How the body is laid out: 0 by the first release, 1 since."""
        return self.data[_SLOT_SIZE]

    @property
    def writing_id(self) -> bytes:
        """8 random bytes that name this writing: the beginning of its salt."""
        return self.data[_SLOT_SIZE + 8 : _SLOT_SIZE + 8 + WRITING_ID_SIZE]

    def open(self, master: bytes) -> RingBody:
        """The body. Raises DecryptionError."""
        _, _, salt, commitment = _AFTER_SLOT.unpack_from(self.data, _SLOT_SIZE)
        body_key, expected = _key_and_commitment(master, salt, b"body")
        if not hmac.compare_digest(commitment, expected):
            raise DecryptionError
        plain = aes.decrypt(body_key, self.data[HEADER_SIZE:], self.header)
        return RingBody.from_bytes(plain, self.body_format)


def open_for_reading(path: Path) -> BinaryIO:
    """Open the file.

    Raises NotFound when it is absent, InvalidParameter when it is not a regular file, else OSError.
    """
    try:
        return open_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"there is no key ring at {path}") from None


def read_rest(file: BinaryIO, head: bytes = b"") -> SealedFile:
    """Read an open file to its end; `head` is what was read of it already.

    Raises DecryptionError for a file that is malformed or larger than `FILE_LIMIT`.
    """
    size = os.fstat(file.fileno()).st_size
    if size > FILE_LIMIT:
        raise DecryptionError
    # A ring is replaced and never grows, so a file that is longer than it says is not read on: its
    # one byte too many makes it malformed.
    return SealedFile.read(head + file.read(size + 1))


def _refuse_newer(found: int, known: int) -> None:
    if found > known:
        raise DecryptionError(
            f"a key ring of format {found}: this release reads formats up to {known}"
        )


def _key_and_commitment(secret: bytes, salt: bytes, purpose: bytes) -> tuple[bytes, bytes]:
    info = framed(b"lepton_lab key ring", purpose)
    both = HKDF(SHA256(), 64, salt or None, info).derive(secret)
    return both[:32], both[32:]
