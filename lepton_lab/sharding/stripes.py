"""Stripes: how the plaintext of one version becomes shards on nodes, and shards become plaintext again.

A data shard *is* a ciphertext segment, so a read from healthy nodes decodes nothing. Segment i of an object is sealed
by AES-256-GCM under the nonce prefix ‖ i ‖ last (the STREAM rule of Hoang, Reyhanitabar, Rogaway and Vizár, 2015): an
order changed, a segment left out or an end cut off does not open. Every shard, parity too, is followed by a GMAC tag
under a second key with the nonce stripe ‖ index, so that a false one is found, and its node named, before decoding.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lepton_lab.erasure import Code
from lepton_lab.errors import DecryptionError, NotEnoughShards, OversizedValue
from lepton_lab.nodes import Node
from lepton_lab.octets import pieces_of
from lepton_lab.sharding.lanes import Lane, Lanes
from lepton_lab.sharding.manifest import TAG, Body, ObjectKeys

GOOD, MISSING, ALTERED = "good", "missing", "altered"
Rows = npt.NDArray[np.uint8]
IN_FLIGHT = 2  # stripes between the processor and the wire: one is worked on while the other travels


@dataclass
class Slot:
    """The buffers of one stripe in flight: n shards, each with its tag behind it. Allocated once, reused."""

    rows: Rows
    asked: dict[int, Future[str | None]] = field(default_factory=dict)

    @classmethod
    def some(cls, body: Body) -> list[Slot]:
        """As many as may be in flight."""
        return [cls(np.zeros((body.n, body.segment + TAG), np.uint8)) for _ in range(IN_FLIGHT)]


def plaintext_stripes(source: bytes | memoryview | BinaryIO, size: int) -> Iterator[tuple[memoryview, bool]]:
    """The source in pieces of `size` octets, each with whether it is the last; an empty source is one empty piece.

    Octets are sliced, not copied; a file is read into two buffers in turn.
    """
    if isinstance(source, bytes | memoryview):
        whole = memoryview(source)
        for start in range(0, max(1, len(whole)), size):
            yield whole[start : start + size], start + size >= len(whole)
        return
    yield from pieces_of(source, size, size)


class Stripes:
    """The shards of one version: their names, their authenticators, their way out and back."""

    def __init__(self, body: Body, keys: ObjectKeys) -> None:
        self.body = body
        self.code = Code(body.k, body.n)
        self._cipher = AESGCM(keys.encryption)
        self._authenticator = AESGCM(keys.authentication)
        self._folder = f"{body.object_id.hex()}/{body.version:016x}/{body.put_id.hex()}"

    def key(self, stripe: int, index: int) -> str:
        """The name of one shard on its node. The put id is in it: nothing is ever overwritten by another attempt."""
        return f"{self._folder}/{stripe:08x}/{index:02x}"

    def keys_on(self, index: int, stripes: int | None = None) -> list[str]:
        """The names of all shards that belong on the node of this index."""
        return [self.key(stripe, index) for stripe in range(self.body.stripes if stripes is None else stripes)]

    # --- out -----------------------------------------------------------------------------------------------------

    def write(self, lanes: Lanes, pieces: Iterator[tuple[memoryview, bool]], quorum: int) -> int:
        """Encrypt, code and send every piece; return the length of the plaintext.

        Raises NotEnoughShards as soon as fewer than `quorum` nodes are still complete.
        """
        slots, length, stripe = Slot.some(self.body), 0, 0
        try:
            for stripe, (piece, last) in enumerate(pieces):
                slot = slots[stripe % IN_FLIGHT]
                wait(slot.asked.values())
                lanes.require(quorum, "nodes that took every shard")
                self._encrypt(slot.rows, stripe, piece, last)
                self._encode(slot.rows)
                slot.asked = {lane.index: self._send(lane, stripe, slot.rows[lane.index]) for lane in lanes}
                length += len(piece)
            for slot in slots:
                wait(slot.asked.values())
            lanes.require(quorum, "nodes that took every shard")
        except BaseException:
            self.discard(lanes, stripe + 1)
            raise
        return length

    def discard(self, lanes: Lanes, stripes: int) -> None:
        """Take back the shards of an attempt that failed, also on nodes that were given up: a full one can delete."""
        deletions = [partial(Node.delete_many, keys=self.keys_on(lane.index, stripes)) for lane in lanes]
        wait([lane.submit(deletion, anyway=True) for lane, deletion in zip(lanes, deletions, strict=True)])

    def _send(self, lane: Lane, stripe: int, row: Rows) -> Future[str | None]:
        """Put the authenticator behind one shard and send both to its node."""
        segment = self.body.segment
        tag = self._authenticator.encrypt(_shard_nonce(stripe, lane.index), b"", row[:segment].data)
        row[segment:] = np.frombuffer(tag, np.uint8)
        key = self.key(stripe, lane.index)

        def store(node: Node) -> str:
            node.write(key, row.data)
            return GOOD

        return lane.submit(store)

    def _encrypt(self, rows: Rows, stripe: int, piece: memoryview, last: bool) -> None:
        payload = self.body.segment - TAG
        for index in range(self.body.k):
            part = piece[index * payload : (index + 1) * payload]
            size = 0
            if part or index == 0:  # behind the end of the data a shard is all zero; an empty object has one segment
                size = len(part) + TAG
                final = last and (index + 1) * payload >= len(piece)
                nonce = self._segment_nonce(stripe * self.body.k + index, final)
                self._cipher.encrypt_into(nonce, part, None, rows[index, :size].data)
            rows[index, size : self.body.segment] = 0

    def _encode(self, rows: Rows) -> None:
        shards = list(rows[:, : self.body.segment])
        self.code.encode_rows(shards[: self.body.k], shards[self.body.k :])

    def _segment_nonce(self, counter: int, final: bool) -> bytes:
        return self.body.prefix + counter.to_bytes(4, "big") + bytes((final,))

    # --- back ----------------------------------------------------------------------------------------------------

    def read(self, lanes: Lanes) -> Iterator[memoryview]:
        """The plaintext, stripe by stripe; each piece is authenticated, and valid until the next one is asked for.

        Raises NotEnoughShards when a stripe has fewer than k good shards, naming the nodes and what was wrong.
        """
        plaintext = memoryview(bytearray(self.body.k * (self.body.segment - TAG)))
        for stripe, slot in self._in_flight(lanes, lambda: self._preferred(lanes)):
            good = self._gather(lanes, stripe, slot)
            self._recover(slot.rows, good, [index for index in self._filled(stripe) if index not in good])
            yield plaintext[: self._decrypt(slot.rows, stripe, plaintext)]

    def examine(self, lanes: Lanes) -> Iterator[tuple[int, dict[int, str], Rows]]:
        """Every stripe with the verdict on each of its shards (a node that gave none is left out), and the shards."""
        for stripe, slot in self._in_flight(lanes, lambda: list(lanes)):
            verdicts = {index: future.result() for index, future in slot.asked.items()}
            yield stripe, {index: verdict for index, verdict in verdicts.items() if verdict is not None}, slot.rows

    def mend(self, lanes: Lanes, stripe: int, verdicts: dict[int, str], rows: Rows) -> list[int]:
        """Rebuild the bad shards of an examined stripe, octet for octet, and send them; the indices that were taken."""
        good = [index for index, verdict in verdicts.items() if verdict == GOOD]
        bad = [index for index, verdict in verdicts.items() if verdict != GOOD]
        if bad and len(good) < self.body.k:
            raise self._too_few(lanes, stripe, verdicts)
        self._recover(rows, good[: self.body.k], bad)
        sent = {index: self._send(lanes[index], stripe, rows[index]) for index in bad}
        return [index for index, future in sent.items() if future.result() == GOOD]

    def _in_flight(self, lanes: Lanes, whom: Callable[[], list[Lane]]) -> Iterator[tuple[int, Slot]]:
        slots, stripes = Slot.some(self.body), self.body.stripes
        ahead: deque[tuple[int, Slot]] = deque()
        for stripe in range(stripes + IN_FLIGHT):
            if stripe >= IN_FLIGHT and ahead:
                yield ahead.popleft()
            if stripe < stripes:
                slot = slots[stripe % IN_FLIGHT]
                slot.asked = {lane.index: self._request(lane, stripe, slot.rows[lane.index]) for lane in whom()}
                ahead.append((stripe, slot))

    def _request(self, lane: Lane, stripe: int, row: Rows) -> Future[str | None]:
        key, segment, nonce = self.key(stripe, lane.index), self.body.segment, _shard_nonce(stripe, lane.index)

        def fetch(node: Node) -> str:
            try:
                if node.read_into(key, row.data) != len(row):
                    return ALTERED
                self._authenticator.decrypt(nonce, row[segment:].tobytes(), row[:segment].data)
            except KeyError:
                return MISSING
            except (InvalidTag, OversizedValue):
                return ALTERED
            return GOOD

        return lane.submit(fetch)

    def _preferred(self, lanes: Lanes) -> list[Lane]:
        return [lane for lane in lanes if lane.failure is None][: self.body.k]

    def _gather(self, lanes: Lanes, stripe: int, slot: Slot) -> list[int]:
        """Wait for k good shards, asking further nodes for each bad one, and at the last those given up, once more."""
        again = {lane.index for lane in lanes}
        while True:
            verdicts = {index: future.result() for index, future in slot.asked.items()}
            good = [index for index, verdict in verdicts.items() if verdict == GOOD]
            if len(good) >= self.body.k:
                return sorted(good)[: self.body.k]
            spare = [lane for lane in lanes if lane.index not in slot.asked and lane.failure is None]
            spare += [lane for lane in lanes if lane.index in again and lane.failure is not None]
            if not spare:
                raise self._too_few(lanes, stripe, verdicts)
            for lane in spare[: self.body.k - len(good)]:
                if lane.failure is not None:
                    again.discard(lane.index)
                    lane.failure = None
                slot.asked[lane.index] = self._request(lane, stripe, slot.rows[lane.index])

    def _too_few(self, lanes: Lanes, stripe: int, verdicts: Mapping[int, str | None]) -> NotEnoughShards:
        failures = lanes.failures | {
            lanes[index].node.name: why for index, why in verdicts.items() if why and why != GOOD
        }
        found = sum(verdict == GOOD for verdict in verdicts.values())
        return NotEnoughShards(f"good shards of stripe {stripe}", found=found, needed=self.body.k, failures=failures)

    def _filled(self, stripe: int) -> range:
        return range(min(self.body.k, self.body.segments - stripe * self.body.k))

    def _recover(self, rows: Rows, good: list[int], wanted: list[int]) -> None:
        if wanted:
            shards = rows[:, : self.body.segment]
            self.code.recover_rows({index: shards[index] for index in good}, {index: shards[index] for index in wanted})

    def _decrypt(self, rows: Rows, stripe: int, plaintext: memoryview) -> int:
        payload, written = self.body.segment - TAG, 0
        for index in self._filled(stripe):
            counter = stripe * self.body.k + index
            final = counter == self.body.segments - 1
            size = self.body.length - counter * payload if final else payload
            sealed = rows[index, : size + TAG].data
            try:
                self._cipher.decrypt_into(
                    self._segment_nonce(counter, final), sealed, None, plaintext[written : written + size]
                )
            except InvalidTag:
                raise DecryptionError from None
            written += size
        return written


def _shard_nonce(stripe: int, index: int) -> bytes:
    return stripe.to_bytes(8, "big") + index.to_bytes(4, "big")
