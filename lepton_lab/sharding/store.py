"""The sharded store. `put` reads from top to bottom: it names every step in its order."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import BinaryIO, overload

from lepton_lab.buffers import write_all
from lepton_lab.erasure import Code
from lepton_lab.errors import InvalidParameter, NotEnoughShards, NotFound, WriteConflict
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import Node, as_node
from lepton_lab.sharding import commit
from lepton_lab.sharding.arguments import Source, checked_name, name_of_node, opened
from lepton_lab.sharding.manifest import (
    OBJECT,
    SEGMENT,
    SMALLEST_SEGMENT,
    TAG,
    TOMBSTONE,
    Manifest,
    ManifestBody,
    context,
)
from lepton_lab.sharding.rebalance import Rebalancer
from lepton_lab.sharding.reports import (
    Health,
    NodeHealth,
    RebalanceReport,
    Receipt,
    RepairReport,
    ShredReport,
)
from lepton_lab.sharding.stripes import ALTERED, GOOD, MISSING, STRAY, Stripes, plaintext_stripes
from lepton_lab.sharding.versions import Versions, stored_names
from lepton_lab.sharding.workers import workers_over

# How often a reader looks for shards that are being moved before it believes that they are lost.
_LOOKS = 8


class ShardedStore:
    """Objects by name on n nodes: any k give everything back; all together learn no content.

    nodes: mutable mappings from str to bytes, plain dicts or `lepton_lab.nodes`. keyring: holds
    every key; nodes never do. k: how many shards suffice. write_quorum: how many nodes must hold
    all their shards before a write is acknowledged; by default the larger of k + 1 and ⌊n/2⌋ + 1,
    at most n. n: how many shards every object has, each on another node; by default as many as
    there are nodes, and then shard i lies on node i. segment: bytes of a data shard, a multiple of
    64 from 64 to 2²⁰; objects that fit into one stripe have smaller ones. Every object says how it
    was cut, so that stores of other settings read it.

    With more nodes than n, rendezvous hashing chooses n of them for every object by the nodes'
    names: `.name` where a node has one, as all of `lepton_lab.nodes` do, else "node-" and its
    position in the list, which must then stay. All clients must name the nodes alike. Nodes may
    come and go between any two calls: objects are found where they lie, `rebalance` brings them to
    where the new list wants them, and a node that is gone for good is taken off the list.

    The store withstands any n − k nodes that are dead, lie, or return with old data; readers of
    all nodes; one writer that crashes at any moment; and two writers of one name, if every node
    offers `set_if_absent` (a plain dict does not: there only one writer may be at work). It does
    not withstand all nodes rolled back together, unless a receipt is given or the key ring knows
    a later version; nodes that forget when they restart; or anyone who holds the ring and its
    passphrase. A node sees sizes, times and which versions belong together.

    Raises InvalidParameter for a k, n, write_quorum or segment outside its range, and for two
    nodes of one name where objects are placed by names.
    """

    def __init__(
        self,
        nodes: Sequence[MutableMapping[str, bytes]],
        keyring: KeyRing,
        k: int = 3,
        write_quorum: int | None = None,
        n: int | None = None,
        *,
        segment: int = SEGMENT,
    ) -> None:
        self.nodes: list[Node] = [
            as_node(node, name_of_node(node, index)) for index, node in enumerate(nodes)
        ]
        self.keyring = keyring
        self.k = k
        self.n = len(self.nodes) if n is None else n
        self._code_id = Code(self.k, self.n).code_id  # refuses a k or n outside its range
        default_quorum = min(self.n, max(k + 1, self.n // 2 + 1))
        self.write_quorum = default_quorum if write_quorum is None else write_quorum
        self.segment = segment
        self._check_parameters()

    def _check_parameters(self) -> None:
        if not self.k <= self.write_quorum <= self.n:
            raise InvalidParameter(
                f"write_quorum must be from k = {self.k} to n = {self.n}, not {self.write_quorum}"
            )
        if self.n > len(self.nodes):
            raise InvalidParameter(
                f"n = {self.n} shards need as many nodes; there are {len(self.nodes)}"
            )
        if self.segment % SMALLEST_SEGMENT or not SMALLEST_SEGMENT <= self.segment <= SEGMENT:
            raise InvalidParameter(
                f"segment must be a multiple of {SMALLEST_SEGMENT} from {SMALLEST_SEGMENT} to "
                f"{SEGMENT}, not {self.segment}"
            )
        names = {node.name for node in self.nodes}
        if self.n < len(self.nodes) and len(names) < len(self.nodes):
            raise InvalidParameter(
                "objects are placed by the nodes' names, so no two nodes may have the same name"
            )

    # --- put, get, delete, names -----------------------------------------------------------------

    def put(self, name: str, source: Source) -> Receipt:
        """Store bytes, a file by its path, or an open binary file under `name`.

        An older version is replaced. Memory stays bounded by the stripes in flight, whatever the
        size. The write is acknowledged, and visible, when `write_quorum` nodes hold every shard and
        the manifest; the receipt names the nodes that lack it.

        Raises InvalidName; NotEnoughShards if too few nodes take it (the old version stays
        readable; if the error speaks of the manifest, the outcome is open until the next put);
        WriteConflict if another writer was first; OSError if the source cannot be read.
        """
        with opened(source) as stream, self._versions_of(name) as versions:
            # Read the first stripe: it says whether the object is smaller than one.
            stripes = plaintext_stripes(stream, self.k * (self.segment - TAG))
            first, last = next(stripes)
            segment = self._fitting_segment(len(first)) if last else self.segment

            # Claim the next version, so that no other writer can win it.
            before = versions.newest()
            body = self._claim_next(versions, before, segment=segment)

            # Encrypt and code every stripe, and hand each shard to the worker of its node. All
            # this is under a fresh data key, which leaves the ring again if anything fails.
            with commit.fresh_manifest(versions, body) as draft:
                manifest = self._write_stripes(versions, draft, chain([(first, last)], stripes))

            # Write the manifest, which makes the version visible, and commit it in the key ring.
            return self._commit(versions, before, manifest, name)

    @overload
    def get(self, name: str, sink: None = None, receipt: Receipt | None = None) -> bytes: ...
    @overload
    def get(self, name: str, sink: BinaryIO, receipt: Receipt | None = None) -> int: ...
    def get(
        self, name: str, sink: BinaryIO | None = None, receipt: Receipt | None = None
    ) -> bytes | int:
        """Return the newest version as bytes, or write it to `sink` and return how many they were.

        sink: a binary file. If this method raises, the sink holds the authenticated beginning of
        the object: discard it. receipt: a floor. An older version raises StaleVersion, the same
        version with another digest IntegrityError; a newer one is accepted, which does not prove
        that it descends from the receipt's.

        Raises NotFound; NotEnoughShards, which names the nodes and what was wrong with each;
        IntegrityError; StaleVersion; InvalidName; WriteConflict if another writer replaced the
        object while it went to the sink (without a sink it is read again).
        """
        memory = io.BytesIO()
        begun: ManifestBody | None = None  # the version whose stripes are being read
        done = 0  # how many of its stripes have been written to the sink
        looks = 0  # how often its shards were looked for
        while True:
            with self._versions_of(name) as versions:
                manifest = versions.existing(receipt)
                if begun is not None and begun != manifest.body:
                    # What was read is of a version that is gone. Only our own memory can be
                    # emptied; a sink of the caller's cannot.
                    if sink is not None and done:
                        raise WriteConflict(
                            "another writer replaced the object while it was read; read again"
                        )
                    memory = io.BytesIO()
                    done = 0
                begun = manifest.body
                looks += 1
                seats = versions.seats(manifest)
                try:
                    for piece in Stripes(manifest.body, manifest.keys).read(seats, done):
                        write_all(memory if sink is None else sink, piece)
                        done += 1
                except NotEnoughShards:
                    # The shards may have been moved by `rebalance`, or deleted because a newer
                    # version was put. Both are found by looking again; otherwise they are lost.
                    moved = looks < _LOOKS and versions.has_moved(manifest, seats)
                    if not moved and not versions.is_replaced(manifest):
                        raise
                else:
                    return memory.getvalue() if sink is None else manifest.body.length

    def delete(self, name: str) -> None:
        """Write an authenticated tombstone as the next version, then delete the shards.

        Raises NotFound if there is no such object, NotEnoughShards if too few nodes take the
        tombstone, WriteConflict if another writer was first. Deleting is housekeeping, not
        erasure: use `shred` where the data must become unreadable.
        """
        with self._versions_of(name) as versions:
            before = versions.existing()
            body = self._claim_next(versions, before, kind=TOMBSTONE)
            with commit.fresh_manifest(versions, body) as manifest:
                commit.check_not_superseded(versions, manifest)
            self._commit(versions, before, manifest, name)

    def names(self) -> list[str]:
        """Return the names of all objects that exist, sorted.

        They come from the key ring: nodes know no names.
        """
        found = []
        for encoded in stored_names(self.keyring):
            name = encoded.decode()
            with self._versions_of(name) as versions:
                newest = versions.newest()
            if newest is not None and newest.body.kind == OBJECT:
                found.append(name)
        return found

    # --- check, repair, rebalance, shred ---------------------------------------------------------

    def check(self, name: str) -> Health:
        """Read and verify every shard of the newest version on every node.

        Raises NotFound and what `get` raises.
        """
        with self._versions_of(name) as versions:
            manifest = versions.existing()
            body = manifest.body
            seats = versions.seats(manifest)
            counts = [{GOOD: 0, MISSING: 0, ALTERED: 0} for _ in seats]
            margin = body.n - body.k
            stripes = Stripes(body, manifest.keys)
            for _, verdicts, _ in stripes.examine(seats, range(body.n)):
                good = 0
                for index, verdict in verdicts.items():
                    # A shard on another node is missing from its own, but it can be read.
                    counts[index][MISSING if verdict == STRAY else verdict] += 1
                    good += verdict in (GOOD, STRAY)
                margin = min(margin, good - body.k)
            nodes = {}
            for worker, count in zip(seats, counts, strict=True):
                nodes[worker.node.name] = NodeHealth(**count, unreachable=worker.failure)
        return Health(name, body.version, body.length, body.k, body.n, body.stripes, margin, nodes)

    def repair(self, name: str) -> RepairReport:
        """Rebuild every missing or altered shard on the nodes that answer, byte for byte.

        Each is rebuilt from k verified ones. Shards of a node that is no longer on the list are
        rebuilt on the next one that the placement names; those of a node that is on it, but does
        not answer, wait for it.

        Raises NotFound, and NotEnoughShards if a stripe has fewer than k good shards; what could be
        rebuilt before it stays rebuilt.
        """
        with self._versions_of(name) as versions:
            manifest = versions.existing(everywhere=True)
            body = manifest.body
            seats = versions.seats(manifest)
            stripes = Stripes(body, manifest.keys)
            rebuilt: dict[str, int] = {}
            for stripe, verdicts, buffers in stripes.examine(seats, range(body.n)):
                for index in stripes.mend(seats, stripe, verdicts, buffers):
                    node = seats[index].node.name
                    rebuilt[node] = rebuilt.get(node, 0) + 1
            commit.publish(versions, manifest, seats)
            commit.sweep(versions, manifest, seats)
            size = sum(rebuilt.values()) * (body.segment + TAG)
            return RepairReport(name, body.version, rebuilt, size, seats.failures)

    def rebalance(self, name: str | None = None) -> RebalanceReport:
        """Bring the shards of one object, or of all, to the nodes that the placement names.

        Run it after nodes came or went. Only shards whose node is now another one are moved: when
        one node joins N, about 1/(N + 1) of all. Each is verified, written, read back and verified
        again before the old one is deleted, so the run may be interrupted at any moment, reads go
        on meanwhile, and another run finishes it. What lay on a node that is gone is rebuilt.
        Authenticators, receipts and versions stay as they are. A node that does not answer keeps
        what it holds.

        Raises NotFound for a name that does not exist, and what `get` raises; over all objects, the
        report names those that failed instead.
        """
        rebalancer = Rebalancer()
        if name is not None:
            with self._versions_of(name) as versions:
                rebalancer.move_to_place(versions, versions.existing(everywhere=True))
            return rebalancer.report()
        for encoded in stored_names(self.keyring):
            each = encoded.decode()
            with self._versions_of(each) as versions:
                try:
                    # Tombstones are moved too: without them old data could come back.
                    manifest = versions.newest(everywhere=True)
                    if manifest is not None:
                        rebalancer.move_to_place(versions, manifest)
                except (NotEnoughShards, NotFound) as error:
                    rebalancer.failed[each] = str(error)
        return rebalancer.report()

    def shred(self, name: str) -> ShredReport:
        """Remove every data key of the object, of failed writes too, from the key ring.

        Then its shards are deleted; a node that cannot be reached does not stop that. What may be
        claimed: this key ring can no longer read the object, wherever its shards still lie. Backups
        or snapshots of the ring with their passphrase or shares, keys exported by `wrap_for`, and
        remnants in memory and on media still may. A receipt from before says nothing about an
        object that is put under the name afterwards.

        Raises NotFound if the ring holds no key of such an object.
        """
        data_keys = [found for found, _ in self.keyring.find(context(checked_name(name)))]
        if not data_keys:
            raise NotFound("no such object")
        self.keyring.shred(*data_keys)
        with self._versions_of(name) as versions:
            commit.sweep(versions)
            return ShredReport(name, len(data_keys), versions.everyone.failures)

    # --- the steps of a write --------------------------------------------------------------------

    @contextmanager
    def _versions_of(self, name: str) -> Iterator[Versions]:
        """Give one object's versions, with a worker for each node until the block ends."""
        encoded = checked_name(name)
        with workers_over(self.nodes) as everyone:
            yield Versions(encoded, self.keyring, everyone, self.n, self.write_quorum)

    def _fitting_segment(self, length: int) -> int:
        """Return the smallest segment with which `length` bytes fit into one stripe.

        So a small object stays small on the nodes too.
        """
        needed = -(-max(length, 1) // self.k) + TAG
        rounded = -(-needed // SMALLEST_SEGMENT) * SMALLEST_SEGMENT
        return min(self.segment, rounded)

    def _claim_next(
        self,
        versions: Versions,
        before: Manifest | None,
        *,
        kind: int = OBJECT,
        segment: int = SEGMENT,
    ) -> ManifestBody:
        """Claim the version after `before`; return the body of its manifest, still without keys."""
        put_id = secrets.token_bytes(16)
        version = commit.claim(versions, before.body.version if before else 0, put_id)
        return ManifestBody(
            kind,
            self._code_id,
            self.k,
            self.n,
            versions.object_id,
            version,
            put_id,
            segment=segment,
        )

    def _write_stripes(
        self, versions: Versions, draft: Manifest, pieces: Iterator[tuple[memoryview, bool]]
    ) -> Manifest:
        """Write every shard; return the manifest with the length, which is known only now."""
        stripes = Stripes(draft.body, draft.keys)
        length = stripes.write(versions.workers, pieces, self.write_quorum)
        manifest = replace(draft, body=replace(draft.body, length=length))
        try:
            commit.check_not_superseded(versions, manifest)
        except BaseException:
            stripes.discard(versions.workers, manifest.body.stripes)
            raise
        return manifest

    def _commit(
        self, versions: Versions, before: Manifest | None, manifest: Manifest, name: str
    ) -> Receipt:
        """Publish the manifest, acknowledge it, and delete what it replaces."""
        commit.publish(versions, manifest, versions.workers)
        versions.workers.require(self.write_quorum, "nodes that took the manifest")
        commit.retire(versions, before, manifest.body.version)
        body = manifest.body
        lacking = tuple(versions.workers.failures)
        stored = (self.n - len(lacking)) * body.stripes * (body.segment + TAG)
        return Receipt(name, body.version, body.digest, body.length, lacking, stored)
