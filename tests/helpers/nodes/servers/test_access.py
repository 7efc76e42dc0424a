"""Tests lepton_lab.nodes.servers.access: what the servers refuse, and to whom."""

from __future__ import annotations

import os
import socket
import ssl

import pytest
import redis

from lepton_lab.errors import NodeError
from lepton_lab.nodes import RedisNode, RedisServers, redis_clients
from lepton_lab.nodes.servers.access import ADMIN, USER, ServerAccess
from lepton_lab.tls import LabCA
from tests.support.redis_servers import a_cluster, client_of

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]


FORBIDDEN = {
    "a key outside the prefix": lambda c: c.set("other", b"1"),
    "reading outside the prefix": lambda c: c.get("other"),
    "deleting outside the prefix": lambda c: c.unlink("lep:mine", "other"),
    "FLUSHALL": lambda c: c.flushall(),
    "KEYS": lambda c: c.keys("*"),
    "CONFIG": lambda c: c.config_get("*"),
    "ACL": lambda c: c.acl_list(),
    "EVAL": lambda c: c.eval("return 1", 0),
    "SHUTDOWN": lambda c: c.execute_command("SHUTDOWN"),
    "CLIENT": lambda c: c.client_list(),
    "REPLICAOF": lambda c: c.replicaof("127.0.0.1", 1),
    "PUBLISH": lambda c: c.publish("channel", b"1"),
}


@pytest.mark.parametrize("command", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_the_labs_user_may_touch_its_keys_and_nothing_else(lasting, command):
    client = client_of(lasting)
    client.set("lep:mine", b"1")
    with pytest.raises(redis.exceptions.NoPermissionError):
        command(client)
    assert client.get("lep:mine") == b"1"
    client.close()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "wrong"}, "refused the user or the password"),
        ({"username": "nobody"}, "refused the user or the password"),
        ({"username": None, "password": None}, "wants a user and a password"),
        ({"username": "default"}, "refused the user or the password"),
        ({"username": ADMIN}, "refused the user or the password"),
    ],
    ids=["wrong password", "unknown user", "nobody", "default", "no cluster, no admin"],
)
def test_whoever_does_not_know_the_password_is_refused(lasting, changes, reason):
    node = RedisNode(client_of(lasting, **changes), name="n")
    for use in (lambda: node["a"], lambda: node.write("a", b"1"), lambda: list(node)):
        with pytest.raises(NodeError, match=f"n: the server {reason}"):
            use()


def test_a_prefix_outside_the_users_is_a_node_error(lasting):
    node = RedisNode(client_of(lasting), prefix="elsewhere:", name="n")
    for use in (
        lambda: node.write("a", b"1"),
        lambda: node["a"],
        lambda: node.read_into("a", bytearray(1)),
    ):
        with pytest.raises(NodeError, match="n: the server's access list does not permit this"):
            use()


def test_the_line_is_tls_1_3(tls_servers):
    pool = client_of(tls_servers).connection_pool
    connection = pool.get_connection()
    assert connection._sock.version() == "TLSv1.3"
    connection.disconnect()
    pool.release(connection)


def test_tls_refuses_whoever_has_no_certificate_of_this_authority(tls_servers, tmp_path):
    ours = tls_servers._processes[0].settings.access.tls
    rogue = LabCA.create().issue(USER, client=True).save(tmp_path)
    certificate, key = str(rogue.certificate), str(rogue.key)
    for tls in (
        redis_clients.TlsFiles(ours.authority),
        redis_clients.TlsFiles(ours.authority, certificate, key),
        None,
    ):
        node = RedisNode(client_of(tls_servers, tls=tls), name="n")
        for use in (lambda node=node: node["a"], lambda node=node: node.write("a", bytes(100_000))):
            with pytest.raises(
                NodeError,
                match=r"n: (TLS|connection reset|the connection was closed|broken pipe|eof)",
            ):
                use()
        node.close()


def test_a_server_that_another_authority_certified_is_not_trusted(tls_servers, tmp_path):
    ours = tls_servers._processes[0].settings.access.tls
    rogue = str(LabCA.create().issue(USER, client=True).save(tmp_path).authority)
    for authority in (rogue, None):
        node = RedisNode(
            client_of(
                tls_servers, tls=redis_clients.TlsFiles(authority, ours.certificate, ours.key)
            ),
            name="n",
        )
        with pytest.raises(NodeError, match="n: TLS: its certificate is not trusted"):
            node["a"]


def test_a_server_under_another_name_is_not_trusted(tls_servers, monkeypatch):
    client = client_of(tls_servers, host="localhost.test")
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", tls_servers._processes[0].port))],
    )
    with pytest.raises(NodeError, match="hostname mismatch"):
        RedisNode(client, name="n")["a"]


def test_tls_1_2_is_refused_by_the_server(tls_servers):
    ours = tls_servers._processes[0].settings.access.tls
    context = ssl.create_default_context(cafile=ours.authority)
    context.load_cert_chain(ours.certificate, ours.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", tls_servers._processes[0].port), timeout=2) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)version|handshake"),
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.fixture(scope="module")
def secure_cluster():
    with a_cluster("tls", timeout=10, fail_over=30) as started:
        yield started


def _each_member(cluster: RedisServers, **changes):
    """A node for each server of the cluster, primary or replica, as the lab's user has it but for
    what is changed.
    """
    for server in cluster._processes:
        access = server.settings.access
        given = {
            "username": USER,
            "password": access.passwords[USER],
            "tls": access.tls,
            "socket_timeout": 10,
        }
        client = redis_clients.server_client(
            **{**given, "host": "127.0.0.1", "port": server.port, **changes}
        )
        yield RedisNode(client, prefix="lep:{0}:", name="n")
        client.close()


def test_every_server_of_a_cluster_refuses_whoever_has_no_certificate_of_its_authority(
    secure_cluster, tmp_path
):
    ours = secure_cluster._processes[0].settings.access.tls
    rogue = LabCA.create().issue(USER, client=True).save(tmp_path)
    without, of_another = (
        redis_clients.TlsFiles(ours.authority),
        redis_clients.TlsFiles(ours.authority, str(rogue.certificate), str(rogue.key)),
    )
    plain = None
    for tls in (without, of_another, plain):
        for node in _each_member(secure_cluster, tls=tls):
            for use in (
                lambda node=node: node["a"],
                lambda node=node: node.write("a", bytes(100_000)),
            ):
                with pytest.raises(
                    NodeError,
                    match=r"n: (TLS|connection reset|the connection was closed|broken pipe|eof)",
                ):
                    use()


def test_every_server_of_a_cluster_refuses_a_wrong_password(secure_cluster):
    for changes in (
        {"password": "wrong"},
        {"username": "default", "password": ""},
        {"username": ADMIN},
    ):
        for node in _each_member(secure_cluster, **changes):
            with pytest.raises(NodeError, match=r"n: the server (refused|wants)"):
                node["a"]
    for node in _each_member(secure_cluster, username=None, password=None):
        with pytest.raises(NodeError, match="n: the server wants a user and a password"):
            node["a"]


def test_every_server_of_a_cluster_refuses_keys_outside_the_prefix_and_what_clears_it(
    secure_cluster,
):
    for index, node in enumerate(secure_cluster.nodes):
        node["kept"] = bytes([index])
    for node in _each_member(secure_cluster):
        for use in (
            lambda c: c.set("other", b"1"),
            lambda c: c.get("other"),
            lambda c: c.flushall(),
            lambda c: c.flushdb(),
            lambda c: c.execute_command("CLUSTER RESET"),
            lambda c: c.execute_command("CLUSTER FAILOVER"),
            lambda c: c.config_get("*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                use(node._client)
    stranger = RedisNode(secure_cluster.nodes[0]._client, "mine:{0}:", "n")
    for use in (
        lambda: stranger["a"],
        lambda: stranger.write("a", b"1"),
        lambda: stranger.set_if_absent("a", b"1"),
    ):
        with pytest.raises(NodeError, match="n: the server's access list does not permit this"):
            use()
    assert [node["kept"] for node in secure_cluster.nodes] == [bytes([index]) for index in range(3)]


def test_an_access_list_without_a_cluster_has_no_further_users():
    access = ServerAccess()
    assert access.users(cluster=False).count("\n") == 2
    assert access.users(cluster=True).count("\n") == 4
    for user, password in access.passwords.items():
        assert password not in access.users(cluster=True), user
        assert password not in repr(access)
