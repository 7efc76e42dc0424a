"""The sharded store: encrypt, code, place, and give back what was put, or say exactly why not."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO, overload

from lepton_lab.buffers import write_all
from lepton_lab.erasure import Code
from lepton_lab.errors import (
    InvalidName,
    InvalidParameter,
    NotEnoughShards,
    NotFound,
    WriteConflict,
)
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import Node, as_node
from lepton_lab.sharding import versions as history
from lepton_lab.sharding.manifest import (
    OBJECT,
    SEGMENT,
    TAG,
    TOMBSTONE,
    Body,
    Manifest,
    ObjectKeys,
    context,
)
from lepton_lab.sharding.rebalance import Mover
from lepton_lab.sharding.reports import (
    Health,
    NodeHealth,
    RebalanceReport,
    Receipt,
    RepairReport,
    ShredReport,
)
from lepton_lab.sharding.stripes import ALTERED, GOOD, MISSING, STRAY, Stripes, plaintext_stripes
from lepton_lab.sharding.versions import History
from lepton_lab.sharding.workers import lanes_over

_LOOKS = 8  # times that a reader looks for shards which are being moved before it believes that they are lost

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO


class ShardedStore:
    """Objects by name on n nodes: any k of them give everything back, and all together learn nothing of the content.

    nodes: mutable mappings from str to bytes, plain dicts or `lepton_lab.nodes`. keyring: holds every key; nodes never
    do. k: shards that suffice. write_quorum: nodes that must hold all their shards before a write is acknowledged; by
    default the larger of k + 1 and ⌊n/2⌋ + 1, at most n. n: shards of every object, each on another node; by default as
    many as there are nodes, and then shard i lies on node i.

    With more nodes than n, rendezvous hashing chooses n of them for every object by the nodes' names: `.name` where a
    node has one, as all of `lepton_lab.nodes` do, else "node-" and its position in the list, which then must stay. All
    clients name the nodes alike. Nodes may come and go between any two calls: objects are found where they lie,
    `rebalance` brings them to where the new list wants them, and a node that is gone for good is taken off the list.

    What it holds against: any n − k nodes dead, lying, or back with old data; readers of all nodes; one writer crashed
    at any instant; two writers of one name, where every node offers `set_if_absent` (a plain dict does not: there the
    store is single-writer). What it does not: all nodes rolled back together, unless a receipt is given or the key
    ring knows a later version; nodes that forget on restart; whoever holds the ring and its passphrase. A node sees
    sizes, times and which versions belong together.

    Raises InvalidParameter for a k, n or write_quorum that cannot be, and for two nodes of one name where names count.
    """

    def __init__(
        self,
        nodes: Sequence[MutableMapping[str, bytes]],
        keyring: KeyRing,
        k: int = 3,
        write_quorum: int | None = None,
        n: int | None = None,
    ) -> None:
        self.nodes: list[Node] = [
            as_node(node, _name_of(node, index)) for index, node in enumerate(nodes)
        ]
        self.keyring, self.k, self.n = keyring, k, len(self.nodes) if n is None else n
        self._code_id = Code(k, self.n).code_id  # refuses what cannot be
        self.write_quorum = (
            min(self.n, max(k + 1, self.n // 2 + 1)) if write_quorum is None else write_quorum
        )
        if not k <= self.write_quorum <= self.n:
            raise InvalidParameter(
                f"write_quorum must be from k = {k} to n = {self.n}, not {write_quorum}"
            )
        if self.n > len(self.nodes):
            raise InvalidParameter(
                f"n = {n} shards need as many nodes; there are {len(self.nodes)}"
            )
        if self.n < len(self.nodes) and len({node.name for node in self.nodes}) < len(self.nodes):
            raise InvalidParameter(
                "where n of more nodes are chosen by their names, no two nodes can have the same"
            )

    # --- the four verbs ------------------------------------------------------------------------------------------

    def put(self, name: str, source: Source) -> Receipt:
        """Store bytes, a file by its path, or an open binary file under `name`; an older version is replaced.

        Memory stays bounded by the stripes in flight, whatever the size. The write is acknowledged, and visible, when
        `write_quorum` nodes hold every shard and the manifest; the receipt names the nodes that lack it.

        Raises InvalidName; NotEnoughShards when too few nodes take it (the old version stays readable; if the error
        speaks of the manifest, the outcome is open until the next put); WriteConflict when another writer was first;
        OSError when the source cannot be read.
        """
        with _opened(source) as stream, self._history(name) as past:
            pieces = plaintext_stripes(stream, self.k * (SEGMENT - TAG))
            first, last = next(pieces)
            before = past.newest()
            body = replace(
                self._new_body(past, before),
                segment=_segment(len(first), self.k) if last else SEGMENT,
            )
            with self._new_manifest(past, body) as draft:
                manifest = self._write(past, draft, chain([(first, last)], pieces))
            return self._acknowledge(past, before, manifest, name)

    @overload
    def get(self, name: str, sink: None = None, receipt: Receipt | None = None) -> bytes: ...
    @overload
    def get(self, name: str, sink: BinaryIO, receipt: Receipt | None = None) -> int: ...
    def get(
        self, name: str, sink: BinaryIO | None = None, receipt: Receipt | None = None
    ) -> bytes | int:
        """The newest version: as bytes, or written to a binary file (then the number of bytes is returned).

        A receipt is a floor: an older version raises StaleVersion, the same version with another digest
        IntegrityError; a newer one is accepted, which does not prove that it descends from the receipt's.

        Raises NotFound, NotEnoughShards (naming the nodes and what was wrong with each), IntegrityError,
        StaleVersion, InvalidName; WriteConflict when a writer replaced the object while it went to the sink (without a
        sink it is read again). When it raises, the sink holds an authenticated prefix: discard it.
        """
        memory = io.BytesIO()
        begun: Body | None = None
        done = looks = 0  # stripes that the sink has; how often the shards were looked for
        while True:
            with self._history(name) as past:
                manifest = past.present(receipt)
                if begun is not None and begun != manifest.body:
                    if sink is not None and done:
                        raise WriteConflict(
                            "another writer replaced the object while it was read; read again"
                        )
                    memory, done = io.BytesIO(), 0
                begun, seats, looks = manifest.body, past.seats(manifest), looks + 1
                try:
                    for piece in Stripes(manifest.body, manifest.keys).read(seats, done):
                        write_all(memory if sink is None else sink, piece)
                        done += 1
                except NotEnoughShards:
                    moved = looks < _LOOKS and past.has_moved(manifest, seats)
                    if not moved and not past.is_replaced(manifest):
                        raise
                else:
                    return memory.getvalue() if sink is None else manifest.body.length

    def delete(self, name: str) -> None:
        """Write an authenticated tombstone as the next version, then let the shards go.

        Raises NotFound when there is no such object, NotEnoughShards when too few nodes take the tombstone,
        WriteConflict. Deleting is housekeeping, not erasure: use `shred` where the data must be unreadable.
        """
        with self._history(name) as past:
            before = past.present()
            body = replace(self._new_body(past, before), kind=TOMBSTONE)
            with self._new_manifest(past, body) as manifest:
                self._check_not_superseded(past, manifest)
            self._acknowledge(past, before, manifest, name)

    def names(self) -> list[str]:
        """The names of all objects that are there, sorted. They come from the key ring: nodes know no names."""
        found = []
        for name in history.names(self.keyring):
            with self._history(name.decode()) as past:
                newest = past.newest()
            if newest is not None and newest.body.kind == OBJECT:
                found.append(name.decode())
        return found

    # --- keeping it well -----------------------------------------------------------------------------------------

    def check(self, name: str) -> Health:
        """Read and verify every shard of the newest version on every node. Raises NotFound and what `get` raises."""
        with self._history(name) as past:
            body = (manifest := past.present()).body
            stripes, seats, margin = (
                Stripes(body, manifest.keys),
                past.seats(manifest),
                body.n - body.k,
            )
            counts = [dict.fromkeys((GOOD, MISSING, ALTERED), 0) for _ in seats]
            for _, verdicts, _ in stripes.examine(seats, range(body.n)):
                for index, verdict in verdicts.items():
                    counts[index][MISSING if verdict == STRAY else verdict] += 1
                margin = min(
                    margin, sum(verdict in (GOOD, STRAY) for verdict in verdicts.values()) - body.k
                )
            nodes = {
                lane.node.name: NodeHealth(**count, unreachable=lane.failure)
                for lane, count in zip(seats, counts, strict=True)
            }
        return Health(name, body.version, body.length, body.k, body.n, body.stripes, margin, nodes)

    def repair(self, name: str) -> RepairReport:
        """Rebuild every missing or altered shard on the nodes that answer, from k verified ones, byte for byte.

        Shards of a node that is not on the list any more are rebuilt on the next one that the placement names; those of
        a node that is on it, and does not answer, wait for it.

        Raises NotFound, and NotEnoughShards when a stripe has fewer than k good shards; what could be rebuilt before
        it stays rebuilt.
        """
        with self._history(name) as past:
            manifest = past.present(everywhere=True)
            stripes, seats = Stripes(manifest.body, manifest.keys), past.seats(manifest)
            rebuilt = dict.fromkeys(range(len(seats)), 0)
            for stripe, verdicts, slot in stripes.examine(seats, range(len(seats))):
                for index in stripes.mend(seats, stripe, verdicts, slot):
                    rebuilt[index] += 1
            past.publish(manifest, seats)
            past.sweep(manifest, seats)
            mended = {seats[index].node.name: shards for index, shards in rebuilt.items() if shards}
            data = sum(mended.values()) * (manifest.body.segment + TAG)
            return RepairReport(name, manifest.body.version, mended, data, seats.failures)

    def rebalance(self, name: str | None = None) -> RebalanceReport:
        """Bring the shards of one object, or of all, to the nodes that the placement names, after nodes came or went.

        Only shards whose node is another one now are moved: when one node joins N, about 1/(N + 1) of all. Each is
        verified, written, read back and verified again before the old one is deleted, so it may be interrupted at any
        instant, reads go on meanwhile, and another run finishes it. What lay on a node that is gone is rebuilt.
        Authenticators, receipts and versions stay as they are. A node that does not answer keeps what it holds.

        Raises NotFound for a name that is not there, and what `get` raises; over all objects, the report names those
        that failed instead.
        """
        mover = Mover()
        for each in [_encoded(name)] if name is not None else list(history.names(self.keyring)):
            with self._history(each.decode()) as past:
                try:
                    find = past.newest if name is None else past.present
                    manifest = find(everywhere=True)
                    if manifest is not None:
                        mover.settle(past, manifest)
                except (NotEnoughShards, NotFound) as error:
                    if name is not None:
                        raise
                    mover.failed[each.decode()] = str(error)
        return mover.report()

    def shred(self, name: str) -> ShredReport:
        """Remove from the key ring every data key that the object ever had, failed writes too; then delete its shards.

        What may be claimed: this key ring can no longer read the object, wherever its shards still lie. Backups or
        snapshots of the ring with their passphrase or shares, keys exported by `wrap_for`, memory and media remnants
        still may. A receipt from before says nothing of an object put under the name afterwards.

        Raises NotFound when the ring holds no key of such an object. A node that cannot be reached does not stop it.
        """
        data_keys = [found for found, _ in self.keyring.find(context(_encoded(name)))]
        if not data_keys:
            raise NotFound("no such object")
        self.keyring.shred(*data_keys)
        with self._history(name) as past:
            past.sweep()
            return ShredReport(name, len(data_keys), past.everyone.failures)

    # --- the parts they share ------------------------------------------------------------------------------------

    @contextmanager
    def _history(self, name: str) -> Iterator[History]:
        with lanes_over(self.nodes) as lanes:
            yield History(_encoded(name), self.keyring, lanes, self.n, self.write_quorum)

    def _new_body(self, past: History, before: Manifest | None) -> Body:
        put_id = secrets.token_bytes(16)
        version = past.claim(before.body.version if before else 0, put_id)
        return Body(OBJECT, self._code_id, self.k, self.n, past.object_id, version, put_id)

    @contextmanager
    def _new_manifest(self, past: History, body: Body) -> Iterator[Manifest]:
        """A manifest under a fresh data key, which leaves the ring again when the attempt fails inside the block."""
        data_key = self.keyring.new_data_key(context(past.name, body.version, body.put_id))
        keys = ObjectKeys.derive(data_key.key, past.name, body)
        try:
            yield Manifest(replace(body, commitment=keys.commitment), data_key.wrapped, keys)
        except BaseException:
            with suppress(NotFound):  # the name was shredded meanwhile
                self.keyring.shred(data_key.id)
            raise

    def _write(
        self, past: History, draft: Manifest, pieces: Iterator[tuple[memoryview, bool]]
    ) -> Manifest:
        stripes = Stripes(draft.body, draft.keys)
        length = stripes.write(past.lanes, pieces, self.write_quorum)
        manifest = replace(draft, body=replace(draft.body, length=length))
        try:
            self._check_not_superseded(past, manifest)
        except BaseException:
            stripes.discard(past.lanes, manifest.body.stripes)
            raise
        return manifest

    def _check_not_superseded(self, past: History, manifest: Manifest) -> None:
        if past.is_replaced(manifest):
            raise WriteConflict("a later version was written meanwhile; read again and retry")

    def _acknowledge(
        self, past: History, before: Manifest | None, manifest: Manifest, name: str
    ) -> Receipt:
        past.publish(manifest, past.lanes)
        past.lanes.require(self.write_quorum, "nodes that took the manifest")
        past.retire(before, manifest.body.version)
        body, lacking = manifest.body, tuple(past.lanes.failures)
        stored = (self.n - len(lacking)) * body.stripes * (body.segment + TAG)
        return Receipt(name, body.version, body.digest, body.length, lacking, stored)


def _name_of(node: MutableMapping[str, bytes], index: int) -> str:
    name = getattr(node, "name", None)
    return name if isinstance(name, str) else f"node-{index}"


def _segment(length: int, k: int) -> int:
    """The segment of an object that fits in one stripe: just large enough, so that a small object stays small."""
    data = -(-max(length, 1) // k) + TAG
    return min(SEGMENT, -(-data // 64) * 64)


def _encoded(name: str) -> bytes:
    if not isinstance(name, str):
        raise InvalidName(f"a name is a str, not {type(name).__name__}")
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise InvalidName("a name must be valid Unicode") from None
    if not 1 <= len(encoded) <= 1024 or 0 in encoded:
        raise InvalidName("a name is 1 to 1024 bytes of UTF-8 without NUL")
    return encoded


@contextmanager
def _opened(source: Source) -> Iterator[memoryview | BinaryIO]:
    if isinstance(source, bytes | bytearray | memoryview):
        yield memoryview(source).cast("B")
    elif isinstance(source, str | os.PathLike):
        with Path(source).open("rb", buffering=0) as file:
            yield file
    elif hasattr(source, "read"):
        yield source
    else:
        raise InvalidParameter(
            f"a source is bytes, a path or a binary file, not {type(source).__name__}"
        )
