"""`python -m bench [--quick] [PART…]`: measure, print a table, and write the reference figures that notebooks show."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.rows import Row
from lepton_lab.errors import InvalidParameter

PARTS = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem != "rows"))
REFERENCE = Path(__file__).resolve().parent.parent / "lepton_lab" / "data" / "bench"


def measure(parts: Sequence[str], *, quick: bool) -> None:
    """Measure these parts, or all. Unless `quick`, write each part's rows and this machine to the reference files."""
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise InvalidParameter(f"no part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    for part in parts or PARTS:
        rows = import_module(f"bench.{part}").run(quick)
        Console().print(_table(part, rows))
        if not quick:
            REFERENCE.mkdir(exist_ok=True)
            figures = {"machine": machine(), "rows": [asdict(row) for row in rows]}
            text = json.dumps(figures, indent=1, ensure_ascii=False)
            (REFERENCE / f"{part}.json").write_text(text + "\n")


def machine() -> dict[str, str]:
    """What ran it: enough to understand a figure, nothing that names a place."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), cpu)
    packages = " ".join(f"{name} {version(name)}" for name in ("cryptography", "gmpy2", "numpy", "redis"))
    return {"cpu": cpu, "system": platform.system(), "python": platform.python_version(), "packages": packages}


def _table(part: str, rows: Sequence[Row]) -> Table:
    table = Table("what", "figure", "unit", "ratio", "to", "note", title=part)
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}×"
        table.add_row(row.name, f"{row.value:.4g}", row.unit, ratio, row.baseline, row.note)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    measure(arguments.parts, quick=arguments.quick)
