"""Totals of a file's columns, added up under Paillier by a party that cannot read the numbers."""

from __future__ import annotations

import csv
import math
import operator
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from tqdm import tqdm

from lepton_lab import paillier
from lepton_lab.errors import InvalidParameter
from lepton_lab.tables import (
    MOST_ROWS,
    NotText,
    Table,
    counted,
    first_of,
    read_table,
)

PATIENCE = 1.0  # seconds after which work is worth a progress bar
LONG_RUN = 2000  # ciphertexts; more of them take so long that it is said before
_NAMED = 3  # columns that are left out and named in the phrase; the others are counted there
_LONGEST_NAME = 24  # characters of a heading in the phrase
_SEGMENT = 1 << 20  # bytes that are counted together, in a file that is not a table
_SLOT_BITS = 96  # of a slot in a Paillier plaintext: one number with its sign and guard bits
_WIDE_SLOT_BITS = 384  # for columns of numbers that do not fit: 50 digits on each side of the point

Number = int | float | Decimal
Columns = Mapping[str, Sequence[Number]]
Advance = Callable[[int], object]


@dataclass(frozen=True)
class Numbers:
    """The numbers of a file by column, and a phrase: which they are, and what is left out.

    columns: lists of ints where all numbers of a column are whole, else of the nearest floats.
    cells: the same numbers exactly as the file has them. left_out: the reason why a column is left
    out, by its heading.
    """

    columns: dict[str, list[int] | list[float]]
    said: str
    cells: Mapping[str, Sequence[Number]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def numbers_of(path: Path, advance: Advance = lambda count: None) -> Numbers:
    """The numeric columns of a CSV file by their headings, in its first 10,000 rows.

    If these rows have more than 250,000 cells, only the first rows of so many cells are taken.

    Cells are separated by commas, semicolons, tabs or bars; numbers have decimal points or commas
    and may have thousands set apart. A column is numeric when each of these cells is a number of
    at most 50 digits before and behind its decimal point; other columns are left out by name. The
    first row is the heading unless it holds nothing but numbers, or stands above cells like its
    own; then the columns are called "column 1" and so on.

    A file without a numeric column, or that is not a table of text up to its end, is counted
    instead: for each of its first 10,000 segments of 1 MiB, how many bytes are of which kind.

    advance: called with the numbers of bytes or characters that were read. Raises OSError.
    """
    try:
        table = read_table(path, advance)
    except NotText as error:
        return _count_bytes(path, advance, str(error))
    except csv.Error as error:
        return _count_bytes(path, advance, f"it is not a table ({error})")
    if not table.cells:
        return _count_bytes(path, advance, _why_no_column(table), table.left_out)
    columns = {name: _plain(cells) for name, cells in table.cells.items()}
    # Columns of numbers in which a few cells are not come first: their absence is a surprise.
    left_out = dict(sorted(table.left_out.items(), key=lambda item: item[0] in table.texts))
    return Numbers(columns, table.said + _left_out_phrase(left_out), table.cells, left_out)


def _why_no_column(table: Table) -> str:
    """Why there is nothing to add up; columns that hold nothing but text need no reason."""
    partly = {name: why for name, why in table.left_out.items() if name not in table.texts}
    return f"it has no column of numbers{_left_out_phrase(partly)}"


def _plain(cells: Sequence[Decimal]) -> list[int] | list[float]:
    whole = list(map(int, cells))
    if any(map(operator.ne, cells, whole)):
        return list(map(float, cells))
    return whole


def _left_out_phrase(left_out: Mapping[str, str]) -> str:
    """Name the first columns that are left out, with the reason of each, and count the others."""
    if not left_out:
        return ""
    named = []
    for name, reason in list(left_out.items())[:_NAMED]:
        named.append(f"{_shortened(name)} ({reason})")
    phrase = f"; left out: {', '.join(named)}"
    if len(left_out) > _NAMED:
        phrase += f" and {counted(len(left_out) - _NAMED, 'other column')}"
    return phrase


def _shortened(name: str) -> str:
    """A heading that does not fill a line of the terminal."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


# --- any other file -----------------------------------------------------------------------------


def _count_bytes(
    path: Path, advance: Advance, why: str, left_out: Mapping[str, str] | None = None
) -> Numbers:
    """How many bytes of each kind are in each segment. why: the reason that this is not a table."""
    kinds = {
        "zero": range(1),
        "control": range(1, 32),
        "printable": range(32, 127),
        "other": range(127, 256),
    }
    counts: dict[str, list[int]] = {kind: [] for kind in kinds}
    with path.open("rb") as file:
        first = file.read(_SEGMENT)  # of an empty file too, so that there is something to add up
        segments = chain([first], iter(lambda: file.read(_SEGMENT), b""))
        for segment in islice(segments, MOST_ROWS):
            advance(len(segment))
            seen = np.bincount(np.frombuffer(segment, np.uint8), minlength=256)
            for kind, values in kinds.items():
                counts[kind].append(int(seen[values.start : values.stop].sum()))
    kept = len(counts["zero"])
    whole = max(kept, -(-path.stat().st_size // _SEGMENT))
    segments_said = first_of(kept, whole, "segment")
    said = f"bytes of {len(kinds)} kinds counted in {segments_said}, since {why}"
    return Numbers(dict(counts), said, counts, left_out or {})


# --- the totals ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Totals:
    """The totals of columns that were added up under encryption, as they were decrypted.

    totals: an int where a total is whole, else the float nearest to it. exact_totals: the totals
    themselves. numbers: how many were encrypted. ciphertexts: in how many. size: of all
    ciphertexts, in bytes. exact: whether every decrypted total equals the sum of the numbers as
    they were given, by exact arithmetic.
    """

    totals: dict[str, int | float]
    exact_totals: dict[str, Fraction]
    rows: int
    numbers: int
    ciphertexts: int
    size: int
    exact: bool


@dataclass(frozen=True)
class _ScaledColumn:
    """A column's numbers times a whole number, by which all of them become whole."""

    name: str
    scale: int
    values: list[int]

    def total(self) -> Fraction:
        return Fraction(sum(self.values), self.scale)


def encrypted_totals(
    columns: Columns, before: Callable[[int, int], object] = lambda numbers, ciphertexts: None
) -> Totals:
    """Encrypt every row, add the rows up under Paillier, and decrypt only the sum.

    The numbers of a row lie side by side in slots of 96 bits, or of 384 for columns that need
    more. Before that, each column is multiplied by a power of ten (of two, if it holds floats) that
    makes its numbers whole: nothing is rounded, so that the totals are exact. The party that adds
    them up knows only the widths of the slots.

    before: called with the counts of numbers and of ciphertexts before they are encrypted. On a
    terminal, more than a second of work shows a progress bar. Raises InvalidParameter for NaN,
    infinities, columns of different lengths, numbers that pass the wide slots, and for no numbers.
    """
    rows = len(next(iter(columns.values()), ()))
    if not rows or any(len(column) != rows for column in columns.values()):
        raise InvalidParameter("totals need columns of the same length, with at least one number")
    public, private = paillier.generate_keypair()
    groups = []
    numbers = rows * len(columns)
    ciphertexts = 0
    for layout, group in _by_layout(columns, rows):
        groups.append((layout, group))
        ciphertexts += rows * -(-len(group) // layout.slots(public.bits))
    before(numbers, ciphertexts)
    exact_totals: dict[str, Fraction] = {}
    size = 0
    is_exact = True
    with _progress_bar(ciphertexts) as bar:
        for layout, group in groups:
            vectors = _encrypted_rows(group, public, layout, bar.update)
            total = next(vectors)
            size += rows * len(total.to_bytes())  # every row's ciphertexts are as long
            for vector in vectors:
                total += vector
            for column, value in zip(group, private.decrypt_vector(total), strict=True):
                exact_totals[column.name] = Fraction(int(value), column.scale)
                is_exact &= exact_totals[column.name] == column.total()
    return Totals(
        totals={name: _nearest(exact_totals[name]) for name in columns},
        exact_totals={name: exact_totals[name] for name in columns},
        rows=rows,
        numbers=numbers,
        ciphertexts=ciphertexts,
        size=size,
        exact=is_exact,
    )


def _encrypted_rows(
    group: Sequence[_ScaledColumn],
    public: paillier.PublicKey,
    layout: paillier.Layout,
    advance: Advance,
) -> Iterator[paillier.PackedVector]:
    for row in zip(*(column.values for column in group), strict=True):
        # As an array of Python's own integers, which numpy does not round.
        vector = public.encrypt_vector(np.array(row, object), layout)
        advance(len(vector.raw_ciphertexts))
        yield vector


def _by_layout(
    columns: Columns, rows: int
) -> Iterator[tuple[paillier.Layout, list[_ScaledColumn]]]:
    """The columns by the width of their slots: one of two, so that it tells little of them."""
    narrow = paillier.Layout(bits=_SLOT_BITS, fraction_bits=0, additions=rows)
    wide = paillier.Layout(bits=_WIDE_SLOT_BITS, fraction_bits=0, additions=rows)
    groups: dict[paillier.Layout, list[_ScaledColumn]] = {narrow: [], wide: []}
    for name, column in columns.items():
        scaled = _scaled(name, column)
        largest = max(map(abs, scaled.values))
        if largest > wide.limit:
            raise InvalidParameter(
                f"the numbers of column {name!r} have too many digits to be added up exactly: "
                "round them, or leave the column out"
            )
        groups[narrow if largest <= narrow.limit else wide].append(scaled)
    return ((layout, group) for layout, group in groups.items() if group)


def _scaled(name: str, column: Sequence[Number]) -> _ScaledColumn:
    try:
        ratios = [Fraction(number).as_integer_ratio() for number in column]
    except (ValueError, OverflowError):
        raise InvalidParameter(
            f"column {name!r} holds NaN or an infinite number: replace or drop it before"
        ) from None
    scale = math.lcm(*{denominator for _, denominator in ratios})
    values = [numerator * (scale // denominator) for numerator, denominator in ratios]
    return _ScaledColumn(name, scale, values)


def _nearest(total: Fraction) -> int | float:
    return total.numerator if total.denominator == 1 else float(total)


def say_if_long(numbers: int, ciphertexts: int) -> None:
    """Say before many numbers are encrypted that this takes some time."""
    if ciphertexts > LONG_RUN:
        line = f"  adding up {numbers:,} numbers in {ciphertexts:,} ciphertexts; this takes a while"
        tqdm.write(line, file=sys.stderr)


def _progress_bar(ciphertexts: int) -> tqdm[NoReturn]:
    how: dict[str, Any] = {"unit": " ciphertexts", "delay": PATIENCE, "disable": None}
    return tqdm(total=ciphertexts, desc="  encrypting", leave=False, **how)
