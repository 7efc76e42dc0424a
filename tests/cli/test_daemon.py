"""Tests lepton_lab.cli.daemon: the process that keeps redis-servers, and what it is kept from."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest

from tests.support.processes import command_line, content, processes_naming
from tests.support.terminal import PASSPHRASE
from tests.support.waiting import until


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
    environments = b"".join(
        content(f"/proc/{pid}/environ") for pid in processes_naming(servers.folder)
    )
    assert b"PATH=" in environments
    assert PASSPHRASE.encode() not in environments
    assert (home / ".gitignore").read_text() == "*\n"


@pytest.mark.redis
def test_when_the_process_that_keeps_them_is_killed_they_go_with_it_and_can_be_brought_back(
    servers,
):
    servers.does("put", "file")
    processes = processes_naming(servers.folder)
    [daemon] = [pid for pid in processes if b"lepton_lab.cli.daemon" in command_line(pid)]
    os.kill(daemon, signal.SIGKILL)
    until(lambda: not processes_naming(servers.folder))
    assert "no nodes are up" in servers.refuses("nodes", "status")
    assert "no nodes are up" in servers.refuses("nodes", "down")
    servers.does("nodes", "up")
    servers.does("get", "file", "-o", "back")


@pytest.mark.redis
def test_when_their_folder_is_removed_they_end(servers):
    assert processes_naming(servers.folder)
    shutil.rmtree(servers.folder / ".lepton")
    until(lambda: not processes_naming(servers.folder))


def test_down_does_not_kill_a_process_that_has_reused_a_recorded_process_id(machine):
    """As after a restart of the machine: other programs may have the recorded ids."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        home = machine.folder / ".lepton"
        home.mkdir()
        noted = {
            "description": "servers",
            "urls": ["redis://127.0.0.1:1"],
            "names": ["redis-0"],
            "pids": [stranger.pid],
        }
        (home / "nodes.json").write_text(json.dumps(noted))
        assert "no nodes are up" in machine.refuses("nodes", "down")
        assert "no nodes are up" in machine.refuses("nodes", "status")
        os.mkfifo(home / "control")
        assert "no nodes are up" in machine.refuses("nodes", "down")
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.redis
def test_two_who_bring_them_up_at_once_get_the_same_nodes(machine):
    started = [machine.start("nodes", "up") for _ in range(3)]
    said = [each.communicate(timeout=120) for each in started]
    assert any(each.returncode == 0 for each in started), said
    for each, (_, errors) in zip(started, said, strict=True):
        assert each.returncode == 0 or b"other servers are using the folder" in errors, errors
    assert machine.does("nodes", "status").count("answers") == 5
    machine.does("put", "file")


@pytest.mark.redis
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=lambda stop: stop.name)
@pytest.mark.parametrize(
    "after", [0.6, *(pytest.param(after, marks=pytest.mark.slow) for after in (0.3, 0.9, 1.3))]
)
def test_an_interrupted_start_leaves_nothing_or_all(machine, stop, after):
    process = machine.start("nodes", "up")
    time.sleep(after)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=60)
    assert b"Traceback" not in errors
    if process.returncode == 0:
        assert machine.does("nodes", "status").count("answers") == 5
    else:
        assert process.returncode in (130, -stop)
        until(lambda: not processes_naming(machine.folder))
        assert not (machine.folder / ".lepton" / "nodes.json").exists()
        assert "no nodes are up" in machine.refuses("nodes", "status")


@pytest.mark.redis
def test_modules_in_the_current_folder_are_not_run_and_a_folder_may_have_any_name(machine):
    for module in ("random", "secrets", "queue", "redis", "lepton_lab"):
        (machine.folder / f"{module}.py").write_text(f"raise SystemExit('{module}.py was run')")
    for arguments in (["--folder", "a folder é"], []):
        assert "2 nodes are up" in machine.does("nodes", "up", "--count", 2, *arguments)
        assert machine.does("nodes", "status", *arguments).count("answers") == 2
        machine.does("nodes", "down", *arguments)
