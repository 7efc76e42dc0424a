"""The adapter that makes a node of any mutable mapping: a dict, or another library's store."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import InvalidParameter, NodeError
from lepton_lab.nodes.listing import keys_among
from lepton_lab.nodes.node import Node
from lepton_lab.nodes.values import (
    as_key,
    as_value,
    as_view,
    is_fsspec,
    reason_of,
    room_in,
)


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
