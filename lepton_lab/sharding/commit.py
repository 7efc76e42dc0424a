"""Commit: how a new version is claimed, published and acknowledged, and how old ones are deleted.

A writer claims a version on more than half of the nodes before it writes anything, so that at most
one writer wins each version. It writes the shards, and then the manifest to every node: at that
moment readers see the new version. Only then are older versions deleted.

Deleting is housekeeping. A node that does not answer keeps what it has, and `repair` deletes it
later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from operator import methodcaller

from lepton_lab.errors import NotEnoughShards, NotFound, WriteConflict
from lepton_lab.nodes import Node
from lepton_lab.sharding.manifest import (
    RECORD_LIMIT,
    Manifest,
    ManifestBody,
    ObjectKeys,
    claim_key,
    context,
    head_key,
    manifest_key,
)
from lepton_lab.sharding.placement import Seats
from lepton_lab.sharding.stripes import Stripes
from lepton_lab.sharding.versions import WINDOW, Versions
from lepton_lab.sharding.workers import Worker, Workers

_MOST_CLAIMED = 64 * WINDOW  # claims in a row that are believed; failed writers leave a few


def claim(versions: Versions, after: int, put_id: bytes) -> int:
    """Claim the first free version above `after` on more than half of the nodes; return it.

    Raises WriteConflict if another writer was first, NotEnoughShards if too few nodes answer.
    """
    workers = versions.workers
    needed = len(workers) // 2 + 1
    version = _first_free(versions, after + 1, needed)
    key = claim_key(versions.object_id, version)
    answers = workers.ask(methodcaller("set_if_absent", key, put_id))
    won = sum(answers.values())
    if won >= needed:
        return version
    if won < len(answers):
        raise WriteConflict(f"another writer took version {version}; read again and retry")
    what = "nodes to claim a version on"
    raise NotEnoughShards(what, found=won, needed=needed, failures=workers.failures)


def _first_free(versions: Versions, start: int, needed: int) -> int:
    """Return the first version from `start` on that can be claimed on `needed` answering nodes.

    Claims of writers that failed stay, for their versions are never used again. While some nodes do
    not answer, a few such claims on the others are enough to make a version useless.
    """
    for first in range(start, start + _MOST_CLAIMED, WINDOW):
        keys = [claim_key(versions.object_id, first + step) for step in range(WINDOW)]
        answers = versions.workers.ask(methodcaller("get_bounded", keys, RECORD_LIMIT))
        versions.workers.require(needed, "nodes to claim a version on")
        for step in range(WINDOW):
            free = sum(claims[step] is None for claims in answers.values())
            if free >= needed:
                return first + step
    # Nodes that pretend that everything is claimed must not keep a writer searching for ever.
    raise WriteConflict(
        f"the nodes say that {_MOST_CLAIMED} versions from {start} on are taken; check them, "
        "then retry"
    )


@contextmanager
def fresh_manifest(versions: Versions, body: ManifestBody) -> Iterator[Manifest]:
    """Give a manifest under a fresh data key, which is shredded if the block fails."""
    data_key = versions.ring.new_data_key(context(versions.name, body.version, body.put_id))
    keys = ObjectKeys.derive(data_key.key, versions.name, body)
    try:
        yield Manifest(replace(body, commitment=keys.commitment), data_key.wrapped, keys)
    except BaseException:
        # The key may be gone already, if the name was shredded meanwhile.
        with suppress(NotFound):
            versions.ring.shred(data_key.id)
        raise


def check_not_superseded(versions: Versions, manifest: Manifest) -> None:
    """Raise WriteConflict if a newer version has appeared since this one was claimed.

    A slow writer must not publish an old version after a newer one was acknowledged.
    """
    if versions.is_replaced(manifest):
        raise WriteConflict("a later version was written meanwhile; read again and retry")


def publish(
    versions: Versions,
    manifest: Manifest,
    seats: Workers,
    indexes: Iterable[int] | None = None,
) -> None:
    """Write the manifest to every node that still answers; from then on readers see the version.

    seats: the worker of each index. indexes: write only to the nodes of these.
    """
    keys = [
        manifest_key(versions.object_id, manifest.body.version),
        # The head comes last: it may only ever name a manifest that is there.
        head_key(versions.object_id),
    ]

    def write(node: Node, record: bytes) -> None:
        for key in keys:
            node[key] = record

    calls = []
    for index in range(len(seats)) if indexes is None else indexes:
        calls.append(seats[index].submit(partial(write, record=manifest.pack(index))))
    for call in calls:
        call.result()


def retire(versions: Versions, old: Manifest | None, version: int) -> None:
    """Delete what is older than an acknowledged version, and shred the data key of `old`.

    old: the manifest that this version replaced, if there was one.
    """
    first = old.body.version if old else max(1, version - WINDOW)
    markers = []
    for each in range(first, version):
        markers.append(claim_key(versions.object_id, each))
        markers.append(manifest_key(versions.object_id, each))

    gone = {worker: list(markers) for worker in versions.workers}
    if old:
        stripes = Stripes(old.body, old.keys)
        seats = versions.seats(old)
        for index, seat in enumerate(seats):
            for worker in (seat, *seats.others[index]):
                # The old version may lie on nodes that the new one does not use.
                gone.setdefault(worker, list(markers)).extend(stripes.keys_on(index))
    wait([worker.submit(methodcaller("delete_many", keys)) for worker, keys in gone.items()])
    if old:
        # Another writer that replaced the same version may have been quicker.
        with suppress(NotFound):
            versions.ring.shred(versions.ring.data_key_id(old.wrapped))


def withdraw(
    versions: Versions, manifest: Manifest, index: int, worker: Worker, *, wholly: bool
) -> None:
    """Delete the shards of one index from a node that is no longer to hold them.

    wholly: its manifest too, because the node holds no other shards of this version.
    """
    keys = Stripes(manifest.body, manifest.keys).keys_on(index)
    if wholly:
        version = manifest.body.version
        keys += [
            claim_key(versions.object_id, version),
            manifest_key(versions.object_id, version),
            head_key(versions.object_id),
        ]
    worker.submit(methodcaller("delete_many", keys)).result()


def sweep(versions: Versions, keep: Manifest | None = None, seats: Seats | None = None) -> None:
    """Delete all of the object from every node, except `keep` on its seats and newer versions."""
    kept: dict[Worker, int] = {}
    if seats is not None:
        for index, seat in enumerate(seats):
            kept[seat] = index
            if seat.failure is not None:
                # The copy on this seat could not be verified, so second copies must stay.
                kept |= dict.fromkeys(seats.others[index], index)
    body = None if keep is None else keep.body
    prefix = versions.object_id.hex() + "/"

    def clean(node: Node, index: int | None) -> None:
        found = node.keys_with_prefix(prefix)
        node.delete_many([key for key in found if body is None or not _is_kept(key, body, index)])

    calls = []
    for worker in versions.everyone:
        calls.append(worker.submit(partial(clean, index=kept.get(worker))))
    for call in calls:
        call.result()


def _is_kept(key: str, body: ManifestBody, index: int | None) -> bool:
    """Tell whether a node keeps this key beside the version of `body`.

    index: the index of the shards that the node is to hold, or None if it is to hold none.
    """
    version, *rest = key.split("/")[1:]
    ours = f"{body.version:016x}"
    if version == "head":
        return index is not None
    if version != ours or index is None:
        # Older versions go. Newer ones stay: another writer is at work.
        return version > ours
    if len(rest) == 1:
        # The claim and the manifest.
        return True
    put_id, shard_index = rest[0], rest[-1]
    return put_id == body.put_id.hex() and shard_index == f"{index:02x}"
