"""Child processes and a private folder that end together with this Python process."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import weakref
from contextlib import ExitStack
from pathlib import Path

from lepton_lab.errors import NodeError
from lepton_lab.nodes.values import reason_of

if sys.platform != "win32":
    import fcntl

# Bytes of a folder's path: a Unix socket in it may have a path of at most 104 to 108 bytes
# (sockaddr_un).
_LONGEST_FOLDER = 80
_WATCHDOG_TIMEOUT = 10  # seconds
# Freed memory stays with the server for the next value, because fetching fresh pages costs more
# than filling them. These are the two names of jemalloc's setting: the usual one, and that of
# builds with a prefix.
_ALLOCATOR = dict.fromkeys(("MALLOC_CONF", "JE_MALLOC_CONF"), "dirty_decay_ms:-1,muzzy_decay_ms:-1")


class ServerLifetime:
    """A process group of servers and a folder of mode 0700 that are both gone once `close` has
    returned.

    Ctrl-C in the terminal does not reach the group: it is meant for this Python, which then cleans
    up in order. If this Python is killed, a watchdog in the same group cleans up (`watchdog.py`). A
    process belongs to the group from its first instruction, so there is no moment at which one
    could be left behind. The processes also end when this object is no longer referred to. A forked
    copy of this process may drop its copy of the object; that ends nothing.

    data: a folder for data that stays, made if it does not exist; by default the private folder,
    which does not stay. Only one ServerLifetime can have a data folder at a time: a second raises
    NodeError until the processes of the first have ended.
    """

    def __init__(self, data: str | os.PathLike[str] | None = None) -> None:
        # Ctrl-C may come at any line of this, and must leave neither folder nor process.
        with ExitStack() as undo:
            locks = () if data is None else (_lock_folder(Path(data)),)
            self.folder = _private_path()
            undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.folder.mkdir(mode=0o700)
            self.data = self.folder if data is None else Path(data).absolute()
            self._processes: list[subprocess.Popen[bytes]] = []
            program = str(Path(__file__).with_name("watchdog.py"))
            self._watchdog = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-I", "-S", program, str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
                # The watchdog inherits the lock, which so outlives this Python for as long as the
                # servers do.
                pass_fds=locks,
            )
            for lock in locks:
                os.close(lock)
            self.close = weakref.finalize(
                self, _end, os.getpid(), self._processes, self._watchdog, self.folder
            )
            undo.pop_all()

    def start(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a process of the group; its output goes to the file `log`.

        Raises OSError if it cannot be started.
        """
        with open(log, "wb", opener=_open_private) as output:
            process = subprocess.Popen(  # noqa: S603  # a redis-server that was found and probed
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=self._watchdog.pid,
                umask=0o077,
                env=os.environ | _ALLOCATOR,
            )
        self._processes.append(process)
        return process


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _end(
    owner: int,
    processes: list[subprocess.Popen[bytes]],
    watchdog: subprocess.Popen[bytes],
    folder: Path,
) -> None:
    """Kill the processes, let the watchdog remove the folder, and wait for both."""
    if os.getpid() != owner:
        # A forked copy: the servers are those of its parent.
        return
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
    if watchdog.stdin is not None:
        watchdog.stdin.close()
    try:
        watchdog.wait(_WATCHDOG_TIMEOUT)
    except subprocess.TimeoutExpired:
        watchdog.kill()
        watchdog.wait()
    # In case the watchdog was killed before it had removed the folder.
    shutil.rmtree(folder, ignore_errors=True)


def _lock_folder(folder: Path) -> int:
    """Return a descriptor that holds a lock on the folder, which is made if it does not exist.

    Raises NodeError if other servers hold the lock or the system refuses.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        why = f"the folder for its data: {reason_of(error)}"
        raise NodeError("redis-server", why) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise NodeError("redis-server", "other servers are using the folder for its data") from None
    return descriptor


def _private_path() -> Path:
    """Return a path for the private folder, which is not made here.

    So its path is known before the folder exists, and no interruption can leave a folder of unknown
    name.
    """
    usual = tempfile.gettempdir()
    is_short = len(os.fsencode(usual)) <= _LONGEST_FOLDER - 20
    parent = usual if is_short else "/tmp"  # noqa: S108  # the folder in it is private
    return Path(parent, f"lepton-{secrets.token_hex(6)}")
