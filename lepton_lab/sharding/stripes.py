"""Stripes: how the plaintext of one version becomes shards on nodes, and shards become plaintext again.

A data shard *is* a ciphertext segment, so a read from healthy nodes decodes nothing. Segment i of an object is sealed
by AES-256-GCM under the nonce prefix ‖ i ‖ last (the STREAM rule of Hoang, Reyhanitabar, Rogaway and Vizár, 2015): an
order changed, a segment left out or an end cut off does not open. Every shard, parity too, is followed by a GMAC tag
under a second key with the nonce stripe ‖ index, so that a false one is found, and its node named, before decoding.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from operator import methodcaller
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lepton_lab.buffers import pieces_of
from lepton_lab.erasure import Code
from lepton_lab.errors import DecryptionError, NotEnoughShards, OversizedValue
from lepton_lab.nodes import Node
from lepton_lab.sharding.manifest import TAG, Body, ObjectKeys
from lepton_lab.sharding.workers import Lane, Lanes

GOOD, MISSING, ALTERED = "good", "missing", "altered"
STRAY = "stray"  # good, but on another node than its own
Rows = npt.NDArray[np.uint8]
IN_FLIGHT = (
    3  # stripes between the processor and the wire: one is worked on while the others travel
)


@dataclass
class Slot:
    """The buffers of one stripe in flight: n shards, each with its tag behind it. Allocated once, reused."""

    rows: Rows
    asked: dict[int, Future[str | None]] = field(default_factory=dict)

    def settle(self) -> None:
        """Wait for every node. What a node raises that is no failure of its own, a defect, is raised here."""
        for future in self.asked.values():
            future.result()

    @classmethod
    def some(cls, body: Body) -> list[Slot]:
        """As many as may be in flight."""
        return [cls(np.zeros((body.n, body.segment + TAG), np.uint8)) for _ in range(IN_FLIGHT)]


def plaintext_stripes(
    source: bytes | memoryview | BinaryIO, size: int
) -> Iterator[tuple[memoryview, bool]]:
    """The source in pieces of `size` bytes, each with whether it is the last; an empty source is one empty piece.

    Bytes are sliced, not copied; a file is read into two buffers in turn.
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
        """The names of all shards of this index."""
        return [
            self.key(stripe, index)
            for stripe in range(self.body.stripes if stripes is None else stripes)
        ]

    # --- out -----------------------------------------------------------------------------------------------------

    def write(self, lanes: Lanes, pieces: Iterator[tuple[memoryview, bool]], quorum: int) -> int:
        """Encrypt, code and send every piece; return the length of the plaintext.

        Raises NotEnoughShards as soon as fewer than `quorum` nodes are still complete.
        """
        slots, length, stripe = Slot.some(self.body), 0, 0
        try:
            for stripe, (piece, last) in enumerate(pieces):
                slot = slots[stripe % IN_FLIGHT]
                slot.settle()
                lanes.require(quorum, "nodes that took every shard")
                self._encrypt(slot.rows, stripe, piece, last)
                self._encode(slot.rows)
                slot.asked = {
                    index: self._send(lane, stripe, index, slot.rows)
                    for index, lane in enumerate(lanes)
                }
                length += len(piece)
            for slot in slots:
                slot.settle()
            lanes.require(quorum, "nodes that took every shard")
        except BaseException:
            self.discard(lanes, stripe + 1)
            raise
        return length

    def discard(self, lanes: Lanes, stripes: int) -> None:
        """Take back the shards of an attempt that failed, also on nodes that were given up: a full one can delete."""
        keys = [self.keys_on(index, stripes) for index in range(len(lanes))]
        wait(
            [
                lanes[index].submit(methodcaller("delete_many", gone), anyway=True)
                for index, gone in enumerate(keys)
            ]
        )

    def _send(self, lane: Lane, stripe: int, index: int, rows: Rows) -> Future[str | None]:
        """Put the authenticator behind one shard and send both to its node, all in the lane's own thread."""
        row, segment = rows[index], self.body.segment

        def store(node: Node) -> str:
            tag = self._authenticator.encrypt(_shard_nonce(stripe, index), b"", row[:segment].data)
            row[segment:] = np.frombuffer(tag, np.uint8)
            node.write(self.key(stripe, index), row.data)
            return GOOD

        return lane.submit(store)

    def _encrypt(self, rows: Rows, stripe: int, piece: memoryview, last: bool) -> None:
        payload = self.body.segment - TAG
        for index in range(self.body.k):
            part = piece[index * payload : (index + 1) * payload]
            size = 0
            if (
                part or index == 0
            ):  # behind the end of the data a shard is all zero; an empty object has one segment
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

    def read(self, lanes: Lanes, first: int = 0) -> Iterator[memoryview]:
        """The plaintext from a stripe on; each piece is authenticated, and valid until the next one is asked for.

        Raises NotEnoughShards when a stripe has fewer than k good shards, naming the nodes and what was wrong.
        """
        plaintext = memoryview(bytearray(self.body.k * (self.body.segment - TAG)))
        for stripe, slot in self._in_flight(lanes, lambda: self._preferred(lanes), first):
            good = self._gather(lanes, stripe, slot)
            self._recover(
                slot.rows, good, [index for index in self._filled(stripe) if index not in good]
            )
            yield plaintext[: self._decrypt(slot.rows, stripe, plaintext)]

    def examine(
        self, lanes: Lanes, indexes: Iterable[int]
    ) -> Iterator[tuple[int, dict[int, str], Slot]]:
        """Every stripe with the verdict on its shards of these indexes (of a node that gives none there is none).

        Raises nothing; the slot holds the shards that are good, to be mended from.
        """
        for stripe, slot in self._in_flight(lanes, lambda: indexes):
            verdicts = {
                index: verdict
                for index, future in slot.asked.items()
                if (verdict := future.result())
            }
            for index in [index for index, verdict in verdicts.items() if verdict != GOOD]:
                if self._found_elsewhere(lanes, stripe, index, slot):
                    verdicts[index] = STRAY
            yield stripe, verdicts, slot

    def mend(self, lanes: Lanes, stripe: int, verdicts: Mapping[int, str], slot: Slot) -> list[int]:
        """Send the shards of an examined stripe that their nodes lack; lost ones are rebuilt, byte for byte.

        Returns the indexes that were taken. Raises NotEnoughShards when one is lost and k others cannot be had.
        """
        lost = [index for index, verdict in verdicts.items() if verdict not in (GOOD, STRAY)]
        if lost:
            self._recover(slot.rows, self._gather(lanes, stripe, slot), lost)
        lacking = [index for index, verdict in verdicts.items() if verdict != GOOD]
        sent = {index: self._send(lanes[index], stripe, index, slot.rows) for index in lacking}
        return [index for index, future in sent.items() if future.result() == GOOD]

    def _in_flight(
        self, lanes: Lanes, whom: Callable[[], Iterable[int]], first: int = 0
    ) -> Iterator[tuple[int, Slot]]:
        slots, stripes = Slot.some(self.body), self.body.stripes
        ahead: deque[tuple[int, Slot]] = deque()
        for stripe in range(first, stripes + IN_FLIGHT):
            if stripe >= first + IN_FLIGHT and ahead:
                yield ahead.popleft()
            if stripe < stripes:
                slot = slots[stripe % IN_FLIGHT]
                slot.asked = {
                    index: self._request(lanes[index], stripe, index, slot.rows) for index in whom()
                }
                ahead.append((stripe, slot))

    def _request(self, lane: Lane, stripe: int, index: int, rows: Rows) -> Future[str | None]:
        key, segment, nonce = (
            self.key(stripe, index),
            self.body.segment,
            _shard_nonce(stripe, index),
        )
        row = rows[index]

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

    def _preferred(self, lanes: Lanes) -> list[int]:
        return [index for index, lane in enumerate(lanes) if lane.failure is None][: self.body.k]

    def _found_elsewhere(self, lanes: Lanes, stripe: int, index: int, slot: Slot) -> bool:
        for lane in lanes.others.get(index, ()):
            slot.asked[index] = self._request(lane, stripe, index, slot.rows)
            if slot.asked[index].result() == GOOD:
                return True
        return False

    def _gather(self, lanes: Lanes, stripe: int, slot: Slot) -> list[int]:
        """Wait for k good shards, asking further nodes for each bad one, and at the last those given up, once more."""
        elsewhere, again = (
            {index for index in lanes.others if lanes.others[index]},
            set(range(len(lanes))),
        )
        while True:
            verdicts = {index: future.result() for index, future in slot.asked.items()}
            good = [index for index, verdict in verdicts.items() if verdict == GOOD]
            if len(good) >= self.body.k:
                return sorted(good)[: self.body.k]
            spare = [
                index
                for index, lane in enumerate(lanes)
                if index not in slot.asked and lane.failure is None
            ]
            astray = [index for index in elsewhere if index not in good]
            given_up = [
                index for index in again if index not in good and lanes[index].failure is not None
            ]
            wanted = self.body.k - len(good)
            if spare:
                slot.asked |= {
                    index: self._request(lanes[index], stripe, index, slot.rows)
                    for index in spare[:wanted]
                }
            elif astray:
                elsewhere.remove(astray[0])
                self._found_elsewhere(lanes, stripe, astray[0], slot)
            elif given_up:
                for index in given_up[:wanted]:
                    again.remove(index)
                    lanes[index].failure = None
                    slot.asked[index] = self._request(lanes[index], stripe, index, slot.rows)
            else:
                raise self._too_few(lanes, stripe, verdicts)

    def _too_few(
        self, lanes: Lanes, stripe: int, verdicts: Mapping[int, str | None]
    ) -> NotEnoughShards:
        failures = lanes.failures | {
            lanes[index].node.name: why for index, why in verdicts.items() if why and why != GOOD
        }
        found = sum(verdict == GOOD for verdict in verdicts.values())
        return NotEnoughShards(
            f"good shards of stripe {stripe}", found=found, needed=self.body.k, failures=failures
        )

    def _filled(self, stripe: int) -> range:
        return range(min(self.body.k, self.body.segments - stripe * self.body.k))

    def _recover(self, rows: Rows, good: list[int], wanted: list[int]) -> None:
        if wanted:
            shards = rows[:, : self.body.segment]
            self.code.recover_rows(
                {index: shards[index] for index in good}, {index: shards[index] for index in wanted}
            )

    def _decrypt(self, rows: Rows, stripe: int, plaintext: memoryview) -> int:
        payload, written = self.body.segment - TAG, 0
        for index in self._filled(stripe):
            counter = stripe * self.body.k + index
            final = counter == self.body.segments - 1
            size = self.body.length - counter * payload if final else payload
            sealed = rows[index, : size + TAG].data
            try:
                self._cipher.decrypt_into(
                    self._segment_nonce(counter, final),
                    sealed,
                    None,
                    plaintext[written : written + size],
                )
            except InvalidTag:
                raise DecryptionError from None
            written += size
        return written


def _shard_nonce(stripe: int, index: int) -> bytes:
    return stripe.to_bytes(8, "big") + index.to_bytes(4, "big")
