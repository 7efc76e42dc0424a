"""One writer at a time, between processes and between threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lepton_lab.errors import NotFound


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the right to replace the file at `path`; wait for whoever holds it.

    The lock is on the folder, because the file itself is replaced: whoever locked the old one would hold nothing. On
    POSIX it is `flock` on the folder's descriptor; it leaves no file behind and ends with the process that held it.
    Windows locks no folders: there it is the first byte of `.<name>.lock` beside the file, which stays. Both are
    advisory, and a network file system may refuse them (OSError). Raises NotFound when the folder does not exist.
    """
    try:
        descriptor = _open_lock(path)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"the folder {path.parent} does not exist") from None
    try:
        _wait_for(descriptor)
        yield
    finally:
        os.close(descriptor)  # closing lets the lock go, on both systems


if sys.platform == "win32":
    import msvcrt
    import time

    def _open_lock(path: Path) -> int:
        return os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)

    def _wait_for(descriptor: int) -> None:
        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except (
                PermissionError
            ):  # somebody else holds it; LK_LOCK would give up after ten seconds
                time.sleep(0.01)
            else:
                return

else:
    import fcntl

    def _open_lock(path: Path) -> int:
        return os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)

    def _wait_for(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
