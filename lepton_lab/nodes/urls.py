"""Node URLs: `open_nodes` opens the node behind each of them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from urllib.request import url2pathname

from lepton_lab.errors import InvalidParameter
from lepton_lab.nodes.directory import DirectoryNode
from lepton_lab.nodes.node import Node
from lepton_lab.nodes.parsed_url import NO, SCHEMES, YES, Url, parse_url


def open_nodes(
    urls: Iterable[str], *, create: bool = True, known: Collection[str] = ()
) -> list[Node]:
    """Return a node for each URL, in order; for the URL of a cluster, one node per primary.

        dir:///srv/shards                           a folder; ?sync=no leaves syncing to the system
        redis://user:password@host:6379/0           a Redis server, in the clear
        rediss://user:password@host:6379            a Redis server by TLS 1.3
        unix://user:password@/run/redis.sock        a Redis server by a Unix socket
        redis+cluster://user:password@host:6379,host:6379
                                                    a Redis Cluster; rediss+cluster:// by TLS
        mongodb://user:password@host:27017/database
                                                    a MongoDB collection, ?collection=shards;
                                                    mongodb+srv:// too
        fsspec+s3://bucket/folder                   a file system that fsspec has under that name

    Options are those of redis-py's URLs (?ssl_ca_certs=…&ssl_certfile=…&ssl_keyfile=…,
    socket_timeout=2); the name in a certificate is always checked. prefix=lep: is what keys begin
    with. tags=0,2,1 fixes the hash tags of a cluster's nodes, which is needed once its slots are
    moved one by one. MongoDB's other options are those of pymongo (?tls=true&tlsCAFile=…). An
    fsspec file system takes its own as text (?endpoint_url=…); the package for its protocol must be
    installed.

    Special characters are percent-encoded; in a password `@ / ? # %` become %40 %2F %3F %23 %25. A
    URL that could be read in two ways is refused. Passwords appear in no name and no error.

    create: whether folders are made that do not exist. known: names of nodes that were used before;
    their folders are never made, because a folder that is gone is a disk that is not mounted, and
    such a node then raises NodeError at every call.

    Only a cluster is connected to at once. Raises InvalidParameter for a URL that is malformed, for
    an empty list, and for the same place twice; NodeError for a folder that cannot be made, a
    cluster that does not answer, and a missing package, saying what to install.
    """
    if isinstance(urls, str | bytes):
        raise InvalidParameter("open_nodes takes a list of URLs, not one URL")
    nodes: list[Node] = []
    for text in urls:
        url = parse_url(text)
        nodes += _open(url, create=create and url.shown not in known)
    if not nodes:
        raise InvalidParameter("no URL was given")
    names = [node.name for node in nodes]
    for name in names:
        if names.count(name) > 1:
            raise InvalidParameter(
                f"{name} is there twice: one place cannot stand in for another's loss"
            )
    return nodes


def _open(url: Url, *, create: bool) -> list[Node]:
    # Each kind of node is imported only when it is asked for: a folder needs neither redis-py nor
    # pymongo.
    if url.scheme == "dir":
        return [_open_directory_node(url, create=create)]
    if url.scheme in ("redis", "rediss", "unix"):
        from lepton_lab.nodes.redis_urls import open_redis_node  # noqa: PLC0415

        return [open_redis_node(url)]
    if url.scheme in ("redis+cluster", "rediss+cluster"):
        from lepton_lab.nodes.redis_urls import open_redis_cluster  # noqa: PLC0415

        return [*open_redis_cluster(url)]
    if url.scheme in ("mongodb", "mongodb+srv"):
        from lepton_lab.nodes.mongo_node import open_mongo_node  # noqa: PLC0415

        return [open_mongo_node(url)]
    if url.scheme.startswith("fsspec+"):
        from lepton_lab.nodes.fsspec_node import open_fsspec_node  # noqa: PLC0415

        return [open_fsspec_node(url)]
    # Not repeated: without a scheme, what stands before the first colon may be a user or a
    # password.
    raise InvalidParameter(f"a node's URL begins with none of {SCHEMES}")


def _open_directory_node(url: Url, *, create: bool) -> DirectoryNode:
    path = url2pathname(url.path)
    if url.hosts or url.user or url.password or not os.path.isabs(path) or path == os.sep:
        raise url.refuse(
            "a folder's URL is dir:// and then its whole path, which begins with a slash"
        )
    sync = url.options.get("sync", "yes")
    if set(url.options) - {"sync"} or sync not in YES + NO:
        raise url.refuse("a folder's only option is sync, yes or no")
    return DirectoryNode(path, url.shown, sync=sync in YES, create=create)
