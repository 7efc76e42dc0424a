"""Tests lepton_lab.show.node_board: its switches, its reads, and what a still page shows."""

from __future__ import annotations

import time

import pytest

from lepton_lab import show
from lepton_lab.errors import InvalidParameter, NotEnoughShards


@pytest.fixture
def nodes():
    return set(range(5))


@pytest.fixture
def board(nodes):
    def read() -> bool:
        if len(nodes) < 3:
            raise NotEnoughShards("shards", found=len(nodes), needed=3)
        return True

    made = show.node_board(5, 3, kill=nodes.discard, restart=nodes.add, read=read)
    yield made
    made.close()


def test_a_switch_kills_and_restarts_and_says_so(board, nodes):
    switches = board.children[0].children
    switches[1].value = False
    assert nodes == {0, 2, 3, 4}
    assert switches[1].description == "node 1: dead"
    assert "4 up, 3 needed</strong>: 1 more may die" in board.children[2].value
    for index in (2, 3):
        switches[index].value = False
    assert "1 too few" in board.children[2].value
    switches[1].value = True
    assert nodes == {0, 1, 4}
    assert "3 up, 3 needed</strong>: 0 more may die" in board.children[2].value


def test_every_outcome_of_a_read_is_shown(board, nodes):
    board.read_once()
    nodes -= {0, 1, 2}
    board.read_once()
    assert "✓ ·" in board.children[3].value
    assert "last read: NotEnoughShards" in board.children[3].value
    board._read = lambda: False
    board.read_once()
    assert "last read: WRONG" in board.children[3].value


def test_reading_goes_on_until_it_is_stopped(board):
    start = board.children[1]
    start.value = True
    assert start.description == "stop reading"
    deadline = time.monotonic() + 10
    while "✓" not in board.children[3].value and time.monotonic() < deadline:
        time.sleep(0.01)
    start.value = False
    assert "✓" in board.children[3].value
    assert not board._reading.is_set()


def test_a_still_page_shows_a_table_that_is_always_the_same(board):
    data, _ = board._repr_mimebundle_()
    assert data["text/plain"] == repr(board)
    assert data["text/plain"].splitlines()[0] == "A board of 5 nodes, any 3 of which suffice"
    assert data["text/html"].startswith("<table>")
    assert "application/vnd.jupyter.widget-view+json" in data


def test_more_needed_than_there_are_is_refused():
    with pytest.raises(InvalidParameter):
        show.node_board(2, 3, kill=print, restart=print, read=print)
