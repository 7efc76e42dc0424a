"""Tests lepton_lab.sharding.manifest and lepton_lab.sharding.codec: the key commitment.

One ciphertext can open under two keys; the store still gives it to one reader only.

AES-GCM does not commit to its key: anyone who chooses two keys can make a ciphertext and tag that
both open (Dodis, Grubbs, Ristenpart and Woodage, 2018; Len, Grubbs and Ristenpart, 2021). The
manifest commits to its key, so the store refuses the other one.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lepton_lab.buffers import framed
from lepton_lab.errors import IntegrityError
from lepton_lab.keyring import KeyRing
from lepton_lab.sharding import ShardedStore
from lepton_lab.sharding.codec import shard_nonce
from lepton_lab.sharding.manifest import OBJECT, Manifest, ManifestBody, ObjectKeys, context
from lepton_lab.sharding.stripes import Stripes
from lepton_lab.textbook.attacks.gf128 import inverse
from lepton_lab.textbook.primitives.modes import multiply_blocks

NAME, SIZE = b"x", 48


def block(key: bytes, data: bytes) -> int:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return int.from_bytes(encryptor.update(data))


def opens_under_both(one: bytes, two: bytes, nonce: bytes) -> bytes:
    """Three blocks of ciphertext and a tag; the third block makes the two tags equal.

    T = C₁H⁴ + C₂H³ + C₃H² + LH + E(J₀) under either key (SP 800-38D §7), so C₃ is the difference of
    the other terms, divided by (H² + H'²).
    """
    first, second = secrets.token_bytes(16), secrets.token_bytes(16)
    length = (8 * SIZE).to_bytes(16)

    def rest(key: bytes) -> tuple[int, int]:
        h = block(key, bytes(16))
        total = 0
        for each in (first, second, bytes(16), length):
            total = multiply_blocks(total ^ int.from_bytes(each), h)
        return total ^ block(key, nonce + b"\0\0\0\1"), multiply_blocks(h, h)

    (rest_one, square_one), (rest_two, square_two) = rest(one), rest(two)
    third = multiply_blocks(rest_one ^ rest_two, inverse(square_one ^ square_two))
    tag = rest_one ^ multiply_blocks(third, square_one)
    return first + second + third.to_bytes(16) + tag.to_bytes(16)


@pytest.fixture
def forger(tmp_path):
    """A writer that holds two data keys for one version and otherwise keeps to the rules."""
    ring = KeyRing.create(tmp_path / "ring", "a passphrase", scrypt_n=1 << 14)
    node: dict[str, bytes] = {}
    return Forger(ring, node, ShardedStore([node], ring, k=1))


class Forger:
    def __init__(self, ring, node, store) -> None:
        self.node, self.store = node, store
        object_id = ring.derive(framed(b"lepton_lab object id", NAME), 16)
        put_id = secrets.token_bytes(16)
        self.body = ManifestBody(OBJECT, 1, 1, 1, object_id, 1, put_id, SIZE, SIZE + 16)
        bound_to = context(NAME, 1, self.body.put_id)
        self.data_keys = [ring.new_data_key(bound_to) for _ in range(2)]
        self.keys = [ObjectKeys.derive(each.key, NAME, self.body) for each in self.data_keys]
        self.nonce = self.body.prefix + bytes(4) + b"\1"
        self.shard = opens_under_both(self.keys[0].encryption, self.keys[1].encryption, self.nonce)

    def hand_out(self, reader: int, commitment: int) -> None:
        """Show the shard and a manifest under this reader's key with that commitment."""
        body, keys = (
            replace(self.body, commitment=self.keys[commitment].commitment),
            self.keys[reader],
        )
        manifest = Manifest(body, self.data_keys[reader].wrapped, keys)
        folder = f"{body.object_id.hex()}/{1:016x}"
        self.node[f"{folder}/manifest"] = self.node[f"{body.object_id.hex()}/head"] = manifest.pack(
            0
        )
        tag = AESGCM(keys.authentication).encrypt(shard_nonce(0, 0), b"", self.shard)
        self.node[Stripes(body, keys).key(0, 0)] = self.shard + tag


def test_a_ciphertext_can_open_under_two_keys(forger):
    plain = [
        AESGCM(keys.encryption).decrypt(forger.nonce, forger.shard, None) for keys in forger.keys
    ]
    assert plain[0] != plain[1]
    for reader in (0, 1):  # and a manifest that commits to the reader's own key lets it through
        forger.hand_out(reader, commitment=reader)
        assert forger.store.get("x") == plain[reader]


def test_a_ciphertext_that_opens_under_two_keys_is_refused_under_the_one_not_committed_to(forger):
    forger.hand_out(reader=1, commitment=0)
    with pytest.raises(IntegrityError, match="does not match its data key"):
        forger.store.get("x")
    forger.hand_out(reader=0, commitment=1)
    with pytest.raises(IntegrityError, match="does not match its data key"):
        forger.store.get("x")
