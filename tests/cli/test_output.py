"""Tests lepton_lab.cli.output: names are printed safely, and `get` writes whole files or none."""

from __future__ import annotations

import secrets
import signal
import time

import pytest

from tests.support.terminal import STOPS
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
