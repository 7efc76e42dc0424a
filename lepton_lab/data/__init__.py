"""The real data sets that the lab carries, and the figures of its reference runs.

`SOURCES.md` beside this file names each data set's source and licence; `bench/` holds what `make bench` wrote.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

DEFAULT = "breast_cancer.csv"


def read(name: str = DEFAULT) -> bytes:
    """The whole data set as it lies in the package. Raises FileNotFoundError for a name that is not carried."""
    return files(__name__).joinpath(name).read_bytes()


def reference(part: str) -> dict[str, Any]:
    """The reference run of one part of the benchmarks: `machine`, and `rows` as `bench.rows.Row` has them."""
    figures: dict[str, Any] = json.loads(
        files(__name__).joinpath("bench", f"{part}.json").read_text(encoding="utf-8")
    )
    return figures
