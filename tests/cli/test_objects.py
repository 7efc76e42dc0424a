"""Tests lepton_lab.cli.objects: put, get, ls, check, repair, rebalance and shred."""

from __future__ import annotations

import shutil
import signal
import time

import pytest

from tests.support.terminal import CONTENT, PASSPHRASE, STOPS, talk
from tests.support.waiting import until


def test_what_is_put_is_listed_checked_and_got_back_the_same(here):
    said = here.does("put", "file")
    assert "file: version 1, 100,000 bytes, any 3 of 5 nodes suffice" in said
    assert here.does("put", "-", "--name", "an object/of mine.txt", typed=b"typed") == (
        "an object/of mine.txt: version 1, 5 bytes, "
        "any 3 of 5 nodes suffice to read; a write needs 4\n"
    )
    assert here.does("put", "/dev/null", "--name", "empty").startswith("empty: version 1, 0 bytes")
    listed = [line.split(None, 2) for line in here.does("ls").splitlines()]
    assert listed == [
        ["1", "5", "an object/of mine.txt"],
        ["1", "0", "empty"],
        ["1", "100,000", "file"],
    ]  # a program reads this list, so it has no header
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
    assert b"is its disk mounted?" in here.run("check", "file").stdout
    assert here.run("repair").returncode == 1
    assert list(here.nodes[1].iterdir()) == []
    (here.nodes[1] / ".lepton-node").touch()  # it is a new disk
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
    assert "confirm it with --yes" in here.refuses("shred", "file")
    assert "this key ring can no longer read it" in here.does("shred", "file", "--yes")
    assert here.refuses("get", "file", "-o", "back").endswith("`lepton-lab ls` lists the objects")
    assert "no objects yet" in here.does("ls")
    assert b"file" not in (here.folder / "keys" / "ring.receipts").read_bytes()
    assert "version 1" in here.does("put", "file")
    here.does("get", "file", "-o", "back")


def refusals(here):
    """(arguments, what standard input brings, status, a part of the one line)."""
    yield ["put", "missing"], b"", 1, "missing: no such file or directory; check the path"
    yield ["put", "."], b"", 1, "is a folder: pack it first"
    yield ["put", "-"], b"x", 1, "give the object's name with --name"
    yield (
        ["put", "file", "--name", "n" * 1025],
        b"",
        1,
        "1 to 1024 bytes of UTF-8 without NUL; choose another name",
    )
    yield ["put", "file", "-k", "9"], b"", 1, "k"
    yield ["get", "unknown"], b"", 1, "unknown: no such object; `lepton-lab ls` lists the objects"
    yield ["check", "unknown"], b"", 1, "no such object"
    yield ["repair", "unknown"], b"", 1, "no such object"
    yield ["rebalance", "unknown"], b"", 1, "no such object"
    yield ["shred", "unknown", "--yes"], b"", 1, "no such object"
    yield (
        ["get", "file"],
        b"",
        1,
        "file already exists: name another file, or replace this one with --force",
    )
    yield (
        ["get", "file", "-f", "-o", "/dev/null"],
        b"",
        1,
        "/dev/null exists and is not a regular file",
    )
    yield (
        ["get", "file", "-o", "no/such/folder"],
        b"",
        1,
        "no such file or directory; check the path",
    )
    yield ["get", "a/.."], b"", 1, "give one with --output"
    yield ["get", "file", "-o", "/proc/back"], b"", 1, "/proc/"
    yield ["check", "file", "--nodes", "redis://127.0.0.1:1"], b"", 1, "connection refused"
    yield (
        ["get", "file", "-o", "b", *["--nodes", "redis://127.0.0.1:1"] * 2],
        b"",
        1,
        "is there twice",
    )
    yield ["ls", "--nodes", "nonsense"], b"", 1, "begins with none of dir://"
    yield ["ls", "--nodes", "@missing"], b"", 1, "missing: no such file"
    yield ["ls", "--nodes", "@/dev/null"], b"", 1, "no URL was given"
    yield ["ls", "--ring", "missing"], b"", 1, "there is no key ring at missing"
    yield ["ls", "--ring", "file"], b"", 1, "the passphrase is wrong or the key ring is damaged"
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


def test_shredding_asks_for_the_name(here):
    here.does("put", "file")
    status, seen = talk(here, "shred", "file", answers=["fil"])
    assert (status, "nothing was shredded" in seen) == (1, True)
    here.does("check", "file")
    status, seen = talk(here, "shred", "file", answers=["file"])
    assert status == 0
    assert "no objects yet" in here.does("ls")


def test_two_of_five_nodes_of_a_user_may_be_out_of_reach(here):
    urls = here.environment["LEPTON_LAB_NODES"].split()
    here.does("put", "file")
    dead = ["redis://127.0.0.1:1", "redis://127.0.0.1:2"]
    here.environment["LEPTON_LAB_NODES"] = " ".join([*urls[:3], *dead])
    here.does("get", "file", "-o", "back")
    found = here.run("check", "file")
    assert found.returncode == 1
    assert found.stdout.count(b"unreachable: connection refused") == 2
    assert here.refuses("put", "file").startswith("file: nodes ")
    done = here.run("repair", "file")
    assert done.returncode == 1
    assert b"when it answers again, repair once more" in done.stderr
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
            else b"lepton-lab: interrupted; unfinished work was undone\n"
        )
    here.does("get", "file", "-o", "back")
    assert (here.folder / "back").read_bytes() == CONTENT
    here.does("check")
    here.does("put", "file")
    here.does("repair", "file")


def claims(here):
    return [path for path in here.nodes[0].rglob("*") if path.name == "claim="]


def test_a_put_from_a_pipe_that_breaks_is_told(here):
    done = here.run("put", "-", "--name", "x", typed=PASSPHRASE.encode())
    assert done.returncode == 0


def test_reading_needs_k_nodes_and_writing_the_quorum(here):
    here.does("put", "file")
    alive = here.environment["LEPTON_LAB_NODES"].split()[:3]
    dead = ["redis://127.0.0.1:1", "redis://127.0.0.1:2"]
    here.environment["LEPTON_LAB_NODES"] = " ".join([*alive, *dead])
    here.does("get", "file", "-o", "back")
    refusal = here.refuses("put", "file")
    assert refusal.startswith("file: ")
    assert "3 found, 4 needed" in refusal
    assert "reading needs 3 nodes and a write 4" in refusal
    assert "or use --write-quorum 3" in refusal
    said = here.does("put", "file", "--write-quorum", 3)
    assert "any 3 of 5 nodes suffice to read; a write needs 3" in said
    here.does("get", "file", "-o", "back", "--force")
    said = here.run("nodes", "status").stdout.decode()
    assert "3 of 5 nodes answer; by default any 3 of 5 suffice to read" in said
    said = here.run("repair", "file")
    assert b"nothing to rebuild on the nodes that answer" in said.stdout


def test_an_object_that_cannot_be_read_is_named(here):
    here.does("put", "file")
    for node in here.nodes[:3]:
        for shard in node.rglob("*"):
            if shard.is_file() and shard.stat().st_size > 1000:
                shard.unlink()
    for command in ("get", "repair"):
        refusal = here.refuses(command, "file", *(["-f"] if command == "get" else []))
        assert refusal.startswith("file: good shards of stripe 0: 2 found, 3 needed")
    assert "1 data key destroyed" in here.does("shred", "file", "--yes")
