"""Files that are whole or absent: written beside their place, synced, then renamed over it. Folders for a while."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(
    path: Path, data: bytes | memoryview, *, mode: int = 0o600, sync: bool = True
) -> None:
    """Replace the file at `path` with `data`, or leave it as it was: at no instant is there half of it.

    The new file gets `mode` before its first byte. With `sync` the data and the folder entry are on the medium when
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


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder among the temporary ones that only its owner can enter, and that is gone at the end.

    Ctrl-C at any moment leaves nothing: the name is there before the folder is, and a removal that was interrupted is
    made once more; `tempfile.TemporaryDirectory` forgets its folder in both cases.
    """
    folder = Path(tempfile.gettempdir(), f"lepton-lab-{secrets.token_hex(8)}")
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on the medium: a rename or an unlink is lost in a power cut until this has run."""
    if (
        os.name == "nt"
    ):  # Windows offers no handle for this; its file systems log the rename themselves
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
