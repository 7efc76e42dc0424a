"""What the store's caller passes in, checked before anything is read or written."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lepton_lab.errors import InvalidName, InvalidParameter

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO

LONGEST_NAME = 1024  # bytes of UTF-8


def checked_name(name: str) -> bytes:
    """Return an object's name in UTF-8. Raises InvalidName."""
    if not isinstance(name, str):
        raise InvalidName(f"a name is a str, not {type(name).__name__}")
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise InvalidName("a name must be valid Unicode") from None
    if not 1 <= len(encoded) <= LONGEST_NAME or 0 in encoded:
        raise InvalidName(f"a name is 1 to {LONGEST_NAME} bytes of UTF-8 without NUL")
    return encoded


def name_of_node(node: MutableMapping[str, bytes], index: int) -> str:
    """Return the name by which placement and reports know a node: its own, or one by its place."""
    name = getattr(node, "name", None)
    return name if isinstance(name, str) else f"node-{index}"


@contextmanager
def opened(source: Source) -> Iterator[memoryview | BinaryIO]:
    """Give a source as a view of bytes or as a binary file; a path's file is closed at the end.

    Raises InvalidParameter for anything else, OSError if a path cannot be opened.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        yield memoryview(source).cast("B")
    elif isinstance(source, str | os.PathLike):
        with Path(source).open("rb", buffering=0) as file:
            yield file
    elif hasattr(source, "read"):
        yield source
    else:
        raise InvalidParameter(
            f"a source is bytes, a path or a binary file, not {type(source).__name__}"
        )
