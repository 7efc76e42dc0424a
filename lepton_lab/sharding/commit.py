"""Commit: how a new version is claimed, published and acknowledged, and how old ones are deleted.

A writer claims a version on more than half of the nodes before it writes anything. Any two sets of
more than half have a node in common, and a node gives each claim once: so at most one writer wins
each version.

It writes the shards, and then the manifest to every node: from then on readers may see the new
version. When `write_quorum` nodes have taken it, it is acknowledged in the key ring: the ring notes
its version and digest, and in the same writing shreds every data key of an older version of this
object, whoever made it: versions between a look and a claim, failed puts, writers that were killed.
So after an acknowledged put or delete, and after a repair, nothing older can be read by this ring,
and nodes that show less than the record are found out (`versions.py`). If two writers acknowledge
in the other order than that of their versions, the record keeps the higher version.

Only then are older versions deleted from the nodes. That is housekeeping: a node that does not
answer keeps what it has, and `repair` deletes it later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

from lepton_lab.errors import NotEnoughShards, NotFound, WriteConflict
from lepton_lab.sharding.calls import GuardedNode
from lepton_lab.sharding.manifest import (
    RECORD_LIMIT,
    TOMBSTONE,
    Manifest,
    ManifestBody,
    ObjectKeys,
    claim_key,
    context,
    head_key,
    is_version_key,
    manifest_key,
    name_and_version,
)
from lepton_lab.sharding.placement import Seats
from lepton_lab.sharding.stripes import Stripes, delete_on
from lepton_lab.sharding.versions import WINDOW, Versions
from lepton_lab.sharding.workers import Worker, Workers, wait_for

_MOST_CLAIMED = 64 * WINDOW  # claims in a row that are believed; failed writers leave a few


def claim(versions: Versions, before: Manifest | None, put_id: bytes) -> int:
    """Claim the next free version on more than half of the nodes; return it.

    It comes after `before`, the newest on the nodes, and after the record in the key ring: nodes
    that were emptied or rolled back must not make a writer use a version again. Raises
    WriteConflict if another writer was first, NotEnoughShards if too few nodes answer.
    """
    workers = versions.workers
    needed = len(workers) // 2 + 1
    record = versions.record()
    newest = max(before.body.version if before else 0, record.version if record else 0)
    version = _first_free(versions, newest + 1, needed)
    key = claim_key(versions.object_id, version)

    def claim_on(node: GuardedNode) -> bool:
        return node.set_if_absent(key, put_id)

    answers = workers.ask(claim_on, needed)
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
        answers = _claims(versions.workers, keys, needed)
        for step in range(WINDOW):
            free = sum(claims[step] is None for claims in answers.values())
            if free >= needed:
                return first + step
    # Nodes that pretend that everything is claimed must not keep a writer searching for ever.
    raise WriteConflict(
        f"the nodes say that {_MOST_CLAIMED} versions from {start} on are taken; check them, "
        "then retry"
    )


def _claims(workers: Workers, keys: list[str], needed: int) -> dict[Worker, list[bytes | None]]:
    """Return the claims under these keys, by worker. Raises NotEnoughShards."""

    def read(node: GuardedNode) -> list[bytes | None]:
        return node.get_bounded(keys, RECORD_LIMIT)

    answers = workers.ask(read, needed)
    if len(answers) < needed:
        what = "nodes to claim a version on"
        raise NotEnoughShards(what, found=len(answers), needed=needed, failures=workers.failures)
    return answers


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
    """Raise WriteConflict if this version may not be published any more.

    A slow writer must not publish an old version after a newer one was acknowledged, nor one whose
    data key is gone because the object was shredded.
    """
    record = versions.record()
    if record is not None and record.version >= manifest.body.version:
        # The same version: the object was shredded meanwhile, and its numbers began again.
        raise WriteConflict("a later version was written meanwhile; read again and retry")
    if versions.ring.data_key_id(manifest.wrapped) not in versions.ring:
        raise WriteConflict("the object was shredded meanwhile; put it again if it is wanted")
    if versions.is_replaced(manifest):
        raise WriteConflict("a later version was written meanwhile; read again and retry")


@contextmanager
def shredded_on_conflict(versions: Versions, manifest: Manifest) -> Iterator[None]:
    """Shred this version's data key if another writer wins inside the block.

    Some nodes may have taken the manifest. Without its key it verifies nowhere, so that no reader
    takes it for the version of the same number that won.
    """
    try:
        yield
    except WriteConflict:
        # The key may be gone already: that is how most of these conflicts come about.
        with suppress(NotFound):
            versions.ring.shred(versions.ring.data_key_id(manifest.wrapped))
        raise


def publish_first(versions: Versions, manifest: Manifest) -> None:
    """Write the manifest of a new version to the n nodes, without replacing another writer's.

    Claims make versions unique, until an object is shredded: then its numbers begin again, and a
    writer that was paused since before may still hold one of them.
    """
    manifest_name = manifest_key(versions.object_id, manifest.body.version)
    head_name = head_key(versions.object_id)

    def write(node: GuardedNode, record: bytes) -> bool:
        if not node.set_if_absent(manifest_name, record):
            [held] = node.get_bounded([manifest_name], RECORD_LIMIT)
            if held is not None and held != record and versions.is_genuine(held):
                raise WriteConflict("another writer published this version; read again and retry")
            # What is left from before a shredding opens nothing, so it may be replaced.
            node.put(manifest_name, record)
        # The head comes last: it may only ever name a manifest that is there.
        node.put(head_name, record)
        return True

    calls = []
    for index, worker in enumerate(versions.workers):
        calls.append(worker.submit(partial(write, record=manifest.pack(index))))
    wait_for(calls)
    for call in calls:
        # Raises a conflict that a worker met.
        _ = call.answer


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

    def write(node: GuardedNode, record: bytes) -> bool:
        for key in keys:
            node.put(key, record)
        return True

    calls = []
    for index in range(len(seats)) if indexes is None else indexes:
        calls.append(seats[index].submit(partial(write, record=manifest.pack(index))))
    wait_for(calls)


def acknowledge(versions: Versions, manifest: Manifest) -> None:
    """Note this version in the key ring, and shred every older data key of the object.

    Call it when `write_quorum` nodes have taken the manifest. Raises WriteConflict if the object
    was shredded meanwhile, IntegrityError if the same version was acknowledged with another digest.
    """
    body = manifest.body
    ours = context(versions.name)

    def version_of(found: bytes) -> int | None:
        return name_and_version(found)[1] if found.startswith(ours) else None

    try:
        versions.ring.acknowledge(
            versions.name,
            body.version,
            bytes.fromhex(body.digest),
            deleted=body.kind == TOMBSTONE,
            version_of=version_of,
            data_key_id=versions.ring.data_key_id(manifest.wrapped),
        )
    except NotFound:
        raise WriteConflict(
            "the object was shredded meanwhile; put it again if it is wanted"
        ) from None


def finish_deletion(versions: Versions) -> bool:
    """Acknowledge a deletion whose writer was killed before it could; tell whether there was one.

    Its tombstone is visible, so readers say that the object was deleted. Until the key ring notes
    it, the data key of the version before it is still there, and a rollback would be believed.
    """
    tombstone = versions.fresh(everywhere=True)
    if tombstone is None or tombstone.body.kind != TOMBSTONE:
        return False
    record = versions.record()
    if record is not None and record.version >= tombstone.body.version:
        return False
    seats = versions.seats(tombstone)
    publish(versions, tombstone, seats)
    acknowledge_repaired(versions, tombstone, seats)
    sweep(versions, tombstone, seats)
    return True


def acknowledge_repaired(versions: Versions, manifest: Manifest, seats: Seats) -> None:
    """Acknowledge a version that a repair has published, if that is safe.

    With fewer than a quorum it waits, unless it is acknowledged already: a record that only a few
    nodes can satisfy would make the object unreadable as soon as these fail.
    """
    took = sum(seat.failure is None for seat in seats)
    record = versions.record()
    known = record is not None and record.version >= manifest.body.version
    if known or took >= min(versions.write_quorum, manifest.body.n):
        acknowledge(versions, manifest)


def retire(versions: Versions, old: Manifest | None, version: int) -> None:
    """Delete from the nodes what is older than an acknowledged version.

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
    wait_for([delete_on(worker, keys) for worker, keys in gone.items()])


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
    wait_for([delete_on(worker, keys)])


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

    def clean(node: GuardedNode, index: int | None) -> bool:
        found = node.keys_with_prefix(prefix)
        node.delete_many([key for key in found if body is None or not _is_kept(key, body, index)])
        return True

    calls = []
    for worker in versions.everyone:
        calls.append(worker.submit(partial(clean, index=kept.get(worker))))
    wait_for(calls)


def _is_kept(key: str, body: ManifestBody, index: int | None) -> bool:
    """Tell whether a node keeps this key beside the version of `body`.

    index: the index of the shards that the node is to hold, or None if it is to hold none.
    """
    _, version, *rest = key.split("/")
    ours = f"{body.version:016x}"
    if version == "head" and not rest:
        return index is not None
    if not is_version_key(key):
        # A name that no writer makes. It is deleted rather than trusted to be anything.
        return False
    if version != ours or index is None:
        # Older versions go. Newer ones stay: another writer is at work.
        return version > ours
    if len(rest) == 1:
        # The claim and the manifest.
        return True
    put_id, shard_index = rest[0], rest[-1]
    return put_id == body.put_id.hex() and shard_index == f"{index:02x}"
