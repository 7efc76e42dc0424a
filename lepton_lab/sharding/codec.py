"""The arithmetic of one stripe: encrypt, code and authenticate it, and the same backwards.

Nothing here talks to a node. A stripe is n rows of `segment` + 16 bytes: k data shards, n − k
parity shards, each with its authenticator behind it. A data shard *is* a ciphertext segment, so a
read from healthy nodes decodes nothing.

Segment i of an object is encrypted with AES-256-GCM under the nonce prefix ‖ i ‖ last, the STREAM
rule of Hoang, Reyhanitabar, Rogaway and Vizár (2015): segments in another order, a segment left
out, or an end cut off do not decrypt. Every shard, parity too, is followed by a GMAC tag under a
second key with the nonce stripe ‖ index, so that a corrupt shard is found, and its node named,
before anything is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lepton_lab.erasure import Code
from lepton_lab.errors import DecryptionError
from lepton_lab.sharding.manifest import TAG, ManifestBody, ObjectKeys

Row = npt.NDArray[np.uint8]  # one shard and its authenticator: segment + 16 bytes
Rows = Sequence[Row]


def new_rows(body: ManifestBody) -> list[Row]:
    """Allocate the n rows of one stripe, filled with zeros."""
    # In one block, which the system gives in larger pages than n small ones.
    return list(np.zeros((body.n, body.segment + TAG), np.uint8))


def shard_nonce(stripe: int, index: int) -> bytes:
    """Return the nonce (12 bytes) of the authenticator of this stripe's shard."""
    return stripe.to_bytes(8, "big") + index.to_bytes(4, "big")


class StripeCodec:
    """Turns plaintext into the rows of a stripe, and verified rows back into plaintext."""

    def __init__(self, body: ManifestBody, keys: ObjectKeys) -> None:
        self.body = body
        self._code = Code(body.k, body.n)
        self._cipher = AESGCM(keys.encryption)
        self._authenticator = AESGCM(keys.authentication)
        self._payload = body.segment - TAG  # plaintext bytes of one segment

    # --- from plaintext to shards ----------------------------------------------------------------

    def encrypt(self, rows: Rows, stripe: int, piece: memoryview, last: bool) -> None:
        """Encrypt the plaintext of one stripe into its k data shards.

        last: whether this is the last stripe of the object, of which the last segment is marked.
        """
        for index in range(self.body.k):
            shard = rows[index][: self.body.segment]
            part = piece[index * self._payload : (index + 1) * self._payload]
            size = 0
            # Behind the end of the data a shard is all zero. An empty object still has one segment,
            # whose tag proves that it is empty.
            if part or index == 0:
                size = len(part) + TAG
                final = last and (index + 1) * self._payload >= len(piece)
                nonce = self._segment_nonce(stripe * self.body.k + index, final)
                self._cipher.encrypt_into(nonce, part, None, shard[:size].data)
            shard[size:] = 0

    def encode(self, rows: Rows) -> None:
        """Compute the n − k parity shards from the k data shards."""
        shards = [row[: self.body.segment] for row in rows]
        self._code.encode_rows(shards[: self.body.k], shards[self.body.k :])

    def authenticate(self, row: Row, stripe: int, index: int) -> None:
        """Write the authenticator of one shard behind it."""
        shard = row[: self.body.segment]
        tag = self._authenticator.encrypt(shard_nonce(stripe, index), b"", shard.data)
        row[self.body.segment :] = np.frombuffer(tag, np.uint8)

    # --- from shards to plaintext ----------------------------------------------------------------

    def is_authentic(self, row: Row, stripe: int, index: int) -> bool:
        """Tell whether a row is the very shard that was written for this stripe and index."""
        shard = row[: self.body.segment]
        tag = row[self.body.segment :].tobytes()
        try:
            self._authenticator.decrypt(shard_nonce(stripe, index), tag, shard.data)
        except InvalidTag:
            return False
        return True

    def recover(self, rows: Rows, good: Sequence[int], wanted: Sequence[int]) -> None:
        """Compute the shards of the indexes `wanted` from the authentic ones of k others."""
        if not wanted:
            return
        have = {index: rows[index][: self.body.segment] for index in good}
        want = {index: rows[index][: self.body.segment] for index in wanted}
        self._code.recover_rows(have, want)

    def filled(self, stripe: int) -> range:
        """Return the indexes of the data shards that hold plaintext: few in the last stripe."""
        return range(min(self.body.k, self.body.segments - stripe * self.body.k))

    def decrypt(self, rows: Rows, stripe: int, plaintext: memoryview) -> int:
        """Decrypt the data shards of one stripe; return how many bytes of `plaintext` they filled.

        Raises DecryptionError if a segment is not the one that belongs in this place.
        """
        written = 0
        for index in self.filled(stripe):
            counter = stripe * self.body.k + index
            final = counter == self.body.segments - 1
            size = self.body.length - counter * self._payload if final else self._payload
            nonce = self._segment_nonce(counter, final)
            sealed = rows[index][: size + TAG].data
            room = plaintext[written : written + size]
            try:
                self._cipher.decrypt_into(nonce, sealed, None, room)
            except InvalidTag:
                raise DecryptionError from None
            written += size
        return written

    def _segment_nonce(self, counter: int, final: bool) -> bytes:
        return self.body.prefix + counter.to_bytes(4, "big") + bytes((final,))
