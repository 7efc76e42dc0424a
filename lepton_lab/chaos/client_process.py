"""A client in a process of its own, to be killed while it writes.

It reads from its standard input, as JSON, what to write and where. It prints a line for every piece
that the store reads, and the receipt when the store has acknowledged the whole. What it printed,
its parent knows, whatever happens afterwards.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import open_nodes
from lepton_lab.sharding import ShardedStore

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class AnnouncingSource(io.BytesIO):
    """A source that prints a line before every piece that is read from it."""

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Print a line, then read into the buffer."""
        print("piece", flush=True)
        return super().readinto(buffer)


def main() -> None:
    """Write one object and print its receipt."""
    task = json.load(sys.stdin)
    ring = KeyRing.open(task["ring"], task["passphrase"])
    nodes = open_nodes(task["urls"])
    store = ShardedStore(nodes, ring, k=task["k"], segment=task["segment"])
    receipt = store.put(task["name"], AnnouncingSource(bytes.fromhex(task["content"])))
    print(json.dumps(asdict(receipt)), flush=True)


if __name__ == "__main__":
    main()
