"""Tests lepton_lab.nodes.servers.local: nodes that this machine can run by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.nodes import local_nodes
from tests.support.redis_servers import has_system

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]


@pytest.mark.parametrize("prefer", [None, "tls", "unix", "directories"])
def test_local_nodes_keep_their_data_die_and_come_back(tmp_path, prefer):
    if prefer != "directories" and not has_system():
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    with local_nodes(2, tmp_path, prefer=prefer) as local:
        assert ("TLS 1.3" in local.describe()) == (prefer in (None, "tls"))
        local.nodes[1]["a"] = b"1"
        local.kill(1)
        for use in (
            lambda: local.nodes[1]["a"],
            lambda: local.nodes[1].write("b", b"2"),
            lambda: list(local.nodes[1]),
        ):
            with pytest.raises(NodeError):
                use()
        local.restart(1)
        assert dict(local.nodes[1]) == {"a": b"1"}
    with local_nodes(2, tmp_path, prefer=prefer) as local:
        assert local.nodes[1]["a"] == b"1"
        local.restart(1, empty=True)
        assert dict(local.nodes[1]) == {}


def test_local_nodes_without_a_folder_leave_none():
    with local_nodes(1, prefer="directories") as local:
        home = Path(local.temporary.name)
        assert home.is_dir()
    assert not home.exists()


@pytest.mark.parametrize(
    ("count", "prefer"), [(0, None), (65, None), (True, "unix"), (3, "sqlite"), (3, True)]
)
def test_local_nodes_that_cannot_be_are_refused(tmp_path, count, prefer):
    with pytest.raises(InvalidParameter):
        local_nodes(count, tmp_path, prefer=prefer)
