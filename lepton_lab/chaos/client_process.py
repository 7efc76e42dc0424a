"""A client in a process of its own, to be killed while it writes, or to fork while it writes.

It reads from its standard input, as JSON, what to write and where. It prints a line for every piece
that the store reads, a line with the process id of every child that it forks, and the receipt when
the store has acknowledged the whole. Its parent knows what it printed, whatever happens afterwards.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
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
        sys.stdout.write("piece\n")
        sys.stdout.flush()
        return super().readinto(buffer)


_CHILDREN = 20
_PAUSE = 0.003  # seconds between two forks
_CHILD_SECONDS = 20.0  # how long a child lives, if nothing ends it before


def fork_children(stopped: threading.Event) -> None:
    """Fork children that keep everything they inherited and do nothing with it."""
    for _ in range(_CHILDREN):
        if stopped.wait(_PAUSE):
            return
        pid = os.fork()
        if pid == 0:
            # The parent's reader waits for the end of this pipe.
            os.close(1)
            time.sleep(_CHILD_SECONDS)
            os._exit(0)
        # One call for the whole line: two threads print.
        sys.stdout.write(f"forked {pid}\n")
        sys.stdout.flush()


def main() -> None:
    """Write one object and print its receipt."""
    task = json.load(sys.stdin)
    ring = KeyRing.open(task["ring"], task["passphrase"])
    nodes = open_nodes(task["urls"])
    store = ShardedStore(nodes, ring, k=task["k"], segment=task["segment"])
    stopped = threading.Event()
    forking = threading.Thread(target=fork_children, args=[stopped], daemon=True)
    if task["forks"]:
        forking.start()
    receipt = store.put(task["name"], AnnouncingSource(bytes.fromhex(task["content"])))
    stopped.set()
    if task["forks"]:
        # The receipt is the last line.
        forking.join()
    print(json.dumps(asdict(receipt)), flush=True)


if __name__ == "__main__":
    main()
