"""Tests bench.rows and bench's table and figure: what all benchmarks have in common."""

from __future__ import annotations

import json
import time
from itertools import groupby
from pathlib import Path

import pytest
from rich.console import Console

from bench.__main__ import PARTS, REFERENCE, _figure, _table
from bench.rows import Row, compared, cpu_rounds


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("*.json")), ids=lambda path: path.stem)
def test_every_reference_file_reads_as_rows_with_or_without_the_newer_fields(path: Path) -> None:
    for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
        assert Row(**row).name == row["name"]


def test_parts_are_what_can_be_measured() -> None:
    assert "paillier" in PARTS
    assert not {"rows", "paillier_peers"} & set(PARTS)


def test_a_ratio_is_the_median_of_the_rounds_ratios_and_not_the_ratio_of_medians() -> None:
    row = compared("x", [1.0, 2.0, 9.0], [8.0, 2.0, 27.0], "phe", per=2, size=512)
    assert (row.value, row.ratio, row.size) == (1000.0, 3.0, 512)


def test_works_are_taken_in_turn_and_short_ones_often_enough() -> None:
    calls: list[str] = []

    def long() -> None:
        calls.append("long")
        end = time.process_time() + 0.03
        while time.process_time() < end:
            continue

    taken = cpu_rounds({"short": lambda: calls.append("short"), "long": long}, 2)
    assert [len(rounds) for rounds in taken.values()] == [2, 2]
    # three turns: one to warm up, with three calls of each, and two rounds
    assert [name for name, _ in groupby(calls)] == ["short", "long"] * 3
    assert calls.count("long") == 3 + 2
    assert calls.count("short") > 100


def test_the_table_shows_what_stands_beside_a_figure_and_leaves_out_empty_columns() -> None:
    console = Console(width=200, record=True)
    row = Row("a", 1, "ms", 2.0, "phe", size=512, error=1e-10, assumption="DCR")
    console.print(_table("t", [row]))
    shown = console.export_text()
    assert all(word in shown for word in ("512", "1e-10", "DCR", "2.00×"))
    assert "note" not in shown


def test_the_figure_draws_ratios_or_else_the_figures() -> None:
    ratios = _figure("p", [Row("a", 1, "ms", 2.0, "phe"), Row("b", 5, "ms")])
    assert "a 2" in ratios.text
    assert "b 5" not in ratios.text
    assert "b 5" in _figure("p", [Row("b", 5, "ms"), Row("c", 7, "s")]).text
