"""Totals over a file's numbers, added under Paillier by somebody who cannot read them."""

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

MOST_ROWS = 10_000
LARGEST = 2.0**39
PATIENCE = 1.0  # seconds after which work is worth a progress bar
_SEGMENT = 1 << 20
_LONGEST_LINE = 1 << 20
Columns = Mapping[str, Sequence[float]]
Told = Callable[[int], object]


@dataclass(frozen=True)
class Numbers:
    """The numbers of a file by column, and one phrase that says which they are and what was left out."""

    columns: dict[str, list[float]]
    said: str


def numbers_of(path: Path, told: Told = lambda _: None) -> Numbers:
    """The numeric columns of a CSV file, by their heading: the first 10,000 of its rows.

    A column counts when each of these cells is a number below 2³⁹. Without a heading, which no number is, the columns
    are called by their place. A file without any such column, or that is no table of UTF-8 text to its end, gives for
    each of its first 10,000 segments of 1 MiB how many of its bytes are of which kind. told: is called with the bytes
    or characters that were read. Raises OSError.
    """
    try:
        columns, said = _table(path, told)
        why = "it has no column of numbers"
    except UnicodeDecodeError:
        columns, why = {}, "it is not UTF-8 text"
    except csv.Error as error:
        columns, why = {}, f"it is no table ({error})"
    return Numbers(columns, said) if columns else _byte_counts(path, told, why)


def _table(path: Path, told: Told) -> tuple[dict[str, list[float]], str]:
    """The numeric columns, if any, and what to say of them. The whole file is read, to count what is left out."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = (
            row for row in csv.reader(_lines(file, told), strict=True) if row
        )  # an empty line is no row
        first = next(rows, [])
        heading = _heading(first)
        body: list[list[str]] = []
        fitting = others = 0
        for row in rows if _is_heading(first) else chain([first], rows):
            if len(row) != len(heading):
                others += 1
                continue
            fitting += 1
            if fitting <= MOST_ROWS:
                body.append(row)
    columns = {name: [_number(row[place]) for row in body] for place, name in enumerate(heading)}
    numeric = {
        name: values
        for name, values in columns.items()
        if values and not any(map(math.isnan, values))
    }
    kept = _first(len(body), fitting, "row")
    left_out = f", {_counted(others, 'row')} of another width left out" if others else ""
    return numeric, f"{kept} of {_counted(len(numeric), 'column')}{left_out}"


def _is_heading(row: list[str]) -> bool:
    return any(math.isnan(_number(cell)) for cell in row)


def _heading(first: list[str]) -> list[str]:
    """A name for each column, no two alike."""
    names: list[str] = []
    for place, cell in enumerate(first, 1):
        name = cell if _is_heading(first) else f"column {place}"
        while name in names:
            name += "'"
        names.append(name)
    return names


def _lines(file: TextIO, told: Told) -> Iterator[str]:
    """The lines of a file, unless one is so long that the file is no table: then it is not read any further."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise csv.Error("one line is longer than 1 MiB")
        told(len(line))
        yield line


def _number(cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        return math.nan
    return number if abs(number) < LARGEST else math.nan


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _first(kept: int, of: int, what: str) -> str:
    return _counted(of, what) if kept == of else f"the first {kept:,} of {_counted(of, what)}"


def _byte_counts(path: Path, told: Told, why: str) -> Numbers:
    kinds = {
        "zero": range(1),
        "control": range(1, 32),
        "printable": range(32, 127),
        "other": range(127, 256),
    }
    counts: dict[str, list[float]] = {kind: [] for kind in kinds}
    with path.open("rb") as file:
        segments = chain(
            [file.read(_SEGMENT)], iter(lambda: file.read(_SEGMENT), b"")
        )  # an empty file has one too
        for segment in islice(segments, MOST_ROWS):
            told(len(segment))
            seen = np.bincount(np.frombuffer(segment, np.uint8), minlength=256)
            for kind, data in kinds.items():
                counts[kind].append(float(seen[data.start : data.stop].sum()))
    kept = len(counts["zero"])
    segments_said = _first(kept, max(kept, -(-path.stat().st_size // _SEGMENT)), "segment")
    return Numbers(counts, f"bytes of {len(kinds)} kinds counted in {segments_said}, since {why}")


@dataclass(frozen=True)
class Totals:
    """What came of adding in the dark: each column's total, and whether every one equals the plain computation."""

    totals: dict[str, float]
    rows: int
    numbers: int
    size: int
    exact: bool


def encrypted_totals(columns: Columns) -> Totals:
    """Encrypt every row into one Paillier ciphertext, add the rows, decrypt the sum alone.

    A row's numbers lie side by side in slots of 80 bits with 24 bits behind the point; `exact` compares with the plain
    sum of the same fixed-point numbers. What takes more than a second moves a bar, on a terminal.
    """
    table = np.array(list(columns.values()), np.float64).T
    layout = paillier.Layout(bits=80, fraction_bits=24, additions=len(table))
    public, private = paillier.generate_keypair()
    sealed = (public.encrypt_vector(row, layout) for row in _watched(table))
    total = next(sealed)
    data = len(total.to_bytes())
    for row in sealed:
        total += row
    decrypted = private.decrypt_vector(total)
    plain = [sum(round(value * 2**24) for value in column) / 2**24 for column in table.T]
    exact = [float(value) for value in decrypted] == plain
    return Totals(
        dict(zip(columns, plain, strict=True)), len(table), table.size, data * len(table), exact
    )


def _watched(rows: NDArray[np.float64]) -> Iterable[NDArray[np.float64]]:
    return tqdm(rows, desc="  encrypting", unit=" rows", leave=False, delay=PATIENCE, disable=None)
