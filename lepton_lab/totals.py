"""Totals over a file's numbers, added under Paillier by somebody who cannot read them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import numpy as np

from lepton_lab import paillier

MOST_ROWS = 10_000
LARGEST = 2.0**39
_SEGMENT = 1 << 20
_LONGEST_LINE = 1 << 20
Columns = Mapping[str, Sequence[float]]


def numeric_columns(path: Path) -> tuple[dict[str, list[float]], str]:
    """The numeric columns of a CSV file, by their heading, and what its rows are called.

    A column counts when each of its cells in the first 10,000 rows is a number below 2³⁹. A file without any gives,
    for each of its segments of 1 MiB, how many of its octets are of which kind.
    """
    rows = list(islice(_rows(path), MOST_ROWS + 1))
    if len(rows) > 1:
        heading, body = rows[0], rows[1:]
        columns = {name: [_number(row[i]) for row in body] for i, name in enumerate(heading)}
        numeric = {name: values for name, values in columns.items() if not any(map(math.isnan, values))}
        if numeric:
            return numeric, "rows"
    return _octet_counts(path), "segments"


def _rows(path: Path) -> Iterator[list[str]]:
    """The rows of a CSV file as wide as its heading; nothing when it is none."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(_lines(file))
            heading = next(reader, [])
            yield heading
            yield from (row for row in reader if len(row) == len(heading))
    except (UnicodeDecodeError, csv.Error):
        return


def _lines(file: TextIO) -> Iterator[str]:
    """The lines of a file, unless one is so long that the file is no table: then it is not read any further."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise csv.Error("no table has such lines")
        yield line


def _number(cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        return math.nan
    return number if abs(number) < LARGEST else math.nan


def _octet_counts(path: Path) -> dict[str, list[float]]:
    kinds = {"zero": range(1), "control": range(1, 32), "printable": range(32, 127), "other": range(127, 256)}
    counts: dict[str, list[float]] = {kind: [] for kind in kinds}
    with path.open("rb") as file:
        segments = chain([file.read(_SEGMENT)], iter(lambda: file.read(_SEGMENT), b""))  # an empty file has one too
        for segment in islice(segments, MOST_ROWS):
            seen = np.bincount(np.frombuffer(segment, np.uint8), minlength=256)
            for kind, octets in kinds.items():
                counts[kind].append(float(seen[octets.start : octets.stop].sum()))
    return counts


@dataclass(frozen=True)
class Totals:
    """What came of adding in the dark: each column's total, and whether every one equals the plain computation."""

    totals: dict[str, float]
    rows: int
    numbers: int
    octets: int
    exact: bool


def encrypted_totals(columns: Columns) -> Totals:
    """Encrypt every row into one Paillier ciphertext, add the rows, decrypt the sum alone.

    A row's numbers lie side by side in slots of 80 bits with 24 bits behind the point; `exact` compares with the plain
    sum of the same fixed-point numbers.
    """
    table = np.array(list(columns.values()), np.float64).T
    layout = paillier.Layout(bits=80, fraction_bits=24, additions=len(table))
    public, private = paillier.generate_keypair()
    sealed = (public.encrypt_vector(row, layout) for row in table)
    total = next(sealed)
    octets = len(total.to_bytes())
    for row in sealed:
        total += row
    decrypted = private.decrypt_vector(total)
    plain = [sum(round(value * 2**24) for value in column) / 2**24 for column in table.T]
    exact = [float(value) for value in decrypted] == plain
    return Totals(dict(zip(columns, plain, strict=True)), len(table), table.size, octets * len(table), exact)
