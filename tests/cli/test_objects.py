"""put, get, ls, check, repair, rebalance and shred, each as a process of its own."""

from __future__ import annotations

import os
import pty
import re
import secrets
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.terminal import PASSPHRASE, Terminal

CONTENT = secrets.token_bytes(100_000)


@pytest.fixture
def here(tmp_path):
    terminal = Terminal(tmp_path / "here").with_nodes()
    (terminal.folder / "file").write_bytes(CONTENT)
    return terminal


COMMANDS = [
    "put",
    "get",
    "ls",
    "check",
    "repair",
    "rebalance",
    "shred",
    "chaos",
    "nodes up",
    "nodes down",
    "nodes status",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_of_the_command_itself(tmp_path, command):
    said = Terminal(tmp_path / "here", real=True).does(*command.split(), "--help")
    assert f"Example: lepton-lab {command}" in said


def test_what_is_put_is_listed_checked_and_got_back_the_same(here):
    said = here.does("put", "file")
    assert "file: version 1, 100,000 bytes, any 3 of 5 nodes suffice" in said
    assert here.does("put", "-", "--name", "an object/of mine.txt", typed=b"typed") == (
        "an object/of mine.txt: version 1, 5 bytes, any 3 of 5 nodes suffice\n"
    )
    assert here.does("put", "/dev/null", "--name", "empty").startswith("empty: version 1, 0 bytes")
    listed = [line.split(None, 2) for line in here.does("ls").splitlines()]
    assert listed == [
        ["1", "5", "an object/of mine.txt"],
        ["1", "0", "empty"],
        ["1", "100,000", "file"],
    ]
    said = here.does("check", "file")
    assert "file: version 1, 100,000 bytes, 3 of 5 shards suffice, 2 more may be lost" in said
    assert said.count("1 good") == 5

    here.does("get", "file", "-o", "back")
    assert (here.folder / "back").read_bytes() == CONTENT
    assert (here.folder / "back").stat().st_mode & 0o777 == 0o600
    assert here.run("get", "file", "-o", "-").stdout == CONTENT
    (here.folder / "into").mkdir()
    here.does("get", "an object/of mine.txt", "-o", "into")
    assert (here.folder / "into" / "of mine.txt").read_bytes() == b"typed"
    here.does("get", "empty")
    assert (here.folder / "empty").read_bytes() == b""


def test_nodes_that_fail_lie_or_come_and_go_are_named_mended_and_moved_to(here):
    here.does("put", "file")
    shutil.rmtree(here.nodes[1])
    here.nodes[1].mkdir()
    shard = max(here.nodes[3].rglob("*="), key=lambda path: path.stat().st_size)
    shard.write_bytes(bytes(shard.stat().st_size))
    found = here.run("check", "file")
    assert found.returncode == 1
    assert b"0 more may be lost" in found.stdout
    assert b"1 missing; `lepton-lab repair file` rebuilds them" in found.stdout
    assert b"1 altered; `lepton-lab repair file` rebuilds them" in found.stdout
    here.does("get", "file", "-o", "back")
    assert (here.folder / "back").read_bytes() == CONTENT
    assert here.does("repair").startswith("file: rebuilt 1 on dir://")
    assert here.does("repair", "file") == "file: nothing to rebuild\n"
    here.does("check")

    gone = here.environment["LEPTON_LAB_NODES"].split()
    joined = [
        *gone[1:],
        f"dir://{here.folder}/node-5?sync=no",
        f"dir://{here.folder}/node-6?sync=no",
    ]
    here.environment["LEPTON_LAB_NODES"] = " ".join(joined)
    assert here.does("rebalance").startswith("1 objects looked at; shards moved: 1 to dir://")
    here.does("check", "file")
    here.does("get", "file", "-o", "back", "--force")
    assert (here.folder / "back").read_bytes() == CONTENT


def test_a_shredded_object_is_gone_and_its_name_may_be_used_again(here):
    here.does("put", "file")
    here.does("put", "file")
    assert "say that you are sure with --yes" in here.refuses("shred", "file")
    assert "this key ring can no longer read it" in here.does("shred", "file", "--yes")
    assert here.refuses("get", "file", "-o", "back").endswith("`lepton-lab ls` lists what there is")
    assert "no objects yet" in here.does("ls")
    assert b"file" not in (here.folder / "keys" / "ring.receipts").read_bytes()
    assert "version 1" in here.does("put", "file")
    here.does("get", "file", "-o", "back")


def test_a_rollback_by_all_nodes_is_refused_and_leaves_no_file(here):
    here.does("put", "file")
    for node in here.nodes:
        shutil.copytree(node, node.with_suffix(".old"))
    here.does("put", "file")
    for node in here.nodes:
        shutil.rmtree(node)
        node.with_suffix(".old").rename(node)
    assert "the receipt names version 2" in here.refuses("get", "file", "-o", "back")
    assert sorted(path.name for path in here.folder.iterdir() if path.is_file()) == ["file"]


def test_receipts_are_sealed_and_an_altered_file_of_them_is_noticed(here):
    here.does("put", "file", "--name", "a telling name")
    receipts = here.folder / "keys" / "ring.receipts"
    assert receipts.stat().st_mode & 0o777 == 0o600
    sealed = receipts.read_bytes()
    assert b"telling" not in sealed
    for damaged in (sealed[:-1] + bytes((sealed[-1] ^ 1,)), sealed[:3], b"", b"\x00" * 100):
        receipts.write_bytes(damaged)
        assert "ring.receipts is damaged" in here.refuses("get", "a telling name", "-o", "back")
    receipts.unlink()
    here.does("get", "a telling name", "-o", "back")
    assert here.does("ls").split(None, 2) == ["?", "?", "a telling name\n"]


def refusals(here):
    """(arguments, what standard input brings, status, a part of the one line)."""
    yield ["put", "missing"], b"", 1, "missing: no such file or directory; check the path"
    yield ["put", "."], b"", 1, "is a folder: pack it first"
    yield ["put", "-"], b"x", 1, "give it one with --name"
    yield (
        ["put", "file", "--name", "n" * 1025],
        b"",
        1,
        "1 to 1024 bytes of UTF-8 without NUL; choose another one",
    )
    yield ["put", "file", "-k", "9"], b"", 1, "k"
    yield ["get", "unknown"], b"", 1, "no such object; `lepton-lab ls` lists what there is"
    yield ["check", "unknown"], b"", 1, "no such object"
    yield ["repair", "unknown"], b"", 1, "no such object"
    yield ["rebalance", "unknown"], b"", 1, "no such object"
    yield ["shred", "unknown", "--yes"], b"", 1, "no such object"
    yield (
        ["get", "file"],
        b"",
        1,
        "file is there already: name another file, or let it be replaced with --force",
    )
    yield ["get", "file", "-f", "-o", "/dev/null"], b"", 1, "no ordinary file"
    yield (
        ["get", "file", "-o", "no/such/folder"],
        b"",
        1,
        "no such file or directory; check the path",
    )
    yield ["get", "a/.."], b"", 1, "name one with --output"
    yield ["get", "file", "-o", "/proc/back"], b"", 1, "/proc/"
    yield ["ls", "--nodes", "redis://127.0.0.1:1"], b"", 1, "connection refused"
    yield (
        ["get", "file", "-o", "b", *["--nodes", "redis://127.0.0.1:1"] * 2],
        b"",
        1,
        "is there twice",
    )
    yield ["ls", "--nodes", "nonsense"], b"", 1, "is none of dir://"
    yield ["ls", "--nodes", "@missing"], b"", 1, "missing: no such file"
    yield ["ls", "--nodes", "@/dev/null"], b"", 1, "no URL was given"
    yield ["ls", "--ring", "missing"], b"", 1, "there is no key ring at missing"
    yield ["ls", "--ring", "file"], b"", 1, "a wrong passphrase or a damaged key ring"
    yield ["put"], b"", 2, "Missing argument 'file'; see lepton-lab put --help"
    yield ["get", "x", "--nonsense"], b"", 2, "No such option: --nonsense"
    yield ["put", "file", "-k", "none"], b"", 2, "see lepton-lab put --help"
    yield ["dmeo"], b"", 2, "Did you mean 'demo'? See lepton-lab --help"


def test_whatever_is_wrong_is_one_line_that_says_what_to_do(here):
    here.does("put", "file")
    for arguments, typed, status, said in refusals(here):
        assert said in here.refuses(*arguments, typed=typed, status=status), arguments
    assert sorted(path.name for path in here.folder.iterdir() if path.is_file()) == ["file"]
    assert not list(here.temporary.iterdir())


def test_the_passphrase_is_taken_from_the_environment_and_nowhere_else_without_a_terminal(here):
    here.environment["LEPTON_LAB_PASSPHRASE"] = "another"
    assert "a wrong passphrase or a damaged key ring" in here.refuses("ls")
    here.environment["LEPTON_LAB_PASSPHRASE"] = ""
    assert "LEPTON_LAB_PASSPHRASE is empty" in here.refuses("ls")
    del here.environment["LEPTON_LAB_PASSPHRASE"]
    done = subprocess.run(
        here.command("ls"), env=here.environment, cwd=here.folder, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, start_new_session=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("lepton-lab: no terminal to ask for the passphrase")


def talk(here, *arguments, answers):
    """Run a command on a terminal of its own and give an answer for each question; its status and what was seen."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(here.folder)
        os.execve(here.command(*arguments)[0], here.command(*arguments), here.environment)
    seen, asked = b"", 0
    while select.select([terminal], [], [], 60)[0]:
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if seen.count(b": ", asked) and seen.endswith(b": ") and answers:
            time.sleep(0.1)
            os.write(terminal, answers.pop(0).encode() + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), seen.decode()


def test_on_a_terminal_the_passphrase_is_asked_for_and_not_shown(here):
    del here.environment["LEPTON_LAB_PASSPHRASE"]
    here.environment["LEPTON_LAB_RING"] = str(here.folder / "new" / "ring")
    status, seen = talk(here, "put", "file", answers=["a passphrase", "another"])
    assert (status, "the two differ: run it again" in seen) == (1, True)
    assert not (here.folder / "new" / "ring").exists()
    status, seen = talk(here, "put", "file", answers=["a passphrase", "a passphrase"])
    assert (status, "New key ring: " in seen, "a passphrase" in seen) == (0, True, False)
    status, seen = talk(here, "ls", answers=["a passphrase"])
    assert (status, "file" in seen) == (0, True)
    status, seen = talk(here, "ls", answers=[""])
    assert (status, "an empty passphrase protects nothing" in seen) == (1, True)


def test_shredding_asks_for_the_name(here):
    here.does("put", "file")
    status, seen = talk(here, "shred", "file", answers=["fil"])
    assert (status, "nothing was shredded" in seen) == (1, True)
    here.does("check", "file")
    status, seen = talk(here, "shred", "file", answers=["file"])
    assert status == 0
    assert "no objects yet" in here.does("ls")


def test_names_cannot_move_the_terminals_cursor(here):
    name = "evil\x1b[2J\nname"
    here.does("put", "file", "--name", name)
    said = here.does("ls") + here.does("check") + here.does("repair")
    assert "\x1b" not in said
    assert "evil\\x1b[2J\\nname" in said
    assert "name one with --output" in here.refuses("get", name)


def test_urls_may_stand_in_a_file(here):
    urls = here.environment.pop("LEPTON_LAB_NODES").split()
    (here.folder / "nodes.txt").write_text("# five folders\n\n" + "\n".join(urls))
    here.does("put", "file", "--nodes", "@nodes.txt")
    here.does("get", "file", "-o", "back", *[part for url in urls for part in ("--nodes", url)])
    assert "no nodes are up in .lepton: run `lepton-lab nodes up`" in here.refuses("ls")


def test_two_of_five_nodes_of_a_user_may_be_out_of_reach(here):
    urls = here.environment["LEPTON_LAB_NODES"].split()
    here.does("put", "file")
    dead = ["redis://127.0.0.1:1", "redis://127.0.0.1:2"]
    here.environment["LEPTON_LAB_NODES"] = " ".join([*urls[:3], *dead])
    here.does("get", "file", "-o", "back")
    found = here.run("check", "file")
    assert found.returncode == 1
    assert found.stdout.count(b"unreachable: connection refused") == 2
    assert here.refuses("put", "file").startswith("nodes ")
    done = here.run("repair", "file")
    assert done.returncode == 1
    assert b"bring it back and repair again" in done.stderr
    done = here.run("nodes", "status")
    assert (done.returncode, done.stdout.count(b"answers"), done.stdout.count(b"refused")) == (
        1,
        3,
        2,
    )


def test_two_clients_who_put_one_name_at_once_are_both_served(here):
    started = [here.start("put", "file") for _ in range(3)]
    for each in started:
        _, errors = each.communicate(timeout=120)
        assert each.returncode == 0, errors
    assert here.does("ls").split()[:2] == ["3", "100,000"]
    here.does("get", "file", "-o", "back")


def test_whoever_reads_the_list_may_have_had_enough(here):
    for index in range(3):
        here.does("put", "file", "--name", f"{index}")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        here.command("ls"),
        env=here.environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        cwd=here.folder,
    )
    os.close(writer)
    assert done.stderr == b""


STOPS = [
    signal.SIGINT,
    *(pytest.param(stop, marks=pytest.mark.slow) for stop in (signal.SIGTERM, signal.SIGKILL)),
]


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_a_put_that_is_interrupted_leaves_the_old_version(here, stop):
    here.does("put", "file")
    clients = {fed: here.start("put", "-", "--name", "file") for fed in (0, 70_000, 8 << 20)}
    for fed, client in clients.items():
        client.stdin.write(bytes(fed))
        client.stdin.flush()
    until(
        lambda: len(claims(here)) == 2
    )  # the last has begun, and waits for more; what has no stripe yet has not
    time.sleep(0.5)
    for client in clients.values():
        client.send_signal(stop)
        _, errors = client.communicate(timeout=60)
        assert client.returncode == (-9 if stop is signal.SIGKILL else 130)
        assert errors == (
            b""
            if stop is signal.SIGKILL
            else b"lepton-lab: interrupted; what had been begun is undone\n"
        )
    here.does("get", "file", "-o", "back")
    assert (here.folder / "back").read_bytes() == CONTENT
    here.does("check")
    here.does("put", "file")
    here.does("repair", "file")


def claims(here):
    return [path for path in here.nodes[0].rglob("*") if path.name == "claim="]


def until(condition, pause=0.02, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(pause)


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


def test_what_is_interrupted_while_it_is_loaded_ends_without_a_word(here):
    client = here.start("ls")
    until(
        lambda: not catches_ctrl_c(client) and content_of(client).count(b"lepton-lab"), pause=0.001
    )
    client.send_signal(signal.SIGINT)
    assert client.communicate(timeout=60) == (b"", b"")
    assert client.returncode == -signal.SIGINT


def catches_ctrl_c(process):
    """Whether Python's handler is there, as it is from its start until the command line takes it away to load."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    ready = (
        int(re.search(r"SigIgn:\s*(\w+)", status)[1], 16) & 1 << 12
    )  # SIGPIPE, which Python ignores from its start
    return not ready or int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) & 1 << 1


def content_of(process):
    return Path(f"/proc/{process.pid}/cmdline").read_bytes()


def unnamed(here):
    return [path for path in here.folder.iterdir() if path.name.startswith(".")]


def test_a_put_from_a_pipe_that_breaks_is_told(here):
    done = here.run("put", "-", "--name", "x", typed=PASSPHRASE.encode())
    assert done.returncode == 0
