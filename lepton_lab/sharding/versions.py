"""Which version of an object is the newest: everything that is read before its shards are.

A node may hold an old manifest under `head`: it was unreachable, it lies, or a slow writer
overwrote it. So a reader asks the n nodes that the placement names, believes only manifests that
verify, and then looks for manifests of the versions that follow. An acknowledged manifest lies on
w = `write_quorum` of the writer's n nodes. Any n − w + 1 of these n include one of those w: so many
answers meet every acknowledged write.

Where there are more nodes than n and the list has changed since, the reader's n nodes are not the
writer's. So unless all shards of the newest manifest are among them, a reader asks further nodes
in the order of placement, at last all of them, and finds what lies anywhere. And w nodes among its
n that call a version the newest are right, as long as fewer than 2w − n of the object's nodes have
changed: any two sets of w among n then have a node in common. `rebalance` brings objects to where a
new list wants them. Writers must all use the same list: two that claim a version by different lists
could both win it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import methodcaller

from lepton_lab.buffers import framed
from lepton_lab.errors import DecryptionError, IntegrityError, NotFound, StaleVersion
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import Node
from lepton_lab.sharding.manifest import (
    CONTEXT_PREFIX,
    OBJECT,
    RECORD_LIMIT,
    Manifest,
    ManifestBody,
    ObjectKeys,
    SealedManifest,
    context,
    head_key,
    manifest_key,
    name_and_version,
)
from lepton_lab.sharding.placement import Seats, assign_seats, by_weight
from lepton_lab.sharding.reports import Receipt
from lepton_lab.sharding.workers import Worker, Workers

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
        self._write_quorum = write_quorum
        # Which manifests each node showed, and the index of the shards beside each of them.
        self._shown: dict[Worker, dict[ManifestBody, int]] = {}
        # Why a node's manifest was refused.
        self._refused: dict[str, str] = {}
        # The newest version of a manifest whose data key is not in the ring; not verified.
        self._unknown_version = 0
        # The keys derived for each manifest: most nodes show the same one.
        self._keys: dict[tuple[bytes, ManifestBody], ObjectKeys] = {}

    def _chosen(self, n: int) -> list[Worker]:
        """Return the n nodes that placement chooses; if that is all nodes, in the list's order."""
        if n < len(self._order):
            return self._order[:n]
        return list(self.everyone)

    # --- the newest version ----------------------------------------------------------------------

    def existing(self, receipt: Receipt | None = None, *, everywhere: bool = False) -> Manifest:
        """Return the newest manifest, of an object that exists and is no older than the receipt.

        Raises NotFound, StaleVersion or IntegrityError if there is none; NotEnoughShards if too few
        nodes answer to be sure.
        """
        manifest = self.newest(everywhere=everywhere)
        if receipt is not None:
            self._hold_against_receipt(receipt, manifest)
        if manifest is None:
            raise self._why_absent()
        if manifest.body.kind != OBJECT:
            raise NotFound("the object was deleted")
        return manifest

    def newest(self, *, everywhere: bool = False) -> Manifest | None:
        """Return the newest manifest that verifies, or None; it may be a tombstone's.

        everywhere: ask all nodes, even if the first n show every shard, to learn of second copies.
        Raises NotEnoughShards if too few nodes answer to be sure.
        """
        believed: Manifest | None = None
        asked: list[Worker] = []
        for group in self._groups():
            asked += group
            believed = self._newest_on(Workers(group), believed)
            # The first n nodes normally hold every shard. If not, the list of nodes has changed
            # since the object was written, and a newer version may lie further down the order.
            if believed is not None and self._is_whole(believed, asked) and not everywhere:
                break
        self.workers.require(len(self.workers) - self._write_quorum + 1, "nodes that answered")
        return believed

    def is_replaced(self, manifest: Manifest) -> bool:
        """Tell whether a newer version has come since: then this one's shards may be deleted."""
        newest = self.newest()
        return newest is not None and newest.body.version > manifest.body.version

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

    def _newest_on(self, workers: Workers, believed: Manifest | None) -> Manifest | None:
        """Return the newest manifest that these nodes show, or `believed` if none is newer."""
        answers = workers.ask(_values_of([head_key(self.object_id)]))
        believed = _newer(believed, self._best_of(answers))
        while True:
            # A head may have been set back by a slow writer, so the versions behind it are looked
            # for, a window at a time, until none of them exists.
            after = believed.body.version if believed else 0
            starts = {after}
            if believed is None:
                # A head whose data key has left the ring may have been replaced between the node's
                # answer and the look into the ring: its successors are looked for as well.
                starts.add(self._unknown_version)
            following = []
            for start in sorted(starts):
                for version in range(start + 1, start + 1 + WINDOW):
                    following.append(manifest_key(self.object_id, version))
            later = self._best_of(workers.ask(_values_of(following)))
            if later is None or later.body.version <= after:
                return believed
            believed = later

    def _is_whole(self, manifest: Manifest, asked: Sequence[Worker]) -> bool:
        """Tell whether the nodes asked so far hold every index of this version."""
        silent = []
        for worker in asked:
            shown = self._shown.get(worker, {})
            if worker.failure is None and manifest.body not in shown:
                silent.append(worker)
        if silent:
            # Nodes that reported another head, or none, are asked for this very version.
            key = manifest_key(self.object_id, manifest.body.version)
            self._best_of(Workers(silent).ask(_values_of([key])))
        held = set()
        for worker in asked:
            shown = self._shown.get(worker, {})
            if worker.failure is None and manifest.body in shown:
                held.add(shown[manifest.body])
        return held.issuperset(range(manifest.body.n))

    # --- which manifests to believe --------------------------------------------------------------

    def _best_of(self, answers: dict[Worker, list[bytes | None]]) -> Manifest | None:
        """Verify the records that nodes returned; note who showed what, and return the newest."""
        best: Manifest | None = None
        for worker, records in answers.items():
            for record in records:
                if record is None:
                    continue
                try:
                    verified = self._verified(record)
                except (IntegrityError, DecryptionError) as error:
                    self._refused[worker.node.name] = str(error)
                    continue
                if verified is not None:
                    manifest, index = verified
                    self._shown.setdefault(worker, {})[manifest.body] = index
                    best = _newer(best, manifest)
        return best

    def _verified(self, record: bytes) -> tuple[Manifest, int] | None:
        """Return the manifest and the index of its node; None if its data key has left the ring.

        Raises IntegrityError or DecryptionError if the record is not to be believed.
        """
        sealed = SealedManifest.parse(record)
        if sealed.body.object_id != self.object_id:
            raise IntegrityError("a manifest of another object")
        if self.ring.data_key_id(sealed.wrapped) not in self.ring:
            # Shredded or replaced. Nothing in the record can be verified, its version included.
            self._unknown_version = max(self._unknown_version, sealed.body.version)
            return None
        return sealed.verify_by(self._derived(sealed)), sealed.index

    def _derived(self, sealed: SealedManifest) -> ObjectKeys:
        """Return the keys that the record should be under, derived once for each manifest."""
        known = sealed.wrapped, sealed.body
        if known not in self._keys:
            bound_to = context(self.name, sealed.body.version, sealed.body.put_id)
            data_key = self.ring.unwrap(sealed.wrapped, bound_to)
            self._keys[known] = ObjectKeys.derive(data_key, self.name, sealed.body)
        return self._keys[known]

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

    def _why_absent(self) -> Exception:
        """Return the error to raise when no manifest could be believed."""
        if self._unknown_version:
            if any(version > self._unknown_version for version in self.known_versions()):
                return StaleVersion("the nodes hold an older version than the key ring knows")
            return NotFound("no such object: the key ring holds no key for what the nodes hold")
        # A few altered manifests of a name that was never put prove nothing; but if the nodes that
        # show none are too few to have met every acknowledged write, the object may exist.
        empty = 0
        for worker in self.workers:
            if worker.failure is None and worker.node.name not in self._refused:
                empty += 1
        if self._refused and empty < len(self.workers) - self._write_quorum + 1:
            reasons = "; ".join(f"{node}: {why}" for node, why in self._refused.items())
            return IntegrityError(f"no manifest can be believed: {reasons}")
        return NotFound("no such object")

    # --- where its shards are --------------------------------------------------------------------

    def seats(self, manifest: Manifest, *, moving: bool = False) -> Seats:
        """Return the workers of this version in the order of its shards, as its nodes claim.

        moving: rather as the placement wants them.
        """
        body = manifest.body
        held = {}
        for worker, shown in self._shown.items():
            if body in shown:
                held[worker] = shown[body]
        return assign_seats(self._order, self._chosen(body.n), held, body.n, moving=moving)

    def claims_to_hold(self, manifest: Manifest, index: int, worker: Worker) -> bool:
        """Tell whether this node showed the manifest for the shards of this index."""
        return self._shown.get(worker, {}).get(manifest.body) == index

    def has_moved(self, manifest: Manifest, seats: Seats) -> bool:
        """Look again; tell whether the nodes now claim to hold this version's shards elsewhere."""
        self._shown.clear()
        self.newest()
        now = self.seats(manifest)
        return list(now) != list(seats) or now.others != seats.others


def stored_names(ring: KeyRing) -> list[bytes]:
    """Return the name of every object for which the ring holds a data key, each once, sorted."""
    found = {name_and_version(each)[0] for _, each in ring.find(CONTEXT_PREFIX)}
    return sorted(found)


def _newer(one: Manifest | None, other: Manifest | None) -> Manifest | None:
    """Return the manifest with the higher version; on a tie, the first argument."""
    if one is None or other is None:
        return one or other
    return other if other.body.version > one.body.version else one


def _values_of(keys: Iterable[str]) -> Callable[[Node], list[bytes | None]]:
    """Return a question to a node for these manifests; it reads no more than a manifest's size."""
    return methodcaller("get_bounded", list(keys), RECORD_LIMIT)
