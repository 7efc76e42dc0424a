"""A Tahoe-LAFS grid on loopback: an introducer, storage servers and a gateway, as processes that
end with the block.

`pip install tahoe-lafs`, best into an environment of its own whose `bin` is on PATH.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

SERVERS, NEEDED = 5, 3
_PATIENCE = 60.0  # seconds until the grid is whole
_BLOCK = 1 << 20


def find_tahoe() -> str | None:
    """The program on PATH, if it is there."""
    return shutil.which("tahoe")


class Grid:
    """Five storage servers, 3-of-5, all of which must take a share; files go in and out by the
    gateway's HTTP.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder, self._ends = program, folder, ExitStack()
        self._web, self._capability = f"http://127.0.0.1:{_free_port()}", ""

    def __enter__(self) -> Self:
        with self._ends:
            introducer = self._node("introducer", "create-introducer")
            furl = introducer / "private" / "introducer.furl"
            _wait(furl.exists)
            known = ["--introducer", furl.read_text().strip()]
            for index in range(SERVERS):
                self._node(f"storage-{index}", "create-node", *known, "--webport", "none")
            shares = [
                "--shares-needed",
                str(NEEDED),
                "--shares-happy",
                str(SERVERS),
                "--shares-total",
                str(SERVERS),
            ]
            port = self._web.rpartition(":")[2]
            self._start(
                "gateway",
                "create-client",
                *known,
                *shares,
                "--webport",
                f"tcp:{port}:interface=127.0.0.1",
            )
            _wait(lambda: self._connected() == SERVERS)
            self._ends = self._ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def put(self, file: Path) -> None:
        """Upload an immutable file."""
        with file.open("rb") as body:
            size = str(file.stat().st_size)
            request = urllib.request.Request(
                f"{self._web}/uri", body, {"Content-Length": size}, method="PUT"
            )
            with urllib.request.urlopen(request) as answer:
                self._capability = answer.read().decode()

    def get(self, sink: Any) -> None:
        """Download what was uploaded last."""
        with urllib.request.urlopen(f"{self._web}/uri/{self._capability}") as answer:
            while block := answer.read(_BLOCK):
                sink.write(memoryview(block))

    def _connected(self) -> int:
        try:
            with urllib.request.urlopen(f"{self._web}/?t=json") as answer:
                servers = json.load(answer)["servers"]
        except OSError:
            return 0
        return sum(
            server["connection_status"].lower().startswith("connected") for server in servers
        )

    def _node(self, name: str, verb: str, *options: str) -> Path:
        port = _free_port()
        where = ["--port", f"tcp:{port}:interface=127.0.0.1", "--location", f"tcp:127.0.0.1:{port}"]
        return self._start(name, verb, *where, *options)

    def _start(self, name: str, verb: str, *options: str) -> Path:
        home = self._folder / name
        home.parent.mkdir(exist_ok=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([self._program, verb, *options, home], check=True, **quiet)
        process = subprocess.Popen(
            [self._program, "run", home], stdin=subprocess.PIPE, **quiet
        )  # its end ends it
        self._ends.callback(process.wait)
        self._ends.callback(process.stdin.close)
        return home


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait(condition: Any) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the grid did not come up")
        time.sleep(0.1)
