"""Placement: which nodes keep an object, computed from the nodes' names alone, without a table.

Rendezvous hashing (Thaler and Ravishankar, 1998): every node has a pseudorandom weight for every
object, and the n nodes of the highest weights keep it. When a node joins, only the objects move
that it now ranks among the n; when one leaves, only those that it kept.

The weights say which nodes. The nodes themselves say which shards each of them has: each manifest
carries, authenticated, the index of the shards beside it. So a node that joins takes over the index
of the one that it displaces and the others keep theirs; nodes may be renamed or listed in another
order; and a reader finds shards where they are, moved or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from lepton_lab.sharding.workers import Worker, Workers


class Seats(Workers):
    """The workers of one version in the order of its shards: seat i is where shard i is, or goes.

    others: for a shard's index, further workers whose nodes claim to hold it too, as they do
    while it moves from one node to another.
    """

    def __init__(self, workers: Sequence[Worker], others: Mapping[int, Sequence[Worker]]) -> None:
        super().__init__(workers)
        self.others = dict(others)

    def without_others(self) -> Seats:
        """Return the same seats as if no other node held anything."""
        return Seats(list(self), {})


def rendezvous_weight(node_name: str, key: str) -> int:
    """Return a node's weight for a key: the first 8 bytes of SHA-256 over both, as a number."""
    digest = hashlib.sha256(f"{node_name}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


def by_weight(workers: Iterable[Worker], key: str) -> list[Worker]:
    """Return the workers with the highest weights first; on a tie, by name."""

    def rank(worker: Worker) -> tuple[int, str]:
        return -rendezvous_weight(worker.name, key), worker.name

    return sorted(workers, key=rank)


def assign_seats(
    order: Sequence[Worker],
    chosen: Sequence[Worker],
    held: Mapping[Worker, int],
    n: int,
    *,
    moving: bool,
) -> Seats:
    """Return a worker for each of the n shards: where the shard is, or where it should be.

    order: all workers, the highest weight first. chosen: the at most n that the placement wants.
    held: the index that each node claims to hold. A lying node that claims another node's index may
    cost its own shards, never the other's. moving: shards are wanted on chosen workers only;
    otherwise they are taken where they are.
    """
    place = {worker: index for index, worker in enumerate(chosen)}
    holders = _holders(order, place, held, n)

    # 1. A shard that is held stays there; of two holders the one with the better right comes first.
    seats: list[Worker | None] = [None] * n
    for index in range(n):
        for worker in holders[index]:
            # While shards are brought to their place, a holder outside of it is only a source.
            if worker in place or not moving:
                seats[index] = worker
                break

    # 2. A shard that nobody claims goes to the chosen worker of the same position, if that is free:
    #    a node that does not answer most likely holds what it was given when the list was the same.
    free = [worker for worker in chosen if worker not in seats]
    for index, worker in enumerate(chosen):
        if seats[index] is None and worker in free:
            seats[index] = worker
            free.remove(worker)

    # 3. What is left over goes to any free chosen worker, those that answer first.
    free.sort(key=lambda worker: worker.failure is not None)
    for index in range(n):
        if seats[index] is not None:
            continue
        if free:
            seats[index] = free.pop(0)
        elif holders[index]:
            # Moving, but no chosen worker is left for this shard: it stays with its holder.
            seats[index] = holders[index][0]

    # 4. The list may have fewer nodes than the object has shards: the remaining ones have no node.
    whole = [seat or Worker(None, f"no node for shard {i}") for i, seat in enumerate(seats)]
    others = {}
    for index, seat in enumerate(whole):
        others[index] = [worker for worker in holders[index] if worker is not seat]
    return Seats(whole, others)


def _holders(
    order: Sequence[Worker],
    place: Mapping[Worker, int],
    held: Mapping[Worker, int],
    n: int,
) -> list[list[Worker]]:
    """Return the workers that claim to hold each index, the one with the best right to it first."""
    holders: list[list[Worker]] = [[] for _ in range(n)]
    for worker in order:
        # An index of n or more is a lie or an accident; no shard has it.
        if worker in held and held[worker] < n:
            holders[held[worker]].append(worker)
    for index, workers in enumerate(holders):
        # First the worker whose position is this index, then other chosen ones, then the rest. The
        # sort is stable, so that equals stay in the order of their weights.
        workers.sort(key=partial(_right_to, index, place))
    return holders


def _right_to(index: int, place: Mapping[Worker, int], worker: Worker) -> tuple[bool, bool]:
    return place.get(worker) != index, worker not in place
