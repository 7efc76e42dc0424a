"""Files that are whole or absent, written by one at a time."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def write_atomically(path: Path, data: bytes | memoryview, *, mode: int = 0o600, sync: bool = True) -> None:
    """Replace the file at `path` with `data`, or leave it as it was: at no instant is there half of it.

    The new file gets `mode` before its first octet. With `sync` the data and the folder entry are on the medium when
    this returns, so a power cut leaves the old file or the new one; without it, only a crash of this process does.
    Raises OSError when the folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            if sync:
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on the medium: a rename or an unlink is lost in a power cut until this has run."""
    if os.name == "nt":  # Windows offers no handle for this; its file systems log the rename themselves
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the file at `path` against every other process and thread that takes it here.

    On POSIX systems the lock is on the folder's descriptor, so it leaves no file behind and a rename cannot slip past
    it; on Windows it is on a file beside, `path` with `.lock` appended. Raises OSError when there is no such folder.
    """
    if sys.platform == "win32":
        with open(f"{path}.lock", "ab") as file:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            yield  # closing the file lets the lock go
        return
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
