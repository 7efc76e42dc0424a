"""A Byzantine node: it wraps an honest node and, when told to, answers falsely or breaks off.

Byzantine is the field's word for a failure in which a node answers wrongly instead of not at all
(Lamport, Shostak and Pease, 1982).
"""

from __future__ import annotations

import secrets
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import OversizedValue
from lepton_lab.nodes import Node
from lepton_lab.nodes.values import room_in, too_long

FalseAnswer = Callable[["ByzantineNode", str, bytes | None], bytes | None]
Disruption = Callable[[], None]  # called before every call: it may sleep, or raise anything

_SLEEP = 3.0  # seconds per call, which is longer than the store's time-out in a round


class ByzantineNode(Node):
    """Honest until `false_answer` is set; then every read goes through that function.

    Writes always reach the honest node. `disruption` is called before every call of any kind.
    `endless_keys` makes listings never end. `snapshot` holds what the node held at `take_snapshot`.
    """

    single_writer = False

    def __init__(self, honest: Node) -> None:
        self.name = honest.name
        self.honest = honest
        self.false_answer: FalseAnswer | None = None
        self.disruption: Disruption | None = None
        self.endless_keys = False
        self.snapshot: dict[str, bytes] = {}

    def take_snapshot(self) -> None:
        """Keep a copy of everything the node holds, to answer with it later."""
        self.snapshot = self.contents()

    def contents(self) -> dict[str, bytes]:
        """Return what the honest node holds; a key that is deleted meanwhile may be missing."""
        held = {}
        for key in list(self.honest):
            value = self.honest.get(key)
            if value is not None:
                held[key] = value
        return held

    def behave(self) -> None:
        """Be honest again."""
        self.false_answer = None
        self.disruption = None
        self.endless_keys = False

    def _disrupt(self) -> None:
        if self.disruption is not None:
            self.disruption()

    def __getitem__(self, key: str) -> bytes:
        self._disrupt()
        if self.false_answer is None:
            return self.honest[key]
        answer = self.false_answer(self, key, self.honest.get(key))
        if answer is None:
            raise KeyError(key)
        return answer

    def __setitem__(self, key: str, value: BytesLike) -> None:
        self._disrupt()
        self.honest[key] = value

    def __delitem__(self, key: str) -> None:
        self._disrupt()
        del self.honest[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.honest)

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """Pass the call on to the honest node."""
        self._disrupt()
        return self.honest.set_if_absent(key, value)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Pass the call on to the honest node."""
        self._disrupt()
        self.honest.delete_many(keys)

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """List the honest node's keys, or invent keys for ever."""
        self._disrupt()
        yield from self.honest.keys_with_prefix(prefix)
        while self.endless_keys:
            yield f"{prefix}{secrets.token_hex(8)}"

    def write(self, key: str, buffer: BytesLike) -> None:
        """Pass the call on to the honest node."""
        self._disrupt()
        self.honest.write(key, buffer)

    def read_into(self, key: str, buffer: BytesLike) -> int:
        """Read a value into a buffer, through the false answer when there is one."""
        if self.false_answer is None:
            self._disrupt()
            return self.honest.read_into(key, buffer)
        value = self[key]
        room = room_in(buffer)
        if len(value) > len(room):
            raise OversizedValue(self.name, too_long(len(value), len(room)))
        room[: len(value)] = value
        return len(value)

    def close(self) -> None:
        """Close the honest node."""
        self.honest.close()


# --- false answers ------------------------------------------------------------------------------


def old_value(node: ByzantineNode, key: str, value: bytes | None) -> bytes | None:
    """Answer as if nothing had been written since the snapshot."""
    return node.snapshot.get(key)


def garbage(node: ByzantineNode, key: str, value: bytes | None) -> bytes | None:
    """Answer with random bytes of the right length."""
    return secrets.token_bytes(len(value)) if value else value


def one_flipped_bit(node: ByzantineNode, key: str, value: bytes | None) -> bytes | None:
    """Answer with the right value, but for one bit."""
    return value[:-1] + bytes((value[-1] ^ 1,)) if value else value


def value_of_another_object(node: ByzantineNode, key: str, value: bytes | None) -> bytes | None:
    """Answer with an honest value of another object, of the same kind where there is one."""
    depth = key.count("/")
    object_id = key.partition("/")[0]
    others = [
        other
        for other in node.snapshot
        if other.count("/") == depth and not other.startswith(object_id)
    ]
    if not others:
        return value
    # The same key is answered alike each time, without state.
    return node.snapshot[others[zlib.crc32(key.encode()) % len(others)]]


def nothing(node: ByzantineNode, key: str, value: bytes | None) -> bytes | None:
    """Answer as if the node held nothing at all."""
    return None


def oversized(node: ByzantineNode, key: str, value: bytes | None) -> bytes | None:
    """Answer every read with three megabytes too many."""
    return (value or b"") + bytes(3 << 20)


FALSE_ANSWERS: tuple[FalseAnswer, ...] = (
    old_value,
    garbage,
    one_flipped_bit,
    value_of_another_object,
    nothing,
    oversized,
)


# --- disruptions --------------------------------------------------------------------------------


def sleep() -> None:
    """Answer long after anybody waits for it."""
    time.sleep(_SLEEP)


def database_error() -> None:
    """Fail as another library's store does."""
    raise sqlite3.OperationalError("disk I/O error")


def runtime_error() -> None:
    """Fail by a defect of its own."""
    raise RuntimeError("dictionary changed size during iteration")


def end_of_file() -> None:
    """Fail as a broken pipe to another process does."""
    raise EOFError


DISRUPTIONS: tuple[Disruption, ...] = (sleep, database_error, runtime_error, end_of_file)
