"""Receipts beside the key ring: the floor below which no later `get` goes, so that a rollback is seen.

The file is `<ring>.receipts`, mode 0600, sealed under a key that comes from the ring: who finds it learns no name, and
who alters it is noticed. Whoever puts back ring, receipts and nodes together is not.

    offset  bytes  what
    0       3       "LLR"
    3       1       version: 1
    4       12      nonce                  ┐
    16      …       AES-256-GCM ciphertext ├ `aes.encrypt`, with the first four bytes as associated data
    …       16      tag                    ┘

The plaintext is JSON: {name: [version, digest, size]}.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from lepton_lab import aes
from lepton_lab.cli.words import Advice
from lepton_lab.errors import DecryptionError
from lepton_lab.files import write_atomically, write_lock
from lepton_lab.keyring import KeyRing
from lepton_lab.sharding import Receipt

_HEAD = b"LLR\x01"
_PURPOSE = b"receipts of the command line"
_LARGEST = 64 << 20  # bytes


class Receipts:
    """The receipts of one ring; read again for every use, changed under a lock, written whole."""

    def __init__(self, ring: KeyRing) -> None:
        self._path = ring.path.with_name(ring.path.name + ".receipts")
        self._key = ring.derive(_PURPOSE)

    def __getitem__(self, name: str) -> Receipt | None:
        """The newest receipt of this name, or None. Raises Advice when the file is damaged or another ring's."""
        return self._read().get(name)

    def keep(self, receipt: Receipt) -> None:
        """From now on nothing older is taken. Raises OSError, and Advice as above."""

        def later(receipts: dict[str, Receipt]) -> None:
            known = receipts.get(receipt.name)
            if known is None or known.version <= receipt.version:
                receipts[receipt.name] = receipt

        self._change(later)

    def forget(self, name: str) -> None:
        """The object was shredded: one put under its name later begins with version 1."""
        self._change(lambda receipts: receipts.pop(name, None))

    def _change(self, change: Callable[[dict[str, Receipt]], object]) -> None:
        with write_lock(self._path):
            receipts = self._read()
            change(receipts)
            entries = {
                name: [each.version, each.digest, each.size] for name, each in receipts.items()
            }
            sealed = aes.encrypt(self._key, json.dumps(entries).encode(), _HEAD)
            write_atomically(self._path, _HEAD + sealed)

    def _read(self) -> dict[str, Receipt]:
        try:
            with self._path.open("rb") as file:
                data = file.read(min(os.fstat(file.fileno()).st_size, _LARGEST) + 1)
            plaintext = aes.decrypt(self._key, data[len(_HEAD) :], data[: len(_HEAD)])
            if data[: len(_HEAD)] != _HEAD:
                raise DecryptionError
        except FileNotFoundError:
            return {}
        except DecryptionError:
            raise Advice(
                f"{self._path} is damaged or another ring's: bring back its copy, or move it away and lose the "
                "protection from rollbacks until the next put"
            ) from None
        return {name: Receipt(name, *entry) for name, entry in json.loads(plaintext).items()}
