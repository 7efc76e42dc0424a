"""Tests lepton_lab.totals: what is counted or added up, what is said, and encrypted totals."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest

from lepton_lab import totals
from lepton_lab.demo import Demo
from lepton_lab.errors import InvalidParameter
from lepton_lab.paillier import PrivateKey
from lepton_lab.totals import encrypted_totals, numbers_of

KINDS = ["zero", "control", "printable", "other"]


TABLES = {  # content: (the columns, what is said of them)
    b"a,b,c\n1,x,2.5\n-3,y,1e3\n": (
        {"a": [1.0, -3.0], "c": [2.5, 1000.0]},
        "2 rows of 2 columns; left out: b (text in all 2 cells)",
    ),
    b"\xef\xbb\xbfa\r\n1\r\n": ({"a": [1.0]}, "1 row of 1 column"),
    b"1,2\n3,4\n": (
        {"column 1": [1.0, 3.0], "column 2": [2.0, 4.0]},
        "2 rows of 2 columns, commas taken for separators, not for decimal commas",
    ),
    b"a,a\n1,2\n": ({"a": [1.0], "a'": [2.0]}, "1 row of 2 columns"),
    b"a,b\n1,2\n\n3\n4,5,6\n7,8\n": (
        {"a": [1.0, 7.0], "b": [2.0, 8.0]}, "2 rows of 2 columns, 2 rows of another width left out",
    ),
}  # fmt: skip


NO_TABLES = {
    b"": "it has no column of numbers",
    b"one line only": "it has no column of numbers",
    b"a\n1\nnan\n": ("it has no column of numbers; left out: a (NaN or missing in 1 of 2 cells)"),
    b"\xff\xfe": "it is not UTF-8 text",
    b'"unclosed\n1,2': "it is not a table (unexpected end of data)",
    b"a,b\n1,2\n3,4\n\x81,5\n": "it is not UTF-8 text",  # as all rows before it are
    b"a,b\n1,2\n3\0,4\n": "it holds control characters, which text does not",
    b"\xff\xfea\0\x00\xd8": "it is not UTF-16 text, though it begins as such",
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
        file.write(b"\x81\n")  # behind the rows that are added up, and still not a table
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


def test_a_wide_table_has_fewer_rows_added_up(tmp_path):
    row = ",".join(["1"] * 1000)
    (tmp_path / "wide.csv").write_text(f"{row}\n" * 600)
    numbers = numbers_of(tmp_path / "wide.csv")
    assert numbers.said == "the first 250 of 600 rows of 1,000 columns"
    assert {len(column) for column in numbers.columns.values()} == {250}


def test_repeated_and_blank_headings_are_told_apart(tmp_path):
    blank = ["a", "a", "a (3)", "a", *[""] * 16_384]
    (tmp_path / "blank.csv").write_text(",".join(blank) + "\n" + ",".join(["1"] * len(blank)))
    names = list(numbers_of(tmp_path / "blank.csv").columns)
    assert len(set(names)) == len(blank)
    assert names[:5] == ["a", "a'", "a (3)", "a (4)", "column 5"]


# --- the numbers as the user wrote them ---------------------------------------------------------

FLOATS = {
    "nano": [1e-8, 2e-8, 5e-9],
    "micro": [1e-9] * 100,
    "tenths": [0.1] * 10,
    "cancelling": [1e20, 1.0, -1e20],
    "thirds": [1 / 3, 2 / 3, -1e-12],
    "tiny beside huge": [1e18, 1e-18, 7.0],
}


def test_totals_of_floats_are_the_correctly_rounded_ones():
    for name, column in FLOATS.items():
        result = encrypted_totals({name: column})
        assert result.totals[name] == math.fsum(column), name
        assert result.exact
        assert result.exact_totals[name] == sum(map(Fraction, column))


def test_totals_of_a_file_are_those_of_its_cells(tmp_path):
    (tmp_path / "nano.csv").write_text(
        "dose,ids,tenth\n0.00000001,12345678901234567890,0.1\n0.00000002,1,0.1\n1e-9,2,0.1\n"
    )
    numbers = numbers_of(tmp_path / "nano.csv")
    result = encrypted_totals(numbers.cells)
    assert result.exact
    assert result.exact_totals == {
        "dose": Fraction(31, 10**9),
        "ids": 12345678901234567893,
        "tenth": Fraction(3, 10),
    }
    assert result.totals == {"dose": 3.1e-8, "ids": 12345678901234567893, "tenth": 0.3}


def test_whole_numbers_never_become_floats(tmp_path):
    rows = [(2**53 + 1, -(2**63) - 1, 10**49), (2**60 + 1, 2**64 + 1, -1), (3, 4, 5)]
    lines = [",".join(map(str, row)) for row in rows]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c", *lines]))
    numbers = numbers_of(tmp_path / "t.csv")
    assert list(zip(*numbers.columns.values(), strict=True)) == rows
    assert {type(value) for column in numbers.columns.values() for value in column} == {int}
    result = encrypted_totals(numbers.cells)
    sums = [sum(column) for column in zip(*rows, strict=True)]
    assert (list(result.totals.values()), result.exact) == (sums, True)


def test_a_wrong_decryption_is_not_called_exact(monkeypatch):
    right = PrivateKey.decrypt_vector
    monkeypatch.setattr(PrivateKey, "decrypt_vector", lambda *arguments: right(*arguments) + 1)
    assert not encrypted_totals({"a": [1, 2]}).exact


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": [1.0, math.nan]}, "column 'a' holds NaN or an infinite number"),
        ({"a": [Decimal("Infinity")]}, "column 'a' holds NaN or an infinite number"),
        ({"a": [1e300]}, "the numbers of column 'a' have too many digits"),
        ({"a": [1], "b": [1, 2]}, "totals need columns of the same length"),
        ({"a": []}, "with at least one number"),
        ({}, "with at least one number"),
    ],
)
def test_what_cannot_be_added_up_exactly_is_refused(columns, said):
    with pytest.raises(InvalidParameter, match=said):
        encrypted_totals(columns)


LEFT_OUT = {  # cells of a column: what is said of it
    "1||3": "blank in 1 of 3 cells",
    "1|nan|inf|NA|": "NaN or missing or infinite or blank in 4 of 5 cells",
    "-inf|2": "infinite in 1 of 2 cells",
    "1e400|2": "a number of more than 50 digits in 1 of 2 cells",
    "1e-400|2": "a number of more than 50 digits in 1 of 2 cells",
    f"{10**50}|2": "a number of more than 50 digits in 1 of 2 cells",
    "1e999999999999|2": "text in 1 of 2 cells",
    "2_5|1_000": "digits with underscores in all 2 cells",
    "0x1F|0xff": "hexadecimal in all 2 cells",
    "5%|7 %|1": "a percentage in 2 of 3 cells",
    "$5|€7.50|8 £|9": "an amount with a currency in 3 of 4 cells",
    "2024-01-02|1.2.2024|12:30": "a date or a time in all 3 cells",
    "٣|1": "text in 1 of 2 cells",
    "1,2,3|4": "text in 1 of 2 cells",
    "12,34|5": None,
    "1,5|2.5": "decimal commas in 1 of 2 cells, decimal points in others",
}


@pytest.mark.parametrize("cells", LEFT_OUT)
def test_a_column_is_left_out_by_name_with_the_reason_and_the_count_of_cells(tmp_path, cells):
    rows = [f'"{cell}",{place}' for place, cell in enumerate(cells.split("|"))]
    (tmp_path / "t.csv").write_text("\n".join(["odd,place", *rows]), encoding="utf-8")
    numbers = numbers_of(tmp_path / "t.csv")
    reason = LEFT_OUT[cells]
    assert numbers.columns["place"] == list(range(len(rows)))
    assert numbers.left_out == ({} if reason is None else {"odd": reason})
    if reason is not None:
        assert numbers.said.endswith(f"; left out: odd ({reason})")


def test_many_columns_that_are_left_out_stay_readable_and_text_comes_last(tmp_path):
    names = ["word", "x" * 100, *(f"c{place}" for place in range(500)), "n"]
    rows = [["w", *["1"] * 501, "1"], ["v", *[""] * 501, "2"]]
    text = "\n".join(",".join(row) for row in [names, *rows])
    (tmp_path / "t.csv").write_text(text)
    numbers = numbers_of(tmp_path / "t.csv")
    assert numbers.columns == {"n": [1, 2]}
    assert len(numbers.left_out) == 502
    assert len(numbers.said) < 200
    assert numbers.said.endswith("c1 (blank in 1 of 2 cells) and 499 other columns")
    assert list(numbers.left_out)[-1] == "word"


# --- ten files as programs write them -----------------------------------------------------------


def english(value: Decimal) -> str:
    return f"{value:,}"


def german(value: Decimal) -> str:
    return f"{value:,}".translate(str.maketrans(",.", ".,"))


def french(value: Decimal) -> str:
    return f"{value:,}".replace(",", "\u202f").replace(".", ",")


def swiss(value: Decimal) -> str:
    return f"{value:,}".replace(",", "’")


# separator, line end, encoding, how a number is written, whether cells are quoted, headings
DIALECTS: dict[str, tuple[str, str, str, Callable[[Decimal], str], bool, bool]] = {
    "plain": (",", "\n", "utf-8", str, False, True),
    "Excel, English": (",", "\r\n", "utf-8-sig", english, True, True),
    "Excel, German": (";", "\r\n", "latin-1", german, False, True),
    "Excel, French": (";", "\r\n", "utf-8-sig", french, False, True),
    "Excel, Unicode text": ("\t", "\r\n", "utf-16", german, False, True),
    "Excel, Swiss": (";", "\r\n", "cp1252", swiss, False, True),
    "PostgreSQL": ("|", "\n", "utf-8", str, False, True),
    "R": ("\t", "\n", "utf-8", str, True, True),
    "old Mac": (",", "\r", "utf-8", str, False, True),
    "numpy": (",", "\n", "utf-8", "{:.18e}".format, False, False),
}
VALUES = {
    "Größe": ["0.5", "1234.75", "-17.1", "1000000.01", "3.3", "12.6"],
    "dose": ["0.1", "0.00000002", "0.000000005", "0.3", "0.7", "1.1"],
    "count": ["1", "20", "1300", "7", "0", "100000"],
    "id": ["12345678901234567890", "9007199254740993", "1", "2", "3", "4"],
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_demo_adds_up_the_numbers_of_every_dialect(tmp_path, monkeypatch, dialect):
    separator, end, encoding, write, is_quoted, has_headings = DIALECTS[dialect]
    columns = {name: list(map(Decimal, cells)) for name, cells in VALUES.items()}
    if dialect == "numpy":  # savetxt writes 19 digits of each number
        columns = {f"column {place}": column for place, column in enumerate(columns.values(), 1)}
        columns["column 4"] = [round(value, -1) for value in columns["column 4"]]
    quote = '"' if is_quoted else ""
    lines = [separator.join(columns)] if has_headings else []
    for row in zip(*columns.values(), strict=True):
        lines.append(separator.join(f"{quote}{write(value)}{quote}" for value in row))
    text = end.join([*lines, ""])
    (tmp_path / "file.csv").write_bytes(text.encode(encoding))
    results = []

    def keep(*arguments):
        results.append(encrypted_totals(*arguments))
        return results[0]

    monkeypatch.setattr("lepton_lab.demo.encrypted_totals", keep)
    with Demo(tmp_path / "file.csv", lambda cost: None) as demo:
        demo.take_file()
        demo.add_columns()
    said = demo.costs[-1].said
    assert said.startswith("6 rows of 4 columns"), said
    assert "left out" not in said
    assert said.endswith("; only the totals decrypted, all exact")
    [result] = results
    expected = {name: sum(map(Fraction, column)) for name, column in columns.items()}
    assert result.exact_totals == expected


def test_a_long_run_is_announced_before_it_begins(tmp_path, monkeypatch, capsys):
    (tmp_path / "file.csv").write_text("a\n" + "1\n" * 4)
    monkeypatch.setattr("lepton_lab.totals.LONG_RUN", 3)
    with Demo(tmp_path / "file.csv", lambda cost: print("done")) as demo:
        demo.take_file()
        demo.add_columns()
    assert capsys.readouterr().err == (
        "  adding up 4 numbers in 4 ciphertexts; this takes a while\n"
    )


def test_a_table_as_wide_as_a_line_allows_takes_time_in_proportion(tmp_path):
    for heading in ("", "a", "a'"):
        lines = [",".join([heading] * 100_000), ",".join(["1"] * 100_000)]
        (tmp_path / "wide.csv").write_text("\n".join(lines))
        start = time.process_time()
        numbers = numbers_of(tmp_path / "wide.csv")
        assert time.process_time() - start < 3  # of this process; it takes about half a second
        assert len(numbers.columns) == 100_000
        assert numbers.said == "1 row of 100,000 columns"
