"""Tests lepton_lab.textbook.primitives.placement: what moves when a node joins or leaves."""

from __future__ import annotations

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives.placement import place, weigh

NODES = [f"node {number}" for number in range(12)]


KEYS = [f"object {number}" for number in range(600)]


def test_a_node_that_joins_takes_and_no_other_does() -> None:
    moved = 0
    for key in KEYS:
        before = set(place(key, NODES, 5))
        after = set(place(key, [*NODES, "new"], 5))
        assert after - before <= {"new"}
        moved += len(after - before)
    assert 0.7 < moved / (5 * len(KEYS) / 13) < 1.3


def test_a_node_that_leaves_gives_and_no_other_does() -> None:
    for key in KEYS:
        before = place(key, NODES, 5)
        after = place(key, NODES[1:], 5)
        stayed = [node for node in before if node != NODES[0]]
        assert [node for node in after if node in before] == stayed


def test_every_node_keeps_about_as_much() -> None:
    kept = [sum(node in place(key, NODES, 5) for key in KEYS) for node in NODES]
    assert max(kept) < 1.25 * min(kept)


def test_a_weight_has_64_bits_and_the_pair_is_not_its_concatenation() -> None:
    assert all(0 <= weigh(node, "x") < 1 << 64 for node in NODES)
    assert weigh("ab", "c") != weigh("a", "bc")


@pytest.mark.parametrize("count", [-1, 13])
def test_more_nodes_than_there_are_cannot_be_chosen(count) -> None:
    with pytest.raises(InvalidParameter):
        place("x", NODES, count)
