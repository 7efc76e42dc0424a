"""Tests lepton_lab.nodes.servers.cluster: a node for each primary, moved slots, dead primaries."""

from __future__ import annotations

import os

import pytest

from lepton_lab.errors import InvalidParameter, LabError, NodeError
from lepton_lab.nodes import RedisNode, open_nodes
from tests.support.redis_servers import a_cluster, wait_for

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]


@pytest.fixture(scope="module", params=["tls", "clear"])
def cluster(request):
    """One that waits for a machine that is busy elsewhere, and sees no fail-over in that."""
    with a_cluster(request.param, timeout=10, fail_over=30) as started:
        yield started


@pytest.fixture(params=["tls", "clear"])
def quick_cluster(request):
    """One that gives up a primary soon."""
    with a_cluster(request.param, timeout=1, fail_over=0.5) as started:
        yield started


def test_a_cluster_has_a_node_for_each_primary_and_each_keeps_to_its_own(cluster):
    said = cluster.describe()
    assert said.startswith(
        "a cluster of 3 primaries with 1 replicas each, the system's redis-server "
    )
    assert said.endswith((", mutual TLS 1.3", " on 127.0.0.1 without TLS, as asked"))
    assert [node.name for node in cluster.nodes] == ["primary-0", "primary-1", "primary-2"]
    for number, node in enumerate(cluster.nodes):
        node.write("a/b", bytes([number]) * 1000)
    assert [dict(node) for node in cluster.nodes] == [
        {"a/b": bytes([number]) * 1000} for number in range(3)
    ]
    keys = [
        bytes(key) for index in range(3) for key in cluster._processes[index].client().scan_iter()
    ]
    assert sorted(keys) == [
        b"lep:{0}:a/b",
        b"lep:{1}:a/b",
        b"lep:{3}:a/b",
    ]  # slots 13907, 9842, 1584


def test_a_clusters_url_opens_the_same_nodes_with_the_same_tags(cluster):
    nodes = open_nodes(cluster.urls)
    cluster.nodes[2]["from here"] = b"1"
    assert nodes[2]["from here"] == b"1"
    assert [node.name.rpartition("#")[2] for node in nodes] == ["3", "1", "0"]
    assert all("@" not in node.name for node in nodes)
    (url,) = cluster.urls
    mark = "&" if "?" in url else "?"
    pinned = open_nodes([f"{url}{mark}tags=0,3"])
    assert pinned[0]["from here"] == b"1"
    with pytest.raises(LabError, match="lie on one primary"):
        open_nodes([f"{url}{mark}tags=0,4"])
    for node in [*nodes, *pinned]:
        node.close()


def test_in_a_cluster_the_prefix_must_carry_a_hash_tag(cluster):
    with pytest.raises(InvalidParameter, match="hash tag"):
        RedisNode(cluster.nodes[0]._client, "lep:")


def test_a_moved_slot_is_followed(cluster):
    node = cluster.nodes[0]
    node.write("a", b"1" * 1000)
    wrong = cluster.nodes[1]._pool()
    node._pool, right = (lambda: wrong), node._pool
    try:
        buffer = bytearray(1000)
        assert node.read_into("a", buffer) == 1000
        node.write("a", b"2" * 1000)
        assert node["a"] == b"2" * 1000
    finally:
        node._pool = right


def test_a_dead_primary_is_a_node_error_until_its_replica_takes_over(quick_cluster):
    cluster = quick_cluster
    node, others = cluster.nodes[0], cluster.nodes[1:]
    node.write("kept", b"1" * 1000)
    primary = node._client.get_node_from_key("{3}")
    assert primary.port == cluster._processes[0].port
    assert (
        node._client.execute_command("WAIT", 1, 2000, target_nodes=primary) == 1
    )  # its replica has it
    cluster.kill(0)
    with pytest.raises(NodeError, match="primary-0"):
        node.write("new", b"2")
    for other in others:
        other.write("meanwhile", b"1")

    def is_back() -> bool:
        try:
            node.write("new", b"3")
        except NodeError:
            return False
        return True

    assert wait_for(is_back, 20)
    buffer = bytearray(1000)
    assert node.read_into("kept", buffer) == 1000
    assert (node["kept"], node["new"]) == (b"1" * 1000, b"3")
    assert {"kept", "new"} <= set(node)
    cluster.restart(0)
