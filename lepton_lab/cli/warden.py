"""A program, never imported: it starts redis-servers and keeps them until it is told otherwise through its pipe.

    python -m lepton_lab.cli.warden FOLDER COUNT

It says "up" on its standard output, or in one line why not. When it ends, however it ends, so do its servers.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lepton_lab.cli.daemon import Control, Standing
from lepton_lab.errors import InvalidParameter, LabError, NodeError
from lepton_lab.nodes import RedisServers


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def main(folder: Path, count: int) -> None:
    """Start, say so, obey."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the terminal may close
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with RedisServers.start(count, folder=folder / "redis") as servers, Control(folder) as control:
        try:
            _write(folder, servers)
            print("up", flush=True)
            _obey(folder, servers, control)
        finally:
            servers.close()
            (folder / "nodes.json").unlink(missing_ok=True)


def _obey(folder: Path, servers: RedisServers, control: Control) -> None:
    while True:
        try:
            order, token = control.order()
        except InvalidParameter:
            continue
        if order == "down":
            return
        _write(folder, servers, token, _revive(servers))


def _revive(servers: RedisServers) -> str:
    """Start again every server that is not there; why one could not be."""
    try:
        for index in range(len(servers.nodes)):
            if not servers.alive(index):
                servers.restart(index)
    except NodeError as error:
        return str(error)
    return ""


def _write(folder: Path, servers: RedisServers, token: str = "", trouble: str = "") -> None:
    names = [node.name for node in servers.nodes]
    Standing(servers.describe(), servers.urls, names, servers.pids, token, trouble).write(folder)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except (LabError, OSError) as error:
        print(" ".join(str(error).split()), flush=True)
        sys.exit(1)
