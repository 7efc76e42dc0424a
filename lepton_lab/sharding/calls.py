"""A node as the store calls it: every failure becomes a NodeError, every answer has its type.

Nodes come from anywhere: a server that another party runs, another library's mapping, a class of
the user's. What they raise is their failure and never the operation's; what they return is checked
before it is used. Text of foreign exceptions is not repeated, for it may quote what was sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import NodeError
from lepton_lab.nodes import Node

# How many keys one call deletes: a call has a time limit, and slow nodes delete one by one.
_DELETED_AT_ONCE = 32
# A listing that never ends must not fill the memory; 1 TiB has 350,000 shards per node.
_MOST_LISTED = 1 << 20
_LONGEST_NAME = 4096  # characters; what the store writes has fewer than 100
_LOOK_EVERY = 1024  # names of a listing between two looks whether the operation has ended


class GuardedNode:
    """One node for the calls of one operation, made one after another by one thread.

    started: when the call that is under way began, by `time.monotonic`; None between calls.
    ended: set by another thread, after which every further call fails at once.
    """

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._name = name
        self.started: float | None = None
        self.ended = False

    @contextmanager
    def _call(self, *, missing: bool = False) -> Iterator[None]:
        """Time one call to the node, and turn whatever it raises into a NodeError.

        missing: the call may raise KeyError for a key that the node does not hold.
        """
        if self.ended:
            raise NodeError(self._name, "the operation has ended")
        self.started = time.monotonic()
        try:
            yield
        except NodeError:
            raise
        except KeyError as error:
            if missing:
                raise
            raise NodeError(self._name, "it raised KeyError") from error
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise NodeError(self._name, str(reason).lower()) from error
        except BaseException as error:
            # Drivers of databases and clouds have no common base class, and a mapping may raise
            # anything at all. Ctrl-C reaches the main thread only, never a worker's.
            raise NodeError(self._name, f"it raised {type(error).__name__}") from error
        finally:
            self.started = None

    def read_into(self, key: str, buffer: memoryview) -> int:
        """Read a value into a buffer; return its length.

        Raises KeyError if there is none, UnreadableValue if only this one cannot be read,
        NodeError.
        """
        with self._call(missing=True):
            size = self._node.read_into(key, buffer)
        if type(size) is not int:
            raise self._wrong(size)
        return size

    def write(self, key: str, buffer: BytesLike) -> None:
        """Store the bytes of a buffer. Raises NodeError."""
        with self._call():
            self._node.write(key, buffer)

    def get_bounded(self, keys: Sequence[str], limit: int) -> list[bytes | None]:
        """Return the values of these keys, None where there is none; a longer value is cut off.

        Raises NodeError.
        """
        with self._call():
            values = self._node.get_bounded(keys, limit)
        if not isinstance(values, list) or len(values) != len(keys):
            raise self._wrong(values)
        for value in values:
            if value is not None and type(value) is not bytes:
                raise self._wrong(value)
        return [None if value is None else value[: limit + 1] for value in values]

    def set_if_absent(self, key: str, value: bytes) -> bool:
        """Store a value if there is none; tell whether this call stored it. Raises NodeError.

        Only True is a yes: a claim must not count once more because a node says something else.
        """
        with self._call():
            answer: object = self._node.set_if_absent(key, value)
        return answer is True

    def put(self, key: str, value: bytes) -> None:
        """Store a value. Raises NodeError."""
        with self._call():
            self._node[key] = value

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete those of these keys that exist, a few in each call. Raises NodeError."""
        for first in range(0, len(keys), _DELETED_AT_ONCE):
            with self._call():
                self._node.delete_many(keys[first : first + _DELETED_AT_ONCE])

    def keys_with_prefix(self, prefix: str) -> list[str]:
        """Return the keys that begin with `prefix`.

        Raises NodeError, also for more than 2²⁰ keys and for one of more than 4,096 characters.
        """
        keys: list[str] = []
        with self._call():
            for count, key in enumerate(self._node.keys_with_prefix(prefix)):
                # A subclass of str may do anything when it is compared.
                if type(key) is not str:
                    raise self._wrong(key)
                if count >= _MOST_LISTED or len(key) > _LONGEST_NAME:
                    raise NodeError(self._name, "its list of names has no end")
                if count % _LOOK_EVERY == 0 and self.ended:
                    raise NodeError(self._name, "the operation has ended")
                if key.startswith(prefix):
                    keys.append(key)
        return keys

    def _wrong(self, answer: object) -> NodeError:
        return NodeError(self._name, f"it answered with a {type(answer).__name__}")
