"""For notebook cells in which a call must fail: prints the error's name, or fails itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lepton_lab.errors import LabError


@contextmanager
def refused(*errors: type[LabError]) -> Iterator[None]:
    """Expect one of these errors inside the block and print its name.

    Raises LabError when the block ends without one. Any other error passes through.
    """
    try:
        yield
    except errors as error:
        print(f"refused: {type(error).__name__}")
    else:
        raise LabError("this should have been refused, and was not")
