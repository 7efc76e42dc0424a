"""The history of one object on its nodes: which version is the newest, who may write the next, what may go.

Names on a node (oid is the object id and v the version, both in hexadecimal):

    oid/head           the newest manifest that this node was given; overwritten, and only a hint
    oid/v/claim        the put id of the writer who claimed the version; written once
    oid/v/manifest     the manifest, the put id in it; written once, after every shard, by the one who has the claim
    oid/v/put/…        the shards, under the put id (`stripes.py`)

A node may hold an old head: it was away, it lies, or a slow writer overwrote it. So a reader asks the n nodes that the
placement names, believes only what verifies, and then looks for manifests of the versions that follow. An acknowledged
manifest lies on w = `write_quorum` of the writer's n nodes, so any n − w + 1 answers of these meet it.

Where there are more nodes than n and the list has changed since, the reader's n nodes are not the writer's. So unless
all shards of the newest manifest are among them, a reader goes further down the order, at last to all nodes. That finds
what lies anywhere. And w nodes among its n that call a version the newest are right, as long as fewer than 2w − n of
the object's nodes have changed: any two sets of w among n then have a node in common. `rebalance` brings objects to
where a new list wants them. Writers must go by one list: two who claim a version by different ones could both win it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import suppress
from functools import partial
from operator import methodcaller

from lepton_lab.buffers import framed, unframed
from lepton_lab.errors import (
    DecryptionError,
    IntegrityError,
    NotEnoughShards,
    NotFound,
    StaleVersion,
    WriteConflict,
)
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import Node
from lepton_lab.sharding.manifest import (
    CONTEXT_PREFIX,
    OBJECT,
    RECORD_LIMIT,
    Body,
    Manifest,
    ObjectKeys,
    Sealed,
    context,
)
from lepton_lab.sharding.placement import in_order, seated
from lepton_lab.sharding.reports import Receipt
from lepton_lab.sharding.stripes import Stripes
from lepton_lab.sharding.workers import Lane, Lanes

_WINDOW = 8  # versions looked at in one round trip
_CLAIMED = 64 * _WINDOW  # claims in a row that are believed; failed writers leave a few


class History:
    """One object's history, seen through the lanes of one operation.

    everyone: lanes of all nodes. n and write_quorum: those of the store. `lanes` are the n that its placement names.
    """

    def __init__(
        self, name: bytes, ring: KeyRing, everyone: Lanes, n: int, write_quorum: int
    ) -> None:
        self.name, self._ring, self.everyone = name, ring, everyone
        self.object_id = ring.derive(framed(b"lepton_lab object id", name), 16)
        self._order = in_order(everyone, self.object_id.hex())
        self.lanes = Lanes(self._chosen(n))
        self._write_quorum = write_quorum
        self._found: dict[
            Lane, dict[Body, int]
        ] = {}  # who holds which manifest, beside the shards of which index
        self._keys: dict[tuple[bytes, Body], ObjectKeys] = {}
        self._refused: dict[str, str] = {}
        self._unknown_version = 0

    def _chosen(self, n: int) -> list[Lane]:
        """The lanes that the placement names: where all have a part, in the order of the list."""
        return self._order[:n] if n < len(self._order) else list(self.everyone)

    def _key(self, leaf: str, version: int | None = None) -> str:
        return "/".join(
            [self.object_id.hex(), *([] if version is None else [f"{version:016x}"]), leaf]
        )

    # --- reading -------------------------------------------------------------------------------------------------

    def newest(self, *, everywhere: bool = False) -> Manifest | None:
        """The newest manifest that verifies, or None. Raises NotEnoughShards when too few nodes answer to be sure.

        everywhere: ask all nodes, to know of second copies too.
        """
        believed: Manifest | None = None
        asked: list[Lane] = []
        for group in self._groups():
            asked += group
            believed = self._newest_on(Lanes(group), believed)
            if believed is not None and self._is_whole(believed, asked) and not everywhere:
                break
        self.lanes.require(len(self.lanes) - self._write_quorum + 1, "nodes that answered")
        return believed

    def _groups(self) -> Iterator[list[Lane]]:
        """The chosen lanes, then further ones down the order, each time as many again."""
        yield list(self.lanes)
        rest = [lane for lane in self._order if lane not in list(self.lanes)]
        size = len(self.lanes)
        while rest:
            yield rest[:size]
            rest, size = rest[size:], 2 * size

    def _newest_on(self, lanes: Lanes, believed: Manifest | None) -> Manifest | None:
        """The newest manifest that these lanes know, or the one that is believed already."""
        head = self._key("head")
        believed = _newer(believed, self._best(lanes.ask(_records([head]))))
        while True:
            after = believed.body.version if believed else 0
            # what is under a key that has gone may have been replaced between the node's answer and the ring's
            starts = {after} if believed else {after, self._unknown_version}
            following = [
                self._key("manifest", start + step)
                for start in starts
                for step in range(1, _WINDOW + 1)
            ]
            later = self._best(lanes.ask(_records(following)))
            if later is None or later.body.version <= after:
                return believed
            believed = later

    def _is_whole(self, manifest: Manifest, asked: Sequence[Lane]) -> bool:
        """Whether every index of this version is held by one of these; who showed another head is asked for it."""
        silent = [
            lane
            for lane in asked
            if lane.failure is None and manifest.body not in self._found.get(lane, {})
        ]
        if silent:
            key = self._key("manifest", manifest.body.version)
            self._best(Lanes(silent).ask(_records([key])))
        held = {
            found.get(manifest.body)
            for lane in asked
            if (found := self._found.get(lane)) and lane.failure is None
        }
        return held.issuperset(range(manifest.body.n))

    def seats(self, manifest: Manifest, *, moving: bool = False) -> Lanes:
        """The lanes of this version in the order of its shards: as its nodes say, or as the placement wants them."""
        held = {
            lane: found[manifest.body]
            for lane, found in self._found.items()
            if manifest.body in found
        }
        return seated(
            self._order, self._chosen(manifest.body.n), held, manifest.body.n, moving=moving
        )

    def present(self, receipt: Receipt | None = None, *, everywhere: bool = False) -> Manifest:
        """The newest manifest, of an object that is there and no older than the receipt.

        Raises NotFound, StaleVersion or IntegrityError when it is not.
        """
        manifest = self.newest(everywhere=everywhere)
        if receipt is not None:
            self._hold_against(receipt, manifest)
        if manifest is None:
            raise self._absence()
        if manifest.body.kind != OBJECT:
            raise NotFound("the object was deleted")
        return manifest

    def is_replaced(self, manifest: Manifest) -> bool:
        """Whether a newer version has come meanwhile, so that the shards of this one may go while they are read."""
        newest = self.newest()
        return newest is not None and newest.body.version > manifest.body.version

    def says_so(self, manifest: Manifest, index: int, lane: Lane) -> bool:
        """Whether this lane's node says that it holds the shards of this index."""
        return self._found.get(lane, {}).get(manifest.body) == index

    def has_moved(self, manifest: Manifest, seats: Lanes) -> bool:
        """Whether the nodes say by now that the shards of this version are elsewhere."""
        self._found.clear()
        self.newest()
        now = self.seats(manifest)
        return list(now) != list(seats) or now.others != seats.others

    def _hold_against(self, receipt: Receipt, manifest: Manifest | None) -> None:
        if manifest is None:
            if (
                self.known_versions()
            ):  # a shredded object has none left, and is not found rather than stale
                raise StaleVersion(
                    f"the receipt names version {receipt.version}, and no node holds one to believe"
                )
        elif manifest.body.version < receipt.version:
            raise StaleVersion(
                f"the receipt names version {receipt.version}, the nodes hold {manifest.body.version}"
            )
        elif manifest.body.version == receipt.version and manifest.body.digest != receipt.digest:
            raise IntegrityError(f"version {receipt.version} is not the one that the receipt names")

    def known_versions(self) -> list[int]:
        """The versions for which the ring holds a data key, those of failed writes among them."""
        contexts = (found for _, found in self._ring.find(context(self.name)))
        return [
            int.from_bytes(unframed(found[len(CONTEXT_PREFIX) :])[1], "big") for found in contexts
        ]

    def _absence(self) -> Exception:
        if self._unknown_version:
            if any(version > self._unknown_version for version in self.known_versions()):
                return StaleVersion(
                    "the nodes answer with a version older than the one that the key ring knows"
                )
            return NotFound("no such object: the key ring holds no key for what the nodes hold")
        absent = sum(
            lane.failure is None and lane.node.name not in self._refused for lane in self.lanes
        )
        if self._refused and absent < len(self.lanes) - self._write_quorum + 1:
            return IntegrityError(
                "no manifest can be believed: "
                + "; ".join(f"{n}: {w}" for n, w in self._refused.items())
            )
        return NotFound("no such object")

    def _best(self, answers: dict[Lane, list[bytes | None]]) -> Manifest | None:
        best: Manifest | None = None
        for lane, records in answers.items():
            for record in filter(None, records):
                verdict = self._judge(record)
                if isinstance(verdict, str):
                    self._refused[lane.node.name] = verdict
                elif verdict is not None:
                    manifest, index = verdict
                    self._found.setdefault(lane, {})[manifest.body] = index
                    best = _newer(best, manifest)
        return best

    def _judge(self, record: bytes) -> tuple[Manifest, int] | str | None:
        """The manifest and its node's index; or why it is not believed; or None when its key has left the ring."""
        try:
            sealed = Sealed.parse(record)
            if sealed.body.object_id != self.object_id:
                raise IntegrityError("a manifest of another object")
            if self._ring.data_key_id(sealed.wrapped) not in self._ring:
                self._unknown_version = max(self._unknown_version, sealed.body.version)
                return None
            return sealed.verify_by(self._derived(sealed)), sealed.index
        except (IntegrityError, DecryptionError) as error:
            return str(error)

    def _derived(self, sealed: Sealed) -> ObjectKeys:
        """The keys that the record should be under; nodes mostly hold the same one."""
        known = sealed.wrapped, sealed.body
        if known not in self._keys:
            bound_to = context(self.name, sealed.body.version, sealed.body.put_id)
            self._keys[known] = ObjectKeys.derive(
                self._ring.unwrap(sealed.wrapped, bound_to), self.name, sealed.body
            )
        return self._keys[known]

    # --- writing -------------------------------------------------------------------------------------------------

    def claim(self, after: int, put_id: bytes) -> int:
        """Claim the first free version behind `after` on more than half of the nodes: at most one writer can.

        Raises WriteConflict when another writer was there, NotEnoughShards when too few nodes answer.
        """
        needed = len(self.lanes) // 2 + 1
        version = self._first_free(after + 1, needed)
        key = self._key("claim", version)
        answers = self.lanes.ask(lambda node: node.set_if_absent(key, put_id))
        won = sum(answers.values())
        if won >= needed:
            return version
        if won < len(answers):
            raise WriteConflict(f"another writer took version {version}; read again and retry")
        raise NotEnoughShards(
            "nodes to claim a version on", found=won, needed=needed, failures=self.lanes.failures
        )

    def _first_free(self, start: int, needed: int) -> int:
        """The first version that can still be claimed on `needed` of the nodes that answer.

        Claims of writers that failed stay, for their versions are never used again. While some nodes are away, a few
        such claims on the others are enough to make a version useless. Nodes that claim everything end in a conflict.
        """
        for first in range(start, start + _CLAIMED, _WINDOW):
            keys = [self._key("claim", first + step) for step in range(_WINDOW)]
            answers = self.lanes.ask(_records(keys))
            self.lanes.require(needed, "nodes to claim a version on")
            for step in range(_WINDOW):
                if sum(claims[step] is None for claims in answers.values()) >= needed:
                    return first + step
        raise WriteConflict(
            f"the nodes say that {_CLAIMED} versions from {start} on are taken; check them, then retry"
        )

    def publish(
        self, manifest: Manifest, seats: Lanes, indexes: Iterable[int] | None = None
    ) -> None:
        """Write the manifest to every node that still answers: the moment at which readers see the new version.

        indexes: only to the nodes of these.
        """
        keys = self._key("manifest", manifest.body.version), self._key("head")

        def write(node: Node, record: bytes) -> None:
            for key in keys:
                node[key] = record

        chosen = range(len(seats)) if indexes is None else indexes
        written = [
            seats[index].submit(partial(write, record=manifest.pack(index))) for index in chosen
        ]
        for future in written:
            future.result()

    def retire(self, old: Manifest | None, version: int) -> None:
        """Delete what lies behind an acknowledged version; a node that is away keeps it until a repair."""
        first = old.body.version if old else max(1, version - _WINDOW)
        markers = [
            self._key(leaf, v) for v in range(first, version) for leaf in ("claim", "manifest")
        ]
        keys = {lane: list(markers) for lane in self.lanes}
        if old:
            stripes, seats = Stripes(old.body, old.keys), self.seats(old)
            for index, seat in enumerate(seats):
                for lane in (seat, *seats.others[index]):
                    keys.setdefault(lane, list(markers)).extend(stripes.keys_on(index))
        wait([lane.submit(methodcaller("delete_many", gone)) for lane, gone in keys.items()])
        if old:
            with suppress(NotFound):  # another writer, who replaced the same version, was quicker
                self._ring.shred(self._ring.data_key_id(old.wrapped))

    def withdraw(self, manifest: Manifest, index: int, lane: Lane, *, wholly: bool) -> None:
        """Delete the shards of one index from a node that keeps them no longer; wholly: the manifest too."""
        markers = [self._key(leaf, manifest.body.version) for leaf in ("claim", "manifest")] + [
            self._key("head")
        ]
        keys = Stripes(manifest.body, manifest.keys).keys_on(index) + (markers if wholly else [])
        lane.submit(methodcaller("delete_many", keys)).result()

    def sweep(self, keep: Manifest | None = None, seats: Lanes | None = None) -> None:
        """Delete everything of the object on every node, but `keep` where it has its seats, and what is newer."""
        kept = {lane: index for index, lane in enumerate(seats or ())}
        for index, seat in enumerate(seats or ()):
            if seats and seat.failure is not None:  # then another's copy is not one too many
                kept |= dict.fromkeys(seats.others[index], index)
        body = None if keep is None else keep.body
        swept = [
            lane.submit(partial(self._clean, body=body, index=kept.get(lane)))
            for lane in self.everyone
        ]
        for future in swept:
            future.result()

    def _clean(self, node: Node, body: Body | None, index: int | None) -> None:
        found = node.keys_with_prefix(self.object_id.hex() + "/")
        node.delete_many([key for key in found if body is None or not _is_kept(key, body, index)])


def _newer(one: Manifest | None, other: Manifest | None) -> Manifest | None:
    """The manifest of the higher version; of one version the first."""
    if one is None or other is None:
        return one or other
    return other if other.body.version > one.body.version else one


def _is_kept(key: str, body: Body, index: int | None) -> bool:
    """Whether a node whose seat is `index` (None: it has none) keeps this key beside the version of this body."""
    version, *rest = key.split("/")[1:]
    ours = f"{body.version:016x}"
    if version == "head":
        return index is not None
    if version != ours or index is None:
        return version > ours
    return len(rest) == 1 or (rest[:1] == [body.put_id.hex()] and rest[-1:] == [f"{index:02x}"])


def names(ring: KeyRing) -> Iterable[bytes]:
    """The name of every object for which the ring holds a data key, each once, in order."""
    contexts = (found for _, found in ring.find(CONTEXT_PREFIX))
    return sorted({unframed(found[len(CONTEXT_PREFIX) :])[0] for found in contexts})


def _records(keys: Sequence[str]) -> Callable[[Node], list[bytes | None]]:
    """Asks a node for these. One that answers with more than any record holds is not read to its end."""
    return methodcaller("get_bounded", keys, RECORD_LIMIT)
