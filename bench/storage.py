"""The sharded store on real Redis processes, held against the same octets over bare sockets to the same servers.

The floor moves just as many octets, in pieces of a shard, one thread and one socket a node, without cryptography,
coding or checks. The servers keep everything in memory and write no file, so that no disk is measured.
"""

from __future__ import annotations

import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.rows import Row
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import RedisServers
from lepton_lab.sharding import ShardedStore
from lepton_lab.sharding.manifest import SEGMENT, TAG

K, N = 3, 5
SHARD = SEGMENT + TAG


class Nowhere:
    """A sink that takes everything and keeps nothing."""

    def write(self, octets: memoryview) -> int:
        return len(octets)


def run(quick: bool) -> list[Row]:
    """Put, get, and get with two data nodes dead, over private sockets and mutual TLS, in MB/s of plaintext."""
    size, rounds = (32, 2) if quick else (256, 7)
    rows: list[Row] = []
    for transport, tls in (("unix socket", False), ("mutual TLS", True)):
        rows += _measure(transport, tls, size << 20, rounds)
    return rows


def _measure(transport: str, tls: bool, size: int, rounds: int) -> list[Row]:
    data, stripes = os.urandom(size), -(-size // (K * (SEGMENT - TAG)))
    with tempfile.TemporaryDirectory() as folder, RedisServers.start(N, tls=tls, sync=None) as servers:
        ring = KeyRing.create(Path(folder) / "ring", "a passphrase for a benchmark", scrypt_n=1 << 14)
        store = ShardedStore(servers.nodes, ring, k=K)
        with _sockets(servers) as plugs, ThreadPoolExecutor(N) as pool:

            def floor_put() -> None:
                list(pool.map(lambda plug: _set_all(plug, stripes), plugs))

            def floor_get() -> None:
                list(pool.map(lambda plug: _get_all(plug, stripes), plugs[:K]))

            times = _rounds(
                {
                    "floor put": floor_put,
                    "put": lambda: store.put("x", data),
                    "floor get": floor_get,
                    "get": lambda: store.get("x", Nowhere()),
                },
                rounds,
            )
        for index in (0, 1):
            servers.kill(index)
        dead = _rounds({"get": lambda: store.get("x", Nowhere())}, rounds)["get"]
    rate = {name: size / 1e6 / seconds for name, seconds in (times | {"dead": dead}).items()}
    named = {
        "put": ("put", "floor put"),
        "get": ("get", "floor get"),
        "get, two data nodes dead": ("dead", "floor get"),
    }
    where = f"3-of-5, {size >> 20} MiB, {transport}"
    return [
        Row(
            f"{name}: {where}", rate[ours], "MB/s", rate[ours] / rate[floor], "bare sockets", f"floor {rate[floor]:.0f}"
        )
        for name, (ours, floor) in named.items()
    ]


def _rounds(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds, all in turn; the first round, into fresh memory of the servers, is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for counted in [False] + [True] * rounds:
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if counted:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


@contextmanager
def _sockets(servers: RedisServers) -> Iterator[list[Any]]:
    """The bare socket of one authenticated connection to every server."""
    clients: list[Any] = [node._client for node in servers.nodes]
    connections = [client.connection_pool.get_connection() for client in clients]
    try:
        yield [connection._sock for connection in connections]
    finally:
        for client, connection in zip(clients, connections, strict=True):
            connection.disconnect()
            client.connection_pool.release(connection)


def _set_all(plug: socket.socket, stripes: int) -> None:
    value = memoryview(bytearray(SHARD))
    for stripe in range(stripes):
        key = b"lep:floor/%d" % stripe
        plug.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n" % (len(key), key, SHARD))
        plug.sendall(value)
        plug.sendall(b"\r\n")
        _exactly(plug, memoryview(bytearray(5)))  # +OK


def _get_all(plug: socket.socket, stripes: int) -> None:
    head, value, end = (memoryview(bytearray(size)) for size in (len(b"$%d\r\n" % SHARD), SHARD, 2))
    for stripe in range(stripes):
        key = b"lep:floor/%d" % stripe
        plug.sendall(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key))
        for part in (head, value, end):
            _exactly(plug, part)


def _exactly(plug: socket.socket, buffer: memoryview) -> None:
    while buffer:
        count = plug.recv_into(buffer)
        if not count:
            raise ConnectionError("the server closed the connection")
        buffer = buffer[count:]
