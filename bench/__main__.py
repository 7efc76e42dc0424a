"""`python -m bench [--quick] [PART…]`: measure, print tables, and write the reference figures.

The notebooks show the reference figures, which are in lepton_lab/data/bench.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.rows import Row
from lepton_lab import show
from lepton_lab.errors import InvalidParameter

_WIDE = 220  # columns of a table that goes into a file
_SHARED = {"rows", "paillier_peers"}  # modules that parts import, and not parts themselves
PARTS = tuple(sorted({path.stem for path in Path(__file__).parent.glob("[a-z]*.py")} - _SHARED))
ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "lepton_lab" / "data" / "bench"
FIGURES = ROOT / "build" / "bench"


def measure(parts: Sequence[str], *, quick: bool) -> None:
    """Measure these parts, or all; print a table of each and write its figure to build/bench.

    Unless `quick`, also write each part's rows and this machine to the reference files.
    Raises InvalidParameter for a part that is not there.
    """
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise InvalidParameter(f"no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    for part in parts or PARTS:
        rows = import_module(f"bench.{part}").run(quick)
        Console(width=None if sys.stdout.isatty() else _WIDE).print(_table(part, rows))
        if rows:
            FIGURES.mkdir(parents=True, exist_ok=True)
            _figure(part, rows).save(FIGURES / f"{part}.svg")
        if not quick:
            REFERENCE.mkdir(exist_ok=True)
            figures = {"machine": machine(), "rows": [asdict(row) for row in rows]}
            text = json.dumps(figures, indent=1, ensure_ascii=False)
            (REFERENCE / f"{part}.json").write_text(text + "\n")


def machine() -> dict[str, str]:
    """Describe this machine: enough to understand a figure, and nothing that identifies it."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        models = [line.split(":")[1].strip() for line in lines if "model name" in line]
        cpu = models[0] if models else cpu
    names = ("cryptography", "gmpy2", "numpy", "redis")
    return {
        "cpu": cpu,
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": " ".join(f"{name} {version(name)}" for name in names),
    }


def _table(part: str, rows: Sequence[Row]) -> Table:
    """Return the rows as a table, without the columns that are empty in this part."""
    columns = {
        "what": [row.name for row in rows],
        "figure": [f"{row.value:.4g}" for row in rows],
        "unit": [row.unit for row in rows],
        "ratio": ["" if row.ratio is None else f"{row.ratio:.2f}×" for row in rows],
        "to": [row.baseline for row in rows],
        "bytes": ["" if row.size is None else f"{row.size:.4g}" for row in rows],
        "largest error": ["" if row.error is None else f"{row.error:.1g}" for row in rows],
        "assumption": [row.assumption for row in rows],
        "note": [row.note for row in rows],
    }
    columns = {title: cells for title, cells in columns.items() if any(cells)}
    table = Table(*columns, title=part)
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    return table


def _figure(part: str, rows: Sequence[Row]) -> show.Picture:
    """Draw the ratios as bars, or the figures of the first unit where nothing is compared."""
    ratios = {row.name: row.ratio for row in rows if row.ratio}
    if ratios:
        return show.bars(ratios, title=f"{part}: how many times the baseline", unit="×", log=True)
    unit = rows[0].unit
    figures = {row.name: row.value for row in rows if row.unit == unit}
    return show.bars(figures, title=part, unit=unit)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    measure(arguments.parts, quick=arguments.quick)
