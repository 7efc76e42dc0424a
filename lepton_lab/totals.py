"""Totals of a file's columns, added up under Paillier by a party that cannot read the numbers."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lepton_lab import paillier

MOST_ROWS = 10_000  # rows of a table, or segments of any other file, that are added up
LARGEST = 2.0**39  # the absolute value of every number is below this
PATIENCE = 1.0  # seconds after which work is worth a progress bar
_SEGMENT = 1 << 20  # bytes that are counted together, in a file that is not a table
_LONGEST_LINE = 1 << 20  # characters; a file with a longer line is not a table
_BITS = 80  # of a slot in a Paillier plaintext: one number with its sign and guard bits
_FRACTION_BITS = 24  # of them behind the binary point

Columns = Mapping[str, Sequence[float]]
Advance = Callable[[int], object]


@dataclass(frozen=True)
class Numbers:
    """The numbers of a file by column, and a phrase: which they are, and what is left out."""

    columns: dict[str, list[float]]
    said: str


def numbers_of(path: Path, advance: Advance = lambda count: None) -> Numbers:
    """The numeric columns of a CSV file by their headings, in its first 10,000 rows.

    A column is numeric when each of these cells is a number of absolute value below 2³⁹. The first
    row is the heading unless it holds nothing but numbers; then the columns are called "column 1"
    and so on.

    A file without a numeric column, or that is not a table of UTF-8 text up to its end, is counted
    instead: for each of its first 10,000 segments of 1 MiB, how many bytes are of which kind.

    advance: called with the numbers of bytes or characters that were read. Raises OSError.
    """
    try:
        columns, said = _read_table(path, advance)
    except UnicodeDecodeError:
        return _count_bytes(path, advance, "it is not UTF-8 text")
    except csv.Error as error:
        return _count_bytes(path, advance, f"it is not a table ({error})")
    if not columns:
        return _count_bytes(path, advance, "it has no column of numbers")
    return Numbers(columns, said)


# --- a table ------------------------------------------------------------------------------------


def _read_table(path: Path, advance: Advance) -> tuple[dict[str, list[float]], str]:
    """The numeric columns, possibly none, and what to say about them.

    The whole file is read, because it may stop being a table after the rows that are added up, and
    because the rows that are left out are counted.
    """
    kept: list[list[str]] = []
    fitting = 0
    others = 0
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(_lines(file, advance), strict=True)
        rows = (row for row in reader if row)  # an empty line is not a row
        first = next(rows, [])
        heading = _heading(first)
        for row in rows if _is_heading(first) else chain([first], rows):
            if len(row) != len(heading):
                others += 1
                continue
            fitting += 1
            if fitting <= MOST_ROWS:
                kept.append(row)
    numeric = {}
    for place, name in enumerate(heading):
        column = [_number(row[place]) for row in kept]
        if column and not any(map(math.isnan, column)):
            numeric[name] = column
    said = f"{_first_of(len(kept), fitting, 'row')} of {_counted(len(numeric), 'column')}"
    if others:
        said += f", {_counted(others, 'row')} of another width left out"
    return numeric, said


def _is_heading(row: list[str]) -> bool:
    """Whether a first row is a heading: at least one of its cells is not a number."""
    return any(math.isnan(_number(cell)) for cell in row)


def _heading(first: list[str]) -> list[str]:
    """A name for each column; a name that occurs again gets apostrophes."""
    if not _is_heading(first):
        return [f"column {place}" for place in range(1, len(first) + 1)]
    names: list[str] = []
    for cell in first:
        name = cell
        while name in names:
            name += "'"
        names.append(name)
    return names


def _lines(file: TextIO, advance: Advance) -> Iterator[str]:
    """The lines of a file. Raises csv.Error at one that is too long, without reading all of it."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise csv.Error("one line is longer than 1 MiB")
        advance(len(line))
        yield line


def _number(cell: str) -> float:
    """The number in a cell, or NaN if there is none that can be added up."""
    try:
        number = float(cell)
    except ValueError:
        return math.nan
    return number if abs(number) < LARGEST else math.nan


# --- any other file -----------------------------------------------------------------------------


def _count_bytes(path: Path, advance: Advance, why: str) -> Numbers:
    """How many bytes of each kind are in each segment. why: the reason that this is not a table."""
    kinds = {
        "zero": range(1),
        "control": range(1, 32),
        "printable": range(32, 127),
        "other": range(127, 256),
    }
    counts: dict[str, list[float]] = {kind: [] for kind in kinds}
    with path.open("rb") as file:
        first = file.read(_SEGMENT)  # of an empty file too, so that there is something to add up
        segments = chain([first], iter(lambda: file.read(_SEGMENT), b""))
        for segment in islice(segments, MOST_ROWS):
            advance(len(segment))
            seen = np.bincount(np.frombuffer(segment, np.uint8), minlength=256)
            for kind, values in kinds.items():
                counts[kind].append(float(seen[values.start : values.stop].sum()))
    counted = len(counts["zero"])
    whole = max(counted, -(-path.stat().st_size // _SEGMENT))
    segments_said = _first_of(counted, whole, "segment")
    return Numbers(counts, f"bytes of {len(kinds)} kinds counted in {segments_said}, since {why}")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _first_of(kept: int, of: int, what: str) -> str:
    return _counted(of, what) if kept == of else f"the first {kept:,} of {_counted(of, what)}"


# --- the totals ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Totals:
    """The totals of columns that were added up under encryption.

    numbers: how many were encrypted. size: of their ciphertexts, in bytes. exact: whether every
    decrypted total equals the sum of the same fixed-point numbers without encryption.
    """

    totals: dict[str, float]
    rows: int
    numbers: int
    size: int
    exact: bool


def encrypted_totals(columns: Columns) -> Totals:
    """Encrypt every row as one Paillier ciphertext, add the rows up, and decrypt only the sum.

    The numbers of a row lie side by side in slots of 80 bits, 24 of them behind the binary point.
    On a terminal, more than a second of work shows a progress bar.
    """
    table = np.array(list(columns.values()), np.float64).T
    layout = paillier.Layout(bits=_BITS, fraction_bits=_FRACTION_BITS, additions=len(table))
    public, private = paillier.generate_keypair()
    encrypted = (public.encrypt_vector(row, layout) for row in _with_progress(table))
    total = next(encrypted)
    size = len(total.to_bytes())  # every row's ciphertext is as long
    for row in encrypted:
        total += row
    decrypted = [float(value) for value in private.decrypt_vector(total)]
    scale = 2**_FRACTION_BITS
    plain = [sum(round(value * scale) for value in column) / scale for column in table.T]
    return Totals(
        totals=dict(zip(columns, plain, strict=True)),
        rows=len(table),
        numbers=table.size,
        size=size * len(table),
        exact=decrypted == plain,
    )


def _with_progress(rows: NDArray[np.float64]) -> Iterable[NDArray[np.float64]]:
    return tqdm(rows, desc="  encrypting", unit=" rows", leave=False, delay=PATIENCE, disable=None)
