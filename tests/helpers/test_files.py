"""Tests lepton_lab.files: temporary folders, of which Ctrl-C leaves none, locks, and progress.

That a file is whole or absent after a power cut is tested with the key ring, whose file it is.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lepton_lab.errors import InvalidParameter, LockTimeout, NotFound
from lepton_lab.files import ProgressFile, private_folder, write_lock
from lepton_lab.nodes.servers.lifetime import ServerLifetime


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where temporary folders are made; ServerLifetime would otherwise avoid so long a path."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("lepton_lab.nodes.servers.lifetime._LONGEST_FOLDER", 1000)
    return tmp_path


@pytest.fixture
def interrupted(monkeypatch):
    """Have a function do its work, and Ctrl-C come just then; the first time only."""

    def interrupt(owner, name, *, before=False):
        original = getattr(owner, name)

        def once(*arguments, **options):
            monkeypatch.setattr(owner, name, original)
            if not before:
                original(*arguments, **options)
            raise KeyboardInterrupt

        monkeypatch.setattr(owner, name, once)

    return interrupt


def test_a_private_folder_is_its_owners_alone_and_gone_at_the_end(place):
    with private_folder() as folder:
        assert list(place.iterdir()) == [folder]
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "a").write_bytes(b"1")
    assert list(place.iterdir()) == []


def test_a_private_folder_that_is_interrupted_in_its_making_is_gone(place, interrupted):
    interrupted(Path, "mkdir")
    with pytest.raises(KeyboardInterrupt), private_folder():
        pass
    assert list(place.iterdir()) == []


def test_a_private_folder_that_is_interrupted_in_its_removal_is_gone(place, interrupted):
    interrupted(shutil, "rmtree", before=True)
    with pytest.raises(KeyboardInterrupt), private_folder() as folder:
        (folder / "a").write_bytes(b"1")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    "at", [(Path, "mkdir"), (subprocess, "Popen")], ids=["the folder", "the watchdog"]
)
def test_a_server_lifetime_that_is_interrupted_in_its_making_leaves_nothing(place, interrupted, at):
    interrupted(*at, before=at[0] is subprocess)
    with pytest.raises(KeyboardInterrupt):
        ServerLifetime()
    assert list(place.iterdir()) == []


def test_a_server_lifetimes_folder_is_its_owners_alone_and_gone_at_the_end(place):
    lifetime = ServerLifetime()
    assert list(place.iterdir()) == [lifetime.folder]
    assert stat.S_IMODE(lifetime.folder.stat().st_mode) == 0o700
    lifetime.close()
    assert list(place.iterdir()) == []


# --- the lock -------------------------------------------------------------------------------------

on_posix = pytest.mark.skipif(os.name == "nt", reason="only on POSIX: Windows has no such call")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "file"


HOLDER = """
import sys
from pathlib import Path
from lepton_lab.files import write_lock

with write_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(target):
    """Another process that holds the lock until it is killed or its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_waits_too_long_is_told_who_holds_the_lock(target, holder):
    started = time.monotonic()
    told = f"process {holder.pid} on .*, since 2"
    with pytest.raises(LockTimeout, match=told), write_lock(target, timeout=0.3):
        pytest.fail("two held it")
    assert 0.3 <= time.monotonic() - started < 10


def test_the_lock_ends_with_the_block_and_with_the_process(target, holder):
    holder.kill()
    holder.wait()
    for _ in range(2):
        with write_lock(target, timeout=10):
            pass
    assert not target.exists()


def test_threads_wait_for_each_other(target):
    inside, seen = [], []

    def work():
        for _ in range(20):
            with write_lock(target, timeout=60):
                inside.append(1)
                seen.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 60


def test_a_lock_that_was_left_by_an_exception_is_free(target):
    with pytest.raises(ZeroDivisionError), write_lock(target):
        _ = 1 / 0
    with write_lock(target, timeout=1):
        pass


def test_a_lock_in_a_folder_that_does_not_exist_is_not_found(target):
    for path in (target / "no" / "file", target.parent / "no" / "file"):
        with pytest.raises(NotFound), write_lock(path):
            pytest.fail("there is no such folder")


@on_posix
def test_the_lock_file_is_its_owners_alone_even_when_it_was_not(target):
    lock_file = target.with_name(".file.lock")
    before = os.umask(0)
    try:
        with write_lock(target):
            assert stat.S_IMODE(lock_file.stat().st_mode) == 0o600
            assert f"process {os.getpid()} " in lock_file.read_text()
    finally:
        os.umask(before)
    lock_file.chmod(0o666)
    with write_lock(target):
        assert stat.S_IMODE(lock_file.stat().st_mode) == 0o600


@on_posix
def test_whoever_can_list_the_folder_does_not_stop_a_writer(target):
    import fcntl

    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with write_lock(target, timeout=1):
            pass
    finally:
        os.close(descriptor)


@on_posix
def test_only_a_regular_file_is_locked(target, tmp_path):
    lock_file = target.with_name(".file.lock")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"untouched")
    lock_file.symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic links"), write_lock(target):
        pytest.fail("a link was followed")
    assert elsewhere.read_bytes() == b"untouched"
    lock_file.unlink()
    os.mkfifo(lock_file)
    with pytest.raises(FileExistsError, match="not a regular file"), write_lock(target):
        pytest.fail("a FIFO was opened")


@on_posix
def test_a_lock_file_of_another_user_is_refused(target, monkeypatch):
    lock_file = target.with_name(".file.lock")
    lock_file.touch()
    stranger = os.geteuid() + 1
    fstat = os.fstat

    def of_a_stranger(descriptor):
        return SimpleNamespace(st_mode=fstat(descriptor).st_mode, st_uid=stranger)

    with monkeypatch.context() as patch:
        patch.setattr("lepton_lab.files.os.fstat", of_a_stranger)
        message = rf"{re.escape(str(lock_file))} belongs to another user \(user id {stranger}\)"
        with pytest.raises(InvalidParameter, match=message), write_lock(target):
            pytest.fail("a stranger may hold this lock for ever")
    with write_lock(target, timeout=1):
        pass


FORKS = """
import os, sys
from pathlib import Path
from lepton_lab.errors import LockTimeout
from lepton_lab.files import write_lock

def held_elsewhere():
    try:
        with write_lock(Path(sys.argv[1]), timeout=0.2):
            return False
    except LockTimeout:
        return True

with write_lock(Path(sys.argv[1])):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        print("after the child left the block:", held_elsewhere(), flush=True)
    else:
        print("in the child:", held_elsewhere(), flush=True)
if not child:
    os._exit(0)
print("after the block:", held_elsewhere(), flush=True)
"""


@on_posix
def test_a_forked_child_neither_holds_nor_ends_its_parents_lock(target):
    command = [sys.executable, "-c", FORKS, target]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        "in the child: True",
        "after the child left the block: True",
        "after the block: False",
    ]


FOREIGN_FORK = """
import ctypes, os, sys
from pathlib import Path
from lepton_lab.files import write_lock

libc = ctypes.PyDLL(None)  # a library that forks; Python is not told
with write_lock(Path(sys.argv[1])):
    child = libc.fork()
    if not child:
        libc.pause()
        os._exit(0)
print(child, flush=True)
sys.stdin.read()
"""


@on_posix
def test_a_child_that_a_library_forked_does_not_keep_the_lock(target):
    with subprocess.Popen(
        [sys.executable, "-c", FOREIGN_FORK, target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        child = int(process.stdout.readline())
        try:
            with write_lock(target, timeout=5):
                pass
        finally:
            os.kill(child, signal.SIGKILL)
            process.stdin.close()


def test_a_progress_file_reports_what_passes_through_it():
    moved = []
    source = ProgressFile(io.BytesIO(b"abcdef"), moved.append)
    sink = io.BytesIO()
    buffer = bytearray(4)
    assert source.readinto(buffer) == 4
    assert source.read() == b"ef"
    assert ProgressFile(sink, moved.append).write(buffer) == 4
    assert sink.getvalue() == b"abcd"
    assert [count for count in moved if count] == [4, 2, 4]
