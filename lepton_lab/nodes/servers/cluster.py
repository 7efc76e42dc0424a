"""Redis Cluster: forming one from servers, and one node for each of its primaries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
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
    name_of: Callable[[int, str], str],
    tags: Sequence[str] = (),
) -> list[RedisNode]:
    """Return one node per primary, each with a client of its own and a hash tag whose slot that
    primary serves.

    The tags are the smallest numbers whose slots lie on different primaries, in the order of their
    slots. They stay right through a fail-over, which moves all slots of a primary together. If
    slots are moved one by one, give the old `tags`; otherwise the nodes would look for their values
    under other keys.

    connect: returns a new client. name_of: gives a node's name for its index and tag. Raises
    NodeError if two tags lie on one primary, which would then count as two nodes.
    """
    client = connect()
    chosen = _check_tags(client, tags) if tags else _choose_tags(client)
    clients = [client]
    for _ in chosen[1:]:
        clients.append(connect())
    nodes = []
    for index, (tag, each) in enumerate(zip(chosen, clients, strict=True)):
        nodes.append(RedisNode(each, f"{prefix}{{{tag}}}:", name_of(index, tag)))
    return nodes


def _owners(client: Any, tags: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Yield (tag, name of the primary that serves its slot), without the tags whose slots nobody
    serves.
    """
    for tag in tags:
        try:
            yield tag, client.get_node_from_key(tag).name
        except RedisClusterException:
            continue


def _choose_tags(client: Any) -> list[str]:
    """Return one tag per primary, in the order of their slots.

    Raises NodeError if no primary serves any slot.
    """
    primaries = len(client.get_primaries())
    tag_of: dict[str, str] = {}
    for tag, owner in _owners(client, map(str, range(_CANDIDATES))):
        tag_of.setdefault(owner, tag)
        if len(tag_of) == primaries:
            break
    if not tag_of:
        raise NodeError("redis-cluster", "no primary serves any slot")
    return sorted(tag_of.values(), key=lambda tag: key_slot(tag.encode()))


def _check_tags(client: Any, tags: Sequence[str]) -> list[str]:
    """Return those of the given tags that a primary serves.

    Raises NodeError if two lie on one primary, or none does.
    """
    tag_of: dict[str, str] = {}
    for tag, owner in _owners(client, tags):
        if owner in tag_of:
            why = f"the tags {tag_of[owner]} and {tag} lie on one primary"
            raise NodeError("redis-cluster", why)
        tag_of[owner] = tag
    if not tag_of:
        raise NodeError("redis-cluster", "no primary serves any slot")
    return list(tag_of.values())


def form_cluster(
    admins: Sequence[Any], ports: Sequence[int], masters: int, deadline: float
) -> None:
    """Make a cluster of servers that run in cluster mode; the first `masters` become primaries with
    equal slots.

    admins: one client per server, with the right to CLUSTER. The other servers become replicas of
    the primaries in turn. deadline: a time of time.monotonic. Raises NodeError if the servers have
    not agreed by then, and redis-py's errors.
    """
    ids = [admin.execute_command("CLUSTER MYID").decode() for admin in admins]
    for index, admin in enumerate(admins[:masters]):
        first = SLOTS * index // masters
        end = SLOTS * (index + 1) // masters
        admin.execute_command("CLUSTER ADDSLOTS", *range(first, end))
        # Without epochs of their own, primaries that have never met could each take the other's
        # slots.
        admin.execute_command("CLUSTER SET-CONFIG-EPOCH", index + 1)
    for port in ports[1:]:
        admins[0].execute_command("CLUSTER MEET", "127.0.0.1", port)
    # A server must know every other one before it can be told which to follow.
    for admin in admins:
        _wait(partial(_knows_all, admin, len(admins)), deadline)
    for index in range(masters, len(admins)):
        _wait(partial(_follow, admins[index], ids[index % masters]), deadline)
    for admin in admins:
        _wait(partial(_is_ready, admin, len(admins), masters), deadline)


def _info(admin: Any) -> dict[str, str]:
    answer: dict[str, str] = admin.execute_command("CLUSTER INFO")
    return answer


def _knows_all(admin: Any, members: int) -> bool:
    return int(_info(admin)["cluster_known_nodes"]) == members


def _follow(admin: Any, primary: str) -> bool:
    """Make a server the replica of a primary; False if it does not know that primary yet."""
    try:
        admin.execute_command("CLUSTER REPLICATE", primary)
    except redis.ResponseError:
        return False
    return True


def _is_ready(admin: Any, members: int, masters: int) -> bool:
    """Tell whether a server serves its slots and knows which server has the others.

    A client may ask any server, a replica too. The state alone is not enough, because without full
    coverage it is "ok" although slots are missing.
    """
    if _info(admin)["cluster_state"] != "ok":
        return False
    if len(admin.execute_command("CLUSTER SLOTS")) != masters:
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
