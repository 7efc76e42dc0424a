"""Tests lepton_lab.nodes.servers.lifetime and lepton_lab.nodes.servers.watchdog.

However Python ends, nothing of the servers is left.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lepton_lab.errors import NodeError
from lepton_lab.nodes.servers import process as process_module
from lepton_lab.nodes.servers.binaries import find_binaries
from tests.support.redis_servers import is_gone, launch, pids_of, wait_for

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]


def test_closing_ends_every_process_and_removes_the_folder(servers):
    pids, folder = pids_of(servers), servers._lifetime.folder
    servers.pause(1)  # one that hangs does not hold it up
    servers.close()
    assert all(map(is_gone, pids))
    assert not folder.exists()
    servers.close()
    with pytest.raises(NodeError):
        servers.nodes[0]["a"]
    assert not servers.alive(0)


def test_an_exception_and_an_interrupt_close_too():
    for error in (RuntimeError, KeyboardInterrupt):
        started = launch("system-unix")
        pids, folder = pids_of(started), started._lifetime.folder
        with pytest.raises(error), started:
            raise error
        assert all(map(is_gone, pids))
        assert not folder.exists()


def test_a_start_that_fails_half_way_leaves_nothing(monkeypatch):
    kept = []
    wait = process_module.ServerProcess.wait

    def fail_on_the_second(self):
        kept.append(self)
        if self.name == "redis-1":
            raise KeyboardInterrupt
        wait(self)

    monkeypatch.setattr(process_module.ServerProcess, "wait", fail_on_the_second)
    with pytest.raises(KeyboardInterrupt):
        launch("system-unix", 3)
    assert is_gone(kept[0]._process.pid)
    assert is_gone(kept[1]._process.pid)
    assert not kept[0]._lifetime.folder.exists()


def test_servers_live_as_long_as_one_of_their_nodes():
    node = launch("system-unix", 2).nodes[1]
    node["a"] = b"1"
    assert node["a"] == b"1"
    folder, watchdog = node.owner.folder, node.owner._watchdog
    node.close()
    del node
    import gc

    gc.collect()
    assert wait_for(lambda: watchdog.poll() is not None)
    assert not folder.exists()


SCRIPT = """
import json, os, signal, sys, time
from lepton_lab.nodes import RedisServers
how = sys.argv[1]
servers = RedisServers.start(2, sync=False)
pids = [server._process.pid for server in servers._processes] + [servers._lifetime._watchdog.pid]
print(json.dumps([pids, str(servers._lifetime.folder)]), flush=True)
if how == "ends":
    sys.exit()
if how == "raises":
    raise SystemError("on purpose")
if how == "exits at once":
    os._exit(3)
if how == "forks":
    if os.fork() == 0:
        sys.exit()
    os.wait()
    print(servers.alive(0) and servers.alive(1) and servers._lifetime.folder.is_dir(), flush=True)
    servers.nodes[0]["a"] = b"1"
    sys.exit()
try:
    while True:
        servers.nodes[0]["a"] = bytes(100_000)
except KeyboardInterrupt:
    print(servers.alive(0) and servers.alive(1), flush=True)
"""


def run_script(how: str, send: signal.Signals | None = None) -> tuple[list[int], Path, str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    pids, folder = json.loads(process.stdout.readline())
    assert len(pids) == 3
    if send is not None:
        time.sleep(0.05)
        os.killpg(process.pid, send)  # as a terminal does: to the whole group in its foreground
    said = process.communicate(timeout=20)[0]
    return pids, Path(folder), said.strip()


@pytest.mark.parametrize(
    ("how", "send"),
    [
        ("ends", None),
        ("raises", None),
        ("exits at once", None),
        ("waits", signal.SIGINT),
        ("waits", signal.SIGTERM),
        ("waits", signal.SIGHUP),
        ("waits", signal.SIGKILL),
        ("forks", None),
    ],
)
def test_however_python_ends_its_servers_end_with_it(how, send):
    if not find_binaries():
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    pids, folder, said = run_script(how, send)
    assert wait_for(lambda: all(map(is_gone, pids)))
    assert wait_for(lambda: not folder.exists())
    if how == "forks" or send == signal.SIGINT:
        assert (
            said == "True"
        )  # neither the fork's end nor Ctrl-C reached the servers before Python was done with them
