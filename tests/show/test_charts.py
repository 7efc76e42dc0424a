"""Tests lepton_lab.show.charts: bars, lines, panels and slots read their numbers out."""

from __future__ import annotations

import numpy as np
import pytest

from lepton_lab import show
from lepton_lab.errors import InvalidParameter
from lepton_lab.show.figure import COLOURS

# bars -----------------------------------------------------------------------------------------


def test_bars_of_two_series_say_which_is_which_and_what_was_not_measured() -> None:
    values = {
        "reference run": {"put": 557.0, "get": 680},
        "this machine": {"put": 301.54, "get": None},
    }
    assert show.bars(values, title="Slower.", unit="MB/s").text == (
        "Bar chart: Slower. In MB/s. "
        "reference run: put 557, get 680; this machine: put 302, get not measured."
    )


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ({}, False),
        ({"a": None}, False),
        ({"a": float("nan")}, False),
        ({"a": 0, "b": 2}, True),
        ({"s": {}}, False),
    ],
)
def test_bars_of_nothing_or_below_a_logarithm_are_refused(
    values: dict[str, None], log: bool
) -> None:
    with pytest.raises(InvalidParameter):
        show.bars(values, title="t", log=log)


# lines ----------------------------------------------------------------------------------------


def test_lines_are_read_out_when_short_and_summed_up_when_long() -> None:
    xs = np.arange(100)
    series = {"few": ([1, 1000], [0.5, 1234.5]), "many": (xs, (xs - 30) ** 2)}
    shown = show.lines(series, title="Growth", x="n", y="time / s", log="x")
    assert shown.text == (
        "Line chart: Growth. time / s against n. few: 1 → 0.5, 1,000 → 1,230; "
        "many: 100 points from 0 → 900 to 99 → 4,761, lowest 30 → 0, highest 99 → 4,761."
    )


@pytest.mark.parametrize("series", [{}, {"a": ([1, 2], [1])}, {"a": ([], [])}])
def test_lines_without_points_are_refused(
    series: dict[str, tuple[list[float], list[float]]],
) -> None:
    with pytest.raises(InvalidParameter):
        show.lines(series, title="t", x="x", y="y")


# panels ---------------------------------------------------------------------------------------


def test_panels_say_what_is_seen_and_count_it() -> None:
    pictures = {
        "the chart": np.array([[0, 0, 9], [0, 9, 9]]),
        "sealed": np.arange(6).reshape(2, 3),
    }
    shown = show.panels(pictures, title="It shows through.", said="A step.")
    expected = "the chart: 3 by 2, 2 different values; sealed: 3 by 2, 6 different values."
    assert repr(shown) == f"Pictures: It shows through. A step. {expected}"
    assert shown.svg.count(b"<image") == 2
    assert repr(shown) in shown.html


def test_in_panels_values_count_and_not_their_size() -> None:
    small = show.panels({"a": np.array([[1, 2]])}, title="t", said="s")
    large = show.panels({"a": np.array([[1, 2000]])}, title="t", said="s")
    assert small.svg == large.svg


@pytest.mark.parametrize("wrong", [{}, {"flat": np.arange(3)}, {"empty": np.zeros((0, 3))}])
def test_panels_refuse_anything_but_pictures(wrong: dict[str, np.ndarray]) -> None:
    with pytest.raises(InvalidParameter):
        show.panels(wrong, title="t", said="s")


# slots ----------------------------------------------------------------------------------------


def test_slots_name_every_value_of_every_row() -> None:
    shown = show.slots({"Ada": [3, -1], "sum": [7, 0]}, bits=8, title="Room for sums.")
    assert repr(shown) == (
        "Room for sums. Slots of 8 bits, the lowest first. Ada: 3, -1; sum: 7, 0."
    )
    assert 'alt="Room for sums.' in shown.html


@pytest.mark.parametrize(
    ("value", "fits"), [(127, True), (-128, True), (128, False), (-129, False)]
)
def test_only_a_value_that_passes_its_slot_is_drawn_in_the_warning_colour(
    value: int, fits: bool
) -> None:
    picture = show.slots({"row": [value]}, bits=8, title="A slot")
    assert (COLOURS[2].encode() in picture.svg) is not fits


@pytest.mark.parametrize("rows", [{}, {"Ada": []}, {"Ada": [1], "Ben": [1, 2]}])
def test_rows_that_are_empty_or_of_unequal_length_are_refused(rows: dict[str, list[int]]) -> None:
    with pytest.raises(InvalidParameter):
        show.slots(rows, bits=8, title="nothing")


def test_a_slot_of_one_bit_holds_no_signed_number() -> None:
    with pytest.raises(InvalidParameter):
        show.slots({"Ada": [0]}, bits=1, title="nothing")
