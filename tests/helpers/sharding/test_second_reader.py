"""Tests lepton_lab.sharding.manifest and lepton_lab.sharding.codec by a second reader.

It reads what the store wrote, written from the byte tables alone, with PyCryptodome.

It has the key ring's file, its passphrase and what lies on the nodes. The tables are in
lepton_lab/keyring/ and in lepton_lab/sharding/manifest.py and codec.py.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
from Crypto.Cipher import AES
from Crypto.Hash import HMAC, SHA256
from Crypto.Protocol.KDF import HKDF, scrypt

WORDS, NAME = "a passphrase for tests", "an öbject"
Node = dict[str, bytes]


def framed(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">Q", len(part)) + part for part in parts)


def hkdf(secret: bytes, size: int, info: bytes, salt: bytes = b"") -> bytes:
    return HKDF(secret, size, salt, SHA256, context=info)


def gcm_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes = b"") -> bytes:
    """Raises ValueError when the tag is wrong. Of GMAC `sealed` is the tag alone."""
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce)
    cipher.update(associated)
    return cipher.decrypt_and_verify(sealed[:-16], sealed[-16:])


def ring_of(file: bytes) -> tuple[bytes, dict[bytes, tuple[bytes, bytes]]]:
    """The ring's root secret, and of each data key, by its id, secret and context."""
    stretched = scrypt(WORDS.encode(), file[31:47], 32, 1 << file[10], 8, 1)
    slot_key = hkdf(stretched, 64, framed(b"lepton_lab key ring", b"passphrase"))[:32]
    master = gcm_open(slot_key, file[79:91], file[91:139], file[:47])
    body_key = hkdf(master, 64, framed(b"lepton_lab key ring", b"body"), file[147:179])[:32]
    body = gcm_open(body_key, file[211:223], file[223:], file[:211])
    keys, at = {}, 36
    for _ in range(int.from_bytes(body[32:36], "big")):
        end = at + 55 + int.from_bytes(body[at + 53 : at + 55], "big")
        keys[body[at : at + 16]] = body[at + 21 : at + 53], body[at + 55 : end]
        at = end
    return body[:32], keys


def read(file: bytes, nodes: list[Node], name: bytes) -> bytes:
    """The object's plaintext, from its data shards alone."""
    root, keys = ring_of(file)
    oid = hkdf(root, 16, framed(b"lepton_lab derive", framed(b"lepton_lab object id", name)))
    holders = {}
    for node in nodes:
        record = node[f"{oid.hex()}/head"]
        form, index, size = struct.unpack_from(">BBH", record)
        wrapped, body, mac = (
            record[4 : 4 + size],
            record[4 + size : 132 + size],
            record[132 + size :],
        )
        assert (form, len(mac)) == (2, 32)
        fields = struct.unpack(">5B16sQ16sQI32s7s32s", body)
        (
            one,
            kind,
            code,
            k,
            n,
            object_id,
            version,
            put_id,
            length,
            segment,
            salt,
            prefix,
            commitment,
        ) = fields
        assert (one, kind, object_id) == (1, 1, oid)
        assert node[f"{oid.hex()}/{version:016x}/manifest"] == record

        number, place = struct.pack(">Q", version), wrapped[1:17]
        secret, context = keys[place]
        assert (wrapped[0], context) == (
            1,
            framed(b"lepton_lab object v1") + framed(name, number, put_id),
        )
        wrapping_key = hkdf(secret, 32, framed(b"lepton_lab data key", context, place))
        data_key = AES.new(wrapping_key, AES.MODE_KW).unseal(wrapped[17:])
        info = framed(b"lepton_lab sharding v1", name, number, put_id, bytes((code, k, n)))
        derived = hkdf(data_key, 128, info, salt)
        encryption, authentication, manifest = derived[:32], derived[32:64], derived[64:96]
        assert derived[96:] == commitment
        HMAC.new(manifest, bytes((index,)) + body, SHA256).verify(mac)
        holders[index] = node
    assert {*holders} == {*range(n)}

    payload, plaintext = segment - 16, b""
    segments = max(1, -(-length // payload))
    for stripe in range(-(-segments // k)):
        for index in range(n):
            shard = holders[index][
                f"{oid.hex()}/{version:016x}/{put_id.hex()}/{stripe:08x}/{index:02x}"
            ]
            assert len(shard) == segment + 16
            gcm_open(
                authentication, struct.pack(">QI", stripe, index), shard[segment:], shard[:segment]
            )
            counter = stripe * k + index
            if index < k and counter < segments:
                last = counter == segments - 1
                end = (length - counter * payload if last else payload) + 16
                plaintext += gcm_open(
                    encryption, prefix + struct.pack(">IB", counter, last), shard[:end]
                )
                assert not any(shard[end:segment])
    assert len(plaintext) == length
    return plaintext


def written(folder: Path, data: bytes) -> tuple[bytes, list[Node]]:
    """The only part that is ours: an object put twice, its key ring rotated in between."""
    from lepton_lab.keyring import KeyRing
    from lepton_lab.nodes import MemoryNode
    from lepton_lab.sharding import ShardedStore

    ring = KeyRing.create(folder / "ring", WORDS, scrypt_n=1 << 14)
    store = ShardedStore([MemoryNode(f"node-{index}") for index in range(5)], ring, k=3)
    store.put(NAME, b"the version before")
    ring.rotate()
    receipt = store.put(NAME, data)
    nodes = [dict(node) for node in store.nodes]
    bodies = {node[key][-160:-32] for node in nodes for key in node if key.endswith("/manifest")}
    assert {hashlib.sha256(body).hexdigest() for body in bodies} == {receipt.digest}
    return (folder / "ring").read_bytes(), nodes


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 16, 4 << 20])
def test_a_second_reader_opens_what_the_store_wrote(tmp_path, size):
    data = hashlib.shake_128(b"data").digest(size)
    file, nodes = written(tmp_path, data)
    assert read(file, nodes, NAME.encode()) == data


def test_the_second_reader_too_refuses_what_was_altered(tmp_path):
    file, nodes = written(tmp_path, b"plaintext")
    for node in nodes:
        for key in [key for key in node if not key.endswith(("/claim", "/manifest"))]:
            alike = {
                key,
                key.replace("/head", f"/{2:016x}/manifest"),
            }  # the head is the manifest's double
            changed = {**node, **dict.fromkeys(alike, node[key][:-1] + bytes((node[key][-1] ^ 1,)))}
            with pytest.raises(ValueError, match="MAC"):
                read(file, [changed if other is node else other for other in nodes], NAME.encode())
