"""Tests lepton_lab.tables: separators, encodings and headings of CSV files are recognised."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest

from lepton_lab.tables import NotText, read_table

SEPARATED = {  # a file: its columns of numbers, and what is said of it
    b"1,5;2,5\n3,5;4,5\n": (
        {"column 1": ["1.5", "3.5"], "column 2": ["2.5", "4.5"]},
        "2 rows of 2 columns, decimal commas in 2 columns",
    ),
    b"Preis, netto;Menge\n1,5;2\n3,7;4\n": (
        {"Preis, netto": ["1.5", "3.7"], "Menge": ["2", "4"]},
        "2 rows of 2 columns, decimal commas in 1 column",
    ),
    b"Preis\n1,5\n3,7\n8\n": (
        {"Preis": ["1.5", "3.7", "8"]}, "3 rows of 1 column, decimal commas in 1 column",
    ),
    b"0,05\n1,25\n": (
        {"column 1": ["0.05", "1.25"]},
        "2 rows of 1 column, decimal commas in 1 column",
    ),
    b"0,5\n-0,25\n": (
        {"column 1": ["0.5", "-0.25"]},
        "2 rows of 1 column, decimal commas in 1 column",
    ),
    b"0,7\n0,9\n": (
        {"column 1": ["0", "0"], "column 2": ["7", "9"]},
        "2 rows of 2 columns, commas taken for separators, not for decimal commas",
    ),
    b'name,"note, long",v\nx,"a;b;c",1.5\ny,"d;e;f",2.5\n': (
        {"v": ["1.5", "2.5"]}, "2 rows of 1 column",
    ),
    b"a\n1,000,000\n2,500\n": (
        {"a": ["1000000", "2500"]}, "2 rows of 1 column, thousands set apart in 1 column",
    ),
    b"a\tb\n1,5\t2\n": ({"a": ["1.5"], "b": ["2"]}, None),
    b"a|b\r\n1|2\r\n": ({"a": ["1"], "b": ["2"]}, "1 row of 2 columns"),
    b"a,b\r1,2\r": ({"a": ["1"], "b": ["2"]}, "1 row of 2 columns"),
    b'"sep=;"\r\na;b\r\n1;2\r\n': ({"a": ["1"], "b": ["2"]}, "1 row of 2 columns"),
    b"a,b\n1, 2\n3, \"4\"\n": ({"a": ["1", "3"], "b": ["2", "4"]}, "2 rows of 2 columns"),
    b"a,b\n1,2\n,\n,\n": ({"a": ["1"], "b": ["2"]}, "1 row of 2 columns, 2 blank rows left out"),
    b"# a comment\na,b\n1,2\n3,4\n": (
        {"a": ["1", "3"], "b": ["2", "4"]}, "2 rows of 2 columns, 1 row of another width left out",
    ),
    "a;Größe\n1;2,5\n".encode("latin-1"): (
        {"a": ["1"], "Größe": ["2.5"]},
        "1 row of 2 columns, decimal commas in 1 column, read as Windows-1252 text",
    ),
    "a\tGröße\n1\t2\n".encode("utf-16"): ({"a": ["1"], "Größe": ["2"]}, "1 row of 2 columns"),
    b"\xef\xbb\xbf\"a\"\r\n1\r\n": ({"a": ["1"]}, "1 row of 1 column"),
    b"x;y\n1.234;2\n7.555;3\n": ({"y": ["2", "3"]}, "2 rows of 1 column"),
}  # fmt: skip


def read(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    return read_table(tmp_path / "t.csv", lambda count: None)


@pytest.mark.parametrize("content", SEPARATED, ids=range(len(SEPARATED)))
def test_every_separator_is_recognised(tmp_path, content):
    table = read(tmp_path, content)
    columns, said = SEPARATED[content]
    assert table.cells == {name: list(map(Decimal, cells)) for name, cells in columns.items()}
    assert said is None or table.said == said


GUESS = "the first row taken for headings though it holds numbers"
FIRST_ROWS = {  # a file: its columns of numbers, their rows, and whether the headings are a guess
    b"1,2\n3,4\n": (["column 1", "column 2"], 2, False),
    b"a,2\n3,4\n": (["a", "2"], 1, False),
    b"5.1,3,setosa\n4.9,3,setosa\n": (["column 1", "column 2"], 2, False),
    b"5,3,setosa\n4,3,setosa\n": (["column 1", "column 2"], 2, False),
    b"Ann,5.5\nBob,6\n": (["column 2"], 2, False),
    b"2024-01-01,5\n2024-01-02,6\n": (["column 2"], 2, False),
    b"region,2019,2020\nnorth,1,2\n": (["2019", "2020"], 1, True),
    b",2019,2020\nnorth,1,2\n": (["2019", "2020"], 1, False),
    b"1,,3\n4,,6\n": (["column 1", "column 3"], 2, False),
    b",,\n1,2,3\n": (["column 1", "column 2", "column 3"], 1, False),
    b"a,a,\n1,2,3\n": (["a", "a'", "column 3"], 1, False),
}


@pytest.mark.parametrize("content", FIRST_ROWS, ids=range(len(FIRST_ROWS)))
def test_a_first_row_of_data_is_not_lost_and_a_guess_is_said(tmp_path, content):
    table = read(tmp_path, content)
    names, rows, is_guess = FIRST_ROWS[content]
    assert list(table.cells) == names
    assert (GUESS in table.said) == is_guess
    assert len(next(iter(table.cells.values()))) == rows


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"a\n1\0\n", NotText, "it holds control characters, which text does not"),
        (b"a\n\x81\n", NotText, "it is not UTF-8 text"),
        (b"\xff\xfea", NotText, "it is not UTF-16 text, though it begins as such"),
        (b'a,b\n1,"2', csv.Error, "unexpected end of data"),
    ],
)
def test_what_is_not_a_table_says_why(tmp_path, content, error, said):
    with pytest.raises(error, match=said):
        read(tmp_path, content)
