"""A Redis Cluster: putting one together, and one node for each of its primaries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import redis
from redis.cluster import RedisCluster
from redis.crc import key_slot
from redis.exceptions import RedisClusterException

from lepton_lab.errors import NodeError
from lepton_lab.nodes.redis_node import RedisNode

SLOTS = 16384  # redis.io, "Redis cluster specification"
_CANDIDATES = 10_000
_PAUSE = 0.02  # seconds


def cluster_nodes(
    connect: Callable[[], RedisCluster],
    prefix: str,
    names: Callable[[int, str], str],
    tags: Sequence[str] = (),
) -> list[RedisNode]:
    """One node a primary, each with a client of its own, and a hash tag that keeps all its keys in one slot there.

    The tags are the smallest numbers that lie on different primaries, hashed as the specification says, in the order of
    their slots. They stay the same through a fail-over, which moves all slots of a primary at once. When slots are
    moved singly, give the old `tags`, or what was stored would be looked for elsewhere.

    Raises NodeError when two tags lie on one primary, which would then count as two.
    """
    client = connect()
    found = _owners(client, tags or map(str, range(_CANDIDATES)), every=bool(tags))
    clients = [client, *(connect() for _ in found[1:])]
    return [
        RedisNode(each, f"{prefix}{{{tag}}}:", names(index, tag))
        for index, (tag, each) in enumerate(zip(found, clients, strict=True))
    ]


def _owners(client: Any, tags: Iterable[str], *, every: bool) -> list[str]:
    owners: dict[str, str] = {}
    primaries = len(client.get_primaries())
    for tag in tags:
        try:
            owner = client.get_node_from_key(tag).name
        except RedisClusterException:  # nobody serves that slot
            continue
        if every and owner in owners:
            raise NodeError(
                "redis-cluster", f"the tags {owners[owner]} and {tag} lie on one primary"
            )
        owners.setdefault(owner, tag)
        if not every and len(owners) == primaries:
            break
    if not owners:
        raise NodeError("redis-cluster", "no primary serves any slot")
    return (
        list(owners.values())
        if every
        else sorted(owners.values(), key=lambda tag: key_slot(tag.encode()))
    )


def form(admins: Sequence[Any], ports: Sequence[int], masters: int, deadline: float) -> None:
    """Make a cluster of servers that run in cluster mode, the first `masters` of them primaries with equal slots.

    admins: a client each with the right to CLUSTER. The others follow the primaries in turn. Raises NodeError when the
    servers have not agreed by `deadline` (time.monotonic), and redis-py's errors.
    """
    ids = [admin.execute_command("CLUSTER MYID").decode() for admin in admins]
    for index, admin in enumerate(admins[:masters]):
        first, end = SLOTS * index // masters, SLOTS * (index + 1) // masters
        admin.execute_command("CLUSTER ADDSLOTS", *range(first, end))
        admin.execute_command("CLUSTER SET-CONFIG-EPOCH", index + 1)
    for port in ports[1:]:
        admins[0].execute_command("CLUSTER MEET", "127.0.0.1", port)
    for admin in admins:
        _wait(lambda admin=admin: int(_info(admin)["cluster_known_nodes"]) == len(admins), deadline)  # type: ignore[misc]
    for index in range(masters, len(admins)):
        _wait(lambda index=index: _follow(admins[index], ids[index % masters]), deadline)  # type: ignore[misc]
    for admin in admins:
        _wait(lambda admin=admin: _is_ready(admin, len(admins), masters), deadline)  # type: ignore[misc]


def _info(admin: Any) -> dict[str, str]:
    answer: dict[str, str] = admin.execute_command("CLUSTER INFO")
    return answer


def _follow(admin: Any, primary: str) -> bool:
    try:
        admin.execute_command("CLUSTER REPLICATE", primary)
    except redis.ResponseError:  # it has not heard of that primary yet
        return False
    return True


def _is_ready(admin: Any, members: int, masters: int) -> bool:
    """Whether it serves its slots and knows who serves the others: a client may ask any server, a replica too.

    Without full coverage the state alone says nothing of that.
    """
    if (
        _info(admin)["cluster_state"] != "ok"
        or len(admin.execute_command("CLUSTER SLOTS")) != masters
    ):
        return False
    replication = admin.info("replication")
    if replication["role"] == "slave":
        return bool(replication["master_link_status"] == "up")
    return bool(replication["connected_slaves"] >= (members - masters) // masters)


def _wait(condition: Callable[[], bool], deadline: float) -> None:
    while not condition():
        if time.monotonic() > deadline:
            raise NodeError("redis-cluster", "its servers did not agree in time")
        time.sleep(_PAUSE)
