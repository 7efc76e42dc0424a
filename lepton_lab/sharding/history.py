"""The history of one object on its nodes: which version is the newest, who may write the next, what may go.

Names on a node (oid is the object id and v the version, both in hexadecimal):

    oid/head           the newest manifest that this node was given; overwritten, and only a hint
    oid/v/claim        the put id of the writer who claimed the version; written once
    oid/v/manifest     the manifest; written once, after every shard
    oid/v/put/…        the shards (`stripes.py`)

A node may hold an old head: it was away, it lies, or a slow writer overwrote it. So a reader asks all nodes, believes
only what verifies, and then looks for manifests of the versions that follow. An acknowledged manifest lies on
`write_quorum` nodes, so any n − write_quorum + 1 answers meet it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import wait
from contextlib import suppress
from functools import partial

from lepton_lab.errors import (
    DecryptionError,
    IntegrityError,
    InvalidParameter,
    NotEnoughShards,
    NotFound,
    OversizedValue,
    StaleVersion,
    WriteConflict,
)
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import Node
from lepton_lab.octets import framed, unframed
from lepton_lab.sharding.lanes import Lanes
from lepton_lab.sharding.manifest import CONTEXT_PREFIX, OBJECT, RECORD_LIMIT, Manifest, Sealed, context
from lepton_lab.sharding.reports import Receipt
from lepton_lab.sharding.stripes import Stripes

_WINDOW = 8  # versions looked at in one round trip


class History:
    """One object's history, seen through the lanes of one operation."""

    def __init__(self, name: bytes, ring: KeyRing, lanes: Lanes, write_quorum: int) -> None:
        self.name, self._ring, self.lanes = name, ring, lanes
        self.object_id = ring.derive(framed(b"lepton_lab object id", name), 16)
        self._write_quorum = write_quorum
        self._refused: dict[str, str] = {}
        self._unknown_version = 0

    def _key(self, leaf: str, version: int | None = None) -> str:
        return "/".join([self.object_id.hex(), *([] if version is None else [f"{version:016x}"]), leaf])

    # --- reading -------------------------------------------------------------------------------------------------

    def newest(self) -> Manifest | None:
        """The newest manifest that verifies, or None. Raises NotEnoughShards when too few nodes answer to be sure."""
        head = self._key("head")
        believed = self._best(self.lanes.ask(lambda node: _bounded(node, [head])))
        while True:
            self.lanes.require(len(self.lanes) - self._write_quorum + 1, "nodes that answered")
            after = believed.body.version if believed else 0
            # what is under a key that has gone may have been replaced between the node's answer and the ring's
            starts = {after} if believed else {after, self._unknown_version}
            following = [self._key("manifest", start + step) for start in starts for step in range(1, _WINDOW + 1)]
            later = self._best(self.lanes.ask(lambda node, keys=following: _bounded(node, keys)))  # type: ignore[misc]
            if later is None or later.body.version <= after:
                return believed
            believed = later

    def present(self, receipt: Receipt | None = None) -> Manifest:
        """The newest manifest, of an object that is there and no older than the receipt.

        Raises NotFound, StaleVersion or IntegrityError when it is not, InvalidParameter for another number of nodes.
        """
        manifest = self.newest()
        if receipt is not None:
            self._hold_against(receipt, manifest)
        if manifest is None:
            raise self._absence()
        if manifest.body.kind != OBJECT:
            raise NotFound("the object was deleted")
        if manifest.body.n != len(self.lanes):
            raise InvalidParameter(f"the object lies on {manifest.body.n} nodes, the store has {len(self.lanes)}")
        return manifest

    def is_replaced(self, manifest: Manifest) -> bool:
        """Whether a newer version has come meanwhile, so that the shards of this one may go while they are read."""
        newest = self.newest()
        return newest is not None and newest.body.version > manifest.body.version

    def _hold_against(self, receipt: Receipt, manifest: Manifest | None) -> None:
        if manifest is None:
            if self.known_versions():  # a shredded object has none left, and is not found rather than stale
                raise StaleVersion(f"the receipt names version {receipt.version}, and no node holds one to believe")
        elif manifest.body.version < receipt.version:
            raise StaleVersion(f"the receipt names version {receipt.version}, the nodes hold {manifest.body.version}")
        elif manifest.body.version == receipt.version and manifest.body.digest != receipt.digest:
            raise IntegrityError(f"version {receipt.version} is not the one that the receipt names")

    def known_versions(self) -> list[int]:
        """The versions for which the ring holds a data key, those of failed writes among them."""
        contexts = (found for _, found in self._ring.find(context(self.name)))
        return [int.from_bytes(unframed(found[len(CONTEXT_PREFIX) :])[1], "big") for found in contexts]

    def _absence(self) -> Exception:
        if self._unknown_version:
            if any(version > self._unknown_version for version in self.known_versions()):
                return StaleVersion("the nodes answer with a version older than the one that the key ring knows")
            return NotFound("no such object: the key ring holds no key for what the nodes hold")
        absent = len(self.lanes) - len(self.lanes.failures) - len(self._refused)
        if self._refused and absent < len(self.lanes) - self._write_quorum + 1:
            return IntegrityError(
                "no manifest can be believed: " + "; ".join(f"{n}: {w}" for n, w in self._refused.items())
            )
        return NotFound("no such object")

    def _best(self, answers: dict[int, list[bytes | None]]) -> Manifest | None:
        best: Manifest | None = None
        judged: dict[bytes, Manifest | str | None] = {}  # nodes mostly hold the same record
        for index, records in answers.items():
            for record in filter(None, records):
                if record not in judged:
                    judged[record] = self._judge(record)
                verdict = judged[record]
                if isinstance(verdict, str):
                    self._refused[self.lanes[index].node.name] = verdict
                elif verdict is not None and (best is None or verdict.body.version > best.body.version):
                    best = verdict
        return best

    def _judge(self, record: bytes) -> Manifest | str | None:
        """The manifest, or why it is not believed, or None when it is under a key that the ring does not hold."""
        try:
            sealed = Sealed.parse(record)
            if sealed.body.object_id != self.object_id:
                raise IntegrityError("a manifest of another object")
            if self._ring.data_key_id(sealed.wrapped) not in self._ring:
                self._unknown_version = max(self._unknown_version, sealed.body.version)
                return None
            bound_to = context(self.name, sealed.body.version, sealed.body.put_id)
            return sealed.verify(self._ring.unwrap(sealed.wrapped, bound_to), self.name)
        except (IntegrityError, DecryptionError) as error:
            return str(error)

    # --- writing -------------------------------------------------------------------------------------------------

    def claim(self, after: int, put_id: bytes) -> int:
        """Claim the first free version behind `after` on more than half of the nodes: at most one writer can.

        Raises WriteConflict when another writer was there, NotEnoughShards when too few nodes answer.
        """
        version = self._first_free(after + 1)
        key = self._key("claim", version)
        answers = self.lanes.ask(lambda node: node.set_if_absent(key, put_id))
        needed = len(self.lanes) // 2 + 1
        won = sum(answers.values())
        if won >= needed:
            return version
        if won < len(answers):
            raise WriteConflict(f"another writer took version {version}; read again and retry")
        raise NotEnoughShards("nodes to claim a version on", found=won, needed=needed, failures=self.lanes.failures)

    def _first_free(self, start: int) -> int:
        """The first version that most nodes have no claim for; a claim of a writer that died is never used again."""
        first = start
        while True:
            keys = [self._key("claim", first + step) for step in range(_WINDOW)]
            answers = self.lanes.ask(lambda node, keys=keys: _bounded(node, keys))  # type: ignore[misc]
            self.lanes.require(len(self.lanes) // 2 + 1, "nodes to claim a version on")
            for step in range(_WINDOW):
                if 2 * sum(claims[step] is not None for claims in answers.values()) <= len(answers):
                    return first + step
            first += _WINDOW

    def publish(self, manifest: Manifest) -> None:
        """Write the manifest to every node that still answers: the moment at which readers see the new version."""
        record = manifest.pack()
        keys = self._key("manifest", manifest.body.version), self._key("head")

        def write(node: Node) -> None:
            for key in keys:
                node[key] = record

        self.lanes.ask(write)

    def retire(self, old: Manifest | None, version: int) -> None:
        """Delete what lies behind an acknowledged version; a node that is away keeps it until a repair."""
        first = old.body.version if old else max(1, version - _WINDOW)
        markers = [self._key(leaf, v) for v in range(first, version) for leaf in ("claim", "manifest")]
        stripes = Stripes(old.body, old.keys) if old else None
        per_lane = [markers + (stripes.keys_on(lane.index) if stripes else []) for lane in self.lanes]
        wait([lane.submit(partial(Node.delete_many, keys=per_lane[lane.index])) for lane in self.lanes])
        if old:
            with suppress(NotFound):  # another writer, who replaced the same version, was quicker
                self._ring.shred(self._ring.data_key_id(old.wrapped))

    def sweep(self, keep: Manifest | None) -> None:
        """Delete everything of the object on every node, but `keep` and what is newer than it."""
        prefix = self.object_id.hex() + "/"
        kept = "" if keep is None else f"{prefix}{keep.body.version:016x}"

        def clean(node: Node) -> None:
            node.delete_many(
                [key for key in node.keys_with_prefix(prefix) if keep is None or self._is_older(key, kept)]
            )

        self.lanes.ask(clean)

    def _is_older(self, key: str, kept: str) -> bool:
        return key != self._key("head") and key < kept


def names(ring: KeyRing) -> Iterable[bytes]:
    """The name of every object for which the ring holds a data key, each once, in order."""
    contexts = (found for _, found in ring.find(CONTEXT_PREFIX))
    return sorted({unframed(found[len(CONTEXT_PREFIX) :])[0] for found in contexts})


def _bounded(node: Node, keys: Sequence[str]) -> list[bytes | None]:
    """The records under these keys. A node that answers with more than any record holds is not read to its end."""
    return [_record(node, key) for key in keys]


def _record(node: Node, key: str) -> bytes | None:
    buffer = memoryview(bytearray(RECORD_LIMIT))
    try:
        return bytes(buffer[: node.read_into(key, buffer)])
    except KeyError:
        return None
    except OversizedValue:
        return b"?"  # which no parser takes for a record
