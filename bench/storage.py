"""The sharded store on real Redis processes, held against the same octets over bare sockets to the same servers.

The floor moves just as many octets, in pieces of a shard, one thread and one socket a node, without cryptography,
coding or checks. The servers keep everything in memory and write no file, so that no disk is measured.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.rows import Row, interleaved
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import RedisServers
from lepton_lab.sharding import ShardedStore
from lepton_lab.sharding.manifest import SEGMENT, TAG

SHARD = SEGMENT + TAG


class Nowhere:
    """A sink that takes everything and keeps nothing."""

    def write(self, octets: memoryview) -> int:
        return len(octets)


def run(quick: bool) -> list[Row]:
    """Put, get, and get with two data nodes dead, over private sockets and mutual TLS, in MB/s of plaintext."""
    size, rounds = (32, 2) if quick else (256, 7)
    return [row for tls in (False, True) for row in beside_the_floor(3, 5, size << 20, rounds, tls=tls)]


def beside_the_floor(k: int, n: int, size: int, rounds: int, *, tls: bool) -> list[Row]:
    """Put and get `size` octets, healthy and with n − k data nodes dead; medians of `rounds`."""
    data, stripes = os.urandom(size), -(-size // (k * (SEGMENT - TAG)))
    with tempfile.TemporaryDirectory() as folder, RedisServers.start(n, tls=tls, sync=None) as servers:
        ring = KeyRing.create(Path(folder) / "ring", "a passphrase for a benchmark", scrypt_n=1 << 14)
        store = ShardedStore(servers.nodes, ring, k=k)
        with _sockets(servers) as plugs, ThreadPoolExecutor(n) as pool:
            times = interleaved(
                {
                    "floor put": lambda: list(pool.map(lambda plug: _set_all(plug, stripes), plugs)),
                    "put": lambda: store.put("x", data),
                    "floor get": lambda: list(pool.map(lambda plug: _get_all(plug, stripes), plugs[:k])),
                    "get": lambda: store.get("x", Nowhere()),
                },
                rounds,
            )
        for index in range(min(k, n - k)):
            servers.kill(index)
        times |= interleaved({"dead": lambda: store.get("x", Nowhere())}, rounds)
    rate = {name: size / 1e6 / seconds for name, seconds in times.items()}
    lost = {2: "two"}.get(n - k, str(n - k))
    named = {"put": ("put", "put"), "get": ("get", "get"), f"get, {lost} data nodes dead": ("dead", "get")}
    where = f"{k}-of-{n}, {size >> 20} MiB, {'mutual TLS' if tls else 'unix socket'}"
    rows = []
    for name, (ours, bare) in named.items():
        floor = rate[f"floor {bare}"]
        rows.append(
            Row(f"{name}: {where}", rate[ours], "MB/s", rate[ours] / floor, "bare sockets", f"floor {floor:.0f}")
        )
    return rows


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
