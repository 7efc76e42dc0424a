"""Tests lepton_lab.show.table: tables and rounded numbers, as HTML and as text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab import show
from lepton_lab.errors import InvalidParameter
from tests.support.html_tags import Tags


def test_a_table_has_scoped_headings_and_an_aligned_text() -> None:
    shown = show.table(
        [("put", 1.25, 4096, b"\xab\xcd", True), ("get <b>", None, 3, b"", False)],
        ["step", "time / s", "bytes", "tag", "held"],
        caption="What it costs",
        formats={"time / s": ".3f"},
    )
    assert shown.text.splitlines() == [
        "What it costs",
        "step     time / s  bytes  tag   held",
        "───────  ────────  ─────  ────  ────",
        "put         1.250  4,096  abcd  yes",
        "get <b>         –      3        no",
    ]
    tags = Tags(shown.html)
    assert [th["scope"] for th in tags["th"]] == ["col"] * 5 + ["row"] * 2
    assert len(tags["caption"]) == 1
    assert "get <b>" in tags.text
    assert not tags["b"]


def test_numpy_numbers_are_aligned_to_the_right_as_others_are() -> None:
    shown = show.table([(np.int64(1234), np.float32(0.5))], ["a", "b"])
    assert shown.text.splitlines()[-1] == "1,234  0.5"


@pytest.mark.parametrize(
    ("rows", "formats"), [([(1,)], {}), ([(1, 2, 3)], {}), ([(1, 2)], {"c": ".1f"})]
)
def test_a_table_that_does_not_fit_its_columns_is_refused(
    rows: list[tuple[int, ...]], formats: dict[str, str]
) -> None:
    with pytest.raises(InvalidParameter):
        show.table(rows, ["a", "b"], formats=formats)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1234567, "1,234,567"),
        (-3.0, "-3"),
        (0.0123456, "0.0123"),
        (12345.6, "12,300"),
        (9.999, "10"),
        (0.1 + 0.2, "0.3"),
        (1.5e-9, "1.50e-09"),
        (2**3072, "5.81e+924"),
        (float("inf"), "inf"),
        (np.float32(2.5), "2.5"),
        (np.int64(-1000), "-1,000"),
    ],
)
def test_numbers_are_rounded_for_reading(number: float, text: str) -> None:
    assert show.rounded(number) == text


@given(st.floats(min_value=1e-3, max_value=1e12))
def test_rounding_keeps_three_digits(number: float) -> None:
    assert float(show.rounded(number).replace(",", "")) == pytest.approx(number, rel=0.00501)
