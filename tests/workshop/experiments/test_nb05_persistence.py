"""Tests lepton_lab.workshop.experiments.nb05_persistence: what killed servers still have."""

from __future__ import annotations

import pytest

from lepton_lab.errors import NodeError
from lepton_lab.nodes.servers.binaries import find_binaries
from lepton_lab.workshop.experiments import nb05_persistence as persistence
from lepton_lab.workshop.experiments.nb05_persistence import SETTINGS, after_a_kill


def test_a_file_outlives_the_death_of_its_server_and_memory_does_not() -> None:
    if not find_binaries():
        with pytest.raises(NodeError):
            after_a_kill(1)
        pytest.skip("optional peer: no redis-server")
    found = after_a_kill(writes=20)
    assert [each.setting for each in found] == list(SETTINGS)
    assert [each.kept for each in found] == [20, 20, 0]
    assert all(each.milliseconds > 0 for each in found)


def test_a_write_that_came_back_otherwise_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    if not find_binaries():
        pytest.skip("optional peer: no redis-server")
    altered = {"value 1": b"another"}
    monkeypatch.setattr(
        persistence.RedisServers, "restart", lambda servers, index: servers.nodes[0].update(altered)
    )
    assert persistence._write_and_kill("appendfsync always", True, 2).kept == 1
