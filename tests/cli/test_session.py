"""Tests lepton_lab.cli.session: where the passphrase, the key ring and the nodes come from."""

from __future__ import annotations

import codecs
import os
import subprocess

from tests.support.terminal import talk


def test_the_passphrase_is_taken_from_the_environment_and_nowhere_else_without_a_terminal(here):
    here.environment["LEPTON_LAB_PASSPHRASE"] = "another"
    assert "the passphrase is wrong or the key ring is damaged" in here.refuses("ls")
    here.environment["LEPTON_LAB_PASSPHRASE"] = ""
    assert "LEPTON_LAB_PASSPHRASE is empty" in here.refuses("ls")
    del here.environment["LEPTON_LAB_PASSPHRASE"]
    done = subprocess.run(
        here.command("ls"),
        env=here.environment,
        cwd=here.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("lepton-lab: there is no terminal to ask for the passphrase")


def test_on_a_terminal_the_passphrase_is_asked_for_and_not_shown(here):
    del here.environment["LEPTON_LAB_PASSPHRASE"]
    here.environment["LEPTON_LAB_RING"] = str(here.folder / "new" / "ring")
    status, seen = talk(here, "put", "file", answers=["a passphrase", "another"])
    assert (status, "the two passphrases differ: run the command again" in seen) == (1, True)
    assert not (here.folder / "new" / "ring").exists()
    status, seen = talk(here, "put", "file", answers=["a passphrase", "a passphrase"])
    assert (status, "New key ring: " in seen, "a passphrase" in seen) == (0, True, False)
    status, seen = talk(here, "ls", answers=["a passphrase"])
    assert (status, "file" in seen) == (0, True)
    status, seen = talk(here, "ls", answers=[""])
    assert (status, "an empty passphrase protects nothing" in seen) == (1, True)


def test_urls_may_stand_in_a_file(here):
    urls = here.environment.pop("LEPTON_LAB_NODES").split()
    (here.folder / "nodes.txt").write_text("# five folders\n\n" + "\n".join(urls))
    here.does("put", "file", "--nodes", "@nodes.txt")
    here.does("get", "file", "-o", "back", *[part for url in urls for part in ("--nodes", url)])
    assert "no nodes are up in .lepton: run `lepton-lab nodes up`" in here.refuses("ls")


def test_a_file_of_urls_is_understood_wholly_or_refused_without_its_text(here):
    urls = here.environment.pop("LEPTON_LAB_NODES").split()
    file = here.folder / "nodes.txt"
    file.write_bytes(codecs.BOM_UTF8 + "\r\n".join(["# five", "", *urls, ""]).encode())
    here.does("put", "file", "--nodes", "@nodes.txt")
    refused = {
        b"redis://lepton:S3cr\xe9t@10.0.0.1:6379": "save the file as UTF-8 text",
        b"redis://lepton:S3cr#t@10.0.0.1:6379": "write %23 for #",
        b"redis://lepton:S3cr/t@10.0.0.1:6379": "write %40 for @",
        b"redis://lepton:S3crt@10.0.0.1:6379  # the first": "a space",
        b"lepton:S3crt@10.0.0.1:6379": "begins with none of",
    }
    for line, advice in refused.items():
        file.write_bytes(f"# nodes\n{urls[0]}\n".encode() + line + b"\n")
        refusal = here.refuses("ls", "--nodes", "@nodes.txt")
        assert refusal.startswith("nodes.txt, line 3: ")
        assert advice in refusal
        assert "S3cr" not in refusal


def test_a_passphrase_that_is_not_utf_8_is_one_line(here):
    here.environment["LEPTON_LAB_PASSPHRASE"] = os.fsdecode(b"\xff\xfe")
    assert "LEPTON_LAB_PASSPHRASE is not UTF-8 text" in here.refuses("ls")
    del here.environment["LEPTON_LAB_PASSPHRASE"]
    status, seen = talk(here, "ls", answers=[os.fsdecode(b"\xff\xfe")])
    assert (status, "bytes that are not UTF-8" in seen) == (1, True)
