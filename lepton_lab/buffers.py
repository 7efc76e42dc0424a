"""Arguments as callers give them: bytes of any kind, whole numbers, binary files."""

from __future__ import annotations

import io
import operator
from collections.abc import Iterator
from typing import BinaryIO, cast

from lepton_lab.errors import InvalidParameter

BytesLike = bytes | bytearray | memoryview


def view_of(data: BytesLike) -> memoryview:
    """Bytes as a flat view, without a copy where there are no gaps between them.

    Raises InvalidParameter for anything that is not bytes, bytearray or memoryview.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidParameter(
            f"bytes are needed (bytes, bytearray or memoryview), not {type(data).__name__}"
        )
    try:
        view = memoryview(data)
        if not view.nbytes:
            return memoryview(b"")
        if not view.c_contiguous:
            return memoryview(view.tobytes())
        if view.ndim == 1 and view.format == "B":
            return view
        return _cast_to_bytes(view)
    except ValueError:  # its memory was given back
        raise InvalidParameter("this memoryview was released: give it before that") from None


def _cast_to_bytes(view: memoryview) -> memoryview:
    try:
        return view.cast("B")
    except (TypeError, ValueError):
        # An item format that Python cannot cast, like numpy's big-endian numbers. Its bytes as
        # they lie in memory are meant here too.
        return memoryview(view.tobytes())


def whole_number(value: object, what: str, least: int, most: int) -> int:
    """A whole number within bounds, from anything that is one (int, numpy's integers).

    Raises InvalidParameter, which says `what` was meant, for a bool, a float, or a number out of
    its bounds.
    """
    number = whole_or_none(value)
    if number is None or not least <= number <= most:
        raise InvalidParameter(f"{what} is a whole number from {least} to {most}, not {value!r}")
    return number


def whole_or_none(value: object) -> int | None:
    """A whole number of whatever type as an int; None for anything else, bool among it."""
    # Python takes True for 1, but a caller who writes it here means another argument.
    if isinstance(value, bool):
        return None
    try:
        return operator.index(cast("int", value))
    except TypeError:
        return None


def framed(*parts: bytes) -> bytes:
    """Every part behind its length (8 bytes, big-endian), so that no two lists give the same bytes.

    Without it ("ab", "c") and ("a", "bc") would derive the same key.
    """
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def unframed(data: bytes) -> list[bytes]:
    """The parts that `framed` put together. Raises ValueError for other bytes."""
    parts = []
    position = 0
    while position < len(data):
        start = position + 8
        position = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or position > len(data):
            raise ValueError("the bytes end inside a part")
        parts.append(data[start:position])
    return parts


def read_into(source: BinaryIO, buffer: memoryview) -> int:
    """Fill `buffer` from a binary file and return how many bytes it got.

    They are fewer than its length only at the end of the file: pipes, sockets and unbuffered files
    may return less than was asked for, so this reads until the buffer is full or the file ends.
    Raises InvalidParameter when the file gives text, when it has nothing *yet* (non-blocking mode),
    and when it claims to have read more than was asked for.
    """
    filled = 0
    readinto = getattr(source, "readinto", None)
    while filled < len(buffer):
        room = buffer[filled:]
        count = readinto(room) if readinto is not None else _read_piece(source, room)
        if count is None:
            raise InvalidParameter("the source has nothing to read yet: give it in blocking mode")
        # A file of the caller's own may count wrongly; then bytes would be taken that it never
        # wrote.
        if not isinstance(count, int) or not 0 <= count <= len(room):
            raise InvalidParameter(
                f"the source says that it read {count!r} bytes where {len(room)} were asked for"
            )
        if not count:
            break
        filled += count
    return filled


def _read_piece(source: BinaryIO, room: memoryview) -> int | None:
    """What `readinto` does, for a file that has only `read`."""
    data = cast("bytes | None", source.read(len(room)))
    if data is None:
        return None
    piece = view_of(data)
    if len(piece) <= len(room):
        room[: len(piece)] = piece
    return len(piece)


def pieces_of(source: BinaryIO, first: int, size: int) -> Iterator[tuple[memoryview, bool]]:
    """A binary file in pieces, `first` bytes and then `size` at a time, with whether each is last.

    An empty file is one empty piece. It is read one piece ahead, to know the last, into two buffers
    in turn: a piece is valid until the next but one is asked for.
    """
    buffers = [memoryview(bytearray(size)), memoryview(bytearray(max(first, size)))]
    wanted = first
    current = buffers[1][: read_into(source, buffers[1][:wanted])]
    while len(current) == wanted:
        wanted = size
        following = buffers[0][: read_into(source, buffers[0][:wanted])]
        if not following:
            break
        yield current, False
        current = following
        buffers.reverse()
    yield current, True


def write_all(sink: BinaryIO, data: memoryview) -> None:
    """Write everything: an unbuffered file may take less than it was given, and returns how much.

    A sink of the caller's own that returns None is taken to have written all. Raises
    InvalidParameter when a file or socket in non-blocking mode takes nothing, and when the sink
    claims to have taken more than it was given.
    """
    while data:
        taken = cast("int | None", sink.write(data))
        if taken is None and not isinstance(sink, io.RawIOBase):
            return
        if not taken:
            raise InvalidParameter("the sink takes nothing now: give it in blocking mode")
        if not isinstance(taken, int) or not 0 < taken <= len(data):
            raise InvalidParameter(
                f"the sink says that it took {taken!r} bytes where it was given {len(data)}"
            )
        data = data[taken:]
