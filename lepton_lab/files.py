"""Files that are whole or absent, locks between their writers, temporary folders, progress."""

from __future__ import annotations

import errno
import io
import os
import secrets
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lepton_lab.errors import InvalidParameter, LockTimeout, NotFound

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

LOCK_TIMEOUT = 30.0  # seconds; a writing takes milliseconds, or as long as a disk needs for a sync

# A pipe, device or terminal in a file's place is opened without waiting for its other end.
_READ_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)

_FIRST_PAUSE = 0.001  # seconds
_LONGEST_PAUSE = 0.02


def write_atomically(
    path: Path, data: bytes | memoryview, *, mode: int = 0o600, sync: bool = True
) -> None:
    """Replace the file at `path` with `data`, or leave it as it was: there is never half of it.

    The data is written beside its place and renamed over it. The new file gets `mode` before its
    first byte. With `sync` the data and the folder entry are on the medium when this returns, so a
    power cut leaves the old file or the new one; without it, only a crash of this process does.
    Raises OSError, which names `path`, when it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with open(descriptor, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            if sync:
                os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        # The system names no file when a disk is full, or else the one beside the place.
        raise OSError(error.errno, error.strerror, str(path)) from error
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; links are followed.

    A pipe, socket or device is refused at once: reading it could wait for ever, or never end.
    Raises InvalidParameter for anything but a regular file, OSError when it cannot be opened.
    """
    try:
        descriptor = os.open(path, _READ_FLAGS)
    except OSError as error:
        # So opening a socket fails, or a device without a driver.
        if error.errno in (errno.ENXIO, errno.ENODEV):
            raise _not_regular(path) from None
        # Windows does not open a folder.
        if path.is_dir():
            raise _not_regular(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    return os.fdopen(descriptor, "rb")


def _not_regular(path: Path) -> InvalidParameter:
    kind = "a folder" if path.is_dir() else "a pipe, socket or device"
    return InvalidParameter(f"{path} is {kind} where a regular file is needed")


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on the medium: until then a power cut loses a rename or an unlink."""
    # Windows offers no handle for this; its file systems log the rename themselves.
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def private_folder() -> Iterator[Path]:
    """A temporary folder that only its owner can enter, and that is removed at the end.

    Ctrl-C at any moment leaves nothing: the name is known before the folder exists, and a removal
    that was interrupted is made once more; `tempfile.TemporaryDirectory` forgets its folder in both
    cases.
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


# --- one writer at a time, between processes and between threads ---------------------------------


@contextmanager
def write_lock(path: Path, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Hold the right to replace the file at `path`, for the time of a block.

    What is locked is a file of its own beside it, `.<name>.lock`, which stays: the file itself is
    replaced, and whoever held the old one would hold nothing. Only the owner can open the lock file
    (mode 0600), so nobody else can hold it and stop the owner; one that another user has put there
    is refused. On POSIX the lock is `flock`, on
    Windows a locked byte; it ends with the process that holds it. Both are advisory, and a network
    file system may refuse them (OSError). A process that Python forks meanwhile neither holds the
    lock nor keeps it from ending. One that C code forks, so that Python is not told, shares the
    lock: it ends with the block all the same, but if this process is killed within the block, the
    child holds it until it ends itself.

    timeout: how many seconds to wait for another writer. Raises LockTimeout after that, which names
    the process that holds the lock; NotFound when the folder does not exist; InvalidParameter when
    the lock file belongs to another user, who does not own the folder either.
    """
    lock_path = path.with_name(f".{path.name}.lock")
    lock_file = _LockFile(_open_lock_file(lock_path))
    _open_locks.add(lock_file)
    try:
        _wait_for_lock(lock_file.descriptor, lock_path, timeout)
        _say_who_holds_it(lock_file.descriptor)
        yield
    finally:
        _open_locks.discard(lock_file)
        # A forked child has closed its descriptor already. It must not unlock what its parent
        # holds: the two share one lock.
        if lock_file.descriptor != _CLOSED:
            with suppress(OSError):  # it was never locked
                # Said outright, because closing is not enough: a process that was forked by other
                # code than Python's may still have the descriptor.
                _unlock(lock_file.descriptor)
            os.close(lock_file.descriptor)


_CLOSED = -1


class _LockFile:
    """An open lock file; `descriptor` is `_CLOSED` in a child that was forked meanwhile."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor


_open_locks: set[_LockFile] = set()


def _close_inherited_locks() -> None:
    """In a forked child: close the parent's lock files, so that only the parent holds them."""
    for lock_file in _open_locks:
        with suppress(OSError):
            os.close(lock_file.descriptor)
        lock_file.descriptor = _CLOSED
    _open_locks.clear()


def _open_lock_file(lock_path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(lock_path, flags, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"the folder {lock_path.parent} does not exist") from None
    try:
        status = os.fstat(descriptor)
        mode = status.st_mode
        if not stat.S_ISREG(mode):
            raise FileExistsError(f"{lock_path} is not a regular file: remove it")
        _refuse_stranger(lock_path, status.st_uid)
        if os.name != "nt" and mode & 0o077:
            with suppress(OSError):  # a file system without modes
                os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_stranger(lock_path: Path, owner: int) -> None:
    """Raise InvalidParameter for a lock file that another user owns, and could hold for ever."""
    if os.name == "nt" or owner == os.geteuid():
        return
    # Whoever owns the folder can stop every writer in it anyway. File systems that show one owner
    # for everything (FAT, some network shares) come through here, too.
    if owner == lock_path.parent.stat().st_uid:
        return
    raise InvalidParameter(
        f"{lock_path} belongs to another user (user id {owner}), who could hold it for ever: "
        "remove it, or keep your files in a folder where only you can write"
    )


def _wait_for_lock(descriptor: int, lock_path: Path, timeout: float) -> None:
    end = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while not _try_lock(descriptor):
        if time.monotonic() >= end:
            raise LockTimeout(
                f"another writer has held {lock_path} for {timeout:g} seconds: "
                f"{_who_holds_it(descriptor)}. Wait for it or end it, then try again"
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _say_who_holds_it(descriptor: int) -> None:
    """Write into the lock file who holds it, for the message of a writer that waited too long."""
    now = datetime.now().isoformat(timespec="seconds")
    text = f"process {os.getpid()} on {socket.gethostname()}, since {now}\n"
    with suppress(OSError):  # a full disk: the lock holds without its note
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text.encode())


def _who_holds_it(descriptor: int) -> str:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        text = os.read(descriptor, 200).decode(errors="replace").strip()
    except OSError:
        text = ""
    return text if text.isprintable() and text else "it does not say who it is"


if sys.platform == "win32":
    import msvcrt

    # Behind the text in the lock file: Windows lets nobody read a locked byte.
    _LOCKED_BYTE = 1 << 20

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:  # another process or thread holds it
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    os.register_at_fork(after_in_child=_close_inherited_locks)

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another process or thread holds it
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


# --- progress ------------------------------------------------------------------------------------


class ProgressFile(io.RawIOBase):
    """A binary file that reports what is read from it or written to it.

    file: any binary file. advance: called after every read or write with its number of bytes.
    """

    def __init__(self, file: BinaryIO, advance: Callable[[int], object]) -> None:
        self._file = file
        self._advance = advance

    def readable(self) -> bool:
        """True: `readinto` reads from the file."""
        return True

    def writable(self) -> bool:
        """True: `write` writes to the file."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into `buffer` and return how many bytes came; 0 at the end of the file."""
        # BinaryIO does not declare readinto, which every binary file has
        count: int = self._file.readinto(buffer) or 0  # type: ignore[attr-defined]
        self._advance(count)
        return count

    def write(self, data: ReadableBuffer, /) -> int:
        """Write `data` and return how many bytes the file took."""
        count = self._file.write(data)
        self._advance(count)
        return count
