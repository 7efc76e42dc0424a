"""The manifest: what a reader must know of one version of an object, and the keys derived for it.

The names under which an object lies on a node. `oid` is the object id and `v` the version, both in
hexadecimal; an object's name itself never reaches a node:

    oid/head                     the newest manifest that this node was given; overwritten, a hint
    oid/v/claim                  the put id of the writer that claimed the version; written once
    oid/v/manifest               the manifest; written once, after every shard, by the claim's owner
    oid/v/put id/stripe/index    one shard; the only names with four slashes

A manifest record, as it lies on a node (big-endian):

    offset  size  field
    0       1     format of the record, 2
    1       1     index of the shards that this node holds
    2       2     W, the length of the wrapped data key, at most 512
    4       W     the data key, wrapped by the key ring
    4+W     128   body, immutable and the same on every node; a receipt's digest is its SHA-256
    132+W   32    HMAC-SHA256(manifest key, index ‖ body)

The wrapped key and the index lie outside the body, so that receipts stay valid when the key ring
is rotated or a shard moves to another node. The body:

    offset  size  field
    0       1     format of the body, 1
    1       1     kind: 1 an object, 2 a tombstone (the object was deleted)
    2       1     erasure code, `erasure.Code.code_id`
    3       1     k, how many shards suffice
    4       1     n, how many shards exist
    5       16    object id: HMAC of the name under a key of the ring, so that nodes learn no names
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
import re
import secrets
import struct
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lepton_lab.buffers import framed, unframed
from lepton_lab.erasure import Code
from lepton_lab.errors import IntegrityError

OBJECT = 1
TOMBSTONE = 2
SEGMENT = 1 << 20  # bytes of a data shard, unless the whole object is smaller
SMALLEST_SEGMENT = 64  # also the unit: the erasure code takes multiples of 64 bytes
MOST_SEGMENTS = (1 << 32) - 1  # of one object: their counter in the nonce has four bytes
TAG = 16  # bytes of an AES-GCM tag, and of a shard's authenticator

_BODY_FORMAT = 1
_RECORD_FORMAT = 2
_HEAD = struct.Struct(">BBH")
_BODY = struct.Struct(">5B16sQ16sQI32s7s32s")
_MAC_SIZE = 32
_WRAPPED_LIMIT = 512
RECORD_LIMIT = _HEAD.size + _WRAPPED_LIMIT + _BODY.size + _MAC_SIZE

# --- names: in the key ring and on the nodes -----------------------------------------------------

CONTEXT_PREFIX = framed(b"lepton_lab object v1")


def context(name: bytes, version: int | None = None, put_id: bytes = b"") -> bytes:
    """Return what a data key is bound to in the key ring.

    Without a version it is the prefix that the contexts of all data keys of this object share.
    """
    if version is None:
        return CONTEXT_PREFIX + framed(name)
    return CONTEXT_PREFIX + framed(name, version.to_bytes(8, "big"), put_id)


def name_and_version(found: bytes) -> tuple[bytes, int]:
    """Return the name and the version that a context of a data key was made of."""
    name, version, _ = unframed(found[len(CONTEXT_PREFIX) :])
    return name, int.from_bytes(version, "big")


def head_key(object_id: bytes) -> str:
    """Return the name under which a node keeps the newest manifest that it was given."""
    return f"{object_id.hex()}/head"


def claim_key(object_id: bytes, version: int) -> str:
    """Return the name under which a node keeps who claimed this version."""
    return f"{object_id.hex()}/{version:016x}/claim"


def manifest_key(object_id: bytes, version: int) -> str:
    """Return the name under which a node keeps the manifest of this version."""
    return f"{object_id.hex()}/{version:016x}/manifest"


_VERSION_KEY = re.compile(
    r"[0-9a-f]{32}/[0-9a-f]{16}/(claim|manifest|[0-9a-f]{32}/[0-9a-f]{8}/[0-9a-f]{2})"
)


def is_version_key(key: str) -> bool:
    """Tell whether a writer makes this name: a claim, a manifest or a shard of some version."""
    return _VERSION_KEY.fullmatch(key) is not None


def is_shard(key: str) -> bool:
    """Tell whether this name on a node is that of a shard, rather than of a claim or a manifest."""
    return key.count("/") == 4


# --- the formats ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class ManifestBody:
    """The immutable part of a manifest. The table at the top of this file explains the fields."""

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
        """Return the 128 bytes of the table above."""
        return _BODY.pack(
            _BODY_FORMAT, self.kind, self.code_id, self.k, self.n,
            self.object_id, self.version, self.put_id, self.length, self.segment,
            self.salt, self.prefix, self.commitment,
        )  # fmt: skip

    @property
    def digest(self) -> str:
        """SHA-256 of the body in hexadecimal, for receipts. It says nothing about the plaintext."""
        return hashlib.sha256(self.pack()).hexdigest()

    @property
    def segments(self) -> int:
        """How many segments the plaintext fills; an empty one has one, which authenticates that."""
        payload = self.segment - TAG
        return max(1, -(-self.length // payload))

    @property
    def stripes(self) -> int:
        """How many stripes of k segments there are; a tombstone has none."""
        if self.kind == TOMBSTONE:
            return 0
        return -(-self.segments // self.k)

    def check_bounds(self) -> None:
        """Reject values that this package never writes, before they are used to size anything.

        Raises IntegrityError, also for an erasure code that this release does not know: by another
        code the object would be decoded, or repaired, to something else.
        """
        if self.code_id != Code.code_id:
            raise IntegrityError(
                f"the manifest names erasure code {self.code_id}, but this release knows only "
                f"{Code.code_id}: read the object with a newer release"
            )
        sound = (
            self.kind in (OBJECT, TOMBSTONE)
            and 1 <= self.k <= self.n
            and self.version >= 1
            and SMALLEST_SEGMENT <= self.segment <= SEGMENT
            and self.segment % SMALLEST_SEGMENT == 0
            and self.segments <= MOST_SEGMENTS
        )
        if not sound:
            raise IntegrityError("a manifest holds numbers that no writer writes")


@dataclass(frozen=True)
class ObjectKeys:
    """The four outputs of one HKDF (RFC 5869); none of them reveals anything about another."""

    encryption: bytes = field(repr=False)
    authentication: bytes = field(repr=False)
    manifest: bytes = field(repr=False)
    commitment: bytes

    @classmethod
    def derive(cls, data_key: bytes, name: bytes, body: ManifestBody) -> Self:
        """Derive the keys of one version by HKDF-SHA256 from its data key.

        They are bound to the name, the version, the attempt and the shape of the code. The shape
        matters: parity of one plaintext under one key and nonce but two shapes would reveal the
        shards' authentication key.
        """
        version = body.version.to_bytes(8, "big")
        shape = bytes((body.code_id, body.k, body.n))
        info = framed(b"lepton_lab sharding v1", name, version, body.put_id, shape)
        block = HKDF(SHA256(), 128, body.salt, info).derive(data_key)
        return cls(block[:32], block[32:64], block[64:96], block[96:])


@dataclass(frozen=True)
class Manifest:
    """A body with the keys that belong to it, made by a writer or verified by a reader."""

    body: ManifestBody
    wrapped: bytes = field(repr=False)
    keys: ObjectKeys = field(repr=False)

    def pack(self, index: int) -> bytes:
        """Return the record for the node that holds the shards of this index."""
        head = _HEAD.pack(_RECORD_FORMAT, index, len(self.wrapped))
        return head + self.wrapped + self.body.pack() + _mac(self.keys, index, self.body)


@dataclass(frozen=True)
class SealedManifest:
    """A record as a node returned it: parsed, but not verified. Believe none of its fields yet."""

    index: int
    wrapped: bytes = field(repr=False)
    body: ManifestBody
    mac: bytes = field(repr=False)

    @classmethod
    def parse(cls, record: bytes) -> Self:
        """Take a record apart. Raises IntegrityError if it does not have the form above."""
        if not _HEAD.size <= len(record) <= RECORD_LIMIT:
            raise IntegrityError("a manifest has the wrong size")
        record_format, index, wrapped_size = _HEAD.unpack_from(record)
        start = _HEAD.size + wrapped_size
        if record_format != _RECORD_FORMAT or len(record) != start + _BODY.size + _MAC_SIZE:
            raise IntegrityError("a manifest is malformed")
        body_format, *fields = _BODY.unpack_from(record, start)
        if body_format != _BODY_FORMAT:
            raise IntegrityError("a manifest is of another format")
        wrapped = record[_HEAD.size : start]
        return cls(index, wrapped, ManifestBody(*fields), record[-_MAC_SIZE:])

    def verify(self, data_key: bytes, name: bytes) -> Manifest:
        """Verify the record with its data key. Raises IntegrityError if any check fails."""
        return self.verify_by(ObjectKeys.derive(data_key, name, self.body))

    def verify_by(self, keys: ObjectKeys) -> Manifest:
        """Verify the record with the keys derived for it. Raises IntegrityError if a check fails.

        The key commitment comes first: AES-GCM alone would let one ciphertext open under two keys.
        """
        if not hmac.compare_digest(keys.commitment, self.body.commitment):
            raise IntegrityError("a manifest does not match its data key")
        if not hmac.compare_digest(_mac(keys, self.index, self.body), self.mac):
            raise IntegrityError("a manifest does not match its authenticator")
        self.body.check_bounds()
        return Manifest(self.body, self.wrapped, keys)


def _mac(keys: ObjectKeys, index: int, body: ManifestBody) -> bytes:
    return hmac.digest(keys.manifest, bytes((index,)) + body.pack(), "sha256")
