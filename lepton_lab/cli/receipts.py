"""Receipts beside the key ring. A receipt names the newest acknowledged version of an object.

`get` refuses anything older than its receipt, so it notices when all nodes were rolled back
together. It cannot notice when the ring, the receipts and the nodes are all rolled back.

The file is `<ring>.receipts`, mode 0600, encrypted under a key derived from the ring: a reader of
the file learns no name, and a change to it is detected.

    offset  bytes  what
    0       3       "LLR"
    3       1       version: 1
    4       12      nonce                  ┐
    16      …       AES-256-GCM ciphertext ├ `aes.encrypt`; associated data: bytes 0 to 3
    …       16      tag                    ┘

The plaintext is JSON: {name: [version, digest, size]}.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from lepton_lab import aes
from lepton_lab.cli.output import CommandError
from lepton_lab.errors import DecryptionError
from lepton_lab.files import open_regular, write_atomically, write_lock
from lepton_lab.keyring import KeyRing
from lepton_lab.sharding import Receipt

_HEADER = b"LLR\x01"
_PURPOSE = b"receipts of the command line"  # separates this key from others derived from the ring
_MOST_BYTES = 64 << 20  # a larger file was not written by this class


class Receipts:
    """The receipts that belong to one key ring.

    The file is read for every use and changed under a lock, because other commands may use the same
    key ring at the same time.
    """

    def __init__(self, ring: KeyRing) -> None:
        self._path = ring.path.with_name(ring.path.name + ".receipts")
        self._key = ring.derive(_PURPOSE)

    def __getitem__(self, name: str) -> Receipt | None:
        """The newest receipt for the object of this name, or None.

        Raises CommandError when the file is damaged or belongs to another key ring,
        InvalidParameter when it is not a regular file.
        """
        return self._read().get(name)

    def keep(self, receipt: Receipt) -> None:
        """Store a receipt, unless a newer one for the same object is stored already.

        Raises OSError when the file cannot be written; CommandError as above.
        """

        def add(receipts: dict[str, Receipt]) -> None:
            known = receipts.get(receipt.name)
            # another client may have put a later version, and kept its receipt first
            if known is None or known.version <= receipt.version:
                receipts[receipt.name] = receipt

        self._change(add)

    def forget(self, name: str) -> None:
        """Remove the receipt of an object that was shredded.

        The next object of that name starts again with version 1, which the receipt would refuse.
        """
        self._change(lambda receipts: receipts.pop(name, None))

    def _change(self, change: Callable[[dict[str, Receipt]], object]) -> None:
        with write_lock(self._path):
            receipts = self._read()
            change(receipts)
            entries = {}
            for name, receipt in receipts.items():
                entries[name] = [receipt.version, receipt.digest, receipt.size]
            encrypted = aes.encrypt(self._key, json.dumps(entries).encode(), _HEADER)
            write_atomically(self._path, _HEADER + encrypted)

    def _read(self) -> dict[str, Receipt]:
        try:
            with open_regular(self._path) as file:
                size = os.fstat(file.fileno()).st_size
                data = file.read(min(size, _MOST_BYTES) + 1)
        except FileNotFoundError:
            return {}  # nothing was put yet
        header = data[: len(_HEADER)]
        try:
            plaintext = aes.decrypt(self._key, data[len(_HEADER) :], header)
            # Another version of this format would be authentic too, and must not be misread.
            if header != _HEADER:
                raise DecryptionError
        except DecryptionError:
            raise CommandError(
                f"{self._path} is damaged or belongs to another key ring: restore a copy, "
                "or move it away and be without protection from rollbacks until the next put"
            ) from None
        entries = json.loads(plaintext)
        return {name: Receipt(name, *entry) for name, entry in entries.items()}
