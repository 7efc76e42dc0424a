"""The interface of every node.

A node is a mutable mapping from `str` to immutable `bytes`. Faster paths (many keys in one request,
reading into a buffer) are methods that a subclass overrides where its storage can do better than
one key at a time.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import OversizedValue, UnreadableValue
from lepton_lab.nodes.listing import ListingBound
from lepton_lab.nodes.values import room_in, too_long

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
