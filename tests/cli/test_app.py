"""Tests lepton_lab.cli and lepton_lab.cli.app: help, signals, chaos, a reader that has gone."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from lepton_lab.cli.app import _cost_table
from lepton_lab.demo import Cost
from tests.support.processes import children_of, command_line, signals
from tests.support.terminal import Terminal
from tests.support.waiting import until

COMMANDS = [
    "demo",
    "lab",
    "exercises",
    "bench",
    "put",
    "get",
    "ls",
    "check",
    "repair",
    "rebalance",
    "shred",
    "chaos",
    "nodes up",
    "nodes down",
    "nodes status",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_of_the_command_itself(tmp_path, command):
    said = Terminal(tmp_path / "here", real=True).does(*command.split(), "--help")
    assert f"Example: lepton-lab {command}" in said


def test_help_loads_no_helper(tmp_path):
    code = "import sys; import lepton_lab.cli.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {
        "cryptography",
        "numpy",
        "redis",
        "rich.console",
        "tqdm",
        "lepton_lab.nodes",
    }


def test_whoever_reads_the_list_may_have_had_enough(here):
    for index in range(3):
        here.does("put", "file", "--name", f"{index}")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        here.command("ls"),
        env=here.environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        cwd=here.folder,
    )
    os.close(writer)
    assert done.stderr == b""


def test_what_is_interrupted_while_it_is_loaded_ends_without_a_word(here):
    client = here.start("ls")

    def is_loading():
        started = b"lepton-lab" in command_line(client.pid)
        return started and not catches_ctrl_c(client.pid)

    until(is_loading, pause=0.001)
    client.send_signal(signal.SIGINT)
    assert client.communicate(timeout=60) == (b"", b"")
    assert client.returncode == -signal.SIGINT


def catches_ctrl_c(pid):
    """Whether Python's handler is there, as it is until the command line takes it away to load."""
    # Python ignores SIGPIPE from its start: before that it has not yet set its own handler
    if not signals(pid, "SigIgn") & 1 << signal.SIGPIPE - 1:
        return True
    return bool(signals(pid, "SigCgt") & 1 << signal.SIGINT - 1)


@pytest.mark.parametrize("width", [80, 60])
def test_the_demos_table_loses_nothing_on_a_narrow_terminal(width):
    costs = [Cost("add columns under Paillier", 12.34, 2_345_678, 4_345_678, "said")]
    console = Console(width=width, file=io.StringIO())
    console.print(_cost_table(costs))
    shown = console.file.getvalue()
    for part in ("add", "columns", "under", "Paillier", "12.34", "2,345,678", "4,345,678", "1.85×"):
        assert part in shown
    assert "…" not in shown


@pytest.mark.redis
def test_chaos_prints_its_ledger_and_can_be_interrupted(machine):
    done = machine.run("chaos", "--rounds", 3, "--first", 3)
    if b"no redis-server" in done.stderr:
        pytest.skip("no redis-server is on PATH: apt install redis-server")
    said = done.stdout.decode()
    scenarios = [line.split(None, 1)[1] for line in said.splitlines()[1:4]]
    assert scenarios == [
        "two writers",
        "false answers while reading",
        "false answers while writing",
    ]
    assert re.search(r"\d+  writes acknowledged", said)
    process = machine.start("chaos", "--rounds", 1000)
    try:
        until(lambda: len(children_of(process.pid)) >= 15)
        children = children_of(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.count(b"\n")) == (130, 1), errors
    until(lambda: not [pid for pid in children if b"redis-server" in command_line(pid)])
    assert not list(machine.temporary.iterdir())


def test_chaos_without_a_redis_server_says_what_to_install(machine):
    machine.without_redis()
    assert "install the system's one" in machine.refuses("chaos", "--rounds", 1)
