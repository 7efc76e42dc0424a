"""Tests lepton_lab.numerals: how numbers are written, and what could be two numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lepton_lab.numerals import (
    COMMA,
    POINT,
    AmbiguousColumn,
    Column,
    Style,
    is_missing,
    is_number,
    kind_of,
    parse,
    read_column,
    resolve,
)

NUMERALS = {  # cell: (with a decimal point, with a decimal comma)
    "12": ("12", "12"),
    "+007": ("7", "7"),
    "1.5": ("1.5", None),
    "-1,5": (None, "-1.5"),
    "1,234": ("1234", "1.234"),
    "1.234": ("1.234", "1234"),
    "1.234,5": (None, "1234.5"),
    "1,234.5": ("1234.5", None),
    "1,234,567": ("1234567", None),
    "0,123": (None, "0.123"),
    "1234,567": (None, "1234.567"),
    "1'234.5": ("1234.5", None),
    "1\u202f234,5": (None, "1234.5"),
    "1 234 567": ("1234567", "1234567"),
    "1 234,567 8": (None, None),
    "1,234 567": (None, None),
    ".5": ("0.5", None),
    "5.": ("5", None),
    "−5": ("-5", "-5"),
    "1e3": ("1000", "1000"),
    "1.5E-3": ("0.0015", None),
    "12345678901234567890": ("12345678901234567890", "12345678901234567890"),
    "1e49": ("1e49", "1e49"),
    "1e50": (None, None),
    "1e-50": ("1e-50", "1e-50"),
    "1e-51": (None, None),
    "9" * 51: (None, None),
    "1e999999999": (None, None),
    "2_5": (None, None),
    "0x1F": (None, None),
    "nan": (None, None),
    "inf": (None, None),
    "٣": (None, None),
    "²": (None, None),
    "": (None, None),
    ".": (None, None),
    "-": (None, None),
    "1e": (None, None),
    "1..5": (None, None),
    "$5": (None, None),
    "5%": (None, None),
    "(5)": (None, None),
}


@pytest.mark.parametrize("cell", NUMERALS)
def test_a_cell_is_the_number_that_is_written_in_it(cell):
    for style, number in zip((POINT, COMMA), NUMERALS[cell], strict=True):
        assert parse(cell, style) == (None if number is None else Decimal(number))
    assert is_number(f" {cell} ") == any(NUMERALS[cell])


def test_missing_cells_are_told_from_words():
    for cell in ("", " ", "NaN", "n/a", "NULL", "-", "?", "-Infinity"):
        assert is_missing(cell), cell
    for cell in ("x", "0", "none of these", "2024-01-02", "1,5"):
        assert not is_missing(cell), cell
    assert kind_of("EUR 7") == "an amount with a currency"
    assert kind_of("abc") == "text"


CELLS = ["1,234", "5"]
POINTS = ["1.234", "5"]
ONE_POINT = Column([Decimal("0.5")], POINT)
ONE_COMMA = Column([Decimal("0.5")], COMMA)
GROUPED = Column([Decimal("1234.5")], COMMA, has_groups=True)
THOUSANDS = [1234, 5]
DECIMALS = [Decimal("1.234"), 5]


@pytest.mark.parametrize(
    ("cells", "others", "delimiter", "numbers"),
    [
        (CELLS, [], ",", THOUSANDS),
        (CELLS, [], ";", None),
        (CELLS, [ONE_COMMA], ";", DECIMALS),
        (CELLS, [ONE_POINT], ";", THOUSANDS),
        (CELLS, [ONE_COMMA], ",", DECIMALS),
        (CELLS, [ONE_COMMA, ONE_POINT], ",", None),
        (POINTS, [], ",", DECIMALS),
        (POINTS, [], ";", None),
        (POINTS, [ONE_POINT], ";", DECIMALS),
        (POINTS, [ONE_COMMA], ";", None),
        (POINTS, [GROUPED], ";", THOUSANDS),
        ([*CELLS, "6.789"], [ONE_POINT], ",", None),
    ],
)
def test_what_could_be_two_numbers_is_read_only_if_the_file_shows_which(
    cells, others, delimiter, numbers
):
    ambiguous = read_column(cells)
    assert isinstance(ambiguous, AmbiguousColumn)
    column = resolve(ambiguous, others, delimiter)
    assert (None if column is None else column.numbers) == numbers


def test_a_column_says_how_it_is_written():
    assert read_column(["1", " 2 "]) == Column([Decimal(1), Decimal(2)], Style.EITHER)
    assert read_column(["1 234"]) == Column([Decimal(1234)], Style.EITHER, has_groups=True)
    assert read_column(["1,234.5"]) == Column([Decimal("1234.5")], POINT, has_groups=True)
    assert read_column(["1,5", "2"]) == Column([Decimal("1.5"), Decimal(2)], COMMA)
    assert read_column(["x"]) == "text in its only cell"
