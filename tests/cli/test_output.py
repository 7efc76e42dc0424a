"""Tests lepton_lab.cli.output: names are printed safely, and `get` writes whole files or none."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import time

import pytest

from lepton_lab.cli import output
from tests.support.terminal import CONTENT, STOPS, Terminal, talk
from tests.support.waiting import until


def test_names_cannot_move_the_terminals_cursor(here):
    name = "evil\x1b[2J\nname"
    here.does("put", "file", "--name", name)
    said = here.does("ls") + here.does("check") + here.does("repair")
    assert "\x1b" not in said
    assert "evil\\x1b[2J\\nname" in said
    assert "give one with --output" in here.refuses("get", name)


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_a_get_that_is_interrupted_leaves_the_whole_file_or_none(here, stop):
    content = secrets.token_bytes(48 << 20)
    (here.folder / "file").write_bytes(content)
    here.does("put", "file")
    back = here.folder / "back"
    for delay in (0, 0.01, 0.03, 0.1):  # from the moment at which the file is begun
        client = here.start("get", "file", "-o", "back")
        until(lambda client=client: unnamed(here) or client.poll() is not None)
        time.sleep(delay)
        client.send_signal(stop)
        _, errors = client.communicate(timeout=60)
        assert b"Traceback" not in errors
        if back.exists():
            assert back.read_bytes() == content
            back.unlink()
        if stop is signal.SIGKILL:
            for path in unnamed(here):
                path.unlink()
        assert not unnamed(here)


def unnamed(here):
    return [path for path in here.folder.iterdir() if path.name.startswith(".")]


def run_with(here, redirection, *arguments, **variables):
    """Run a command as the shell does with this redirection, in an environment of its own."""
    script = f'exec "$@" {redirection}'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *here.command(*arguments)],
        env=here.environment | variables,
        cwd=here.folder,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert b"Traceback" not in done.stdout + done.stderr, done.stderr.decode()
    return done


ENCODINGS = [
    {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("variables", ENCODINGS, ids=lambda variables: " ".join(variables.values()))
def test_signs_and_names_that_the_output_cannot_encode_are_replaced(here, variables):
    here.does("put", "file", "--name", "résumé 数据.csv")
    assert run_with(here, "", "put", "file", **variables).returncode == 0
    listed = run_with(here, "", "ls", **variables)
    assert listed.returncode == 0
    assert b"sum" in listed.stdout
    assert rb"\u6570\u636e.csv" in listed.stdout
    assert run_with(here, "", "check", **variables).returncode == 0
    assert run_with(here, "", "--help", **variables).returncode == 0


def test_signs_have_a_plain_form():
    error = UnicodeEncodeError("ascii", "✓ 1.5× ≤ é…", 0, 11, "not ASCII")
    assert output._plain(error) == (r"+ 1.5x <= \xe9...", 11)


def test_a_command_works_without_standard_output(here):
    for arguments in (["--version"], ["put", "file"], ["ls"], ["check"], ["get", "file", "-f"]):
        done = run_with(here, ">&-", *arguments)
        assert (done.returncode, done.stderr) == (0, b""), arguments
    done = run_with(here, ">&-", "get", "file", "-o", "-")
    assert done.returncode == 1
    assert done.stderr == b"lepton-lab: standard output is closed: name a file with --output\n"
    assert run_with(here, ">&- 2>&-", "get", "unknown").returncode == 1
    assert run_with(here, "<&- >&- 2>&-", "ls").returncode == 0


def test_a_command_works_without_standard_input(here):
    assert run_with(here, "<&-", "put", "file").returncode == 0
    done = run_with(here, "<&-", "put", "-", "--name", "x")
    assert done.returncode == 1
    assert done.stderr == b"lepton-lab: standard input is closed: name a file to store\n"
    done = run_with(here, "<&-", "shred", "file")
    assert done.returncode == 1
    assert b"confirm it with --yes" in done.stderr


def test_a_command_works_without_a_home_folder(here):
    del here.environment["HOME"]
    for arguments in (["put", "file"], ["ls"], ["get", "file", "-f"], ["nodes", "status"]):
        assert run_with(here, "", *arguments).returncode == 0, arguments


def test_paths_may_hold_spaces_and_letters_of_any_language(tmp_path):
    here = Terminal(tmp_path / "a folder é").with_nodes()
    here.environment["LEPTON_LAB_NODES"] = " ".join(path.as_uri() for path in here.nodes)
    here.environment["LEPTON_LAB_NODES"] = here.environment["LEPTON_LAB_NODES"].replace(
        "file://", "dir://"
    )
    (here.folder / "a file é").write_bytes(CONTENT)
    here.does("put", "a file é")
    here.does("get", "a file é", "-o", "an output é")
    assert (here.folder / "an output é").read_bytes() == CONTENT


IN_FULL = [
    ["get", "file", "-o", "-"],
    ["get", "file", "-o", "full/x"],
    ["lab", "--copy", "full/my"],
    ["nodes", "up", "--folder", "full/nodes"],
]


@pytest.mark.parametrize("arguments", IN_FULL, ids=" ".join)
def test_a_full_disk_is_one_line_that_says_which(here, arguments):
    """A file system of one MiB, in a mount namespace of its own, takes less than the object."""
    (here.folder / "file").write_bytes(bytes(2 << 20))
    here.does("put", "file")
    (here.folder / "full").mkdir()
    mount = "mount -t tmpfs -o size=1m none full"
    if arguments[0] != "get":  # these write less than a MiB
        mount += "; head -c 2000000 /dev/zero >full/much 2>errors"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mount}; exec "$@"', "sh", *here.command(*arguments)],
        env=here.environment | {"TMPDIR": str(here.folder / "full")},
        cwd=here.folder,
        capture_output=True,
        check=False,
        timeout=120,
    )
    if b"unshare" in done.stderr or b"mount" in done.stderr:
        pytest.skip("this machine allows no mount namespaces")
    assert done.returncode == 1
    [line] = done.stderr.decode().splitlines()
    assert "full" in line
    assert "no space left on device; free some space" in line
    assert not done.stdout


def test_a_folder_that_cannot_be_written_is_one_line(here):
    """Nothing can be created in /proc, whoever tries."""
    here.does("put", "file")
    assert here.refuses("get", "file", "-o", "/proc/back").startswith("/proc/back: ")
    here.environment["LEPTON_LAB_RING"] = "/proc/keys/ring"
    assert here.refuses("put", "file").startswith("/proc/keys")


def test_a_list_on_a_terminal_has_a_header(here):
    here.does("put", "file")
    status, seen = talk(here, "ls", answers=[])
    assert status == 0
    header, line = seen.splitlines()
    assert header.split() == ["version", "bytes", "name"]
    assert line.split() == ["1", "100,000", "file"]
    assert header.index("name") == line.index("file")


def test_help_shows_no_default_where_there_is_none(here):
    assert "default: ()" not in here.does("get", "--help")


CHILD = """
import subprocess, sys
from lepton_lab.cli.output import prepare_streams
prepare_streams()
child = "import os; [os.fstat(number) for number in range(3)]"
raise SystemExit(subprocess.run([sys.executable, "-c", child]).returncode)
"""


def test_programs_that_are_started_have_standard_streams_too():
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", CHILD]
    assert subprocess.run(command, check=False).returncode == 0
