"""The sharded store. `put` reads from top to bottom: it names every step in its order."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from threading import Thread
from typing import BinaryIO, overload

from lepton_lab.buffers import write_all
from lepton_lab.erasure import Code
from lepton_lab.errors import (
    NotEnoughShards,
    NotFound,
    WriteConflict,
)
from lepton_lab.keyring import KeyRing
from lepton_lab.sharding import commit
from lepton_lab.sharding.arguments import (
    Source,
    check_names,
    check_receipt,
    check_sink,
    checked_count,
    checked_name,
    checked_nodes,
    checked_quorum,
    checked_ring,
    checked_seconds,
    checked_segment,
    distinct_names,
    opened,
)
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
from lepton_lab.sharding.versions import Versions, versions_by_name
from lepton_lab.sharding.workers import TIMEOUT, workers_over

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
    was cut, so that stores of other settings read it. timeout: seconds that one call to a node may
    take, and that one operation waits for a slow node while the others are done (`workers.py`).

    With more nodes than n, rendezvous hashing chooses n of them for every object by the nodes'
    names: `.name` where a node has one, as all of `lepton_lab.nodes` do, else "node-" and its
    position in the list, which must then stay. All clients must name the nodes alike. Nodes may
    come and go between any two calls: objects are found where they lie, `rebalance` brings them to
    where the new list wants them, and a node that is gone for good is taken off the list.

    The store withstands any n − k nodes that are dead, lie, or return with old data; readers of
    all nodes; one writer that crashes at any moment; and two writers of one name, if every node
    offers `set_if_absent` (a plain dict does not: there only one writer may be at work). All nodes
    rolled back or emptied together are found out by the key ring, which notes the newest
    acknowledged version of every object, or by a receipt. It does not withstand a ring rolled back
    together with the nodes; nodes that forget when they restart; or anyone who holds the ring and
    its passphrase. A node sees sizes, times and which versions belong together.

    Whatever a node raises, returns or leaves unanswered is its own failure. Two nodes of one name
    are told apart in reports by their positions.

    Raises InvalidParameter for a k, n, write_quorum, segment or timeout outside its range, for one
    place that is listed twice, for a keyring that is not a KeyRing, and for two nodes of one name
    where objects are placed by names.
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
        timeout: float = TIMEOUT,
    ) -> None:
        self.nodes = checked_nodes(nodes)
        self.keyring = checked_ring(keyring)
        self.k = checked_count(k, "k")
        self.n = checked_count(len(self.nodes) if n is None else n, "n")
        self._code_id = Code(self.k, self.n).code_id  # refuses a k or n outside its range
        check_names(self.nodes, self.n)
        self._names = distinct_names(self.nodes)
        self.write_quorum = checked_quorum(write_quorum, self.k, self.n)
        self.segment = checked_segment(segment)
        self.timeout = checked_seconds(timeout, "timeout")
        # For each node, threads of earlier operations that hang in a call to it.
        self._stuck: list[list[Thread]] = [[] for _ in self.nodes]

    # --- put, get, delete, names -----------------------------------------------------------------

    def put(self, name: str, source: Source) -> Receipt:
        """Store bytes, a file by its Path, or an open binary file under `name`.

        An older version is replaced. Memory stays bounded by the stripes in flight, whatever the
        size. The write is acknowledged, and visible, when `write_quorum` nodes hold every shard and
        the manifest; the receipt names the nodes that lack it.

        Raises InvalidName; InvalidParameter for what is not a source, a plain str too;
        NotEnoughShards if too few nodes take it (the old version stays readable; if the error
        speaks of the manifest, the outcome is open until the next put); WriteConflict if another
        writer was first; OSError if the source cannot be read.
        """
        with opened(source) as stream, self._versions_of(name) as versions:
            # Read the first stripe: it says whether the object is smaller than one.
            stripes = plaintext_stripes(stream, self.k * (self.segment - TAG))
            first, last = next(stripes)
            segment = self._fitting_segment(len(first)) if last else self.segment

            # Claim the next version, so that no other writer can win it.
            before = versions.newest()
            body = self._next_body(versions, before, OBJECT, segment)

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
        that it descends from the receipt's. The key ring's own record is such a floor too.

        Raises NotFound; NotEnoughShards, which names the nodes and what was wrong with each, also
        if none of them shows anything of an object that was acknowledged; IntegrityError;
        StaleVersion; InvalidName; InvalidParameter for a sink that is not a binary file, and for a
        receipt of another object; WriteConflict if another writer replaced the object while it
        went to the sink (without a sink it is read again).
        """
        check_sink(sink)
        check_receipt(receipt, name)
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

        It also finishes a deletion whose writer was killed. Raises NotFound if there is no such
        object, NotEnoughShards if too few nodes take the tombstone, WriteConflict if another writer
        was first. Deleting is housekeeping, not erasure: for that use `shred`.
        """
        with self._versions_of(name) as versions:
            if commit.finish_deletion(versions):
                return
            before = versions.existing()
            body = self._next_body(versions, before, TOMBSTONE)
            with commit.fresh_manifest(versions, body) as manifest:
                commit.check_not_superseded(versions, manifest)
            self._commit(versions, before, manifest, name)

    def names(self) -> list[str]:
        """Return the names of all objects that exist, sorted.

        They come from the key ring: nodes know no names. Nodes are asked only about names with a
        data key but no acknowledged version: of failed or killed writers, and of earlier releases.
        """
        found = []
        live = set(self.keyring.acknowledged_subjects())
        for encoded, key_versions in versions_by_name(self.keyring).items():
            name = encoded.decode()
            if encoded in live:
                found.append(name)
                continue
            deleted = self.keyring.acknowledged(encoded)
            if deleted is not None and max(key_versions) <= deleted.version:
                continue
            with self._versions_of(name) as versions:
                newest = versions.fresh()
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
                nodes[worker.name] = NodeHealth(**count, unreachable=worker.failure)
        return Health(name, body.version, body.length, body.k, body.n, body.stripes, margin, nodes)

    def repair(self, name: str) -> RepairReport:
        """Rebuild every missing or altered shard on the nodes that answer, byte for byte.

        Each is rebuilt from k verified ones. Shards of a node that is no longer on the list are
        rebuilt on the next one that the placement names; those of a node that is on it, but does
        not answer, wait for it. If `write_quorum` nodes then have the version, it is acknowledged
        in the key ring: after that no older version can be read.

        Raises NotFound, and NotEnoughShards if a stripe has fewer than k good shards; what could be
        rebuilt before it stays rebuilt.
        """
        with self._versions_of(name) as versions:
            commit.finish_deletion(versions)
            manifest = versions.existing(everywhere=True)
            body = manifest.body
            seats = versions.seats(manifest)
            stripes = Stripes(body, manifest.keys)
            rebuilt: dict[str, int] = {}
            for stripe, verdicts, buffers in stripes.examine(seats, range(body.n)):
                for index in stripes.mend(seats, stripe, verdicts, buffers):
                    taker = seats[index].name
                    rebuilt[taker] = rebuilt.get(taker, 0) + 1
            commit.publish(versions, manifest, seats)
            commit.acknowledge_repaired(versions, manifest, seats)
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

        Raises NotFound for an unknown name, and what `get` raises; over all objects, the report
        names those that failed instead.
        """
        rebalancer = Rebalancer()
        if name is not None:
            with self._versions_of(name) as versions:
                rebalancer.move_to_place(versions, versions.existing(everywhere=True))
            return rebalancer.report()
        for encoded in versions_by_name(self.keyring):
            with self._versions_of(encoded.decode()) as versions:
                rebalancer.try_to_move(versions)
        return rebalancer.report()

    def shred(self, name: str) -> ShredReport:
        """Remove every data key of the object, of failed writes too, from the key ring.

        Then its shards are deleted; a node that cannot be reached does not stop that. What may be
        claimed: this key ring can no longer read the object, wherever its shards still lie. Backups
        or snapshots of the ring with their passphrase or shares, keys exported by `wrap_for`, and
        remnants in memory and on media still may. A receipt from before says nothing about an
        object that is put under the name afterwards.

        Raises NotFound if the ring holds no key and no record of such an object.
        """
        encoded = checked_name(name)
        was_acknowledged = self.keyring.acknowledged(encoded) is not None
        shredded = self.keyring.forget(encoded, context(encoded))
        if not shredded and not was_acknowledged:
            raise NotFound("no such object")
        with self._versions_of(name) as versions:
            commit.sweep(versions)
            return ShredReport(name, shredded, versions.everyone.failures)

    # --- the steps of a write --------------------------------------------------------------------

    @contextmanager
    def _versions_of(self, name: str) -> Iterator[Versions]:
        """Give one object's versions, with a worker for each node until the block ends."""
        encoded = checked_name(name)
        with workers_over(self.nodes, self._names, self.timeout, self._stuck) as everyone:
            yield Versions(encoded, self.keyring, everyone, self.n, self.write_quorum)

    def _fitting_segment(self, length: int) -> int:
        """Return the smallest segment with which `length` bytes fit into one stripe.

        So a small object stays small on the nodes too.
        """
        needed = -(-max(length, 1) // self.k) + TAG
        rounded = -(-needed // SMALLEST_SEGMENT) * SMALLEST_SEGMENT
        return min(self.segment, rounded)

    def _next_body(
        self, versions: Versions, before: Manifest | None, kind: int, segment: int = SEGMENT
    ) -> ManifestBody:
        """Claim the next version; return the body of its manifest, still without keys."""
        put_id = secrets.token_bytes(16)
        version = commit.claim(versions, before, put_id)
        return ManifestBody(
            kind, self._code_id, self.k, self.n, versions.object_id, version, put_id,
            segment=segment,
        )  # fmt: skip

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
        with commit.shredded_on_conflict(versions, manifest):
            commit.publish_first(versions, manifest)
            versions.workers.require(self.write_quorum, "nodes that took the manifest")
            commit.acknowledge(versions, manifest)
        # A node that fails from here on has the version all the same.
        lacking = tuple(versions.workers.failures)
        commit.retire(versions, before, manifest.body.version)
        body = manifest.body
        stored = (self.n - len(lacking)) * body.stripes * (body.segment + TAG)
        return Receipt(name, body.version, body.digest, body.length, lacking, stored)
