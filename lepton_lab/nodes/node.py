"""A node: a mutable mapping from `str` to immutable `bytes`, with faster paths where the place can offer them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import InvalidParameter, NodeError, OversizedValue

_FASTER = [
    "set_if_absent",
    "get_many",
    "set_many",
    "delete_many",
    "keys_with_prefix",
    "write",
    "read_into",
    "close",
]


class Node(MutableMapping[str, bytes]):
    """One place that keeps values by key. A subclass gives the five methods of a mapping; the rest is built on them.

    A missing key is a KeyError; whatever is wrong with the place itself is a NodeError that names it. A value that came
    out never changes afterwards, and a buffer that went in is not referred to once the call has returned.

    name: how errors and reports call the node. single_writer: True while `set_if_absent` is a look followed by a
    write, between which another writer may come; a node that can do both at once says False.
    """

    name: str
    single_writer: bool = True

    @abstractmethod
    def __getitem__(self, key: str) -> bytes: ...
    @abstractmethod
    def __setitem__(self, key: str, value: BytesLike) -> None: ...
    @abstractmethod
    def __delitem__(self, key: str) -> None: ...
    @abstractmethod
    def __iter__(self) -> Iterator[str]: ...

    def __len__(self) -> int:
        """How many keys there are, found by walking through all of them."""
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """Store `value` unless the key is there already; True for the one who stored it. Raises NodeError."""
        if key in self:
            return False
        self[key] = value
        return True

    def get_many(self, keys: Iterable[str]) -> list[bytes | None]:
        """The values of `keys` in their order, None where there is none. Raises NodeError."""
        return [self.get(key) for key in keys]

    def set_many(self, items: Mapping[str, BytesLike]) -> None:
        """Store every item; when it raises NodeError, some are stored and some are not."""
        for key, value in items.items():
            self[key] = value

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete those of `keys` that are there. Raises NodeError."""
        for key in keys:
            try:
                del self[key]
            except KeyError:
                continue

    def clear(self) -> None:
        """Delete every key."""
        self.delete_many(list(self))

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """Every key that begins with `prefix`. Raises NodeError."""
        return (key for key in self if key.startswith(prefix))

    def write(self, key: str, buffer: BytesLike) -> None:
        """Store the bytes of any contiguous buffer, which may be reused as soon as this returns. Raises NodeError."""
        self[key] = buffer

    def read_into(self, key: str, buffer: BytesLike) -> int:
        """Read a value to the start of a writable buffer and return its length in bytes.

        Raises KeyError when there is no such key, OversizedValue (a NodeError) for one longer than the buffer.
        """
        value, room = self[key], room_in(buffer)
        if len(value) > len(room):
            raise OversizedValue(self.name, too_long(len(value), len(room)))
        room[: len(value)] = value
        return len(value)

    def get_bounded(self, keys: Iterable[str], limit: int) -> list[bytes | None]:
        """The values under `keys`, in order, None for each that is not there; no more than a little is ever read.

        In place of a value of more than `limit` bytes stand limit + 1 zeros. Raises NodeError.
        """
        buffer = memoryview(bytearray(limit))

        def read(key: str) -> bytes | None:
            try:
                return bytes(buffer[: self.read_into(key, buffer)])
            except KeyError:
                return None
            except OversizedValue:
                return bytes(limit + 1)

        return [read(key) for key in keys]

    def session(self) -> AbstractContextManager[Node]:
        """The node for one thread and a run of calls, quicker where it has a way to be; not to be closed."""
        return nullcontext(self)

    def close(self) -> None:
        """Let go of connections, if the node has any; the values stay."""


class MappingNode(Node):
    """Any mutable mapping under a name: a plain dict, or someone else's store. Its own faster methods are used.

    A mapping without `set_if_absent` is single-writer.
    """

    def __init__(self, mapping: MutableMapping[str, bytes], name: str) -> None:
        self.name, self._mapping = name, mapping
        for method in _FASTER:
            if callable(theirs := getattr(mapping, method, None)):
                setattr(self, method, self._guarded(theirs))
        self.single_writer = not hasattr(mapping, "set_if_absent")

    def __getitem__(self, key: str) -> bytes:
        with self._errors():
            value = self._mapping[as_key(key)]
        try:
            return as_value(value)
        except InvalidParameter:
            raise NodeError(
                self.name, f"it holds a {type(value).__name__} where bytes should be"
            ) from None

    def __setitem__(self, key: str, value: BytesLike) -> None:
        with self._errors():
            self._mapping[as_key(key)] = as_value(value)

    def __delitem__(self, key: str) -> None:
        with self._errors():
            del self._mapping[as_key(key)]

    def __iter__(self) -> Iterator[str]:
        with self._errors():
            return iter(list(self._mapping))

    def __len__(self) -> int:
        with self._errors():
            return len(self._mapping)

    def _guarded(self, theirs: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any) -> Any:
            with self._errors():
                return theirs(*arguments)

        return guarded

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """A mapping that is not ours fails in its own words: what the system reports becomes a NodeError."""
        try:
            yield
        except OSError as error:
            raise NodeError(self.name, reason_of(error)) from error


def as_key(key: str) -> str:
    """The key, or InvalidParameter when it is no str."""
    if not isinstance(key, str):
        raise InvalidParameter(f"a key is a str, not {type(key).__name__}")
    return key


def as_view(value: BytesLike) -> memoryview:
    """A flat view of a contiguous buffer, or InvalidParameter."""
    try:
        view = memoryview(value)
        return view.cast("B") if view.nbytes else memoryview(b"")
    except TypeError:
        raise InvalidParameter(
            f"a value is a contiguous run of bytes, not {type(value).__name__}"
        ) from None


def as_value(value: BytesLike) -> bytes:
    """Bytes that nobody can change any more: `bytes` as they are, any other buffer copied. Raises InvalidParameter."""
    return value if type(value) is bytes else bytes(as_view(value))


def room_in(buffer: BytesLike) -> memoryview:
    """A flat view of a writable buffer, or InvalidParameter."""
    view = as_view(buffer)
    if view.readonly and view.nbytes:
        raise InvalidParameter("a buffer to read into must be writable")
    return view


def bytes_of(key: str) -> bytes:
    """A key as bytes, each key differently, whatever characters it holds; surrogates pass, so every str has a form."""
    return as_key(key).encode("utf-8", "surrogatepass")


def too_long(length: int, room: int) -> str:
    """The reason to give for a value that does not fit."""
    return f"a value of {length} bytes is longer than the {room} that were expected"


def reason_of(error: OSError) -> str:
    """What the system said, without the path that it said it about."""
    return (error.strerror or type(error).__name__).lower()
