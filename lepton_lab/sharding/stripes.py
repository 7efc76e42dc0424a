"""Stripes: how the shards of one version travel to the nodes and back.

Writing: each piece of plaintext becomes one stripe (`codec.py`), and each of its n shards is handed
to the worker of its node. Reading: k shards per stripe are requested; where one is missing, corrupt
or late, further nodes are asked, until k authentic shards are there.

Up to IN_FLIGHT stripes are under way at a time: one is worked on while the others travel. Their
buffers are allocated once and reused, so that memory does not grow with the object. Only a buffer
that an unanswered call may still fill or send is given up, and replaced.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from lepton_lab.buffers import pieces_of
from lepton_lab.errors import (
    InvalidParameter,
    MessageTooLarge,
    NodeError,
    NotEnoughShards,
    UnreadableValue,
)
from lepton_lab.sharding.calls import GuardedNode
from lepton_lab.sharding.codec import Row, StripeCodec, new_rows
from lepton_lab.sharding.manifest import (
    MOST_SEGMENTS,
    RECORD_LIMIT,
    TAG,
    ManifestBody,
    ObjectKeys,
    head_key,
)
from lepton_lab.sharding.placement import Seats
from lepton_lab.sharding.workers import HURRY, Call, Worker, Workers, wait_for

GOOD = "good"
MISSING = "missing"
ALTERED = "altered"
STRAY = "stray"  # good, but on another node than its own

IN_FLIGHT = 3  # stripes
_QUICK = 1.0  # seconds; a read that fails after more is the node's failure, not the value's

Pieces = Iterable[tuple[memoryview, bool]]


@dataclass
class StripeBuffers:
    """The n rows of one stripe under way, and the calls that fill or send them. Reused."""

    rows: list[Row]
    calls: dict[int, Call[str]] = field(default_factory=dict)

    def verdicts(self) -> dict[int, str]:
        """Return the verdict by index, without the nodes that failed or have not answered."""
        found = {}
        for index, call in self.calls.items():
            verdict = call.answer
            if verdict is not None:
                found[index] = verdict
        return found

    def row_for(self, index: int) -> Row:
        """Return the row of an index for new use: a new one if its last call may still use it."""
        call = self.calls.pop(index, None)
        if call is not None and call.answer is None and (call.begun or not call.done):
            self.rows[index] = np.zeros_like(self.rows[index])
        return self.rows[index]

    def let_go(self) -> None:
        """Forget the calls without an answer, and the rows that they may still use."""
        for index, call in list(self.calls.items()):
            if call.answer is None:
                self.row_for(index)


def plaintext_stripes(
    source: memoryview | BinaryIO, size: int
) -> Iterator[tuple[memoryview, bool]]:
    """Yield the source in pieces of `size` bytes, each with whether it is the last.

    An empty source is one empty piece. Bytes are sliced, not copied; a file is read into two
    buffers in turn, so that a piece is valid until the next but one is asked for.
    """
    if not isinstance(source, memoryview):
        try:
            yield from pieces_of(source, size, size)
        except BlockingIOError:
            raise InvalidParameter(
                "the source has nothing to read yet: open it in blocking mode"
            ) from None
        return
    for start in range(0, max(1, len(source)), size):
        yield source[start : start + size], start + size >= len(source)


class Stripes:
    """The shards of one version: their names on the nodes, and their way there and back."""

    def __init__(self, body: ManifestBody, keys: ObjectKeys) -> None:
        self.body = body
        self._codec = StripeCodec(body, keys)
        self._folder = f"{body.object_id.hex()}/{body.version:016x}/{body.put_id.hex()}"

    def key(self, stripe: int, index: int) -> str:
        """Return a shard's name on its node. It has the put id: no attempt overwrites another's."""
        return f"{self._folder}/{stripe:08x}/{index:02x}"

    def keys_on(self, index: int, stripes: int | None = None) -> list[str]:
        """Return the names of all shards of this index, or of those of the first `stripes`."""
        count = self.body.stripes if stripes is None else stripes
        return [self.key(stripe, index) for stripe in range(count)]

    def _new_buffers(self) -> list[StripeBuffers]:
        return [StripeBuffers(new_rows(self.body)) for _ in range(IN_FLIGHT)]

    # --- writing ---------------------------------------------------------------------------------

    def write(self, workers: Workers, pieces: Pieces, quorum: int) -> int:
        """Encrypt, code and send every piece; return the length of the plaintext.

        Shard i of every stripe goes to worker i. Raises NotEnoughShards as soon as fewer than
        `quorum` nodes have taken everything, MessageTooLarge if the segments' counter would
        overflow; then what was sent is deleted again.
        """
        buffers = self._new_buffers()
        length = 0
        stripe = 0
        try:
            for stripe, (piece, last) in enumerate(pieces):
                current = buffers[stripe % IN_FLIGHT]
                # The stripe that used these buffers before must have been sent.
                wait_for(current.calls.values(), quorum)
                current.let_go()
                workers.require(quorum, "nodes that took every shard")
                if (stripe + 1) * self.body.k > MOST_SEGMENTS:
                    raise MessageTooLarge(
                        f"an object has at most {MOST_SEGMENTS:,} segments: store it in parts, or "
                        "with larger segments"
                    )
                self._codec.encrypt(current.rows, stripe, piece, last)
                self._codec.encode(current.rows)
                current.calls = {
                    index: self._send(worker, stripe, index, current.rows[index])
                    for index, worker in enumerate(workers)
                }
                length += len(piece)
            for each in buffers:
                wait_for(each.calls.values(), quorum)
            workers.require(quorum, "nodes that took every shard")
        except BaseException:
            self.discard(workers, stripe + 1)
            raise
        return length

    def discard(self, workers: Workers, stripes: int) -> None:
        """Delete the shards of an attempt that failed.

        Nodes that have already failed are asked too: a full node, for one, can still delete.
        """
        calls = []
        for index, worker in enumerate(workers):
            calls.append(delete_on(worker, self.keys_on(index, stripes), anyway=True))
        wait_for(calls)

    def _send(self, worker: Worker, stripe: int, index: int, row: Row) -> Call[str]:
        """Authenticate one shard and send it to its node, both in the node's own thread."""
        key = self.key(stripe, index)

        def store(node: GuardedNode) -> str:
            self._codec.authenticate(row, stripe, index)
            node.write(key, row.data)
            return GOOD

        return worker.submit(store)

    # --- reading ---------------------------------------------------------------------------------

    def read(self, seats: Seats, first: int = 0) -> Iterator[memoryview]:
        """Yield the plaintext from stripe `first` on, a piece per stripe, all of it authenticated.

        A piece is valid until the next one is asked for. Raises NotEnoughShards if a stripe has
        fewer than k good shards; it names the nodes and what was wrong with each.
        """
        plaintext = memoryview(bytearray(self.body.k * (self.body.segment - TAG)))
        for stripe, buffers in self._in_flight(seats, lambda: self._preferred(seats), first):
            good = self._gather(seats, stripe, buffers)
            lost = [index for index in self._codec.filled(stripe) if index not in good]
            self._codec.recover(buffers.rows, good, lost)
            yield plaintext[: self._codec.decrypt(buffers.rows, stripe, plaintext)]

    def examine(
        self, seats: Seats, indexes: Iterable[int]
    ) -> Iterator[tuple[int, dict[int, str], StripeBuffers]]:
        """Yield (stripe, {index: verdict}, buffers) for every stripe, of the shards of `indexes`.

        Indexes whose node did not answer are missing from the dict. The buffers hold the good
        shards, for `mend`. Raises nothing.
        """
        wanted = list(indexes)
        for stripe, buffers in self._in_flight(seats, lambda: wanted):
            # All are wanted here, also from slow nodes; k answers are a sign that others are slow.
            wait_for(buffers.calls.values(), self.body.k)
            buffers.let_go()
            verdicts = buffers.verdicts()
            for index, verdict in verdicts.items():
                if verdict != GOOD and self._found_elsewhere(seats, stripe, index, buffers):
                    verdicts[index] = STRAY
            yield stripe, verdicts, buffers

    def mend(
        self, seats: Seats, stripe: int, verdicts: Mapping[int, str], buffers: StripeBuffers
    ) -> list[int]:
        """Send the shards of an examined stripe that their nodes lack; return the indexes taken.

        Shards that no node holds are rebuilt, byte for byte. Raises NotEnoughShards if there are
        fewer than k good ones to rebuild them from.
        """
        lost = [index for index, verdict in verdicts.items() if verdict not in (GOOD, STRAY)]
        if lost:
            good = self._gather(seats, stripe, buffers)
            self._codec.recover(buffers.rows, good, lost)
        sent = []
        for index, verdict in verdicts.items():
            if verdict != GOOD:
                buffers.calls[index] = self._send(seats[index], stripe, index, buffers.rows[index])
                sent.append(index)
        wait_for([buffers.calls[index] for index in sent])
        return [index for index in sent if buffers.calls[index].answer == GOOD]

    def _in_flight(
        self, seats: Seats, which: Callable[[], Iterable[int]], first: int = 0
    ) -> Iterator[tuple[int, StripeBuffers]]:
        """Yield every stripe from `first` on, requested IN_FLIGHT stripes ahead of its use.

        which: the indexes whose shards to request, asked again for every stripe.
        """
        buffers = self._new_buffers()
        ahead: deque[tuple[int, StripeBuffers]] = deque()
        for stripe in range(first, self.body.stripes + IN_FLIGHT):
            if stripe >= first + IN_FLIGHT and ahead:
                yield ahead.popleft()
            if stripe < self.body.stripes:
                current = buffers[stripe % IN_FLIGHT]
                current.let_go()
                current.calls.clear()
                for index in which():
                    self._request(seats[index], stripe, index, current)
                ahead.append((stripe, current))

    def _request(
        self, worker: Worker, stripe: int, index: int, buffers: StripeBuffers
    ) -> Call[str]:
        """Read one shard into its row and verify it, both in the node's own thread."""
        key = self.key(stripe, index)
        row = buffers.row_for(index)

        def fetch(node: GuardedNode) -> str:
            begun = time.monotonic()
            try:
                size = node.read_into(key, row.data)
            except KeyError:
                return MISSING
            except UnreadableValue:
                # A damaged sector, or something that is not a file: one bad shard.
                return ALTERED
            except NodeError:
                if time.monotonic() - begun > _QUICK:
                    raise
                # Is it this value, or the node? A node that still answers for its manifest works.
                node.get_bounded([head_key(self.body.object_id)], RECORD_LIMIT)
                return ALTERED
            if size != len(row) or not self._codec.is_authentic(row, stripe, index):
                return ALTERED
            return GOOD

        buffers.calls[index] = worker.submit(fetch)
        return buffers.calls[index]

    def _preferred(self, seats: Seats) -> list[int]:
        """Return the first k indexes whose nodes have not failed and are not slow.

        Data shards come first, for they need no decoding.
        """
        usable = [
            index
            for index, worker in enumerate(seats)
            if worker.failure is None and not worker.is_slow
        ]
        return usable[: self.body.k]

    def _found_elsewhere(
        self, seats: Seats, stripe: int, index: int, buffers: StripeBuffers
    ) -> bool:
        """Read a shard from other nodes that claim to hold it; tell whether one of them does."""
        for worker in seats.others.get(index, ()):
            call = self._request(worker, stripe, index, buffers)
            wait_for([call])
            if call.answer == GOOD:
                return True
        return False

    def _gather(self, seats: Seats, stripe: int, buffers: StripeBuffers) -> list[int]:
        """Return the indexes of k good shards, after asking as many further nodes as that takes.

        In this order: nodes not asked yet; second copies of shards that are being moved; and at
        last, once more, nodes that failed, which may have recovered.
        """
        copies = [index for index, workers in seats.others.items() if workers]
        retries = list(range(len(seats)))
        while True:
            spare = self._spare(seats, buffers)
            calls = list(buffers.calls.values())
            if spare:
                # While others can be asked, nodes that do not answer are not waited for long: at
                # the first such stripe HURRY seconds, and at the next ones not at all.
                calls = [call for call in calls if call.done or not call.worker.is_slow]
            wait_for(
                calls,
                self.body.k,
                patience=0,
                good=_is_good,
                at_most=HURRY if spare else None,
            )
            verdicts = buffers.verdicts()
            good = [index for index, verdict in verdicts.items() if verdict == GOOD]
            needed = self.body.k - len(good)
            if needed <= 0:
                buffers.let_go()
                return sorted(good)[: self.body.k]

            copies = [index for index in copies if index not in good]
            failed = [index for index in retries if index not in good and seats[index].can_retry]
            if spare:
                for index in spare[:needed]:
                    self._request(seats[index], stripe, index, buffers)
            elif copies:
                # Each second copy is tried once per stripe.
                self._found_elsewhere(seats, stripe, copies.pop(0), buffers)
            elif failed:
                for index in failed[:needed]:
                    retries.remove(index)  # once per stripe
                    seats[index].failure = None
                    self._request(seats[index], stripe, index, buffers)
            else:
                raise self._too_few(seats, stripe, verdicts)

    def _spare(self, seats: Seats, buffers: StripeBuffers) -> list[int]:
        """Return the indexes that have not been asked for yet, those of slow nodes last."""
        spare = []
        for index, worker in enumerate(seats):
            if index not in buffers.calls and worker.failure is None:
                spare.append(index)
        return sorted(spare, key=lambda index: seats[index].is_slow)

    def _too_few(self, seats: Seats, stripe: int, verdicts: Mapping[int, str]) -> NotEnoughShards:
        failures = seats.failures
        for index, verdict in verdicts.items():
            if verdict != GOOD:
                failures[seats[index].name] = verdict
        found = sum(verdict == GOOD for verdict in verdicts.values())
        what = f"good shards of stripe {stripe}"
        return NotEnoughShards(what, found=found, needed=self.body.k, failures=failures)


def _is_good(verdict: str) -> bool:
    return verdict == GOOD


def delete_on(worker: Worker, keys: list[str], *, anyway: bool = False) -> Call[bool]:
    """Have a node delete those of these keys that it holds."""

    def delete(node: GuardedNode) -> bool:
        node.delete_many(keys)
        return True

    return worker.submit(delete, anyway=anyway)
