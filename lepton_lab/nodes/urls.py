"""Node URLs: `Url` and `parse_url` take one apart, `open_nodes` opens the node behind each."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from lepton_lab.errors import InvalidParameter
from lepton_lab.nodes.directory import DirectoryNode
from lepton_lab.nodes.node import Node

YES = ("yes", "true", "1")
NO = ("no", "false", "0")

# Options that tell two places on one server apart, and so belong to a node's name, with their
# defaults.
_NAMING_OPTIONS = {"prefix": "lep:", "collection": ""}
_SCHEMES = (
    "dir://, redis://, rediss://, unix://, redis+cluster://, rediss+cluster://, mongodb://, "
    "mongodb+srv://, fsspec+…://"
)
# Hosts as every scheme writes them: a name or [IPv6], a port, several of them divided by commas.
_HOSTS = re.compile(r"(?:(?:\[[0-9a-fA-F:.]+\]|[^\s:\[\]@/,]+)(?::[0-9]*)?(?:,|$))*")
_BAD_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")


@dataclass(frozen=True)
class Url:
    """A URL in its parts.

    `shown` is the form for names and errors and contains neither user nor password.
    """

    scheme: str
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    hosts: str
    path: str
    options: dict[str, str] = field(repr=False)

    @property
    def shown(self) -> str:
        """The URL without its account, and of its options only those that tell two places apart."""
        naming = []
        for name, default in _NAMING_OPTIONS.items():
            value = self.options.get(name, default)
            if value != default:
                naming.append(f"{name}={value}")
        query = "?" + "&".join(naming) if naming else ""
        return f"{self.scheme}://{self.hosts}{self.path}{query}"

    def refuse(self, why: str) -> InvalidParameter:
        """Return the error to raise for this URL."""
        return InvalidParameter(f"{self.shown}: {why}")


def parse_url(text: str) -> Url:
    """Split a URL into its parts (RFC 3986, section 3).

    Raises InvalidParameter if any character could belong to two parts: then a piece of a password
    might be taken for a host or a path and be printed. These errors therefore repeat nothing of the
    URL.
    """
    if not isinstance(text, str):
        raise InvalidParameter(f"a URL is a str, not {type(text).__name__}")
    if "://" not in text:
        raise InvalidParameter(f"a node's URL begins with none of {_SCHEMES}")
    if not text.isprintable() or " " in text:
        # urlsplit would drop line breaks without a word.
        raise InvalidParameter("a URL has a space or an unprintable character: percent-encode it")
    if _BAD_PERCENT.search(text):
        raise InvalidParameter(
            "a URL has a % that two hexadecimal digits do not follow: write %25 for it"
        )
    if "#" in text:
        raise InvalidParameter("a node's URL has no fragment: write %23 for #")
    try:
        parts: SplitResult = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise InvalidParameter("a URL is malformed") from None
    account, at, hosts = parts.netloc.rpartition("@")
    if "@" in account or "@" in parts.path or "@" in parts.query:
        # A / or ? in a password ends the account early, and what follows would be read as a path or
        # an option.
        raise InvalidParameter(
            "a URL has an @ behind its account; in a password write %40 for @, %2F for / and %3F "
            "for ?, and in a path %40 for @"
        )
    if not _HOSTS.fullmatch(hosts):
        # user:password without an @ behind it looks like a host with a port.
        raise InvalidParameter(
            "a server is a host, and a port from 1 to 65535 behind a colon; an account ends in @"
        )
    user, colon, password = account.partition(":")
    if at and not account:
        raise InvalidParameter("a URL has an @ without an account before it")
    options: dict[str, str] = {}
    for name, value in pairs:
        if name in options:
            raise InvalidParameter("a URL gives one option twice")
        options[name] = value
    _require_text(parts.path, parts.query)
    return Url(
        scheme=parts.scheme,
        user=decoded(user) or None,
        password=decoded(password) if colon else None,
        hosts=hosts,
        path=parts.path,
        options=options,
    )


def decoded(text: str) -> str:
    """Decode percent-encoded UTF-8.

    Raises InvalidParameter for other bytes and for NUL, without repeating them.
    """
    try:
        plain = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise InvalidParameter("a URL has percent-encoded bytes that are not UTF-8") from None
    if "\0" in plain:
        raise InvalidParameter("a URL has a NUL character (%00)")
    return plain


def _require_text(*parts: str) -> None:
    """Raise InvalidParameter if any part of a URL is not the percent-encoded form of a text."""
    for part in parts:
        decoded(part)


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
    raise InvalidParameter(f"a node's URL begins with none of {_SCHEMES}")


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
