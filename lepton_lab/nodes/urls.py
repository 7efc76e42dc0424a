"""Nodes from URLs: one line in a configuration, one place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote
from urllib.request import url2pathname

import redis
from redis.cluster import RedisCluster
from redis.connection import URL_QUERY_ARGUMENT_PARSERS
from redis.exceptions import RedisClusterException

from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.nodes import elsewhere
from lepton_lab.nodes import redis_clients as clients
from lepton_lab.nodes.directory import DirectoryNode
from lepton_lab.nodes.node import Node
from lepton_lab.nodes.redis_node import RedisNode
from lepton_lab.nodes.servers.access import PREFIX
from lepton_lab.nodes.servers.cluster import cluster_nodes
from lepton_lab.nodes.url import NO, YES, Url, parsed

_PORT = 6379
_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]@/]+))(?::([0-9]{1,5}))?")
_TLS = {"ssl_ca_certs": "authority", "ssl_certfile": "certificate", "ssl_keyfile": "key"}


def open_nodes(urls: Iterable[str]) -> list[Node]:
    """A node for each URL, in order; for a cluster's URL one for each of its primaries.

        dir:///srv/shards                           a folder; ?sync=no leaves syncing to the system
        redis://user:password@host:6379/0           a Redis server; only where nobody else hears the line
        rediss://user:password@host:6379            the same by TLS 1.3
        unix://user:password@/run/redis.sock        the same by a socket
        redis+cluster://user:password@host:6379,host:6379    a Redis Cluster; rediss+cluster:// by TLS
        mongodb://user:password@host:27017/database     a MongoDB collection, ?collection=shards; mongodb+srv:// too
        fsspec+s3://bucket/folder                       whatever file system fsspec has under that name

    Options follow as in redis-py's URLs, percent-encoded (?ssl_ca_certs=…&ssl_certfile=…&ssl_keyfile=…,
    socket_timeout=2); the name in a certificate is always checked. prefix=lep: is what keys begin with. tags=0,2,1 pins
    a cluster's nodes to hash tags once its slots are moved singly. MongoDB's other options are pymongo's (?tls=true&
    tlsCAFile=…); an fsspec file system takes its own as text (?endpoint_url=…), and its protocol's package must be
    there. Passwords appear in no name and no error.

    Only a cluster is connected to at once. Raises InvalidParameter for a URL that cannot be, none at all, or the same
    place twice; NodeError for a folder that cannot be made, a cluster that does not answer, or a package that is
    missing, saying what to install.
    """
    if isinstance(urls, str | bytes):
        raise InvalidParameter("open_nodes takes a list of URLs, not one URL")
    nodes = [node for url in urls for node in _opened(url)]
    if not nodes:
        raise InvalidParameter("no URL was given")
    names = [node.name for node in nodes]
    for name in names:
        if names.count(name) > 1:
            raise InvalidParameter(
                f"{name} is there twice: one place cannot stand in for another's loss"
            )
    return nodes


def _opened(text: str) -> list[Node]:
    url = parsed(text)
    if url.scheme == "dir":
        return [_directory(url)]
    if url.scheme in ("redis+cluster", "rediss+cluster"):
        return [*_cluster(url)]
    if url.scheme in ("redis", "rediss", "unix"):
        return [_server(url)]
    if url.scheme in ("mongodb", "mongodb+srv"):
        return [elsewhere.mongo(url)]
    if url.scheme.startswith("fsspec+"):
        return [elsewhere.filesystem(url)]
    raise InvalidParameter(
        f"{url.scheme or 'no scheme'}:// is none of dir://, redis://, rediss://, unix://, redis+cluster://, "
        "rediss+cluster://, mongodb://, fsspec+…://"
    )


def _directory(url: Url) -> DirectoryNode:
    path = url2pathname(url.path)
    if url.hosts or not os.path.isabs(path) or path == os.sep:
        raise url.refuse(
            "a folder's URL is dir:// and then its whole path, which begins with a slash"
        )
    if set(url.options) - {"sync"} or url.options.get("sync", "yes") not in YES + NO:
        raise url.refuse("a folder's only option is sync, yes or no")
    return DirectoryNode(path, url.shown, sync=url.options.get("sync", "yes") in YES)


def _server(url: Url) -> RedisNode:
    where: dict[str, Any]
    if url.scheme == "unix":
        if not url.path or url.hosts:
            raise url.refuse("a socket's URL is unix:// and then its whole path")
        where = {"path": unquote(url.path)}
    else:
        hosts = _hosts(url)
        if len(hosts) > 1:
            raise url.refuse("one server has one host; for a cluster it is redis+cluster://")
        where = {"host": hosts[0][0], "port": hosts[0][1], "db": _database(url)}
    return RedisNode(
        _client(url, *_settings(url), where), url.options.get("prefix", PREFIX), url.shown
    )


def _cluster(url: Url) -> list[RedisNode]:
    tls, settings = _settings(url)
    seeds = _hosts(url)
    if url.path not in ("", "/"):
        raise url.refuse("a cluster has no databases to choose from")
    _client(
        url, tls, settings, {"host": seeds[0][0]}
    )  # refuses options of which the cluster's client says nothing

    def connect() -> RedisCluster:
        return clients.cluster(seeds, tls, **settings)

    tags = [tag for tag in url.options.get("tags", "").split(",") if tag]
    try:
        return cluster_nodes(
            connect, url.options.get("prefix", PREFIX), lambda _, tag: f"{url.shown}#{tag}", tags
        )
    except (redis.RedisError, RedisClusterException, OSError):
        raise NodeError(url.shown, "no server of the cluster answers as one") from None


def _client(
    url: Url, tls: clients.Tls | None, settings: dict[str, Any], where: dict[str, Any]
) -> redis.Redis:
    try:
        return clients.single(tls, **settings, **where)
    except (TypeError, ValueError, redis.RedisError):
        raise url.refuse("it has an option that redis-py does not take") from None
    except OSError as error:
        raise url.refuse(
            f"its certificates cannot be used ({error.strerror or type(error).__name__})"
        ) from None


def _settings(url: Url) -> tuple[clients.Tls | None, dict[str, Any]]:
    """Who is to be trusted, and the options for redis-py. Whatever would weaken TLS is refused, not ignored."""
    options = {name: value for name, value in url.options.items() if name not in ("prefix", "tags")}
    secure = url.scheme.startswith("rediss")
    for name in [name for name in options if name.startswith("ssl")]:
        if not secure:
            raise url.refuse(f"{name} says TLS, and this scheme does not")
        value = options[name].lower()
        if (name, value) in (
            ("ssl_cert_reqs", "required"),
            *(("ssl_check_hostname", yes) for yes in YES),
        ):
            del options[name]
        elif name not in _TLS:
            raise url.refuse(
                f"of TLS it can say {', '.join(_TLS)}; names and certificates are always checked"
            )
    tls = (
        clients.Tls(**{ours: options.pop(theirs, None) for theirs, ours in _TLS.items()})
        if secure
        else None
    )
    parsers: Any = (
        URL_QUERY_ARGUMENT_PARSERS  # redis-py's own, by name; it declares them as objects
    )
    try:
        settings = {name: parsers.get(name, str)(value) for name, value in options.items()}
    except (TypeError, ValueError):
        raise url.refuse("an option has a value that it cannot have") from None
    account = {"username": url.user, "password": url.password}
    return tls, settings | {name: value for name, value in account.items() if value is not None}


def _hosts(url: Url) -> list[tuple[str, int]]:
    found = [_HOST.fullmatch(host) for host in url.hosts.split(",")]
    hosts = [(each[1] or each[2], int(each[3] or _PORT)) for each in found if each]
    if len(hosts) != len(found) or not all(0 < port < 65536 for _, port in hosts):
        raise url.refuse("a server is a host, and a port from 1 to 65535 behind a colon")
    return hosts


def _database(url: Url) -> int:
    if not re.fullmatch(r"/?[0-9]{0,4}", url.path):
        raise url.refuse("behind the host comes at most the number of a database")
    return int(url.path.strip("/") or 0)
