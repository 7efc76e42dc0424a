"""Tests lepton_lab.cli.nodes: up, down and status of nodes that stay up between commands."""

from __future__ import annotations

import os
import re
import signal

import pytest

from lepton_lab.errors import NodeError
from lepton_lab.nodes import RedisServers
from tests.support.processes import processes_naming
from tests.support.terminal import CONTENT, Terminal
from tests.support.waiting import until


def pids_of(terminal):
    said = terminal.run("nodes", "status").stdout.decode()
    return [int(found) for found in re.findall(r"process (\d+)", said)]


@pytest.mark.redis
@pytest.mark.slow
def test_servers_stay_up_between_commands_and_what_they_store_stays_when_they_are_down(
    tmp_path, servers
):
    real = Terminal(tmp_path / "real", real=True)
    real.folder = servers.folder
    real.environment = servers.environment
    assert (
        "file: version 1, 100,000 bytes, any 3 of 5 nodes suffice to read; a write needs 4\n"
        in real.does("put", "file")
    )
    status = real.does("nodes", "status")
    assert status.count("answers") == 5
    assert "5 nodes are up" in real.does("nodes", "up")  # changes nothing
    assert real.does("nodes", "status") == status
    real.does("get", "file", "-o", "back")
    assert (real.folder / "back").read_bytes() == CONTENT

    assert "5 nodes are down" in real.does("nodes", "down")
    assert not processes_naming(real.folder)
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
    assert found.stdout.count(b"unreachable: connection refused; `lepton-lab nodes up` starts") == 2
    assert "`lepton-lab nodes status` shows which nodes answer" in servers.refuses("put", "file")

    servers.does("nodes", "up")
    again = pids_of(servers)
    assert [pid for pid in pids if pid in again] == [pids[0], *pids[3:]]
    servers.does("put", "file")
    servers.does("repair")
    servers.does("check")


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


def test_without_a_redis_server_folders_serve_and_it_says_so(machine):
    machine.without_redis()
    assert "5 nodes are up: directory nodes (no redis-server was found)" in machine.does(
        "nodes", "up"
    )
    machine.does("put", "file")
    machine.does("nodes", "down")
    assert "no nodes are up" in machine.refuses("get", "file", "-o", "back")
    machine.environment["PATH"] = os.environ[
        "PATH"
    ]  # one was installed meanwhile; the data stays where it is
    assert "5 nodes are up: directory nodes (as before)" in machine.does("nodes", "up")
    machine.does("get", "file", "-o", "back")
    assert "5 nodes are up" in machine.does("nodes", "up", "--count", 5)
    assert machine.does("nodes", "status").count("answers") == 5


@pytest.mark.redis
def test_data_of_servers_is_not_passed_over_when_the_redis_server_is_gone(servers):
    servers.does("put", "file")
    servers.does("nodes", "down")
    servers.without_redis()
    assert "no redis-server" in servers.refuses("nodes", "up")
    assert not (servers.folder / ".lepton" / "directories").exists()


def test_whatever_is_wrong_is_one_line(machine):
    assert "see lepton-lab nodes up --help" in machine.refuses(
        "nodes", "up", "--count", 0, status=2
    )
    assert "See lepton-lab nodes --help" in machine.refuses("nodes", "upp", status=2)
    assert "check the path" in machine.refuses("nodes", "up", "--folder", "file/below")
    assert machine.refuses("nodes", "up", "--folder", "/proc/nodes").startswith("/proc/nodes: ")
    (machine.folder / "bad").mkdir()
    (machine.folder / "bad" / "nodes.json").write_text("{}")
    for command in ("up", "down", "status"):
        assert "nodes.json is damaged: remove it" in machine.refuses(
            "nodes", command, "--folder", "bad"
        )


@pytest.mark.redis
@pytest.mark.slow
def test_a_cluster_of_ones_own_serves_by_its_url(machine):
    try:
        cluster = RedisServers.cluster(3, tls=True)
    except NodeError:
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    with cluster:
        (machine.folder / "cluster.txt").write_text("\n".join(cluster.urls))
        machine.environment["LEPTON_LAB_NODES"] = "@cluster.txt"
        assert machine.does("nodes", "status").count("answers") == 3
        assert "any 2 of 3 nodes suffice" in machine.does("put", "file")
        cluster.kill(1)
        machine.does("get", "file", "-o", "back")
        assert (machine.folder / "back").read_bytes() == CONTENT
        cluster.restart(1, empty=True)
        until(
            lambda: machine.run("repair").returncode == 0
        )  # when the cluster agrees that it is back
        machine.does("check")
