"""Nodes that stay up after the command that started them has ended, and the folder that says which they are.

In the folder (`.lepton` by default, for its owner alone):

    nodes.json     while they are up: what they are, and the URLs, with the passwords in them
    control        a named pipe to the warden, the process that keeps the servers; whoever opens it for writing
                   reaches that process or, when it is gone, nobody. So no process is ever ended by a number that may
                   meanwhile be another's
    log            what the warden said
    redis/         the data of redis-servers; it stays when they go down, and is there when they come up again
    directories/   directory nodes, where there is no redis-server
"""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lepton_lab.cli.words import Advice
from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.files import write_atomically
from lepton_lab.nodes import Node, open_nodes
from lepton_lab.nodes.servers.binaries import choose_binary, find_binaries

DEFAULT_COUNT = 5
SECRET = "LEPTON_LAB_PASSPHRASE"  # noqa: S105  # the variable's name; it is not left to processes that stay
_PATIENCE = 120.0  # seconds until servers with much data must be up
_PAUSE = 0.02
_LOOK = 2.0  # how often the warden looks whether its folder is still there


@dataclass(frozen=True)
class Standing:
    """What `nodes.json` holds. token: of the last order that the warden has carried out; trouble: why it could not."""

    description: str
    urls: list[str] = field(repr=False)
    names: list[str]
    pids: list[int] = field(default_factory=list)
    token: str = ""
    trouble: str = ""

    @property
    def are_servers(self) -> bool:
        """Processes with a warden, not folders."""
        return bool(self.pids)

    def write(self, folder: Path) -> None:
        """Put it into the folder, whole. Raises OSError."""
        write_atomically(folder / "nodes.json", json.dumps(asdict(self), indent=1).encode())

    @classmethod
    def read(cls, folder: Path) -> Standing | None:
        """What is in the folder, or None when nothing is up. Raises Advice for a file that is not one of ours."""
        try:
            found = cls(**json.loads((folder / "nodes.json").read_bytes()))
            if len(found.urls) != len(found.names):
                raise ValueError
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise Advice(
                f"{folder / 'nodes.json'} is damaged: remove it, then run `lepton-lab nodes up`"
            ) from None
        if found.are_servers and not _reaches_warden(folder):
            return None  # it was killed, or the machine was restarted
        return found

    def nodes(self) -> list[Node]:
        """The nodes, by the names that stay the same from one start to the next."""
        nodes = open_nodes(self.urls)
        for node, name in zip(nodes, self.names, strict=True):
            node.name = name
        return nodes


def bring_up(folder: Path, count: int | None) -> Standing:
    """Start the folder's nodes, or those of them that are down. Raises NodeError, Advice, OSError."""
    _make(folder)
    _wait_for_the_last_one(folder)
    standing = Standing.read(folder)
    if standing is not None:
        if count is not None and count != len(standing.names):
            raise Advice(f"{len(standing.names)} nodes are up; first run `lepton-lab nodes down`")
        return _tell(folder, "up") if standing.are_servers else standing
    there = {kind: len(list((folder / kind).glob(entries))) for kind, entries in _HELD.items()}
    held = max(there.values())
    count = count or held or DEFAULT_COUNT
    if count < held:
        raise Advice(
            f"{folder} holds the data of {held} nodes: run it with --count {held} or more, or another --folder"
        )
    if there["directories"] or not (there["redis"] or find_binaries()):
        return _directories(
            folder, count, "as before" if there["directories"] else "no redis-server was found"
        )
    choose_binary(None)  # says what to install when the redis-server that wrote the data has gone
    return _start_warden(folder, count)


def bring_down(folder: Path) -> Standing | None:
    """End the servers; their data stays. What was up, or None. Raises Advice when they do not end."""
    standing = Standing.read(folder)
    if standing is not None and standing.are_servers:
        _tell(folder, "down")
    elif standing is not None:
        (folder / "nodes.json").unlink(missing_ok=True)
    return standing


_HELD = {"redis": "data-*", "directories": "node-*"}


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (ignore := folder / ".gitignore").exists():
        write_atomically(ignore, b"*\n")


def _directories(folder: Path, count: int, why: str) -> Standing:
    homes = [folder.absolute() / "directories" / f"node-{index}" for index in range(count)]
    urls = [f"dir://{_quoted(home)}" for home in homes]
    standing = Standing(f"directory nodes ({why})", urls, [home.name for home in homes])
    standing.nodes()  # makes the folders
    standing.write(folder)
    return standing


def _quoted(path: Path) -> str:
    return path.as_uri().removeprefix("file://")


# --- the warden, from outside ---------------------------------------------------------------------------------------


def _start_warden(folder: Path, count: int) -> Standing:
    """Start the warden and wait until its servers answer; when this is interrupted, it ends again."""
    environment = {name: value for name, value in os.environ.items() if name != SECRET}
    with open(folder / "log", "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
        warden = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-m", "lepton_lab.cli.warden", str(folder.absolute()), str(count)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        said = warden.stdout.readline().decode() if warden.stdout else ""
        if said.strip() != "up":
            raise NodeError(
                "the servers", said.strip() or f"they did not start: {_last_words(folder)}"
            )
    except BaseException:
        warden.terminate()
        warden.wait()
        raise
    standing = Standing.read(folder)
    if standing is None:
        raise NodeError("the servers", "they ended as soon as they were up")
    return standing


def _last_words(folder: Path) -> str:
    lines = (folder / "log").read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "and nothing was said")


def _reaches_warden(folder: Path) -> bool:
    try:
        os.close(os.open(folder / "control", os.O_WRONLY | os.O_NONBLOCK))
    except OSError:  # nobody reads at the other end, or there is no pipe
        return False
    return True


def _tell(folder: Path, order: str) -> Standing:
    """Give the warden an order and wait until it has carried it out."""
    token, standing = secrets.token_hex(8), Standing.read(folder)
    with open(os.open(folder / "control", os.O_WRONLY | os.O_NONBLOCK), "wb", buffering=0) as pipe:
        pipe.write(f"{order} {token}\n".encode())
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        now = Standing.read(folder)
        if now is not None and now.token == token:
            if now.trouble:
                raise NodeError("the servers", now.trouble)
            return now
        if order == "down" and not _reaches_warden(folder) and standing is not None:
            return standing
        time.sleep(_PAUSE)
    raise _no_answer(folder)


def _wait_for_the_last_one(folder: Path) -> None:
    """A warden that is going removes `nodes.json`, and after it the pipe; only then may another one come."""
    deadline = time.monotonic() + _PATIENCE
    while _reaches_warden(folder) and not (folder / "nodes.json").exists():
        if time.monotonic() > deadline:
            raise _no_answer(folder)
        time.sleep(_PAUSE)


def _no_answer(folder: Path) -> Advice:
    return Advice(
        f"the process that keeps the servers does not answer; {folder / 'log'} may say why"
    )


# --- the warden's side ----------------------------------------------------------------------------------------------


class Control:
    """The warden's end of the pipe. A context manager: leaving it removes the pipe."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "control"
        self._path.unlink(missing_ok=True)
        os.mkfifo(self._path, 0o600)
        self._reading = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        self._writing = os.open(self._path, os.O_WRONLY)  # so that the pipe never ends

    def order(self) -> tuple[str, str]:
        """Wait for an order and its token; where the folder is removed, that is one to go down.

        Raises InvalidParameter for a line that is none.
        """
        line = b""
        while not line.endswith(b"\n"):
            if select.select([self._reading], [], [], _LOOK)[0]:
                line += os.read(self._reading, 1)
            elif not self._path.exists():
                return "down", ""
        match line.decode(errors="replace").split():
            case [("up" | "down") as order, token]:
                return order, token
        raise InvalidParameter("no order that the warden knows")

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *exception: object) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._reading)
        os.close(self._writing)
