"""Folders in which commands are run: with nodes by URL, without nodes, with redis-servers."""

from __future__ import annotations

import pytest

from tests.support.processes import processes_naming
from tests.support.terminal import CONTENT, Terminal
from tests.support.waiting import until


@pytest.fixture
def here(tmp_path):
    """A folder with a file, a key ring and five directory nodes by URL."""
    terminal = Terminal(tmp_path / "here").with_nodes()
    (terminal.folder / "file").write_bytes(CONTENT)
    return terminal


@pytest.fixture
def machine(tmp_path):
    """A folder with a file and without nodes; whatever `nodes up` started there is stopped."""
    terminal = Terminal(tmp_path / "here")
    (terminal.folder / "file").write_bytes(CONTENT)
    yield terminal
    terminal.environment.pop("LEPTON_LAB_NODES", None)
    terminal.run("nodes", "down")
    until(lambda: not processes_naming(terminal.folder))


@pytest.fixture
def servers(machine):
    """The same with five redis-servers that are up."""
    said = machine.does("nodes", "up")
    if "directory nodes" in said:
        pytest.skip("no redis-server is on PATH: apt install redis-server")
    return machine
