"""For the cells in which something must fail: the failure is printed, and its absence is an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lepton_lab.errors import LabError


@contextmanager
def refused(*errors: type[LabError]) -> Iterator[None]:
    """Expect one of these errors inside the block and print its name; raise LabError when none comes."""
    try:
        yield
    except errors as error:
        print(f"refused: {type(error).__name__}")
    else:
        raise LabError("this should have been refused, and was not")
