"""nodes up, down and status: servers that stay, and what they are kept from."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from lepton_lab.errors import NodeError
from lepton_lab.nodes import RedisServers
from tests.support.terminal import PASSPHRASE, Terminal

CONTENT = secrets.token_bytes(100_000)


@pytest.fixture
def here(tmp_path):
    """A folder without nodes; whatever was started there is ended."""
    terminal = Terminal(tmp_path / "here")
    (terminal.folder / "file").write_bytes(CONTENT)
    yield terminal
    terminal.environment.pop("LEPTON_LAB_NODES", None)
    terminal.run("nodes", "down")
    until(lambda: not processes_of(terminal))


@pytest.fixture
def servers(here):
    """The same with five redis-servers."""
    said = here.does("nodes", "up")
    if "directory nodes" in said:
        pytest.skip("no redis-server is on PATH: apt install redis-server")
    return here


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_of(terminal):
    """Every process that has the terminal's folder in its command line: wardens, watchdogs and servers."""
    found = [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(terminal.folder).encode() in content(path)
    ]
    return [int(path.parent.name) for path in found]


def content(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def pids_of(terminal):
    return [
        int(found)
        for found in re.findall(r"process (\d+)", terminal.run("nodes", "status").stdout.decode())
    ]


@pytest.mark.redis
@pytest.mark.slow
def test_servers_stay_up_between_commands_and_what_they_store_stays_when_they_are_down(
    tmp_path, servers
):
    real = Terminal(tmp_path / "real", real=True)
    real.folder, real.environment = servers.folder, servers.environment
    assert "file: version 1, 100,000 bytes, any 3 of 5 nodes suffice\n" in real.does("put", "file")
    status = real.does("nodes", "status")
    assert status.count("answers") == 5
    assert "5 nodes are up" in real.does("nodes", "up")  # changes nothing
    assert real.does("nodes", "status") == status
    real.does("get", "file", "-o", "back")
    assert (real.folder / "back").read_bytes() == CONTENT

    assert "5 nodes are down" in real.does("nodes", "down")
    assert not processes_of(real)
    assert not list(real.temporary.iterdir())
    for arguments in (
        ["nodes", "down"],
        ["nodes", "status"],
        ["get", "file", "-o", "other"],
        ["put", "file"],
    ):
        assert "`lepton-lab nodes up`" in real.refuses(*arguments)

    assert "5 nodes are up" in real.does("nodes", "up")
    real.does("get", "file", "-o", "back", "--force")
    assert (real.folder / "back").read_bytes() == CONTENT
    assert real.does("check").count("1 good") == 5


@pytest.mark.redis
def test_servers_that_are_killed_are_missed_named_and_brought_back(servers):
    servers.does("put", "file")
    pids = pids_of(servers)
    assert len(pids) == 5
    for pid in pids[1:3]:
        os.kill(pid, signal.SIGKILL)
    status = servers.run("nodes", "status")
    assert status.returncode == 1
    assert [
        line.split()[0] for line in status.stdout.decode().splitlines() if "refused" in line
    ] == [
        "redis-1",
        "redis-2",
    ]
    servers.does("get", "file", "-o", "back")
    found = servers.run("check", "file")
    assert found.returncode == 1
    assert found.stdout.count(b"unreachable: connection refused; `lepton-lab nodes up` brings") == 2
    assert "`lepton-lab nodes status` shows who answers" in servers.refuses("put", "file")

    servers.does("nodes", "up")
    again = pids_of(servers)
    assert [pid for pid in pids if pid in again] == [pids[0], *pids[3:]]
    servers.does("put", "file")
    servers.does("repair")
    servers.does("check")


@pytest.mark.redis
def test_only_their_owner_can_read_what_is_needed_to_reach_them(servers):
    servers.does("put", "file")
    home = servers.folder / ".lepton"
    modes = {
        path.relative_to(home).as_posix(): path.stat().st_mode & 0o777 for path in home.rglob("*")
    }
    assert home.stat().st_mode & 0o777 == 0o700
    assert not [name for name, mode in modes.items() if mode & 0o077], modes
    assert stat.S_ISFIFO((home / "control").stat().st_mode)
    passwords = re.findall(r":([0-9a-f]{64})@", (home / "nodes.json").read_text())
    assert len(passwords) == 5
    said = servers.does("nodes", "status") + servers.does("nodes", "up") + servers.does("check")
    assert not [password for password in passwords if password in said]
    environments = b"".join(content(Path(f"/proc/{pid}/environ")) for pid in processes_of(servers))
    assert b"PATH=" in environments
    assert PASSPHRASE.encode() not in environments
    assert (home / ".gitignore").read_text() == "*\n"


@pytest.mark.redis
def test_when_the_process_that_keeps_them_is_killed_they_go_with_it_and_can_be_brought_back(
    servers,
):
    servers.does("put", "file")
    warden = next(
        pid for pid in processes_of(servers) if b"warden" in content(Path(f"/proc/{pid}/cmdline"))
    )
    os.kill(warden, signal.SIGKILL)
    until(lambda: not processes_of(servers))
    assert "no nodes are up" in servers.refuses("nodes", "status")
    assert "no nodes are up" in servers.refuses("nodes", "down")
    servers.does("nodes", "up")
    servers.does("get", "file", "-o", "back")


@pytest.mark.redis
def test_when_their_folder_is_removed_they_end(servers):
    assert processes_of(servers)
    shutil.rmtree(servers.folder / ".lepton")
    until(lambda: not processes_of(servers))


def test_down_ends_nobody_who_happens_to_have_a_number_that_was_noted(here):
    """As after the machine was started again: the file says that they are up, and the numbers are others'."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        home = here.folder / ".lepton"
        home.mkdir()
        noted = {
            "description": "servers",
            "urls": ["redis://127.0.0.1:1"],
            "names": ["redis-0"],
            "pids": [stranger.pid],
        }
        (home / "nodes.json").write_text(json.dumps(noted))
        assert "no nodes are up" in here.refuses("nodes", "down")
        assert "no nodes are up" in here.refuses("nodes", "status")
        os.mkfifo(home / "control")
        assert "no nodes are up" in here.refuses("nodes", "down")
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.redis
@pytest.mark.slow
def test_more_nodes_may_join_and_fewer_are_refused(servers):
    servers.does("put", "file")
    assert "5 nodes are up; first run `lepton-lab nodes down`" in servers.refuses(
        "nodes", "up", "--count", 6
    )
    servers.does("nodes", "down")
    assert "holds the data of 5 nodes" in servers.refuses("nodes", "up", "--count", 3)
    assert "8 nodes are up" in servers.does("nodes", "up", "--count", 8)
    for index in range(4):
        servers.does("put", "file", "--name", f"object {index}")
    assert "5 objects looked at" in servers.does("rebalance")
    servers.does("check")
    assert "5 objects looked at; nothing to move" in servers.does("rebalance")
    servers.does("nodes", "down")
    assert "8 nodes are up" in servers.does("nodes", "up")
    servers.does("check")


def test_without_a_redis_server_folders_serve_and_it_says_so(here):
    here.without_redis()
    assert "5 nodes are up: directory nodes (no redis-server was found)" in here.does("nodes", "up")
    here.does("put", "file")
    here.does("nodes", "down")
    assert "no nodes are up" in here.refuses("get", "file", "-o", "back")
    here.environment["PATH"] = os.environ[
        "PATH"
    ]  # one was installed meanwhile; the data stays where it is
    assert "5 nodes are up: directory nodes (as before)" in here.does("nodes", "up")
    here.does("get", "file", "-o", "back")
    assert "5 nodes are up" in here.does("nodes", "up", "--count", 5)
    assert here.does("nodes", "status").count("answers") == 5


@pytest.mark.redis
def test_data_of_servers_is_not_passed_over_when_the_redis_server_is_gone(servers):
    servers.does("put", "file")
    servers.does("nodes", "down")
    servers.without_redis()
    assert "no redis-server" in servers.refuses("nodes", "up")
    assert not (servers.folder / ".lepton" / "directories").exists()


@pytest.mark.redis
def test_two_who_bring_them_up_at_once_get_the_same_nodes(here):
    started = [here.start("nodes", "up") for _ in range(3)]
    said = [each.communicate(timeout=120) for each in started]
    assert any(each.returncode == 0 for each in started), said
    for each, (_, errors) in zip(started, said, strict=True):
        assert each.returncode == 0 or b"other servers are using the folder" in errors, errors
    assert here.does("nodes", "status").count("answers") == 5
    here.does("put", "file")


@pytest.mark.redis
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=lambda stop: stop.name)
@pytest.mark.parametrize(
    "after", [0.6, *(pytest.param(after, marks=pytest.mark.slow) for after in (0.3, 0.9, 1.3))]
)
def test_an_interrupted_start_leaves_nothing_or_all(here, stop, after):
    process = here.start("nodes", "up")
    time.sleep(after)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=60)
    assert b"Traceback" not in errors
    if process.returncode == 0:
        assert here.does("nodes", "status").count("answers") == 5
    else:
        assert process.returncode in (130, -stop)
        until(lambda: not processes_of(here))
        assert not (here.folder / ".lepton" / "nodes.json").exists()
        assert "no nodes are up" in here.refuses("nodes", "status")


def test_whatever_is_wrong_is_one_line(here):
    assert "see lepton-lab nodes up --help" in here.refuses("nodes", "up", "--count", 0, status=2)
    assert "See lepton-lab nodes --help" in here.refuses("nodes", "upp", status=2)
    assert "check the path" in here.refuses("nodes", "up", "--folder", "file/below")
    assert here.refuses("nodes", "up", "--folder", "/proc/nodes").startswith("/proc/nodes: ")
    (here.folder / "bad").mkdir()
    (here.folder / "bad" / "nodes.json").write_text("{}")
    for command in ("up", "down", "status"):
        assert "nodes.json is damaged: remove it" in here.refuses(
            "nodes", command, "--folder", "bad"
        )


@pytest.mark.redis
@pytest.mark.slow
def test_a_cluster_of_ones_own_serves_by_its_url(here):
    try:
        cluster = RedisServers.cluster(3, tls=True)
    except NodeError:
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    with cluster:
        (here.folder / "cluster.txt").write_text("\n".join(cluster.urls))
        here.environment["LEPTON_LAB_NODES"] = "@cluster.txt"
        assert here.does("nodes", "status").count("answers") == 3
        assert "any 2 of 3 nodes suffice" in here.does("put", "file")
        cluster.kill(1)
        here.does("get", "file", "-o", "back")
        assert (here.folder / "back").read_bytes() == CONTENT
        cluster.restart(1, empty=True)
        until(lambda: here.run("repair").returncode == 0)  # when the cluster agrees that it is back
        here.does("check")


@pytest.mark.redis
def test_chaos_prints_its_ledger_and_can_be_interrupted(here):
    done = here.run("chaos", "--rounds", 3, "--first", 3)
    if b"no redis-server" in done.stderr:
        pytest.skip("no redis-server is on PATH: apt install redis-server")
    said = done.stdout.decode()
    assert [line.split(None, 1)[1] for line in said.splitlines()[1:4]] == [
        "two writers", "liars while reading", "liars while writing",
    ]  # fmt: skip
    assert re.search(r"\d+  writes acknowledged", said)
    process = here.start("chaos", "--rounds", 1000)
    try:
        until(lambda: len(children_of(process.pid)) >= 15)
        children = children_of(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.count(b"\n")) == (130, 1), errors
    until(
        lambda: (
            not [
                pid for pid in children if b"redis-server" in content(Path(f"/proc/{pid}/cmdline"))
            ]
        )
    )
    assert not list(here.temporary.iterdir())


def test_chaos_without_a_redis_server_says_what_to_install(here):
    here.without_redis()
    assert "install the system's one" in here.refuses("chaos", "--rounds", 1)


def children_of(parent):
    """The second field behind the name in a process's stat is its parent (proc(5))."""
    stats = {
        path.parent.name: content(path).rpartition(b")")[2].split()
        for path in Path("/proc").glob("[0-9]*/stat")
    }
    return [int(pid) for pid, fields in stats.items() if fields[1:2] == [b"%d" % parent]]
