"""The sharded store on real Redis processes, beside bare sockets to the same servers.

The baseline is the floor: it moves just as many bytes in pieces of a shard, with one thread and one
socket per node, and without cryptography, coding or checks. The servers keep everything in memory
and write no file, so no disk is measured.

The floor alone keeps the cores busy nearly all the time, so the time of what the store computes is
added to it. Therefore each figure has a bound beside it: the floor plus nothing but the arithmetic
(cipher, code and authenticators), timed in the same run over the same bytes and spread over all
cores. It depends on how fast the processor computes AES-GCM.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import redis
from redis.connection import AbstractConnection, ConnectionPool

from bench.rows import Row, by_rounds
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import RedisServers
from lepton_lab.sharding import ShardedStore
from lepton_lab.sharding.codec import Rows, StripeCodec, new_rows
from lepton_lab.sharding.manifest import OBJECT, SEGMENT, TAG, ManifestBody, ObjectKeys

SHARD = SEGMENT + TAG
UNIX = "unix socket"
TCP = "TCP"
TLS = "mutual TLS"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Nowhere:
    """A sink that takes everything and keeps nothing."""

    def write(self, raw: memoryview) -> int:
        return len(raw)


def run(quick: bool) -> list[Row]:
    """Measure put, get, and get with two data nodes dead, in MB/s of plaintext.

    The transports are private sockets and mutual TLS.
    """
    size, rounds = (32, 2) if quick else (256, 15)
    rows = []
    for transport in (UNIX, TLS):
        rows += beside_the_floor(3, 5, size << 20, rounds, transport)
    return rows


def servers_over(transport: str, count: int) -> RedisServers:
    """Start servers on private sockets or with mutual TLS, or a Redis Cluster on plain TCP."""
    if transport == TCP:
        return RedisServers.cluster(count, tls=False, sync=None)
    return RedisServers.start(count, tls=transport == TLS, sync=None)


def beside_the_floor(k: int, n: int, size: int, rounds: int, transport: str) -> list[Row]:
    """Put and get `size` bytes, with all nodes and with up to n − k data nodes dead.

    The figures are medians of all rounds; a ratio is the median of the rounds' ratios.
    """
    data = os.urandom(size)
    stripes = -(-size // (k * (SEGMENT - TAG)))
    arithmetic = Arithmetic(k, n, data)
    lost = min(k, n - k)
    with tempfile.TemporaryDirectory() as folder, servers_over(transport, n) as servers:
        ring = KeyRing.create(
            Path(folder) / "ring", "a passphrase for a benchmark", scrypt_n=1 << 14
        )
        store = ShardedStore(servers.nodes, ring, k=k)
        with _sockets(servers) as plugs, ThreadPoolExecutor(max(n, CORES)) as pool:

            def together(work: Callable[..., None], over: list[Any]) -> Callable[[], object]:
                return lambda: list(pool.map(lambda one: work(*one, stripes), over))

            times = by_rounds(
                {
                    "floor put": together(_set_all, plugs),
                    "put": lambda: store.put("x", data),
                    "alone put": lambda: list(pool.map(arithmetic.put, range(CORES))),
                    "redis-py put": together(_set_by_redis_py, _clients(servers)),
                    "floor get": together(_get_all, plugs[:k]),
                    "get": lambda: store.get("x", Nowhere()),
                    "alone get": lambda: list(pool.map(arithmetic.get, range(CORES))),
                    "redis-py get": together(_get_by_redis_py, _clients(servers)[:k]),
                },
                rounds,
            )
            for index in range(lost):
                servers.kill(index)
            times |= by_rounds(
                {
                    "floor dead": together(_get_all, plugs[lost : lost + k]),
                    "dead": lambda: store.get("x", Nowhere()),
                    "alone dead": lambda: list(
                        pool.map(lambda core: arithmetic.get(core, lost), range(CORES))
                    ),
                },
                rounds,
            )
    where = f"{k}-of-{n}, {size >> 20} MiB, {transport}"
    dead = f"get, {({2: 'two'}).get(lost, str(lost))} data nodes dead"

    def row(name: str, seconds: list[float], floor: list[float]) -> Row:
        speed = size / 1e6 / median(seconds)
        ratio = median(bare / ours for bare, ours in zip(floor, seconds, strict=True))
        note = f"floor {size / 1e6 / median(floor):.0f}"
        return Row(f"{name}: {where}", speed, "MB/s", ratio, "bare sockets", note)

    rows = []
    for name, verb in (("put", "put"), ("get", "get"), (dead, "dead")):
        floor = times[f"floor {verb}"]
        alone = times[f"alone {verb}"]
        bound = [one + other for one, other in zip(floor, alone, strict=True)]
        rows.append(row(name, times[verb], floor))
        rows.append(row(f"bound of {name}", bound, floor))
    for verb in ("put", "get"):
        name = f"redis-py alone, {verb}"
        rows.append(row(name, times[f"redis-py {verb}"], times[f"floor {verb}"]))
    return rows


@dataclass
class Arithmetic:
    """What the store computes for `data`, without any node; CORES threads share the stripes."""

    k: int
    n: int
    data: bytes

    def __post_init__(self) -> None:
        self._body = ManifestBody(
            OBJECT, 1, self.k, self.n, bytes(16), 1, bytes(16), length=len(self.data)
        )
        keys = ObjectKeys(*(os.urandom(32) for _ in range(4)))
        self._codec = StripeCodec(self._body, keys)
        self._payload = self.k * (SEGMENT - TAG)
        self._first = new_rows(self._body)
        self._fill(self._first, 0)

    def put(self, core: int) -> None:
        """Encrypt, code and authenticate."""
        rows = new_rows(self._body)
        for stripe in range(core, self._body.stripes, CORES):
            self._fill(rows, stripe)

    def get(self, core: int, lost: int = 0) -> None:
        """Verify k shards, recover the first `lost` of the data and decrypt, once per stripe.

        It is always the first stripe, so that no time goes into reading another one.
        """
        rows = [row.copy() for row in self._first]
        plaintext = memoryview(bytearray(self._payload))
        good = list(range(lost, lost + self.k))
        for _ in range(core, self._body.stripes, CORES):
            for index in good:
                if not self._codec.is_authentic(rows[index], 0, index):
                    raise ValueError("a shard that was just made is not authentic")
            self._codec.recover(rows, good, list(range(lost)))
            self._codec.decrypt(rows, 0, plaintext)

    def _fill(self, rows: Rows, stripe: int) -> None:
        piece = memoryview(self.data)[stripe * self._payload : (stripe + 1) * self._payload]
        self._codec.encrypt(rows, stripe, piece, stripe == self._body.stripes - 1)
        self._codec.encode(rows)
        for index, row in enumerate(rows):
            self._codec.authenticate(row, stripe, index)


def _clients(servers: RedisServers) -> list[tuple[Any, bytes]]:
    """A client of redis-py as it comes for every node, and the prefix of its keys."""
    nodes: list[Any] = servers.nodes
    return [(_as_it_comes(node._client), node._prefix) for node in nodes]


def _as_it_comes(client: Any) -> redis.Redis:
    """The client with redis-py's own parser, which is quicker than the one that nodes insist on."""
    pool = client.connection_pool

    class OwnParser(pool.connection_class):  # type: ignore[misc]  # known only while running
        def set_parser(self, parser_class: Any) -> None:
            AbstractConnection.set_parser(self, parser_class)

    own = ConnectionPool(connection_class=OwnParser, **pool.connection_kwargs)
    return redis.Redis.from_pool(own)


@contextmanager
def _sockets(servers: RedisServers) -> Iterator[list[tuple[socket.socket, bytes]]]:
    """Give the bare socket of one connection to every server, and the prefix of its keys."""
    nodes: list[Any] = servers.nodes
    pools = [node._pool() for node in nodes]
    connections = [pool.get_connection() for pool in pools]
    try:
        yield [
            (connection._sock, node._prefix)
            for node, connection in zip(nodes, connections, strict=True)
        ]
    finally:
        for pool, connection in zip(pools, connections, strict=True):
            connection.disconnect()
            pool.release(connection)


def _set_by_redis_py(client: Any, prefix: bytes, stripes: int) -> None:
    value = bytes(SHARD)
    for stripe in range(stripes):
        client.set(b"%bpy/%d" % (prefix, stripe), value)


def _get_by_redis_py(client: Any, prefix: bytes, stripes: int) -> None:
    for stripe in range(stripes):
        client.get(b"%bpy/%d" % (prefix, stripe))


def _set_all(plug: socket.socket, prefix: bytes, stripes: int) -> None:
    value = memoryview(bytearray(SHARD))
    for stripe in range(stripes):
        key = b"%bfloor/%d" % (prefix, stripe)
        plug.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n" % (len(key), key, SHARD))
        plug.sendall(value)
        plug.sendall(b"\r\n")
        _exactly(plug, memoryview(bytearray(5)))  # +OK


def _get_all(plug: socket.socket, prefix: bytes, stripes: int) -> None:
    head, value, end = (memoryview(bytearray(size)) for size in (len(b"$%d\r\n" % SHARD), SHARD, 2))
    for stripe in range(stripes):
        key = b"%bfloor/%d" % (prefix, stripe)
        plug.sendall(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key))
        for part in (head, value, end):
            _exactly(plug, part)


def _exactly(plug: socket.socket, buffer: memoryview) -> None:
    while buffer:
        count = plug.recv_into(buffer)
        if not count:
            raise ConnectionError("the server closed the connection")
        buffer = buffer[count:]
