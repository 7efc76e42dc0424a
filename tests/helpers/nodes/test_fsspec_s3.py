"""Tests lepton_lab.nodes.fsspec_node.

Nodes in buckets of S3, over a real socket to a server that speaks S3 (moto).
"""

from __future__ import annotations

import secrets

import pytest

from lepton_lab.errors import NodeError, OversizedValue
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import open_nodes
from lepton_lab.sharding import ShardedStore

s3fs = pytest.importorskip("s3fs", reason="pip install -e .[test] brings s3fs and moto")
moto_server = pytest.importorskip(
    "moto.server", reason="pip install -e .[test] brings s3fs and moto"
)
pytestmark = pytest.mark.filterwarnings("default")  # theirs


@pytest.fixture(scope="module")
def address():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("ACCESS_KEY_ID", "a"),
            ("SECRET_ACCESS_KEY", "b"),
            ("DEFAULT_REGION", "us-east-1"),
        ):
            patch.setenv(f"AWS_{name}", value)
        server = moto_server.ThreadedMotoServer("127.0.0.1", port=0)
        server.start()
        host, port = server.get_host_and_port()
        s3fs.S3FileSystem(endpoint_url=f"http://{host}:{port}", skip_instance_cache=True).mkdir(
            "lab"
        )
        yield f"http://{host}:{port}"
        server.stop()


def test_a_prefix_of_a_bucket_is_a_node(address):
    (node,) = open_nodes([f"fsspec+s3://lab/x?endpoint_url={address}"])
    assert node.name == "fsspec+s3://lab/x"
    items = {"a": b"1", "a/b": b"", "é*?[x]": b"3", "big": bytes(2 << 20)}
    node.update(items)
    assert dict(node) == items
    assert list(node.keys_with_prefix("a/")) == ["a/b"]
    buffer = bytearray(9)
    assert (node.read_into("a", buffer), node.read_into("a/b", buffer)) == (1, 0)
    with pytest.raises(OversizedValue):
        node.read_into("big", buffer)
    for use in (
        lambda: node["no"],
        lambda: node.read_into("no", buffer),
        lambda: node.__delitem__("no"),
    ):
        with pytest.raises(KeyError, match="no"):
            use()
    assert not node.set_if_absent("a", b"2")
    s3fs.S3FileSystem(endpoint_url=address, skip_instance_cache=True).rm("lab/x/a=")
    assert "a" not in node  # whoever removed it
    node.clear()
    assert len(node) == 0


@pytest.mark.slow
def test_objects_lie_in_buckets_as_on_any_node_and_a_server_that_is_gone_is_named(
    address, tmp_path
):
    ring = KeyRing.create(tmp_path / "ring", "a passphrase for tests", scrypt_n=1 << 14)
    nodes = open_nodes(f"fsspec+s3://lab/node-{index}?endpoint_url={address}" for index in range(5))
    store = ShardedStore(nodes, ring, n=4)
    data = secrets.token_bytes(4 << 20)
    receipt = store.put("x", data)
    held = [node for node in nodes if len(node)]
    assert len(held) == 4
    held[0].clear()
    assert store.get("x", receipt=receipt) == data
    assert len(store.repair("x").rebuilt) == 1
    assert store.check("x").intact
    (nowhere,) = open_nodes(["fsspec+s3://lab/x?endpoint_url=http://127.0.0.1:1"])
    for use in (lambda: nowhere["a"], lambda: nowhere.write("a", b"1")):
        with pytest.raises(
            NodeError,
            match=r"fsspec\+s3://lab/x: its file system failed \(EndpointConnectionError\)",
        ):
            use()
