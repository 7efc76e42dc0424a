"""Totals over a file's numbers, added under Paillier by somebody who cannot read them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from lepton_lab import paillier

MOST_ROWS = 10_000
LARGEST = 2.0**39
_SEGMENT = 1 << 20
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
            reader = csv.reader(file)
            heading = next(reader, [])
            yield heading
            yield from (row for row in reader if len(row) == len(heading))
    except (UnicodeDecodeError, csv.Error):
        return


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
        for segment in islice(iter(lambda: file.read(_SEGMENT), b""), MOST_ROWS):
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
    """Encrypt the first 200 numbers of five columns, add each column, decrypt the sums alone."""
    some = {name: list(values[:200]) for name, values in islice(columns.items(), 5)}
    public, private = paillier.generate_keypair()
    sealed = {name: [public.encrypt(value) for value in values] for name, values in some.items()}
    totals = {name: float(private.decrypt(sum(values))) for name, values in sealed.items()}
    octets = sum(len(value.to_bytes()) for values in sealed.values() for value in values)
    exact = all(math.isclose(totals[name], math.fsum(values), rel_tol=2**-40) for name, values in some.items())
    rows = max(map(len, some.values()))
    return Totals(totals, rows, rows * len(some), octets, exact)
