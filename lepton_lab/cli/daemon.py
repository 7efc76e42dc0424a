"""The background process that keeps redis-servers running between commands, and its folder.

In the folder (`.lepton` by default, mode 0700):

    nodes.json     exists while nodes are up: what they are, and their URLs with the passwords
    control        a named pipe to the daemon, the process that keeps the servers. Opening it for
                   writing reaches that process, or fails if it is gone. So no process is ever
                   killed by a process id that may have been reused
    log            what the daemon wrote to standard error
    redis/         the data of redis-servers; it stays when they stop, for the next start
    directories/   directory nodes, on a machine without redis-server

The first part of this file runs in the command, the second part in the daemon:

    python -P -m lepton_lab.cli.daemon FOLDER COUNT

The daemon prints "up" on standard output, or one line that says why it could not start. When it
ends, for whatever reason, so do its servers.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lepton_lab.cli.output import PASSPHRASE, CommandError
from lepton_lab.errors import InvalidParameter, LabError, NodeError
from lepton_lab.files import write_atomically
from lepton_lab.nodes import Node, RedisServers, open_nodes
from lepton_lab.nodes.servers.binaries import choose_binary, find_binaries

DEFAULT_COUNT = 5
_STARTED_IN = 120.0  # seconds after which servers with much data to load must be up
_POLL = 0.02  # seconds between two looks whether the daemon has carried out an order
_FOLDER_CHECK = 2.0  # seconds between the daemon's looks whether its folder still exists
_DATA = {"redis": "data-*", "directories": "node-*"}  # one folder per node, by kind of node


@dataclass(frozen=True)
class RunningNodes:
    """The content of `nodes.json`: the nodes that are up.

    description: what they are, in one line. urls: with passwords, so never printed. names: in the
    same order; they stay the same from one start to the next. pids: of the redis-servers, empty for
    directory nodes. token: of the last order that the daemon carried out. trouble: why that failed.
    """

    description: str
    urls: list[str] = field(repr=False)
    names: list[str]
    pids: list[int] = field(default_factory=list)
    token: str = ""
    trouble: str = ""

    @property
    def have_daemon(self) -> bool:
        """Whether the nodes are redis-servers that a daemon keeps, and not folders."""
        return bool(self.pids)

    def write(self, folder: Path) -> None:
        """Write `nodes.json` into the folder. Raises OSError."""
        write_atomically(folder / "nodes.json", json.dumps(asdict(self), indent=1).encode())

    @classmethod
    def read(cls, folder: Path) -> RunningNodes | None:
        """The nodes that are up in the folder, or None. Raises CommandError for a damaged file."""
        path = folder / "nodes.json"
        try:
            found = cls(**json.loads(path.read_bytes()))
            if len(found.urls) != len(found.names):
                raise ValueError
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise CommandError(
                f"{path} is damaged: remove it, then run `lepton-lab nodes up`"
            ) from None
        # A daemon that was killed, or stopped by a restart of the machine, leaves its file behind.
        if found.have_daemon and not _reaches_daemon(folder):
            return None
        return found

    def open(self) -> list[Node]:
        """Open the nodes, each under its name."""
        nodes = open_nodes(self.urls)
        for node, name in zip(nodes, self.names, strict=True):
            node.name = name
        return nodes


# --- in the command ---------------------------------------------------------------------------


def start_nodes(folder: Path, count: int | None) -> RunningNodes:
    """Start the folder's nodes, or those of them that are down.

    count: how many, 1 to 64; None means as many as hold data in the folder, or else 5.
    Raises CommandError when the count does not fit what is there, NodeError, OSError.
    """
    _make(folder)
    _wait_for_stopping_daemon(folder)
    running = RunningNodes.read(folder)
    if running is not None:
        if count is not None and count != len(running.names):
            raise CommandError(
                f"{len(running.names)} nodes are up; first run `lepton-lab nodes down`"
            )
        return _order(folder, "up") if running.have_daemon else running
    held = {kind: len(list((folder / kind).glob(pattern))) for kind, pattern in _DATA.items()}
    most_held = max(held.values())
    count = count or most_held or DEFAULT_COUNT
    # With fewer nodes than before, some objects would have too few shards to be read.
    if count < most_held:
        raise CommandError(
            f"{folder} holds the data of {most_held} nodes: "
            f"use --count {most_held} or more, or another --folder"
        )
    # Data stays with the kind of node that wrote it, even if a redis-server was installed since.
    if held["directories"]:
        return _make_directory_nodes(folder, count, "as before")
    if not held["redis"] and not find_binaries():
        return _make_directory_nodes(folder, count, "no redis-server was found")
    # Raises, saying what to install, if the redis-server that wrote the data is gone.
    choose_binary(None)
    return _start_daemon(folder, count)


def stop_nodes(folder: Path) -> RunningNodes | None:
    """Stop the nodes; their data stays. Returns what was up, or None.

    Raises CommandError when the daemon does not answer.
    """
    running = RunningNodes.read(folder)
    if running is None:
        return None
    if running.have_daemon:
        _order(folder, "down")
    else:
        (folder / "nodes.json").unlink(missing_ok=True)
    return running


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        write_atomically(ignore, b"*\n")  # passwords and data are not for a repository


def _make_directory_nodes(folder: Path, count: int, why: str) -> RunningNodes:
    homes = [folder.absolute() / "directories" / f"node-{index}" for index in range(count)]
    urls = ["dir://" + home.as_uri().removeprefix("file://") for home in homes]
    running = RunningNodes(f"directory nodes ({why})", urls, [home.name for home in homes])
    running.open()  # makes the folders
    running.write(folder)
    return running


def _start_daemon(folder: Path, count: int) -> RunningNodes:
    """Start the daemon and wait until its servers answer. An interruption stops it again."""
    # A process that stays must not keep the passphrase, which other programs could read from it.
    environment = {name: value for name, value in os.environ.items() if name != PASSPHRASE}
    with open(folder / "log", "wb", opener=_open_private) as log:
        daemon = subprocess.Popen(  # noqa: S603  # this package's own program
            # -P: a file such as random.py in the current folder is not taken for a module
            [
                sys.executable,
                "-P",
                "-m",
                "lepton_lab.cli.daemon",
                str(folder.absolute()),
                str(count),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    try:
        answer = daemon.stdout.readline().decode().strip() if daemon.stdout else ""
        if answer != "up":
            reason = answer or f"they did not start: {_last_line(folder / 'log')}"
            raise NodeError("the servers", reason)
    except BaseException:
        daemon.terminate()
        daemon.wait()
        raise
    running = RunningNodes.read(folder)
    if running is None:
        raise NodeError("the servers", "they stopped right after they had started")
    return running


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").split("\n") if line.strip()]
    return lines[-1] if lines else "no reason was given"


def _reaches_daemon(folder: Path) -> bool:
    try:
        os.close(os.open(folder / "control", os.O_WRONLY | os.O_NONBLOCK))
    except OSError:  # no process reads at the other end, or there is no pipe
        return False
    return True


def _order(folder: Path, order: str) -> RunningNodes:
    """Give the daemon the order "up" or "down" and wait until it has carried it out.

    The daemon writes the order's token to `nodes.json`. After "down" it may instead be gone.
    Raises NodeError when the daemon could not do it, CommandError when it does not answer.
    """
    token = secrets.token_hex(8)
    before = RunningNodes.read(folder)
    control = os.open(folder / "control", os.O_WRONLY | os.O_NONBLOCK)
    with open(control, "wb", buffering=0) as pipe:
        pipe.write(f"{order} {token}\n".encode())
    deadline = time.monotonic() + _STARTED_IN
    while time.monotonic() < deadline:
        now = RunningNodes.read(folder)
        if now is not None and now.token == token:
            if now.trouble:
                raise NodeError("the servers", now.trouble)
            return now
        if order == "down" and before is not None and not _reaches_daemon(folder):
            return before
        time.sleep(_POLL)
    raise _no_answer(folder)


def _wait_for_stopping_daemon(folder: Path) -> None:
    """Wait for a daemon that is stopping: it removes `nodes.json` first and its pipe last.

    A new daemon that started in between would lose its pipe to the old one.
    """
    deadline = time.monotonic() + _STARTED_IN
    while _reaches_daemon(folder) and not (folder / "nodes.json").exists():
        if time.monotonic() > deadline:
            raise _no_answer(folder)
        time.sleep(_POLL)


def _no_answer(folder: Path) -> CommandError:
    return CommandError(
        f"the process that keeps the servers does not answer; {folder / 'log'} may say why"
    )


# --- in the daemon ----------------------------------------------------------------------------


class ControlPipe:
    """The daemon's end of the pipe `control`. A context manager: leaving it removes the pipe."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "control"
        self._path.unlink(missing_ok=True)
        os.mkfifo(self._path, 0o600)
        self._reading = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        # With a writer of our own the pipe never ends when the last command closes it.
        self._writing = os.open(self._path, os.O_WRONLY)

    def order(self) -> tuple[str, str]:
        """Wait for an order and its token. If the folder is removed, the order is "down".

        Raises InvalidParameter for a line that is not an order.
        """
        line = b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([self._reading], [], [], _FOLDER_CHECK)
            if readable:
                line += os.read(self._reading, 1)
            elif not self._path.exists():
                return "down", ""
        match line.decode(errors="replace").split():
            case [("up" | "down") as order, token]:
                return order, token
        raise InvalidParameter("the line is not an order that the daemon knows")

    def __enter__(self) -> ControlPipe:
        return self

    def __exit__(self, *exception: object) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._reading)
        os.close(self._writing)


def run_daemon(folder: Path, count: int) -> None:
    """Start `count` servers, print "up", and carry out orders until one says "down"."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal may be closed
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for a later command
    with (
        RedisServers.start(count, folder=folder / "redis") as servers,
        ControlPipe(folder) as control,
    ):
        try:
            _write_state(folder, servers)
            print("up", flush=True)
            _carry_out_orders(folder, servers, control)
        finally:
            servers.close()
            (folder / "nodes.json").unlink(missing_ok=True)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _carry_out_orders(folder: Path, servers: RedisServers, control: ControlPipe) -> None:
    while True:
        try:
            order, token = control.order()
        except InvalidParameter:
            continue
        if order == "down":
            return
        _write_state(folder, servers, token, _restart_dead(servers))


def _restart_dead(servers: RedisServers) -> str:
    """Restart every server that has died. Returns why that failed; empty if it did not."""
    try:
        for index in range(len(servers.nodes)):
            if not servers.alive(index):
                servers.restart(index)
    except NodeError as error:
        return str(error)
    return ""


def _write_state(folder: Path, servers: RedisServers, token: str = "", trouble: str = "") -> None:
    names = [node.name for node in servers.nodes]
    running = RunningNodes(
        servers.describe(), servers.urls, names, servers.pids, token=token, trouble=trouble
    )
    running.write(folder)


if __name__ == "__main__":
    try:
        run_daemon(Path(sys.argv[1]), int(sys.argv[2]))
    except (LabError, OSError) as error:
        print(" ".join(str(error).split()), flush=True)  # one line, whatever the error's text holds
        sys.exit(1)
