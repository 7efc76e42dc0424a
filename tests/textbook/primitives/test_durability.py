"""Tests lepton_lab.textbook.primitives.durability: the chain against known formulas."""

from __future__ import annotations

import math

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives.durability import mean_time_to_loss


def test_without_redundancy_or_without_repair_the_sums_are_known() -> None:
    assert math.isclose(mean_time_to_loss(4, 4, 0.5, 100).result, 1 / (4 * 0.5))
    assert math.isclose(mean_time_to_loss(3, 1, 2.0, 0).result, (1 / 3 + 1 / 2 + 1) / 2)


def test_a_mirrored_pair_has_the_known_mean_time() -> None:
    # Patterson, Gibson and Katz, 1988, in its exact form
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
