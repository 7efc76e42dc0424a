"""Placement and durability: what moves when a node joins, and the chain against known formulas."""

from __future__ import annotations

import math

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives.durability import mean_time_to_loss
from lepton_lab.textbook.primitives.placement import place, weigh

NODES = [f"node {number}" for number in range(12)]
KEYS = [f"object {number}" for number in range(600)]


def test_who_joins_takes_and_nobody_else_does() -> None:
    moved = 0
    for key in KEYS:
        before, after = set(place(key, NODES, 5)), set(place(key, [*NODES, "new"], 5))
        assert after - before <= {"new"}
        moved += len(after - before)
    assert 0.7 < moved / (5 * len(KEYS) / 13) < 1.3


def test_who_leaves_gives_and_nobody_else_does() -> None:
    for key in KEYS:
        before, after = place(key, NODES, 5), place(key, NODES[1:], 5)
        assert [node for node in before if node != NODES[0]] == [
            node for node in after if node in before
        ]


def test_every_node_keeps_about_as_much() -> None:
    kept = [sum(node in place(key, NODES, 5) for key in KEYS) for node in NODES]
    assert max(kept) < 1.25 * min(kept)


def test_a_lot_is_of_64_bits_and_the_pair_is_not_its_concatenation() -> None:
    assert all(0 <= weigh(node, "x") < 1 << 64 for node in NODES)
    assert weigh("ab", "c") != weigh("a", "bc")


@pytest.mark.parametrize("count", [-1, 13])
def test_more_nodes_than_there_are_cannot_be_chosen(count) -> None:
    with pytest.raises(InvalidParameter):
        place("x", NODES, count)


def test_without_redundancy_or_without_repair_the_sums_are_known() -> None:
    assert math.isclose(mean_time_to_loss(4, 4, 0.5, 100).result, 1 / (4 * 0.5))
    assert math.isclose(mean_time_to_loss(3, 1, 2.0, 0).result, (1 / 3 + 1 / 2 + 1) / 2)


def test_a_mirrored_pair_has_the_known_mean_time() -> (
    None
):  # Patterson, Gibson and Katz, 1988, in its exact form
    assert math.isclose(mean_time_to_loss(2, 1, 0.2, 30).result, (3 * 0.2 + 30) / (2 * 0.2**2))


def test_its_steps_are_its_sum() -> None:
    trace = mean_time_to_loss(14, 10, 0.1, 365)
    assert trace.names() == ["T0", "T1", "T2", "T3", "T4"]
    assert math.isclose(sum(step.value for step in trace), trace.result)


@pytest.mark.parametrize(
    "wrong", [(0, 0, 1, 1), (3, 4, 1, 1), (3, 1, 0, 1), (3, 1, 1, -1), (3, 1, math.nan, 1)]
)
def test_what_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(InvalidParameter):
        mean_time_to_loss(*wrong)
