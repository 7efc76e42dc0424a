"""Folders for a while: nobody else enters them, and Ctrl-C at whatever moment leaves none."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from lepton_lab.files import private_folder
from lepton_lab.nodes.servers.lifetime import ServerLifetime


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where temporary folders are made, that of ServerLifetime too, which would otherwise avoid so long a path."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("lepton_lab.nodes.servers.lifetime._LONGEST_FOLDER", 1000)
    return tmp_path


@pytest.fixture
def interrupted(monkeypatch):
    """Have a function of a module or class do its work, and Ctrl-C come just then; the first time only."""

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
