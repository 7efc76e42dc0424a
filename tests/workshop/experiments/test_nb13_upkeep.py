"""Tests lepton_lab.workshop.experiments.nb13_upkeep: what runs is counted, the rest calculated."""

from __future__ import annotations

import pytest

from lepton_lab.errors import NodeError
from lepton_lab.nodes import LocalNodes, local_nodes
from lepton_lab.workshop.experiments import nb13_upkeep as upkeep


def tls_nodes(count: int) -> LocalNodes:
    try:
        return local_nodes(count, prefer="tls")
    except NodeError as missing:
        pytest.skip(f"optional peer: {missing}")


def test_the_labs_servers_share_one_certificate_and_one_key() -> None:
    with tls_nodes(3) as nodes:
        whole = upkeep.counted(nodes)
        nodes.kill(1)
        assert upkeep.counted(nodes) == whole | {"processes": 2}
    assert list(whole.values()) == [3, 1, 2, 2, 60, 12]


def test_servers_with_certificates_of_their_own_are_counted_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tls_nodes(2) as nodes, tls_nodes(2) as others:
        assert nodes.servers is not None
        assert others.servers is not None
        monkeypatch.setattr(nodes.servers, "urls", [nodes.servers.urls[0], others.servers.urls[0]])
        assert list(upkeep.counted(nodes).values()) == [2, 2, 4, 4, 60, 30]


def test_without_tls_there_are_no_certificates_and_without_servers_no_processes() -> None:
    with local_nodes(2, prefer="directories") as nodes:
        assert set(upkeep.counted(nodes).values()) == {0}
    try:
        nodes = local_nodes(2, prefer="unix")
    except NodeError as missing:
        pytest.skip(f"optional peer: {missing}")
    with nodes:
        assert list(upkeep.counted(nodes).values()) == [2, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("n", "days", "made"), [(5, 7, 312), (1, 365, 2), (10, 90, 44)])
def test_one_each_grows_with_the_nodes(n: int, days: int, made: int) -> None:
    assert list(upkeep.one_each(n, days).values()) == [n, n, 2, n + 2, days, made]
