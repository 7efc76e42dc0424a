"""Tests lepton_lab.workshop.experiments.nb12_costs: the table of costs, and noise by its law."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from random import Random

import pytest

from lepton_lab import data
from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.experiments.nb12_costs import Costs, discrete_laplace


def test_the_ledger_adds_up_what_is_done():
    costs = Costs()
    for raw in (5, 7):
        with costs.step("send") as step:
            step.size = raw
    with costs.step("think"):
        pass
    assert [(step.name, step.size) for step in costs.steps] == [("send", 12), ("think", None)]
    shown = str(costs.table("What it cost"))
    assert "What it cost" in shown
    assert "in all" in shown


def test_what_raised_is_not_entered():
    costs = Costs()
    with pytest.raises(KeyError), costs.step("fail"):
        raise KeyError
    assert costs.steps == []


@pytest.mark.parametrize("scale", [1, 3, Fraction(1, 2), Fraction(7, 3)])
def test_the_noise_follows_its_law(scale):
    """P(x) = (1 − q)/(1 + q)·q^|x| with q = e^(−1/scale).

    Every frequent value occurs within six standard deviations of it.
    """
    draws, draw = 8_000, Random(20261123)
    found = Counter(discrete_laplace(scale, draw.randrange) for _ in range(draws))
    q = math.exp(-1 / float(scale))
    for x in range(-4, 5):
        p = (1 - q) / (1 + q) * q ** abs(x)
        assert abs(found[x] - draws * p) < 6 * math.sqrt(draws * p)


def test_noise_of_a_large_scale_is_large_and_never_the_same():
    drawn = [discrete_laplace(10**30) for _ in range(20)]
    assert len(set(drawn)) == 20
    assert max(map(abs, drawn)) > 10**28
    assert isinstance(drawn[0], int)


@pytest.mark.parametrize("scale", [0, -1, 0.5, True, None, Fraction(-1, 2)])
def test_a_scale_that_cannot_be_is_refused(scale):
    with pytest.raises(InvalidParameter):
        discrete_laplace(scale)


def test_every_data_set_is_small_and_named_in_the_sources():
    sources = data.read("SOURCES.md").decode()
    for name in ("breast_cancer.csv", "credit_cards.csv", "election_1996.csv"):
        assert f"## {name}" in sources
        lines = data.read(name).decode().splitlines()
        assert len(data.read(name)) < 200_000
        assert len({line.count(",") for line in lines}) == 1
