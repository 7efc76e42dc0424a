"""Checks of keys, values and buffers that every node makes, and the reasons that errors give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import InvalidParameter

LARGEST_VALUE = 64 << 20  # bytes; nodes that store files or use a server take no longer ones


def as_key(key: object) -> str:
    """Return the key. Raises InvalidParameter if it is not a str."""
    if not isinstance(key, str):
        raise InvalidParameter(f"a key is a str, not {type(key).__name__}")
    return key


def as_view(value: BytesLike) -> memoryview:
    """Return a flat view of a contiguous buffer. Raises InvalidParameter for anything else."""
    try:
        view = memoryview(value)
        return view.cast("B") if view.nbytes else memoryview(b"")
    except TypeError:
        kind = type(value).__name__
        raise InvalidParameter(f"a value is a contiguous run of bytes, not {kind}") from None


def as_value(value: BytesLike) -> bytes:
    """Return `bytes` as they are and any other contiguous buffer as a copy.

    Raises InvalidParameter.
    """
    return value if type(value) is bytes else bytes(as_view(value))


def room_in(buffer: BytesLike) -> memoryview:
    """Return a flat view of a writable buffer. Raises InvalidParameter."""
    view = as_view(buffer)
    if view.readonly and view.nbytes:
        raise InvalidParameter("a buffer to read into must be writable")
    return view


def bytes_of(key: object) -> bytes:
    """Return a key as bytes, different bytes for each key.

    Lone surrogates are encoded too ("surrogatepass"), so that every str has such a form. Raises
    InvalidParameter.
    """
    return as_key(key).encode("utf-8", "surrogatepass")


def key_from(data: bytes) -> str | None:
    """Return the key that has these bytes, or None if no key has them."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


def in_batches(keys: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Yield the keys in lists of at most `size`."""
    source = iter(keys)
    while batch := list(islice(source, size)):
        yield batch


def printable(text: str) -> str:
    """Return a text for names and reports, with line breaks and other unprintable characters
    escaped.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def too_long(length: int, room: int) -> str:
    """Return the reason to report for a value that does not fit into its buffer."""
    return f"a value of {length} bytes is longer than the {room} that were expected"


def reason_of(error: OSError) -> str:
    """Return what the operating system said, without the path that it said it about."""
    return (error.strerror or type(error).__name__).lower()


def is_fsspec(mapping: object) -> bool:
    """Tell whether this is a mapping of fsspec, without importing fsspec."""
    return any(
        (kind.__module__, kind.__name__) == ("fsspec.mapping", "FSMap")
        for kind in type(mapping).__mro__
    )
