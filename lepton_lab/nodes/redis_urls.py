"""Redis nodes from URLs: the parts of a URL become the settings of a redis-py client."""

from __future__ import annotations

import re
from typing import Any

import redis
from redis.cluster import RedisCluster
from redis.connection import URL_QUERY_ARGUMENT_PARSERS

from lepton_lab.errors import LabError, NodeError
from lepton_lab.nodes import redis_clients
from lepton_lab.nodes.parsed_url import YES, Url, decoded
from lepton_lab.nodes.redis_clients import TlsFiles
from lepton_lab.nodes.redis_node import DEFAULT_PREFIX, RedisNode
from lepton_lab.nodes.servers.cluster import cluster_nodes

_DEFAULT_PORT = 6379
_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]@/]+))(?::([0-9]{1,5}))?")
_TLS_OPTIONS = {"ssl_ca_certs": "authority", "ssl_certfile": "certificate", "ssl_keyfile": "key"}


def open_redis_node(url: Url) -> RedisNode:
    """Return a node for a redis://, rediss:// or unix:// URL; it connects when it is first used.

    Raises InvalidParameter for a URL that names no single server or an option that redis-py does
    not have.
    """
    address: dict[str, Any]
    if url.scheme == "unix":
        if not url.path or url.hosts:
            raise url.refuse("a socket's URL is unix:// and then its whole path")
        address = {"path": decoded(url.path)}
    else:
        hosts = _hosts(url)
        if len(hosts) > 1:
            raise url.refuse("one server has one host; for a cluster it is redis+cluster://")
        host, port = hosts[0]
        address = {"host": host, "port": port, "db": _database(url)}
    tls, settings = _settings(url)
    client = _client(url, tls, settings, address)
    return RedisNode(client, url.options.get("prefix", DEFAULT_PREFIX), url.shown)


def open_redis_cluster(url: Url) -> list[RedisNode]:
    """Connect to a cluster and return one node per primary.

    Raises InvalidParameter as `open_redis_node`, NodeError if no server of the cluster answers.
    """
    tls, settings = _settings(url)
    seeds = _hosts(url)
    if url.path not in ("", "/"):
        raise url.refuse("a cluster has no databases to choose from")
    # The cluster's client ignores options that it does not know; a single server's client refuses
    # them.
    _client(url, tls, settings, {"host": seeds[0][0]})

    def connect() -> RedisCluster:
        return redis_clients.cluster_client(seeds, tls, **settings)

    def name_of(_: int, tag: str) -> str:
        return f"{url.shown}#{tag}"

    tags = [tag for tag in url.options.get("tags", "").split(",") if tag]
    prefix = url.options.get("prefix", DEFAULT_PREFIX)
    try:
        return cluster_nodes(connect, prefix, name_of, tags)
    except LabError:
        raise
    except Exception:
        # redis-py takes a server's list of commands apart without looking at its shape first.
        raise NodeError(url.shown, "no server of the cluster answers as one") from None


def _client(
    url: Url, tls: TlsFiles | None, settings: dict[str, Any], address: dict[str, Any]
) -> redis.Redis:
    try:
        return redis_clients.server_client(tls, **settings, **address)
    except (TypeError, ValueError, redis.RedisError):
        raise url.refuse("it has an option that redis-py does not take") from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise url.refuse(f"its certificates cannot be used ({why})") from None


def _settings(url: Url) -> tuple[TlsFiles | None, dict[str, Any]]:
    """Return the TLS files and the options for redis-py.

    An option that would weaken TLS is refused, not ignored.
    """
    options = {name: value for name, value in url.options.items() if name not in ("prefix", "tags")}
    secure = url.scheme.startswith("rediss")
    for name in [name for name in options if name.startswith("ssl")]:
        if not secure:
            raise url.refuse(f"{name} asks for TLS, and this scheme does not use it")
        value = options[name].lower()
        required = name == "ssl_cert_reqs" and value == "required"
        checked = name == "ssl_check_hostname" and value in YES
        if required or checked:
            # It asks for what is done anyway.
            del options[name]
        elif name not in _TLS_OPTIONS:
            allowed = ", ".join(_TLS_OPTIONS)
            raise url.refuse(
                f"its TLS options are {allowed}; names and certificates are always checked"
            )
    tls = None
    if secure:
        files = {ours: options.pop(theirs, None) for theirs, ours in _TLS_OPTIONS.items()}
        tls = TlsFiles(**files)
    # redis-py's own table of converters by option name; it declares them as objects.
    parsers: Any = URL_QUERY_ARGUMENT_PARSERS
    try:
        settings = {name: parsers.get(name, str)(value) for name, value in options.items()}
    except (TypeError, ValueError):
        raise url.refuse("an option has a value that it cannot have") from None
    if url.user is not None:
        settings["username"] = url.user
    if url.password is not None:
        settings["password"] = url.password
    return tls, settings


def _hosts(url: Url) -> list[tuple[str, int]]:
    """Return every (host, port) of the URL. Raises InvalidParameter."""
    hosts = []
    for text in url.hosts.split(","):
        found = _HOST.fullmatch(text)
        port = int(found[3] or _DEFAULT_PORT) if found else 0
        if found is None or not 0 < port < 65536:
            raise url.refuse("a server is a host, and a port from 1 to 65535 behind a colon")
        hosts.append((found[1] or found[2], port))
    return hosts


def _database(url: Url) -> int:
    """Return the number of the database, 0 if none is given. Raises InvalidParameter."""
    if not re.fullmatch(r"/?[0-9]{0,4}", url.path):
        raise url.refuse("behind the host comes at most the number of a database")
    return int(url.path.strip("/") or 0)
