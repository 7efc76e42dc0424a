"""The real data sets that the lab carries, and the figures of its reference runs.

`SOURCES.md` beside this file names each data set's source and licence; `bench/` holds what
`make bench` wrote.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

DEFAULT = "breast_cancer.csv"


def read(name: str = DEFAULT) -> bytes:
    """Read a whole data set of the package.

    Raises FileNotFoundError for a name that is not carried.
    """
    return files(__name__).joinpath(name).read_bytes()


def reference(part: str) -> dict[str, Any]:
    """The reference run of one part of the benchmarks.

    It has `machine`, a description, and `rows` with the fields of `bench.rows.Row`. Raises
    FileNotFoundError for an unknown part.
    """
    text = files(__name__).joinpath("bench", f"{part}.json").read_text(encoding="utf-8")
    figures: dict[str, Any] = json.loads(text)
    return figures
