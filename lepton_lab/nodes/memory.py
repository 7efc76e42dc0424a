"""A node that stores values in this process's memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from threading import Lock

from lepton_lab.buffers import BytesLike
from lepton_lab.nodes.node import Node
from lepton_lab.nodes.values import as_key, as_value

_numbers = count()


class MemoryNode(Node):
    """A dict behind a lock, for tests and first steps. Its values are gone when the process ends.

    Values are copied in. If several threads call `set_if_absent` on one key, exactly one of them
    gets True.

    name: by default "memory-0", "memory-1", … in the order in which the nodes are made.
    """

    single_writer = False

    def __init__(self, name: str | None = None) -> None:
        self.name = name if name is not None else f"memory-{next(_numbers)}"
        self._values: dict[str, bytes] = {}
        self._lock = Lock()

    def __getitem__(self, key: str) -> bytes:
        return self._values[as_key(key)]

    def __setitem__(self, key: str, value: BytesLike) -> None:
        data = as_value(value)
        with self._lock:
            self._values[as_key(key)] = data

    def __delitem__(self, key: str) -> None:
        with self._lock:
            del self._values[as_key(key)]

    def __iter__(self) -> Iterator[str]:
        # A snapshot: other threads may write while the caller iterates.
        with self._lock:
            return iter(list(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """Store `value` unless the key exists; True for the one thread whose value was stored."""
        data = as_value(value)
        with self._lock:
            if as_key(key) in self._values:
                return False
            self._values[key] = data
            return True
