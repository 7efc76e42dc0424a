"""Values in this process's memory: quick, and gone with it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from threading import Lock

from lepton_lab.buffers import BytesLike
from lepton_lab.nodes.node import Node, as_key, as_value

_numbers = count()


class MemoryNode(Node):
    """A dict behind a lock, for tests and first steps. Values are copied in, and one of many threads wins a key.

    name: by default "memory-0", "memory-1", … in the order of making.
    """

    single_writer = False

    def __init__(self, name: str | None = None) -> None:
        self.name = name if name is not None else f"memory-{next(_numbers)}"
        self._values: dict[str, bytes] = {}
        self._lock = Lock()

    def __getitem__(self, key: str) -> bytes:
        return self._values[as_key(key)]

    def __setitem__(self, key: str, value: BytesLike) -> None:
        value = as_value(value)
        with self._lock:
            self._values[as_key(key)] = value

    def __delitem__(self, key: str) -> None:
        with self._lock:
            del self._values[as_key(key)]

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(list(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """As in Node, and of many threads one wins."""
        value = as_value(value)
        with self._lock:
            if as_key(key) in self._values:
                return False
            self._values[key] = value
            return True
