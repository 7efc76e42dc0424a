"""Which version of an object is the newest: everything that is read before its shards are.

What is promised: a reader returns the newest acknowledged version or a later one, or raises. This
rests on two things.

Quorums, for a few bad nodes. An acknowledged manifest lies on w = `write_quorum` of the writer's n
nodes, and any n − w + 1 of these n include one of those w: so many answers meet every acknowledged
write. A node may show an old manifest as its `head`, because it was unreachable, it lies, or a slow
writer overwrote it; so a reader believes only manifests that verify, and then looks for manifests
of the versions that follow.

The record in the key ring, for all nodes together. When a write is acknowledged, the ring notes its
version and digest as the newest of this object, and in the same writing shreds the data key of
every older version (`commit.acknowledge`). A reader looks at this record before it asks the nodes.
Nodes that show less than it says were emptied or rolled back, all of them: StaleVersion or
NotEnoughShards, never "no such object". Old manifests would not verify either, for their data keys
are gone. A verified version newer than the record is believed: its writer failed, or was killed,
between publishing and acknowledging, or is about to acknowledge. Rings of earlier releases have no
record of an object until its next put, delete or repair; until then only the quorums protect it.

Where there are more nodes than n and the list has changed since, the reader's n nodes are not the
writer's. So unless all shards of the newest manifest are among them, a reader asks further nodes
in the order of placement, at last all of them, and finds what lies anywhere. And w nodes among its
n that call a version the newest are right, as long as fewer than 2w − n of the object's nodes have
changed: any two sets of w among n then have a node in common. `rebalance` brings objects to where a
new list wants them. Writers must all use the same list: two that claim a version by different lists
could both win it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lepton_lab.buffers import framed
from lepton_lab.errors import (
    DecryptionError,
    IntegrityError,
    NotEnoughShards,
    NotFound,
    StaleVersion,
)
from lepton_lab.keyring import Acknowledged, KeyRing
from lepton_lab.sharding.calls import GuardedNode
from lepton_lab.sharding.manifest import (
    CONTEXT_PREFIX,
    OBJECT,
    RECORD_LIMIT,
    Manifest,
    context,
    head_key,
    manifest_key,
    name_and_version,
)
from lepton_lab.sharding.placement import Seats, assign_seats, by_weight
from lepton_lab.sharding.reports import Receipt
from lepton_lab.sharding.verifier import Verifier, newer
from lepton_lab.sharding.workers import HURRY, Worker, Workers

WINDOW = 8  # versions that one request to a node asks for


class Versions:
    """The versions of one object, as the nodes show them during one operation.

    everyone: the workers of all nodes. workers: those of the n nodes that the placement names.
    n and write_quorum: those of the store.
    """

    def __init__(
        self, name: bytes, ring: KeyRing, everyone: Workers, n: int, write_quorum: int
    ) -> None:
        self.name = name
        self.ring = ring
        self.everyone = everyone
        self.object_id = ring.derive(framed(b"lepton_lab object id", name), 16)
        self._order = by_weight(everyone, self.object_id.hex())
        self.workers = Workers(self._chosen(n))
        self.write_quorum = write_quorum
        # How many answers of the n nodes meet every acknowledged write.
        self._read_quorum = len(self.workers) - write_quorum + 1
        # Which nodes left a question of the last look unanswered.
        self._unanswered: set[Worker] = set()
        self._verifier = Verifier(name, self.object_id, ring)

    def _chosen(self, n: int) -> list[Worker]:
        """Return the n nodes that placement chooses; if that is all nodes, in the list's order."""
        if n < len(self._order):
            return self._order[:n]
        return list(self.everyone)

    # --- the newest version ----------------------------------------------------------------------

    def existing(self, receipt: Receipt | None = None, *, everywhere: bool = False) -> Manifest:
        """Return the newest manifest, of an object that exists.

        Raises NotFound if it does not, and what `fresh` raises.
        """
        manifest = self.fresh(receipt, everywhere=everywhere)
        if manifest is None and self.record() is not None:
            # The record of a deletion: `fresh` raises if it is of anything else.
            raise NotFound("the object was deleted")
        if manifest is None:
            raise self._why_absent()
        if manifest.body.kind != OBJECT:
            raise NotFound("the object was deleted")
        return manifest

    def fresh(self, receipt: Receipt | None = None, *, everywhere: bool = False) -> Manifest | None:
        """Return the newest manifest, held against the key ring's record and the receipt.

        None if there is none, and none was acknowledged unless as deleted. Raises StaleVersion,
        NotEnoughShards or IntegrityError if the nodes do not show what was acknowledged.
        """
        while True:
            # The record is read first. Read after the nodes, it could be of a write that was
            # acknowledged between the two, and honest nodes would look stale.
            record = self.record()
            manifest = self.newest(everywhere=everywhere)
            try:
                if receipt is not None:
                    self._hold_against_receipt(receipt, manifest)
                if record is not None:
                    manifest = self._hold_against_record(record, manifest)
            except (StaleVersion, NotEnoughShards, IntegrityError):
                # Another process may have shredded the object, or replaced it, in between.
                if self.record() == record:
                    raise
            else:
                return manifest

    def record(self) -> Acknowledged | None:
        """Return what the key ring notes as the newest acknowledged version, or None."""
        return self.ring.acknowledged(self.name)

    def newest(self, *, everywhere: bool = False) -> Manifest | None:
        """Return the newest manifest on the nodes that verifies, or None; it may be a tombstone's.

        It is not held against the record. everywhere: ask all nodes, even if the first n show every
        shard, to learn of second copies. Raises NotEnoughShards if too few nodes answer to be sure.
        """
        self._unanswered.clear()
        record = self.record()
        acknowledged = 0 if record is None else record.version
        believed: Manifest | None = None
        asked: list[Worker] = []
        for group in self._groups():
            asked += group
            believed = self._newest_on(Workers(group), believed, acknowledged)
            # The first n nodes normally hold every shard. If not, the list of nodes has changed
            # since the object was written, and a newer version may lie further down the order.
            if believed is not None and self._is_whole(believed, asked) and not everywhere:
                break
        self._require_answers()
        return believed

    def is_replaced(self, manifest: Manifest) -> bool:
        """Tell whether a newer version has come since: then this one's shards may be deleted."""
        version = manifest.body.version
        record = self.record()
        if record is not None and record.version > version:
            return True
        newest = self.newest()
        return newest is not None and newest.body.version > version

    def is_genuine(self, record: bytes) -> bool:
        """Tell whether a manifest, as a node gave it, is one that the key ring can verify."""
        try:
            return self._verifier.verified(record) is not None
        except (IntegrityError, DecryptionError):
            return False

    def known_versions(self) -> list[int]:
        """Return the versions for which the ring holds a data key, those of failed writes too."""
        contexts = [found for _, found in self.ring.find(context(self.name))]
        return [name_and_version(found)[1] for found in contexts]

    def _groups(self) -> Iterator[list[Worker]]:
        """Yield the chosen workers, then the others by placement, in growing groups."""
        chosen = list(self.workers)
        yield chosen
        others = [worker for worker in self._order if worker not in chosen]
        size = len(chosen)
        while others:
            yield others[:size]
            others = others[size:]
            size *= 2

    def _newest_on(
        self, workers: Workers, believed: Manifest | None, acknowledged: int
    ) -> Manifest | None:
        """Return the newest manifest that these nodes show, or `believed` if none is newer.

        acknowledged: the version that the key ring notes as the newest, or 0.
        """
        heads = self._ask(workers, [head_key(self.object_id)])
        believed = newer(believed, heads)
        while True:
            # A head may have been set back by a slow writer, so the versions behind it are looked
            # for, a window at a time, until none of them exists.
            after = believed.body.version if believed else 0
            starts = {after}
            if acknowledged > after:
                # The head may be further behind than a window: the version that was acknowledged
                # is asked for by its number.
                starts.add(acknowledged - 1)
            if believed is None:
                # A head whose data key has left the ring may have been replaced between the node's
                # answer and the look into the ring: its successors are looked for as well.
                starts.add(self._verifier.unknown_version)
            following = []
            for start in sorted(starts):
                for version in range(start + 1, start + 1 + WINDOW):
                    following.append(manifest_key(self.object_id, version))
            later = self._ask(workers, following)
            if later is None or later.body.version <= after:
                return believed
            believed = later

    def _is_whole(self, manifest: Manifest, asked: Sequence[Worker]) -> bool:
        """Tell whether the nodes asked so far hold every index of this version."""
        silent = []
        for worker in asked:
            shown = self._verifier.shown_by(worker)
            if worker not in self._unanswered and manifest.body not in shown:
                silent.append(worker)
        if silent:
            # Nodes that reported another head, or none, are asked for this very version.
            key = manifest_key(self.object_id, manifest.body.version)
            self._ask(Workers(silent), [key])
        held = set()
        for worker in asked:
            shown = self._verifier.shown_by(worker)
            if worker.failure is None and manifest.body in shown:
                held.add(shown[manifest.body])
        return held.issuperset(range(manifest.body.n))

    def _ask(self, workers: Workers, keys: list[str]) -> Manifest | None:
        """Ask these nodes for these manifests; return the newest that can be believed.

        Only a question to all of the n nodes is worth a time-out, for it needs a quorum. Others may
        know of shards that are being moved; that is waited for a little.
        """

        def read(node: GuardedNode) -> list[bytes | None]:
            return node.get_bounded(keys, RECORD_LIMIT)

        if list(workers) == list(self.workers):
            answers = workers.ask(read, self._read_quorum)
        else:
            answers = workers.ask(read, at_most=2 * HURRY)
        for worker in workers:
            if worker not in answers:
                self._unanswered.add(worker)
        return self._verifier.best_of(answers)

    def _require_answers(self) -> None:
        """Raise NotEnoughShards if too few of the n nodes answered to meet every write."""
        answered = [worker for worker in self.workers if worker not in self._unanswered]
        if len(answered) < self._read_quorum:
            failures = {
                worker.name: worker.failure or "no answer yet"
                for worker in self.workers
                if worker in self._unanswered
            }
            raise NotEnoughShards(
                "nodes that answered",
                found=len(answered),
                needed=self._read_quorum,
                failures=failures,
            )

    # --- held against the receipt and the record --------------------------------------------------

    def _hold_against_receipt(self, receipt: Receipt, manifest: Manifest | None) -> None:
        if manifest is None:
            # A shredded object has no data key left: it is not found, rather than stale.
            if self.known_versions():
                raise StaleVersion(
                    f"the receipt names version {receipt.version}, but no node holds a manifest "
                    "that can be believed"
                )
            return
        version = manifest.body.version
        if version < receipt.version:
            raise StaleVersion(
                f"the receipt names version {receipt.version}, but the nodes hold {version}"
            )
        if version == receipt.version and manifest.body.digest != receipt.digest:
            raise IntegrityError(f"version {version} is not the one that the receipt names")

    def _hold_against_record(
        self, record: Acknowledged, manifest: Manifest | None
    ) -> Manifest | None:
        """Return the manifest if the nodes show what the record says, None if it is deleted."""
        if manifest is not None and manifest.body.version > record.version:
            # Published and not acknowledged: by a writer that failed, or that is not done yet.
            return manifest
        if manifest is not None and manifest.body.version == record.version:
            if bytes.fromhex(manifest.body.digest) != record.digest:
                raise IntegrityError(
                    f"version {record.version} is not the one that the key ring acknowledged"
                )
            return manifest
        if record.deleted:
            # Nothing newer than the deletion: at most what a node kept from before it.
            return None
        shown = manifest.body.version if manifest else self._verifier.unknown_version
        if 0 < shown < record.version:
            raise StaleVersion(
                f"version {record.version} was acknowledged, but the nodes hold version {shown}: "
                "they were put back to an earlier state"
            )
        if shown >= record.version:
            # Nothing in it can be verified, not even the version.
            raise IntegrityError(
                f"no manifest can be believed: the nodes show version {shown} under a data key "
                "that this key ring does not hold; either they were altered, or this is an older "
                "copy of the ring"
            )
        absent = self._why_absent()
        if isinstance(absent, IntegrityError):
            raise absent
        failures = {worker.name: worker.failure or "no manifest" for worker in self.workers}
        raise NotEnoughShards(
            f"nodes with a manifest of version {record.version}, which was acknowledged",
            found=0,
            needed=1,
            failures=failures,
        )

    def _why_absent(self) -> Exception:
        """Return the error to raise when no manifest could be believed."""
        if self._verifier.unknown_version:
            if any(version > self._verifier.unknown_version for version in self.known_versions()):
                return StaleVersion("the nodes hold an older version than the key ring knows")
            return NotFound("no such object: the key ring holds no key for what the nodes hold")
        # A few altered manifests of a name that was never put prove nothing; but if the nodes that
        # show none are too few to have met every acknowledged write, the object may exist.
        empty = 0
        for worker in self.workers:
            if worker not in self._unanswered and worker.name not in self._verifier.refused:
                empty += 1
        if self._verifier.refused and empty < self._read_quorum:
            reasons = "; ".join(f"{node}: {why}" for node, why in self._verifier.refused.items())
            return IntegrityError(f"no manifest can be believed: {reasons}")
        return NotFound("no such object")

    # --- where its shards are --------------------------------------------------------------------

    def seats(self, manifest: Manifest, *, moving: bool = False) -> Seats:
        """Return the workers of this version in the order of its shards, as its nodes claim.

        moving: rather as the placement wants them.
        """
        body = manifest.body
        held = {}
        for worker in self.everyone:
            shown = self._verifier.shown_by(worker)
            if body in shown:
                held[worker] = shown[body]
        return assign_seats(self._order, self._chosen(body.n), held, body.n, moving=moving)

    def claims_to_hold(self, manifest: Manifest, index: int, worker: Worker) -> bool:
        """Tell whether this node showed the manifest for the shards of this index."""
        return self._verifier.shown_by(worker).get(manifest.body) == index

    def has_moved(self, manifest: Manifest, seats: Seats) -> bool:
        """Look again; tell whether the nodes now claim to hold this version's shards elsewhere."""
        self._verifier.forget_shown()
        self.newest()
        now = self.seats(manifest)
        return list(now) != list(seats) or now.others != seats.others


def versions_by_name(ring: KeyRing) -> dict[bytes, list[int]]:
    """Return every name for which the ring holds a data key or a live record, sorted.

    With each, the versions of its data keys.
    """
    found: dict[bytes, list[int]] = {name: [] for name in ring.acknowledged_subjects()}
    for _, each in ring.find(CONTEXT_PREFIX):
        name, version = name_and_version(each)
        found.setdefault(name, []).append(version)
    return dict(sorted(found.items()))
