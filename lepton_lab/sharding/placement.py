"""Placement: which nodes keep an object, decided alike by all who know the nodes' names, with no table.

Rendezvous hashing (Thaler and Ravishankar, 1998): every node draws a lot for every object, and the n highest keep it.
When a node joins, nothing moves but what it wins itself; when one leaves, nothing but what it kept.

Lots say which nodes. Which of them has which shard is said by the nodes: each manifest carries, authenticated, the
index of the shards beside it. So a node that joins takes over the index of the one it displaces and the others keep
theirs, nodes may be renamed or listed in another order, and a reader finds shards where they are, moved or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from lepton_lab.sharding.workers import Lane, Lanes


def lot(node: str, key: str) -> int:
    """A node's lot for a key: the first 8 bytes of SHA-256 over both, as a number."""
    return int.from_bytes(
        hashlib.sha256(f"{node}\0{key}".encode("utf-8", "surrogatepass")).digest()[:8], "big"
    )


def in_order(lanes: Sequence[Lane], key: str) -> list[Lane]:
    """The lanes with the highest lot of their nodes first; equal lots, if ever, by name."""
    return sorted(lanes, key=lambda lane: (-lot(lane.node.name, key), lane.node.name))


def seated(
    order: Sequence[Lane], chosen: Sequence[Lane], held: Mapping[Lane, int], n: int, *, moving: bool
) -> Lanes:
    """Lanes in the order of the n shards: where each shard is, or should be.

    order: all lanes. chosen: those that the placement wants, at most n. held: which index each node says it holds; one
    that lies, and says another's, must not cost more than its own. moving: shards are wanted on chosen lanes only;
    otherwise where they are. An index that no lane holds goes to a chosen one that holds none, and one for which
    nothing is left to a lane that has already failed. `others` of the result are further lanes that say they hold it.
    """
    place = {lane: index for index, lane in enumerate(chosen)}
    holders: list[list[Lane]] = [[] for _ in range(n)]
    for lane in order:
        if lane in held and held[lane] < n:
            holders[held[lane]].append(lane)
    for index, lanes in enumerate(holders):
        lanes.sort(key=lambda lane: (place.get(lane) != index, lane not in place))
    seats: list[Lane | None] = [
        next((lane for lane in lanes if lane in place or not moving), None) for lanes in holders
    ]
    free = [lane for lane in chosen if lane not in seats]
    for index in [
        index for index in range(len(chosen)) if seats[index] is None and chosen[index] in free
    ]:
        seats[index] = chosen[index]  # a node that is away most likely holds what it was given
        free.remove(chosen[index])
    free.sort(key=lambda lane: lane.failure is not None)
    for index in [index for index, lane in enumerate(seats) if lane is None]:
        seats[index] = free.pop(0) if free else next(iter(holders[index]), None)
    whole = [lane or Lane.absent(index) for index, lane in enumerate(seats)]
    return Lanes(
        whole,
        {
            index: [lane for lane in holders[index] if lane is not whole[index]]
            for index in range(n)
        },
    )
