"""The real data sets that the lab carries. `SOURCES.md` beside this file names each one's source and licence."""

from __future__ import annotations

from importlib.resources import files

DEFAULT = "breast_cancer.csv"


def octets(name: str = DEFAULT) -> bytes:
    """The whole data set as it lies in the package. Raises FileNotFoundError for a name that is not carried."""
    return files(__name__).joinpath(name).read_bytes()
