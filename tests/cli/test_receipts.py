"""Tests lepton_lab.cli.receipts: rollbacks are refused, and damage to the file is noticed."""

from __future__ import annotations

import os
import shutil

import pytest


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


@pytest.mark.skipif(os.name == "nt", reason="only on Windows are there no pipes with a path")
@pytest.mark.parametrize("beside", ["receipts", "nodes"])
def test_a_pipe_in_the_place_of_a_file_beside_the_ring_is_refused_at_once(here, beside):
    here.does("put", "file")
    place = here.folder / "keys" / f"ring.{beside}"
    place.unlink()
    os.mkfifo(place)
    assert "where a regular file is needed" in here.refuses("get", "file", "-o", "back")
