"""Bytes in and out: framing that is injective, and reads that are never short."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, cast

from lepton_lab.errors import InvalidParameter

BytesLike = bytes | bytearray | memoryview


def view_of(data: BytesLike) -> memoryview:
    """Bytes as a flat view, without a copy. Raises InvalidParameter for anything that is not bytes."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidParameter(
            f"bytes are needed (bytes, bytearray or memoryview), not {type(data).__name__}"
        )
    view = memoryview(data)
    if not view.nbytes:
        return memoryview(b"")
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


def framed(*parts: bytes) -> bytes:
    """Every part behind its length (8 bytes, big-endian), so that no two lists of parts give the same bytes.

    Without it ("ab", "c") and ("a", "bc") would derive the same key.
    """
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def unframed(data: bytes) -> list[bytes]:
    """The parts that `framed` put together. Raises ValueError when `bytes` are not such a list."""
    parts, position = [], 0
    while position < len(data):
        start = position + 8
        position = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or position > len(data):
            raise ValueError("the bytes end inside a part")
        parts.append(data[start:position])
    return parts


def read_into(source: BinaryIO, buffer: memoryview) -> int:
    """Fill `buffer` from a binary file and return how many bytes it got; fewer than its length only at the end.

    Pipes, sockets and unbuffered files may return less than was asked for, so this reads until full or finished.
    Raises InvalidParameter when the file gives text, BlockingIOError when it has nothing *yet*: that is not its end.
    """
    filled = 0
    readinto = getattr(source, "readinto", None)
    while filled < len(buffer):
        if readinto is not None:
            count = readinto(buffer[filled:])
            if count is None:
                raise BlockingIOError("the file has nothing to read yet; give it in blocking mode")
        else:
            piece = view_of(source.read(len(buffer) - filled))
            count = len(piece)
            buffer[filled : filled + count] = piece
        if not count:
            break
        filled += count
    return filled


def pieces_of(source: BinaryIO, first: int, size: int) -> Iterator[tuple[memoryview, bool]]:
    """A binary file in pieces, `first` bytes and then `size` at a time, each with whether it is the last.

    An empty file is one empty piece. It is read one piece ahead, to know the last, into two buffers in turn: a piece is
    valid until the next but one is asked for.
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
    """Write everything: an unbuffered file may take less than it was given, and says so only by its return value.

    A sink of somebody's own that returns None is taken to have written all. Raises BlockingIOError when a file or
    socket in non-blocking mode takes nothing.
    """
    while data:
        taken = cast("int | None", sink.write(data))
        if taken is None and not isinstance(sink, io.RawIOBase):
            return
        if not taken:
            raise BlockingIOError("the file takes nothing now; give it in blocking mode")
        data = data[taken:]
