"""Scenarios on directory nodes: something that is not a regular file stands in a shard's place."""

from __future__ import annotations

import os
from pathlib import Path

from lepton_lab.chaos.harness import Harness, K, N
from lepton_lab.chaos.ledger import require
from lepton_lab.nodes import DirectoryNode
from lepton_lab.sharding import ShardedStore

_NAME = "on files"
_SEGMENT = 1024  # bytes; small, so that the object has several stripes


def strange_files_in_place_of_shards(harness: Harness) -> None:
    """Put a FIFO, a folder or a symbolic link in a shard's place on up to n − k nodes.

    None of them may be opened, waited for or followed: each is one bad shard, and a repair replaces
    it.
    """
    nodes = _fresh_nodes(harness)
    store = ShardedStore(nodes, harness.store.keyring, k=K, segment=_SEGMENT)
    content = harness.random.draw_bytes(5 * _SEGMENT)
    store.put(_NAME, content)
    outside = harness.folder / "outside"
    outside.write_bytes(b"not a shard")
    chosen = harness.random.several(N, N - K)
    for index in chosen:
        _replace_one_shard(harness, nodes[index].path, outside)
    require(store.get(_NAME) == content, "a strange file made a read wrong")
    health = store.check(_NAME)
    require(not health.intact and health.margin >= 0, f"a strange file was not counted: {health}")
    store.repair(_NAME)
    require(store.check(_NAME).intact, "a strange file was not replaced by a repair")
    require(outside.read_bytes() == b"not a shard", "a file outside of the node was changed")
    store.shred(_NAME)
    harness.ledger.counts["strange files replaced"] += len(chosen)


def _fresh_nodes(harness: Harness) -> list[DirectoryNode]:
    number = sum(1 for _ in harness.folder.glob("files-*"))
    home = harness.folder / f"files-{number}"
    return [DirectoryNode(home / f"node-{index}", sync=False) for index in range(N)]


def _replace_one_shard(harness: Harness, folder: Path, outside: Path) -> None:
    shards = sorted(path for path in folder.rglob("*=") if len(path.relative_to(folder).parts) == 5)
    place = harness.random.pick(shards)
    place.unlink()
    kind = harness.random.pick(["fifo", "folder", "link"])
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(outside)
