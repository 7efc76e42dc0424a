"""A bar for what takes long, on a terminal only: files that move it while they are read or written."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from tqdm import tqdm

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_LARGE = 16 << 20  # bytes from which a bar is worth its line
_MANY = 4  # objects


@contextmanager
def bar(doing: str, data: int | None) -> Iterator[tqdm[Any]]:
    """A bar for so many bytes, or for nobody knows how many."""
    quiet = not sys.stderr.isatty() or (data is not None and data < _LARGE)
    with tqdm(
        total=data, desc=doing, unit="B", unit_scale=True, leave=False, disable=quiet
    ) as made:
        yield made


def each_of(names: Sequence[str], doing: str) -> Iterator[str]:
    """The names, one after another, with a bar where they are many."""
    quiet = not sys.stderr.isatty() or len(names) < _MANY
    yield from tqdm(names, desc=doing, unit="object", leave=False, disable=quiet)


def say(line: str) -> None:
    """A line on standard output, above any bar."""
    tqdm.write(line, file=sys.stdout)


class Moving(io.RawIOBase):
    """A binary file that moves a bar by what passes through it, in one direction or the other."""

    def __init__(self, file: BinaryIO, bar: tqdm[Any]) -> None:
        self._file, self._bar = file, bar

    def readable(self) -> bool:
        """As a file's."""
        return True

    def writable(self) -> bool:
        """As a file's."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """As a file's."""
        count: int = self._file.readinto(buffer) or 0  # type: ignore[attr-defined]  # every binary file has it
        self._bar.update(count)
        return count

    def write(self, data: ReadableBuffer, /) -> int:
        """As a file's."""
        count = self._file.write(data)
        self._bar.update(count)
        return count
