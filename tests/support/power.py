"""A disk that loses what was not synced: every state that a power cut may leave behind.

`Journal` lets every call through to the real file system and writes down what it did below one
folder. `after_cuts` then gives what may be found when the power goes after the first, the second, …
the last call:

    contents    what `fsync` of the file has reached; or all that was written, or half of it
    entries     what `fsync` of the folder has reached; of the creations, renames, links and
                removals since, each one is there or not, in whatever order the system liked (POSIX
                promises none)

So a rename may reach the medium before the data that it names, which is the state that an `fsync`
too few leaves.
"""

from __future__ import annotations

import builtins
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from lepton_lab import files
from lepton_lab.nodes import folders

Entries = dict[str, int | None]  # a path below the root: the inode of a file, None for a folder
Change = tuple[set[str], Entries]  # paths that go, entries that come
State = dict[str, bytes | None]  # a path below the root: what the file holds, None for a folder


@dataclass
class Disk:
    """What is on the medium, and what only the system's memory holds."""

    entries: Entries = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)
    synced: dict[int, bytes] = field(default_factory=dict)
    written: dict[int, bytes] = field(default_factory=dict)

    def states(self) -> Iterator[State]:
        """Yield every state in which a power cut may leave the disk."""
        for chosen in itertools.product((False, True), repeat=len(self.pending)):
            entries = _changed(self.entries, itertools.compress(self.pending, chosen))
            found = {inode for inode in entries.values() if inode is not None}
            fates = [[(inode, data) for data in self._contents(inode)] for inode in sorted(found)]
            for contents in itertools.product(*fates):
                held = dict(contents)
                yield {
                    path: None if inode is None else held[inode] for path, inode in entries.items()
                }

    def _contents(self, inode: int) -> set[bytes]:
        """Return what a file may hold after a cut: the synced bytes, all written ones, or half."""
        synced = self.synced.get(inode, b"")
        written = self.written.get(inode, b"")
        return {synced} if synced == written else {synced, written, written[: len(written) // 2]}

    def sync_folder(self, folder: str) -> None:
        """What changed in this folder is on the medium from now on."""
        here = []
        elsewhere = []
        for gone, come in self.pending:
            folders_touched = {str(Path(path).parent) for path in gone | {*come}}
            if folder in folders_touched:
                here.append((gone, come))
            else:
                elsewhere.append((gone, come))
        self.entries = _changed(self.entries, here)
        self.pending = elsewhere

    def now(self) -> Entries:
        """Return the entries as running programs see them."""
        return _changed(self.entries, self.pending)


def _changed(entries: Entries, changes: Iterable[Change]) -> Entries:
    for gone, come in changes:
        entries = {path: inode for path, inode in entries.items() if path not in gone} | come
    return entries


class Journal:
    """The calls that changed files or folders below one folder, in order."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._serial = itertools.count()
        self._start = Disk()
        self._inodes: dict[int, int] = {}
        for path in root.rglob("*"):
            inode = None if path.is_dir() else self.new_inode(path.stat().st_ino)
            self._start.entries[str(path.relative_to(root))] = inode
            if inode is not None:
                self._start.synced[inode] = self._start.written[inode] = path.read_bytes()
        self._calls: list[tuple[str, Callable[[Disk], None]]] = []

    @property
    def names(self) -> list[str]:
        """The calls, in order."""
        return [name for name, _ in self._calls]

    def after_cuts(self) -> Iterator[list[State]]:
        """Yield the states that a power cut may leave after no call, the first call, …, all calls.

        This can be called once, because it plays the calls on the journal's own disk.
        """
        yield [*self._start.states()]
        for _, change in self._calls:
            change(self._start)
            yield [*self._start.states()]

    def new_inode(self, number: int) -> int:
        """Return a number for a new file; the system may use its own inode numbers again."""
        self._inodes[number] = next(self._serial)
        return self._inodes[number]

    def inode(self, descriptor: int) -> int:
        """Return the number of an open file."""
        return self._inodes[os.fstat(descriptor).st_ino]

    def note(self, name: str, change: Callable[[Disk], None]) -> None:
        """Write down one call."""
        self._calls.append((name, change))

    def path(self, path: Any, folder: int | None = None) -> str | None:
        """Return the path relative to the root, or None when it is elsewhere.

        folder: the descriptor of the folder that a relative path starts from.
        """
        start = Path.cwd() if folder is None else path_of_descriptor(folder)
        place = start / os.fsdecode(path)
        return str(place.relative_to(self.root)) if place.is_relative_to(self.root) else None


def path_of_descriptor(descriptor: int) -> Path:
    """Return the path that an open file or folder has now."""
    if sys.platform == "darwin":
        import fcntl

        found = fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024))
        return Path(os.fsdecode(found.rstrip(b"\0")))
    return Path(os.readlink(f"/proc/self/fd/{descriptor}"))


@contextmanager
def journal(root: Path) -> Iterator[Journal]:
    """Note what happens below `root` (a real folder, its path without links), and let it happen."""
    found = Journal(root)
    genuine = {name: getattr(os, name) for name in (*_CALLS, "open", "fsync")}

    def open_(path: Any, flags: int, *mode: Any, dir_fd: int | None = None) -> int:
        descriptor: int = genuine["open"](path, flags, *mode, dir_fd=dir_fd)
        below = found.path(path, dir_fd)
        if below is not None and flags & os.O_CREAT:
            inode = found.new_inode(os.fstat(descriptor).st_ino)
            found.note("open", lambda disk: disk.pending.append((set(), {below: inode})))
        return descriptor

    def fsync(descriptor: int) -> None:
        genuine["fsync"](descriptor)
        below = found.path("", descriptor)
        if below is None:
            return
        if (root / below).is_dir():
            found.note("fsync of a folder", lambda disk: disk.sync_folder(below))
        else:
            inode = found.inode(descriptor)
            found.note(
                "fsync of a file",
                lambda disk: disk.synced.update({inode: disk.written.get(inode, b"")}),
            )

    class File:
        """`open(descriptor, "wb", buffering=0)`, taking a hundred bytes at a time."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._file = builtins.open(*arguments, **options)  # noqa: SIM115  # the caller closes it

        def __enter__(self) -> File:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def fileno(self) -> int:
            return self._file.fileno()

        def write(self, data: memoryview) -> int:
            taken = bytes(data[:100])
            inode = found.inode(self.fileno())
            self._file.write(taken)
            found.note(
                "write",
                lambda disk: disk.written.update({inode: disk.written.get(inode, b"") + taken}),
            )
            return len(taken)

    def watched(name: str) -> Callable[..., Any]:
        def call(*paths: Any, **more: Any) -> Any:
            folders = [more.get("src_dir_fd", more.get("dir_fd")), more.get("dst_dir_fd")]
            below = []
            for path, folder in zip(paths[:2], folders, strict=False):
                if isinstance(path, str | os.PathLike):
                    below.append(found.path(path, folder))
            result = genuine[name](*paths, **more)
            if all(path is not None for path in below):
                change = _CALLS[name]
                found.note(name, lambda disk: disk.pending.append(change(disk.now(), *below)))
            return result

        return call

    replaced = {name: watched(name) for name in _CALLS} | {"open": open_, "fsync": fsync}
    with (
        mock.patch.multiple(os, **replaced),
        mock.patch.object(files, "open", File, create=True),
        mock.patch.object(folders, "open", File, create=True),
    ):
        yield found


_CALLS: dict[str, Callable[..., tuple[set[str], Entries]]] = {
    "replace": lambda entries, old, new: ({old}, {new: entries[old]}),
    "link": lambda entries, old, new: (set(), {new: entries[old]}),
    "unlink": lambda _, old: ({old}, {}),
    "mkdir": lambda _, new: (set(), {new: None}),
    "rmdir": lambda _, old: ({old}, {}),
}


def write_out(state: State, folder: Path) -> Path:
    """Write a state into `folder`, to look at it with the real file system; return the folder."""
    for path in sorted(state):
        place = folder / path
        content = state[path]
        if not place.parent.is_dir():
            continue  # its folder was lost, and so it is lost too
        if content is None:
            place.mkdir()
        else:
            place.write_bytes(content)
            place.chmod(0o600)
    return folder
