"""The interface of every node, and the adapter that makes a node of any mutable mapping.

A node is a mutable mapping from `str` to immutable `bytes`. Faster paths (many keys in one request,
reading into a buffer) are methods that a subclass overrides where its storage can do better than
one key at a time.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import InvalidParameter, NodeError, OversizedValue, UnreadableValue
from lepton_lab.nodes.listing import ListingBound, keys_among
from lepton_lab.nodes.values import as_key, as_value, as_view, reason_of, room_in, too_long

TIMEOUT = 5.0  # seconds that the clients made here wait for a server's answer


class Node(MutableMapping[str, bytes]):
    """One place that stores values by key.

    A subclass gives the five methods of a mutable mapping; every other method here is built on
    them.

    A missing key raises KeyError. Any failure of the place itself raises NodeError, which names the
    node. A value that was returned never changes afterwards. A buffer that was passed in is not
    used after the call has returned.

    name: what errors and reports call the node. single_writer: True if `set_if_absent` looks first
    and writes then, so that another writer may come in between; False if the node does both in one
    step.
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
        """Count the keys by iterating over all of them."""
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def identity(self) -> Hashable | None:
        """What two node objects have in common exactly when they store in the same place, or None
        if unknown.

        Losing that place loses the shards of both, so a store must not count them as two nodes. A
        folder is identified by its device and inode, a server by its address, database and prefix,
        and an object in memory by itself. The answer is a hint for catching mistakes: two names of
        one host are not recognised as the same server.
        """
        return ("object", id(self))

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """Store `value` unless the key exists already; True if this call stored it.

        Raises NodeError.
        """
        if key in self:
            return False
        self[key] = value
        return True

    def get_many(self, keys: Iterable[str]) -> list[bytes | None]:
        """Return the values of `keys` in order, None for each missing key. Raises NodeError."""
        return [self.get(key) for key in keys]

    def set_many(self, items: Mapping[str, BytesLike]) -> None:
        """Store every item. If it raises NodeError, some items may be stored and others not."""
        for key, value in items.items():
            self[key] = value

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete those of `keys` that exist and ignore the others. Raises NodeError."""
        for key in keys:
            try:
                del self[key]
            except KeyError:
                continue

    def clear(self) -> None:
        """Delete every key. Raises NodeError."""
        # Of an iterator, because list(self) would first ask for the length, which is another
        # listing.
        self.delete_many(list(iter(self)))

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """Iterate over the keys that begin with `prefix`.

        Raises NodeError, also in the middle of the iteration: also for keys of more than 64 MiB in
        all, or one of more than 4 KiB.
        """
        bound = ListingBound(self.name)
        for key in self:
            if key.startswith(prefix):
                bound.count(key)
                yield key

    def write(self, key: str, buffer: BytesLike) -> None:
        """Store the bytes of any contiguous buffer; the caller may reuse it afterwards.

        Raises NodeError.
        """
        self[key] = buffer

    def read_into(self, key: str, buffer: BytesLike) -> int:
        """Read a value to the start of a writable buffer and return its length in bytes.

        Raises KeyError if the key does not exist, OversizedValue (a NodeError) if the value is
        longer than the buffer.
        """
        value = self[key]
        room = room_in(buffer)
        if len(value) > len(room):
            raise OversizedValue(self.name, too_long(len(value), len(room)))
        room[: len(value)] = value
        return len(value)

    def get_bounded(self, keys: Iterable[str], limit: int) -> list[bytes | None]:
        """Return the values of `keys` in order, None for each missing key, and read at most `limit`
        bytes of each.

        A value that is longer, or that cannot be read although the node works, is replaced by limit
        + 1 zero bytes: the caller sees that something is there and that it is not a value of the
        expected size. Raises NodeError.
        """
        buffer = memoryview(bytearray(limit))
        values: list[bytes | None] = []
        for key in keys:
            try:
                length = self.read_into(key, buffer)
            except KeyError:
                values.append(None)
            except UnreadableValue:
                values.append(bytes(limit + 1))
            else:
                values.append(bytes(buffer[:length]))
        return values

    def session(self) -> AbstractContextManager[Node]:
        """Return a context manager that gives this node for a run of calls from one thread.

        A node with connections may hold one of them for the whole session. Do not close the node
        that it gives.
        """
        return nullcontext(self)

    def close(self) -> None:
        """Close the node's connections, if it has any. The values stay."""


class MappingNode(Node):
    """A node over any mutable mapping: a plain dict, or another library's store.

    Every call is passed on to the mapping. Where the mapping has a method of the same name as one
    of the faster paths (`set_if_absent`, `get_many`, …) that one is called; otherwise `Node` builds
    it from single keys. A subclass that overrides a method is called in place of the mapping's.

    A mapping without `set_if_absent` supports one writer only. What the mapping raises, and what it
    returns that is not of the promised type, becomes a NodeError under `name`.
    """

    def __init__(self, mapping: MutableMapping[str, bytes], name: str) -> None:
        self.name = name
        self._mapping = mapping
        self.single_writer = self._faster("set_if_absent") is None

    @property
    def identity(self) -> Hashable | None:
        """That of the wrapped node, or the mapping object itself."""
        if isinstance(self._mapping, Node):
            return self._mapping.identity
        return ("object", id(self._mapping))

    def __getitem__(self, key: str) -> bytes:
        as_key(key)
        with self.guarded(key):
            value = self._mapping[key]
        return self._checked_value(value)

    def __setitem__(self, key: str, value: BytesLike) -> None:
        as_key(key)
        data = as_value(value)
        with self.guarded():
            self._mapping[key] = data

    def __delitem__(self, key: str) -> None:
        as_key(key)
        with self.guarded(key):
            del self._mapping[key]

    def __contains__(self, key: object) -> bool:
        as_key(key)
        with self.guarded():
            return bool(key in self._mapping)

    def __iter__(self) -> Iterator[str]:
        return self.keys_with_prefix("")

    def __len__(self) -> int:
        with self.guarded():
            return len(self._mapping)

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """Call the mapping's own `set_if_absent`, or look and then write. Raises NodeError.

        Only True and False are answers. Anything else is a NodeError, because a claim that may or
        may not have been made must not be counted either way.
        """
        method = self._faster("set_if_absent")
        if method is None:
            return super().set_if_absent(key, value)
        as_key(key)
        data = as_value(value)
        with self.guarded():
            answer = method(key, data)
        if answer is True or answer is False:
            return answer
        raise self._wrong_type(answer, "True or False")

    def get_many(self, keys: Iterable[str]) -> list[bytes | None]:
        """Call the mapping's own `get_many`, or read key by key. Raises NodeError."""
        method = self._faster("get_many")
        if method is None:
            return super().get_many(keys)
        wanted = [as_key(key) for key in keys]
        with self.guarded():
            answer = method(wanted)
        if not isinstance(answer, list | tuple) or len(answer) != len(wanted):
            raise self._wrong_type(answer, f"a list of {len(wanted)} values")
        return [None if value is None else self._checked_value(value) for value in answer]

    def set_many(self, items: Mapping[str, BytesLike]) -> None:
        """Call the mapping's own `set_many`, or write key by key. Raises NodeError."""
        method = self._faster("set_many")
        if method is None:
            super().set_many(items)
            return
        values = {as_key(key): as_value(value) for key, value in items.items()}
        with self.guarded():
            method(values)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Call the mapping's own `delete_many`, or delete key by key. Raises NodeError."""
        method = self._faster("delete_many")
        if method is None:
            super().delete_many(keys)
            return
        wanted = [as_key(key) for key in keys]
        with self.guarded():
            method(wanted)

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """Return an iterator over a snapshot of the keys that begin with `prefix`. Raises
        NodeError.

        Four million keys at most are read, and of those that begin with the prefix 64 MiB at most
        are kept, so that a mapping whose iteration never ends cannot fill the memory. A key of more
        than 4 KiB is a NodeError.
        """
        as_key(prefix)
        method = self._faster("keys_with_prefix")
        with self.guarded():
            listed = iter(self._mapping) if method is None else iter(method(prefix))
            return iter(keys_among(listed, prefix, self.name))

    def write(self, key: str, buffer: BytesLike) -> None:
        """Call the mapping's own `write`, or store a copy. Raises NodeError."""
        method = self._faster("write")
        if method is None:
            self[key] = buffer
            return
        as_key(key)
        view = as_view(buffer)
        with self.guarded():
            method(key, view)

    def read_into(self, key: str, buffer: BytesLike) -> int:
        """Call the mapping's own `read_into`, or copy from its value.

        Raises KeyError, OversizedValue, NodeError.
        """
        method = self._faster("read_into")
        if method is None:
            return super().read_into(key, buffer)
        as_key(key)
        room = room_in(buffer)
        with self.guarded(key):
            length = method(key, room)
        # bool is a subclass of int, and True is not a length.
        if type(length) is not int or not 0 <= length <= len(room):
            raise self._wrong_type(length, f"a length from 0 to {len(room)}")
        return length

    def close(self) -> None:
        """Call the mapping's own `close`, if it has one. Raises NodeError."""
        method = self._faster("close")
        if method is not None:
            with self.guarded():
                method()

    @contextmanager
    def guarded(self, missing: str | None = None) -> Iterator[None]:
        """Turn whatever the mapping raises into a NodeError; a subclass may override this to refuse
        every call.

        missing: the key whose absence the mapping may report by KeyError. Everywhere else a
        KeyError is a failure.
        """
        try:
            yield
        except (NodeError, InvalidParameter):
            # The mapping is itself a node and has said what is wrong.
            raise
        except KeyError as error:
            if missing is not None:
                raise KeyError(missing) from None
            raise NodeError(self.name, "it raised KeyError") from error
        except OSError as error:
            raise NodeError(self.name, reason_of(error)) from error
        except Exception as error:
            # Database drivers and cloud clients have no common base class. Their text may quote
            # what was sent.
            raise NodeError(self.name, f"it raised {type(error).__name__}") from error

    def _faster(self, name: str) -> Callable[..., Any] | None:
        """Return the mapping's method of this name, or None if it has none."""
        method = getattr(self._mapping, name, None)
        return method if callable(method) else None

    def _checked_value(self, value: object) -> bytes:
        """Return a value that the mapping gave as bytes of its own.

        Raises NodeError for anything but bytes.
        """
        if not isinstance(value, bytes | bytearray | memoryview):
            kind = type(value).__name__
            raise NodeError(self.name, f"it holds a {kind} where bytes should be")
        return as_value(value)

    def _wrong_type(self, answer: object, expected: str) -> NodeError:
        return NodeError(self.name, f"it answered with a {type(answer).__name__}, not {expected}")


def as_node(mapping: MutableMapping[str, bytes], name: str) -> Node:
    """Return the node for a mutable mapping.

    A Node is returned as it is, a mapping of fsspec becomes an FsspecNode under its own name, and
    any other mutable mapping becomes a MappingNode called `name`. Raises InvalidParameter for
    anything else.
    """
    if isinstance(mapping, Node):
        return mapping
    if is_fsspec(mapping):
        # Loaded only here: a store over plain dicts needs no file system of fsspec.
        from lepton_lab.nodes.fsspec_node import FsspecNode  # noqa: PLC0415

        return FsspecNode(mapping)
    if not isinstance(mapping, MutableMapping):
        raise InvalidParameter(f"a node is a mutable mapping, not {type(mapping).__name__}")
    return MappingNode(mapping, name)


def is_fsspec(mapping: object) -> bool:
    """Tell whether this is a mapping of fsspec, without importing fsspec."""
    return any(
        (kind.__module__, kind.__name__) == ("fsspec.mapping", "FSMap")
        for kind in type(mapping).__mro__
    )
