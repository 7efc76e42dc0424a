"""The manifest: what a reader must know of one version of an object, and the keys that follow from its data key.

A record, as it lies on a node (big-endian):

    offset  size  field
    0       1     format of the record, 2
    1       1     index of the shards that this very node holds
    2       2     W, the length of the wrapped data key, at most 512
    4       W     the data key, wrapped by the key ring
    4+W     128   body, immutable and the same everywhere; SHA-256 of it is the receipt's digest
    132+W   32    HMAC-SHA256(manifest key, index ‖ body)

The wrapped key and the index stand outside the body: a rotation, or a shard that moves to another node, leaves receipts
valid. The body:

    offset  size  field
    0       1     format of the body, 1
    1       1     kind: 1 an object, 2 a tombstone (the object was deleted)
    2       1     erasure code, `erasure.Code.code_id`
    3       1     k, shards that suffice
    4       1     n, shards that exist
    5       16    object id: HMAC of the name under a key of the ring, so that no node learns a name
    21      8     version, from 1
    29      16    put id, fresh for every attempt to write
    45      8     length of the plaintext
    53      4     segment: bytes of ciphertext and tag in one data shard, a multiple of 64
    57      32    salt of the key derivation
    89      7     prefix of the segments' nonces
    96      32    key commitment
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lepton_lab.buffers import framed
from lepton_lab.erasure import Code
from lepton_lab.errors import IntegrityError

OBJECT, TOMBSTONE = 1, 2
SEGMENT = 1 << 20
TAG = 16
_FORMAT, _RECORD_FORMAT = 1, 2
_HEAD = struct.Struct(">BBH")
_BODY = struct.Struct(">5B16sQ16sQI32s7s32s")
_MAC_SIZE = 32
CONTEXT_PREFIX = framed(b"lepton_lab object v1")
_WRAPPED_LIMIT = 512
RECORD_LIMIT = _HEAD.size + _WRAPPED_LIMIT + _BODY.size + _MAC_SIZE


def context(name: bytes, version: int | None = None, put_id: bytes = b"") -> bytes:
    """What a data key is bound to in the ring. Without a version: the prefix that all keys of the object share."""
    parts = (name,) if version is None else (name, version.to_bytes(8, "big"), put_id)
    return CONTEXT_PREFIX + framed(*parts)


@dataclass(frozen=True)
class Body:
    """The immutable part of a manifest; the fields are explained at the top of this file."""

    kind: int
    code_id: int
    k: int
    n: int
    object_id: bytes
    version: int
    put_id: bytes
    length: int = 0
    segment: int = SEGMENT
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    prefix: bytes = field(default_factory=lambda: secrets.token_bytes(7))
    commitment: bytes = bytes(32)

    def pack(self) -> bytes:
        """The 128 bytes of the table above."""
        return _BODY.pack(
            _FORMAT, self.kind, self.code_id, self.k, self.n, self.object_id, self.version, self.put_id,
            self.length, self.segment, self.salt, self.prefix, self.commitment,
        )  # fmt: skip

    @property
    def digest(self) -> str:
        """SHA-256 of the body in hexadecimal: what a receipt pins. It says nothing of the plaintext."""
        return hashlib.sha256(self.pack()).hexdigest()

    @property
    def segments(self) -> int:
        """How many segments the plaintext fills; an empty one still has one, which authenticates its emptiness."""
        return max(1, -(-self.length // (self.segment - TAG)))

    @property
    def stripes(self) -> int:
        """How many stripes of k segments there are; a tombstone has none."""
        return 0 if self.kind == TOMBSTONE else -(-self.segments // self.k)

    def check_bounds(self) -> None:
        """Refuse numbers that no writer of ours writes, before anything is allocated by them."""
        if self.code_id != Code.code_id:  # decoded, or repaired, by another code it would be spoilt
            raise IntegrityError(
                f"a manifest names erasure code {self.code_id}, and {Code.code_id} is all that is known"
            )
        sound = (
            self.kind in (OBJECT, TOMBSTONE)
            and 1 <= self.k <= self.n
            and self.version >= 1
            and 64 <= self.segment <= SEGMENT
            and self.segment % 64 == 0
            and self.segments < 1 << 32
        )
        if not sound:
            raise IntegrityError("a manifest holds numbers that no writer writes")


@dataclass(frozen=True)
class ObjectKeys:
    """The four outputs of one HKDF: nothing that one of them opens says anything of another (RFC 5869)."""

    encryption: bytes = field(repr=False)
    authentication: bytes = field(repr=False)
    manifest: bytes = field(repr=False)
    commitment: bytes

    @classmethod
    def derive(cls, data_key: bytes, name: bytes, body: Body) -> Self:
        """HKDF-SHA256 over the data key, bound to the name, the version, the attempt and the code's shape.

        The shape is in it because two parities of one plaintext under one key and nonce give away the shards'
        authentication key: another k or n must be another key.
        """
        shape = bytes((body.code_id, body.k, body.n))
        info = framed(
            b"lepton_lab sharding v1", name, body.version.to_bytes(8, "big"), body.put_id, shape
        )
        block = HKDF(SHA256(), 128, body.salt, info).derive(data_key)
        return cls(block[:32], block[32:64], block[64:96], block[96:])


@dataclass(frozen=True)
class Manifest:
    """A body with the keys that belong to it: made by the writer, or verified by a reader."""

    body: Body
    wrapped: bytes = field(repr=False)
    keys: ObjectKeys = field(repr=False)

    def pack(self, index: int) -> bytes:
        """The record of the table above, ready for the node that holds the shards of this index."""
        head = _HEAD.pack(_RECORD_FORMAT, index, len(self.wrapped))
        return head + self.wrapped + self.body.pack() + _mac(self.keys, index, self.body)


@dataclass(frozen=True)
class Sealed:
    """A record as a node gave it: parsed, and not yet to be believed."""

    index: int
    wrapped: bytes = field(repr=False)
    body: Body
    mac: bytes = field(repr=False)

    @classmethod
    def parse(cls, record: bytes) -> Self:
        """Take a record apart. Raises IntegrityError when it is not of the form above."""
        if len(record) < _HEAD.size or len(record) > RECORD_LIMIT:
            raise IntegrityError("a manifest has the wrong size")
        form, index, wrapped_size = _HEAD.unpack_from(record)
        start = _HEAD.size + wrapped_size
        if form != _RECORD_FORMAT or len(record) != start + _BODY.size + _MAC_SIZE:
            raise IntegrityError("a manifest is malformed")
        body_form, *fields = _BODY.unpack_from(record, start)
        if body_form != _FORMAT:
            raise IntegrityError("a manifest is of another format")
        return cls(index, record[_HEAD.size : start], Body(*fields), record[-_MAC_SIZE:])

    def verify(self, data_key: bytes, name: bytes) -> Manifest:
        """Check the record by its data key. Raises IntegrityError when anything does not hold."""
        return self.verify_by(ObjectKeys.derive(data_key, name, self.body))

    def verify_by(self, keys: ObjectKeys) -> Manifest:
        """Check the commitment, then the MAC, then the bounds. Raises IntegrityError when any does not hold."""
        if not hmac.compare_digest(keys.commitment, self.body.commitment):
            raise IntegrityError("a manifest does not match its data key")
        if not hmac.compare_digest(_mac(keys, self.index, self.body), self.mac):
            raise IntegrityError("a manifest does not match its authenticator")
        self.body.check_bounds()
        return Manifest(self.body, self.wrapped, keys)


def _mac(keys: ObjectKeys, index: int, body: Body) -> bytes:
    return hmac.digest(keys.manifest, bytes((index,)) + body.pack(), "sha256")
