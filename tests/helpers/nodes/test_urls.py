"""Tests lepton_lab.nodes.urls, lepton_lab.nodes.parsed_url,
lepton_lab.nodes.redis_urls and lepton_lab.nodes.redis_clients.

What opens, what is refused, and what never shows.
"""

from __future__ import annotations

import ssl
from urllib.parse import quote

import pytest

from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.nodes import DirectoryNode, RedisNode, open_nodes
from lepton_lab.nodes.redis_node import RedisNode as Redis
from lepton_lab.tls import LabCA


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return LabCA.create().issue("alice", client=True).save(tmp_path_factory.mktemp("identity"))


def settings(node) -> dict:
    assert isinstance(node, Redis)
    return node._client.connection_pool.connection_kwargs


def test_a_folder_opens_under_its_url(tmp_path):
    first, second = open_nodes([f"dir://{tmp_path}/one", f"dir://{tmp_path}/two%20words?sync=no"])
    assert isinstance(first, DirectoryNode)
    assert first.name == f"dir://{tmp_path}/one"
    assert (tmp_path / "two words").is_dir()
    assert (first._sync, second._sync) == (True, False)


def test_a_folder_is_made_only_for_a_node_that_is_new(tmp_path):
    urls = [f"dir://{tmp_path}/one", f"dir://{tmp_path}/two"]
    for options in ({"create": False}, {"known": urls}):
        for node in open_nodes(urls, **options):
            with pytest.raises(NodeError, match="its folder is not there"):
                node["a"] = b"1"
    assert list(tmp_path.iterdir()) == []
    one, two = open_nodes(urls, known=urls[:1])
    two["a"] = b"1"
    with pytest.raises(NodeError, match="its folder is not there"):
        one["a"] = b"1"
    assert [path.name for path in tmp_path.iterdir()] == ["two"]


def test_a_server_opens_without_being_there():
    (node,) = open_nodes(
        ["redis://alice:p%40ss%2F@host.example:7000/3?socket_timeout=0.5&prefix=mine:"]
    )
    assert isinstance(node, RedisNode)
    assert node.name == "redis://host.example:7000/3?prefix=mine:"
    given = settings(node)
    assert (given["host"], given["port"], given["db"]) == ("host.example", 7000, 3)
    assert (given["username"], given["password"]) == ("alice", "p@ss/")
    assert given["socket_timeout"] == given["socket_connect_timeout"] == 0.5
    assert given["retry"].get_retries() == 0
    assert node._prefix == b"mine:"


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [("redis://h", "h", 6379), ("redis://[::1]:7000", "::1", 7000), ("redis://:word@h:1", "h", 1)],
)
def test_hosts_and_ports_are_read_as_written(url, host, port):
    (node,) = open_nodes([url])
    assert (settings(node)["host"], settings(node)["port"]) == (host, port)


def test_a_socket_opens_by_its_path():
    (node,) = open_nodes(["unix://lepton:word@/run/my%20redis.sock"])
    assert settings(node)["path"] == "/run/my redis.sock"
    assert node.name == "unix:///run/my%20redis.sock"


def test_tls_is_1_3_checks_names_and_trusts_only_whom_it_was_told(files, monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "secrets"))
    contexts = []
    monkeypatch.setattr(
        "lepton_lab.nodes.redis_clients.tls_connection",
        lambda context: contexts.append(context) or Plain,
    )
    query = (
        f"ssl_ca_certs={files.authority}&ssl_certfile={files.certificate}&ssl_keyfile={files.key}"
    )
    open_nodes([f"rediss://h:1?{query}&ssl_cert_reqs=required&ssl_check_hostname=true"])
    (context,) = contexts
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509"] == 1
    assert context.keylog_filename is None


class Plain:
    def __init__(self, **_):
        pass


def test_without_an_authority_the_systems_are_trusted():
    (node,) = open_nodes(["rediss://h:1"])
    assert node.name == "rediss://h:1"


SECRET = "hunter2"
REFUSED = {
    "ftp://h": "none of dir://",
    "h:6379": "none of dir://",
    "": "none of dir://",
    "dir://relative/path": "its whole path",
    "dir://": "its whole path",
    "dir:///": "its whole path",
    "dir:///tmp/x?sync=perhaps": "only option is sync",
    "dir:///tmp/x?mode=1": "only option is sync",
    "redis://": "a server is a host",
    f"redis://u:{SECRET}@:7000": "a server is a host",
    f"redis://u:{SECRET}@h:0": "a server is a host",
    f"redis://u:{SECRET}@h:99999": "a server is a host",
    f"redis://u:{SECRET}@h:port": "a server is a host",
    f"redis://u:{SECRET}@h,i": "one server has one host",
    f"redis://u:{SECRET}@h/zero": "number of a database",
    f"redis://u:{SECRET}@h?db=x": "value that it cannot have",
    f"redis://u:{SECRET}@h?socket_timout=2": "option that redis-py does not take",
    f"redis://u:{SECRET}@h?retry=3": "option that redis-py does not take",
    f"redis://u:{SECRET}@h?connection_class=x": "option that redis-py does not take",
    f"redis://u:{SECRET}@h?protocol=9": "option that redis-py does not take",
    f"redis://u:{SECRET}@h?novalue": "malformed",
    f"redis://u:{SECRET}@[h": "malformed",
    f"redis://u:{SECRET}@h?ssl_ca_certs=/x": "this scheme does not",
    f"rediss://u:{SECRET}@h?ssl_cert_reqs=none": "always checked",
    f"rediss://u:{SECRET}@h?ssl_check_hostname=false": "always checked",
    f"rediss://u:{SECRET}@h?ssl_ciphers=NULL": "always checked",
    f"rediss://u:{SECRET}@h?ssl_ca_certs=/nonexistent": "certificates cannot be used",
    f"unix://u:{SECRET}@": "its whole path",
    f"unix://u:{SECRET}@host/path": "its whole path",
    f"redis+cluster://u:{SECRET}@h/1": "no databases",
    f"redis+cluster://u:{SECRET}@h?socket_timout=2": "option that redis-py does not take",
    f"redis+cluster://u:{SECRET}@h,,i": "a server is a host",
}


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_cannot_be_is_refused_and_its_password_is_not_repeated(url):
    with pytest.raises(InvalidParameter, match=REFUSED[url]) as caught:
        open_nodes([url])
    assert SECRET not in str(caught.value)


AMBIGUOUS = {
    "redis://lepton:hunter/2@10.0.0.1:6379": "an @ behind its account",
    "redis://lepton:hunter?2@10.0.0.1:6379": "malformed",
    "redis://lepton:hunter?2=x@10.0.0.1:6379": "an @ behind its account",
    "redis://lepton:hunter#2@10.0.0.1:6379": "no fragment",
    "redis://lepton:hunter@2@10.0.0.1:6379": "an @ behind its account",
    "redis://lepton:hunter%2@10.0.0.1:6379": "two hexadecimal digits",
    "redis://lepton:hunter%zz@10.0.0.1:6379": "two hexadecimal digits",
    "redis://lepton:hunter%ff@10.0.0.1:6379": "not UTF-8",
    "redis://lepton:hunter%00@10.0.0.1:6379": "NUL",
    "redis://lepton:hunter 2@10.0.0.1:6379": "unprintable",
    "redis://lepton:hunter\n2@10.0.0.1:6379": "unprintable",
    "redis://lepton:hunter": "a server is a host",
    "lepton:hunter@10.0.0.1": "none of dir://",
    "hunter:2@10.0.0.1": "none of dir://",
    "rediss://lepton:hunter/2@h": "an @ behind its account",
    "redis+cluster://lepton:hunter/2@10.0.0.1": "an @ behind its account",
    "unix://lepton:hunter/2@/run/redis.sock": "an @ behind its account",
    "mongodb://u:hunter/2@h:27017/db": "an @ behind its account",
    "mongodb://u:hunter#2@h:27017/db": "no fragment",
    "fsspec+memory://u:hunter/2@b/x": "an @ behind its account",
    "fsspec+s3://u:hunter": "a server is a host",
    "dir://hunter@/srv/shards": "its whole path",
    "dir:///srv/shards#hunter": "no fragment",
    "dir:///srv/hunter@home": "an @ behind its account",
    "dir:///srv/hunter%00": "NUL",
    "dir:///srv/%ffhunter": "not UTF-8",
    "redis://h?prefix=hunter:&prefix=b:": "one option twice",
}


@pytest.mark.parametrize("url", AMBIGUOUS)
def test_a_url_that_could_be_read_in_two_ways_is_refused_and_nothing_of_it_repeated(url):
    with pytest.raises(InvalidParameter, match=AMBIGUOUS[url]) as caught:
        open_nodes([url])
    assert "hunter" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_every_special_character_can_stand_in_a_password_percent_encoded():
    word = "/#?%@:& \u00e9"
    (node,) = open_nodes([f"redis://lepton:{quote(word, safe='')}@h:1"])
    assert settings(node)["password"] == word
    assert node.name == "redis://h:1"


def test_values_that_should_be_bytes_stay_bytes():
    with pytest.raises(InvalidParameter, match="decode_responses"):
        open_nodes(["redis://h?decode_responses=yes"])


@pytest.mark.parametrize("urls", [[], (), "dir:///tmp/x", b"dir:///tmp/x", [None], [5]])
def test_what_is_no_list_of_urls_is_refused(urls):
    with pytest.raises(InvalidParameter):
        open_nodes(urls)


def test_one_place_is_not_two_nodes(tmp_path):
    with pytest.raises(InvalidParameter, match="is there twice"):
        open_nodes([f"dir://{tmp_path}/a", f"dir://{tmp_path}/a?sync=no"])
    with pytest.raises(InvalidParameter, match="is there twice"):
        open_nodes(["redis://a:1@h:1", "redis://b:2@h:1"])
    assert len(open_nodes(["redis://h:1", "redis://h:1?prefix=other:"])) == 2


def test_a_folder_that_cannot_be_made_is_a_node_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NodeError, match="file"):
        open_nodes([f"dir://{tmp_path}/file/below"])


def test_a_cluster_that_does_not_answer_is_a_node_error():
    with pytest.raises(
        NodeError, match=r"redis\+cluster://127.0.0.1:1,127.0.0.1:2: no server of the cluster"
    ):
        open_nodes([f"redis+cluster://u:{SECRET}@127.0.0.1:1,127.0.0.1:2?socket_timeout=1"])
