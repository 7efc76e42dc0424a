"""What /proc says about other processes (proc(5)); empty where there is no /proc."""

from __future__ import annotations

import re
from pathlib import Path


def content(path: Path | str) -> bytes:
    """The content of a file under /proc, or nothing if the process has ended."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def command_line(pid: int) -> bytes:
    return content(f"/proc/{pid}/cmdline")


def processes_naming(text: object) -> list[int]:
    """Every process that has the text, such as a folder, in its command line."""
    sought = str(text).encode()
    found = Path("/proc").glob("[0-9]*/cmdline")
    return [int(path.parent.name) for path in found if sought in content(path)]


def children_of(parent: int) -> list[int]:
    """The processes that this one started."""
    children = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        # the second field behind the program's name is the parent
        fields = content(path).rpartition(b")")[2].split()
        if fields[1:2] == [b"%d" % parent]:
            children.append(int(path.parent.name))
    return children


def signals(pid: int, kind: str) -> int:
    """The signals that a process ignores (SigIgn) or handles (SigCgt): bit n - 1 for signal n."""
    found = re.search(rb"%s:\s*(\w+)" % kind.encode(), content(f"/proc/{pid}/status"))
    return int(found[1], 16) if found else 0
