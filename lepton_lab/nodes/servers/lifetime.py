"""Child processes and a private folder that cannot outlive this Python."""

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
from lepton_lab.nodes.node import reason_of

if sys.platform != "win32":
    import fcntl

_LONGEST = (
    80  # bytes of a folder's path: a socket's whole path has at most 104 to 108 (sockaddr_un)
)
_PATIENCE = 10  # seconds
# What a deletion frees waits for the next value: fetching fresh pages from the system costs more than filling them.
# The two names are jemalloc's own, the system's and that of builds which put a prefix to its names.
_MEMORY = dict.fromkeys(("MALLOC_CONF", "JE_MALLOC_CONF"), "dirty_decay_ms:-1,muzzy_decay_ms:-1")


class Keeper:
    """Starts processes in a group of their own, beside a folder of mode 0700; `close` ends and removes them all.

    The group keeps Ctrl-C in the terminal away from them: it is for this Python, which then cleans up in order. Should
    this Python be killed, a watchdog in the same group does it (`watchdog.py`); a process belongs to the group from its
    first instruction, so there is no moment at which one could be forgotten. They also end when the keeper is no longer
    referred to. A forked copy of this process may drop its keeper without harm.

    data: a folder that stays, made if it is not there; by default the private one, which does not. Two keepers never
    have the same: the second gets a NodeError, until the first's processes are gone.
    """

    def __init__(self, data: str | os.PathLike[str] | None = None) -> None:
        with ExitStack() as undo:  # should Ctrl-C come meanwhile
            locks = () if data is None else (_claimed(Path(data)),)
            self.folder = _place()
            undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.folder.mkdir(mode=0o700)
            self.data = self.folder if data is None else Path(data).absolute()
            self._processes: list[subprocess.Popen[bytes]] = []
            self._watchdog = subprocess.Popen(  # noqa: S603  # our own program
                [
                    sys.executable,
                    "-I",
                    "-S",
                    str(Path(__file__).with_name("watchdog.py")),
                    str(self.folder),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
                pass_fds=locks,  # so the lock outlives this Python as long as the servers do
            )
            for lock in locks:
                os.close(lock)
            self.close = weakref.finalize(
                self, _end, os.getpid(), self._processes, self._watchdog, self.folder
            )
            undo.pop_all()

    def start(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a process whose output goes to a file. Raises OSError when it cannot be started."""
        with open(log, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
            process = subprocess.Popen(  # noqa: S603  # a redis-server that was found and probed
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=self._watchdog.pid,
                umask=0o077,
                env=os.environ | _MEMORY,
            )
        self._processes.append(process)
        return process


def _end(
    owner: int,
    processes: list[subprocess.Popen[bytes]],
    watchdog: subprocess.Popen[bytes],
    folder: Path,
) -> None:
    if os.getpid() != owner:
        return
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
    if watchdog.stdin is not None:
        watchdog.stdin.close()
    try:
        watchdog.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        watchdog.kill()
        watchdog.wait()
    shutil.rmtree(folder, ignore_errors=True)  # for the case that somebody killed the watchdog


def _claimed(folder: Path) -> int:
    """A descriptor that holds the folder's lock. Raises NodeError when somebody else has it, or the system refuses."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise NodeError("redis-server", f"the folder for its data: {reason_of(error)}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise NodeError("redis-server", "other servers are using the folder for its data") from None
    return descriptor


def _place() -> Path:
    """A name for a private folder, before there is one: so no interruption can come between making and knowing it."""
    usual = tempfile.gettempdir()
    short = usual if len(os.fsencode(usual)) <= _LONGEST - 20 else "/tmp"  # noqa: S108  # the folder is private
    return Path(short, f"lepton-{secrets.token_hex(6)}")
