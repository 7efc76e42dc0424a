"""The columns of numbers in a CSV file; separators, decimal marks and headings are recognised.

Every cell is read as the number that is written in it, without rounding. A column in which a cell
is not a number, or could be two different numbers, is left out by name, with the reason.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import TextIO

from lepton_lab.numerals import (
    COMMA,
    TEXT,
    AmbiguousColumn,
    Column,
    is_missing,
    is_number,
    kind_of,
    read_column,
    resolve,
)

MOST_ROWS = 10_000  # rows of a table that are added up
MOST_CELLS = 250_000  # cells of a table that are added up: a wide table has fewer rows
_LONGEST_LINE = 1 << 20  # characters; a file with a longer line is not a table
_SAMPLE_LINES = 50  # from which the separator is recognised
_SAMPLE_CELLS = 500  # of each of these lines
_DELIMITERS = ",;\t|"
_NO_DELIMITER = "\x1f"  # a control character, which no text file holds: one column
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")  # 0x1a ended the text files of DOS
_DECIMALS = re.compile(r"\s*(?:-0,[0-9]|[+-]?[0-9]+,0[0-9])")
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*')  # Excel writes it above the headings

Advance = Callable[[int], object]


class NotText(ValueError):
    """A file holds control characters or bytes that its encoding does not have."""


@dataclass
class Table:
    """The columns of numbers of a table.

    cells: the numbers by column, exactly as they are written. left_out: the reason by column.
    texts: those of them that hold only words.
    said: which rows and columns these are, and how they were read, in one phrase.
    """

    cells: dict[str, list[Decimal]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    said: str = ""


# --- the file -----------------------------------------------------------------------------------


def read_table(path: Path, advance: Advance) -> Table:
    """Read a table of UTF-8, UTF-16 (with its mark) or Windows-1252 text to its end.

    The whole file is read, because it may stop being a table after the rows that are added up, and
    because the rows that are left out are counted.

    advance: called with the number of characters of each line that was read. Raises NotText,
    csv.Error, OSError.
    """
    with path.open("rb") as file:
        start = file.read(3)
    if len(start) == 3 and start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _read(path, "utf-16", advance)
    try:
        return _read(path, "utf-8-sig", advance)
    except UnicodeDecodeError:
        pass
    # Latin-1 is a part of Windows-1252. The mark of UTF-16 alone is not text in it either.
    if start in {b"\xff\xfe", b"\xfe\xff"}:
        raise NotText("it is not UTF-8 text")
    try:
        table = _read(path, "cp1252", advance)
    except (UnicodeDecodeError, NotText):
        raise NotText("it is not UTF-8 text") from None
    table.said += ", read as Windows-1252 text"
    return table


def _read(path: Path, encoding: str, advance: Advance) -> Table:
    with path.open(newline="", encoding=encoding) as file:
        try:
            table = _read_rows(_lines(file, advance))
        except UnicodeDecodeError:
            if encoding == "utf-16":
                raise NotText("it is not UTF-16 text, though it begins as such") from None
            raise
    return table


def _lines(file: TextIO, advance: Advance) -> Iterator[str]:
    """The lines of a file. Raises csv.Error at one that is too long, without reading all of it."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise csv.Error("one line is longer than 1 MiB")
        if _CONTROL.search(line):
            raise NotText("it holds control characters, which text does not")
        advance(len(line))
        yield line


# --- rows ---------------------------------------------------------------------------------------


@dataclass
class _Rows:
    """The rows that are kept, and how many there are of which kind.

    width: cells of a row. most: rows of a table without headings that are kept. fitting: rows of
    this width. blank: those without content. others: rows of another width.
    """

    width: int
    most: int
    kept: list[list[str]] = field(default_factory=list)
    fitting: int = 0
    blank: int = 0
    others: int = 0

    def add(self, row: list[str]) -> None:
        """Keep a row, or count it."""
        if len(row) != self.width:
            self.others += bool(row)  # an empty line is not a row
        elif self.fitting and not any(map(str.strip, row)):
            self.blank += 1  # spreadsheets write such rows below a table
        else:
            self.fitting += 1
            if self.fitting <= self.most + 1:  # one more, because the first may be the headings
                self.kept.append(row[:MOST_CELLS])


def _read_rows(lines: Iterator[str]) -> Table:
    sample = _sample(lines)
    declared = _SEPARATOR_LINE.fullmatch(sample[0]) if sample else None
    if declared:
        delimiter = declared[1]
        del sample[0]
    else:
        delimiter = _delimiter_of(sample)
    width = max(1, _Fit.of(sample, delimiter).width)
    rows = _Rows(width, max(1, min(MOST_ROWS, MOST_CELLS // width)))
    for row in _parse(chain(sample, lines), delimiter, strict=True):
        rows.add(row)
    return _table_of(rows, delimiter)


def _sample(lines: Iterator[str]) -> list[str]:
    """The first lines: at least two, then up to 1 MiB or 50 of them."""
    sample: list[str] = []
    size = 0
    for line in lines:
        sample.append(line)
        size += len(line)
        if len(sample) >= _SAMPLE_LINES or (len(sample) >= 2 and size >= _LONGEST_LINE):
            break
    return sample


def _parse(lines: Iterable[str], delimiter: str, *, strict: bool) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=delimiter, strict=strict, skipinitialspace=True)


@dataclass(frozen=True)
class _Fit:
    """How well a separator fits some lines.

    width: cells in most of the rows. regular: the share of the rows that have this width. numeric:
    the share of the characters below the first row that stand in cells that are numbers.
    """

    width: int
    regular: float
    numeric: float

    @classmethod
    def of(cls, sample: list[str], delimiter: str) -> _Fit:
        try:
            rows = [row for row in _parse(sample, delimiter, strict=False) if row]
        except csv.Error:
            rows = []  # a cell without end, such as a wide row that is not split
        if not rows:
            return cls(0, 0.0, 0.0)
        [(width, count)] = Counter(map(len, rows)).most_common(1)
        fitting = [row for row in rows if len(row) == width]
        body = fitting[1:] or fitting
        in_numbers = 0
        in_all = 0
        for row in body:
            for cell in row[:_SAMPLE_CELLS]:
                in_all += len(cell)
                in_numbers += len(cell) if is_number(cell) else 0
        return cls(width, count / len(rows), in_numbers / in_all if in_all else 0.0)


def _delimiter_of(sample: list[str]) -> str:
    """The separator that gives rows of one width and cells that are numbers.

    Whether cells are numbers decides about files with decimal commas: split at its commas,
    1,5;2,5 has the cell "5;2".
    """
    text = "".join(sample)
    best = _NO_DELIMITER
    best_score = 0.0
    best_fit = _Fit(1, 1.0, 0.0)
    for delimiter in _DELIMITERS:
        if delimiter not in text:
            continue
        fit = _Fit.of(sample, delimiter)
        score = fit.regular * (fit.numeric + 0.01)  # without numbers the widths alone decide
        if fit.width > 1 and score > best_score:
            best = delimiter
            best_score = score
            best_fit = fit
    if _Fit.of(sample, _NO_DELIMITER).numeric < 1:
        return best
    # Every line is one number. The rows of one column of decimal commas differ in width when they
    # are split, because its heading or its whole numbers have no comma.
    first = next((line for line in sample if line.strip()), "")
    if best_fit.regular < 1 and (is_number(first) or best not in first):
        return _NO_DELIMITER
    # Without a heading, 0,05 and -0,5 show it: as two whole numbers they would be 0,5.
    if is_number(first) and any(map(_DECIMALS.match, sample)):
        return _NO_DELIMITER
    return best


def _may_be_decimals(rows: _Rows, delimiter: str) -> bool:
    """Whether a table of two columns without headings could be one column of decimal commas."""
    if delimiter != "," or rows.width != 2:
        return False
    return all(is_number(f"{row[0]},{row[1]}") for row in rows.kept)


# --- headings -----------------------------------------------------------------------------------


def _has_headings(first: Sequence[str], body: Sequence[Sequence[str]]) -> tuple[bool, str]:
    """Whether a first row is the headings, and a phrase for it where that is a guess."""
    if not any(map(is_number, first)):
        return True, ""
    blanks = []
    texts = []
    for place, cell in enumerate(first):
        if is_missing(cell):
            blanks.append(place)
        elif not is_number(cell):
            texts.append(place)
    # Years above a table are headings: then the cell beside them stands above text, or is blank.
    if not texts:
        return any(_is_text(body, place) for place in blanks), ""
    if any(not _is_text(body, place) for place in texts):
        return True, ""  # a word above numbers
    # What stands above cells of its own kind is data: a date above dates, 1.5 above numbers, or a
    # class such as "setosa" that occurs again. Years, which are whole numbers, can be headings.
    if not all(cell.strip().isdigit() for cell in first if is_number(cell)):
        return False, ""
    if any(_recurs(body, place, first[place]) for place in texts):
        return False, ""
    return True, "the first row taken for headings though it holds numbers"


def _recurs(body: Sequence[Sequence[str]], place: int, cell: str) -> bool:
    """Whether a column holds the same words, or a date, an amount … if the cell is one."""
    kind = kind_of(cell)
    if kind == TEXT:
        return any(row[place] == cell for row in body)
    return any(kind_of(row[place]) == kind for row in body)


def _is_text(body: Sequence[Sequence[str]], place: int) -> bool:
    """Whether a column holds a cell that is neither a number nor missing."""
    return any(not is_number(row[place]) and not is_missing(row[place]) for row in body)


def _names(first: Sequence[str]) -> list[str]:
    """A name for each column, no two alike: a, a', a (3), a (4), … if all are called a.

    A blank heading becomes "column 5" and so on. Spreadsheets write thousands of blank headings,
    so this takes time in proportion to them.
    """
    names: dict[str, None] = {}
    counts: dict[str, int] = {}  # by heading, so that each repetition is looked at once
    for place, cell in enumerate(first, 1):
        heading = cell.strip() or f"column {place}"
        name = heading
        while name in names:
            count = counts.get(heading, 1) + 1
            counts[heading] = count
            name = f"{heading}'" if count == 2 else f"{heading} ({count})"
        names[name] = None
    return list(names)


# --- columns ------------------------------------------------------------------------------------


def _table_of(rows: _Rows, delimiter: str) -> Table:
    """The columns of the rows that are kept, and the phrase that says what was left out."""
    if not rows.kept:
        return Table()
    has_headings, guess = _has_headings(rows.kept[0], rows.kept[1:])
    if has_headings:
        names = _names(rows.kept[0])
        body = rows.kept[1:]
    else:
        names = _names([""] * len(rows.kept[0]))
        body = rows.kept[: rows.most]
    if not body:
        return Table()
    table, marks = _read_columns(names, body, delimiter)
    whole = rows.fitting - has_headings
    said = [f"{first_of(len(body), whole, 'row')} of {counted(len(table.cells), 'column')}"]
    if rows.others:
        said.append(f"{counted(rows.others, 'row')} of another width left out")
    if rows.blank:
        said.append(f"{counted(rows.blank, 'blank row')} left out")
    if rows.width > MOST_CELLS:
        said.append(f"{counted(rows.width - MOST_CELLS, 'further column')} left out")
    said += marks
    if not has_headings and _may_be_decimals(rows, delimiter):
        said.append("commas taken for separators, not for decimal commas")
    if guess:
        said.append(guess)
    table.said = ", ".join(said)
    return table


def _read_columns(
    names: Sequence[str], body: Sequence[Sequence[str]], delimiter: str
) -> tuple[Table, list[str]]:
    """The columns by their names, and phrases that say how their numbers are written."""
    table = Table()
    read: dict[str, Column] = {}
    unclear: dict[str, AmbiguousColumn] = {}
    for name, cells in zip(names, zip(*body, strict=True), strict=True):
        column = read_column(cells)
        if isinstance(column, Column):
            read[name] = column
        elif isinstance(column, AmbiguousColumn):
            unclear[name] = column
        else:
            table.left_out[name] = column
            if not any(map(is_number, cells)) and column.startswith(f"{TEXT} in"):
                table.texts.add(name)
    # What these columns show of the file's decimal mark settles 1,234 and 1.234 in the others.
    settled = {name: resolve(column, read.values(), delimiter) for name, column in unclear.items()}
    for name, one in settled.items():
        if one is None:
            table.left_out[name] = unclear[name].reason
        else:
            read[name] = one
    table.cells = {name: read[name].numbers for name in names if name in read}
    return table, _marks_said(read.values())


def _marks_said(columns: Collection[Column]) -> list[str]:
    """How the numbers are written, where that is not the decimal point alone."""
    said = []
    with_commas = sum(column.style is COMMA for column in columns)
    if with_commas:
        said.append(f"decimal commas in {counted(with_commas, 'column')}")
    with_groups = sum(column.has_groups for column in columns)
    if with_groups:
        said.append(f"thousands set apart in {counted(with_groups, 'column')}")
    return said


# --- phrases ------------------------------------------------------------------------------------


def counted(count: int, what: str) -> str:
    """Such as "1 row" and "2,000 rows"."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def first_of(kept: int, of: int, what: str) -> str:
    """Such as "the first 10 of 20 rows", or "20 rows" if none is left out."""
    return counted(of, what) if kept == of else f"the first {kept:,} of {counted(of, what)}"
