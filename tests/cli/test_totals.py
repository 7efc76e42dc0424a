"""Tests lepton_lab.totals: which columns are added up, what is left out, encrypted totals."""

from __future__ import annotations

import pytest

from lepton_lab import totals
from lepton_lab.totals import encrypted_totals, numbers_of

KINDS = ["zero", "control", "printable", "other"]


TABLES = {  # content: (the columns, what is said of them)
    b"a,b,c\n1,x,2.5\n-3,y,1e3\n": ({"a": [1.0, -3.0], "c": [2.5, 1000.0]}, "2 rows of 2 columns"),
    b"\xef\xbb\xbfa\r\n1\r\n": ({"a": [1.0]}, "1 row of 1 column"),
    b"1,2\n3,4\n": ({"column 1": [1.0, 3.0], "column 2": [2.0, 4.0]}, "2 rows of 2 columns"),
    b"a,a\n1,2\n": ({"a": [1.0], "a'": [2.0]}, "1 row of 2 columns"),
    b"a,b\n1,2\n\n3\n4,5,6\n7,8\n": (
        {"a": [1.0, 7.0], "b": [2.0, 8.0]}, "2 rows of 2 columns, 2 rows of another width left out",
    ),
}  # fmt: skip


NO_TABLES = {
    b"": "it has no column of numbers",
    b"one line only": "it has no column of numbers",
    b"a\n1\nnan\n": "it has no column of numbers",
    b"\xff\xfe": "it is not UTF-8 text",
    b'"unclosed\n1,2': "it is not a table (unexpected end of data)",
    b"a,b\n1,2\n3,4\n\xff,5\n": "it is not UTF-8 text",  # as all rows before it are
    b'a,b\n1,2\n3,"4\n5,6\n': "it is not a table (unexpected end of data)",
    b"a\n1\n" + b"2" * (1 << 20): "it is not a table (one line is longer than 1 MiB)",
    b"a\n1\n" + b"2" * (1 << 18): "it is not a table (field larger than field limit (131072))",
}


@pytest.mark.parametrize("content", TABLES, ids=range(len(TABLES)))
def test_columns_are_the_numeric_ones_and_what_is_left_out_is_said(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    numbers = numbers_of(tmp_path / "t.csv")
    assert (numbers.columns, numbers.said) == TABLES[content]


@pytest.mark.parametrize("content", NO_TABLES, ids=range(len(NO_TABLES)))
def test_a_file_that_is_not_a_table_to_its_end_is_counted_and_it_is_said_why(tmp_path, content):
    (tmp_path / "odd").write_bytes(content)
    numbers = numbers_of(tmp_path / "odd")
    assert list(numbers.columns) == KINDS
    assert sum(sum(counts) for counts in numbers.columns.values()) == len(content)
    segments = "2 segments" if len(content) > 1 << 20 else "1 segment"
    assert numbers.said == f"bytes of 4 kinds counted in {segments}, since {NO_TABLES[content]}"


def test_bytes_are_counted_by_kind(tmp_path):
    (tmp_path / "b").write_bytes(b"\0\0abc\xff\n")
    assert numbers_of(tmp_path / "b").columns == dict(
        zip(KINDS, ([2.0], [1.0], [3.0], [1.0]), strict=True)
    )


def test_of_more_rows_or_segments_than_are_added_it_says_how_many_there_are(tmp_path, monkeypatch):
    rows = [f"{n},{n}\n" for n in range(12_345)]
    rows[11_000] = rows[5] = "1,2,3\n"
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(rows))
    told = []
    numbers = numbers_of(tmp_path / "t.csv", told.append)
    assert (
        numbers.said
        == "the first 10,000 of 12,343 rows of 2 columns, 2 rows of another width left out"
    )
    assert [len(column) for column in numbers.columns.values()] == [10_000, 10_000]
    assert numbers.columns["a"][5] == 6.0
    assert sum(told) == (tmp_path / "t.csv").stat().st_size
    with (tmp_path / "t.csv").open("ab") as file:
        file.write(b"\xff\n")  # behind the rows that are added up, and still not a table
    assert numbers_of(tmp_path / "t.csv").said.endswith("since it is not UTF-8 text")
    monkeypatch.setattr(totals, "MOST_ROWS", 2)
    (tmp_path / "b").write_bytes(b"\xff" * ((3 << 20) + 1))
    numbers = numbers_of(tmp_path / "b")
    assert numbers.said.startswith("bytes of 4 kinds counted in the first 2 of 4 segments,")
    assert numbers.columns["other"] == [2.0**20] * 2


def test_encrypted_totals_are_the_plain_ones():
    result = encrypted_totals({"a": [1.5, -2.25, 1e6], "b": [0.1, 0.2, 0.3]})
    assert result.exact
    assert result.totals["a"] == 999999.25
    assert (result.rows, result.numbers) == (3, 6)
