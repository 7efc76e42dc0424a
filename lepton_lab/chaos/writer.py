"""A client in a process of its own, to be killed while it writes.

It is told by JSON on its standard input what to write and where, prints a line for every piece that the store has taken
from it, and the receipt when the store has acknowledged the whole. What it printed, its parent knows, whatever follows.
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


class Told(io.BytesIO):
    """Tells of every piece that is read."""

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """As a file's."""
        print("piece", flush=True)
        return super().readinto(buffer)


def main() -> None:
    """Write what is asked."""
    task = json.load(sys.stdin)
    ring = KeyRing.open(task["ring"], task["passphrase"])
    nodes = open_nodes(task["urls"])
    shards = ShardedStore(nodes, ring, k=task["k"], segment=task["segment"])
    receipt = shards.put(task["name"], Told(bytes.fromhex(task["content"])))
    print(json.dumps(asdict(receipt)), flush=True)


if __name__ == "__main__":
    main()
