"""A node that stands before another one and, when told to, lies about what that one holds."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator

from lepton_lab.buffers import BytesLike
from lepton_lab.errors import OversizedValue
from lepton_lab.nodes import Node
from lepton_lab.nodes.values import room_in, too_long

Lie = Callable[["Liar", str, bytes | None], bytes | None]


class Liar(Node):
    """Honest until `lie` is set: then every answer to a read goes through it. What is written arrives all the same."""

    single_writer = False

    def __init__(self, honest: Node) -> None:
        self.name, self.honest = honest.name, honest
        self.lie: Lie | None = None
        self.memory: dict[str, bytes] = {}

    def remember(self) -> None:
        """Keep what the node holds now, to answer with it later."""
        self.memory = {key: self.honest[key] for key in self.honest}

    def _answer(self, key: str) -> bytes | None:
        held = self.honest.get(key)
        return held if self.lie is None else self.lie(self, key, held)

    def __getitem__(self, key: str) -> bytes:
        if self.lie is None:
            return self.honest[key]
        if (answer := self._answer(key)) is None:
            raise KeyError(key)
        return answer

    def __setitem__(self, key: str, value: BytesLike) -> None:
        self.honest[key] = value

    def __delitem__(self, key: str) -> None:
        del self.honest[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.honest)

    def set_if_absent(self, key: str, value: BytesLike) -> bool:
        """As in Node."""
        return self.honest.set_if_absent(key, value)

    def delete_many(self, keys: Iterable[str]) -> None:
        """As in Node."""
        self.honest.delete_many(keys)

    def keys_with_prefix(self, prefix: str) -> Iterator[str]:
        """As in Node."""
        return self.honest.keys_with_prefix(prefix)

    def write(self, key: str, buffer: BytesLike) -> None:
        """As in Node."""
        self.honest.write(key, buffer)

    def read_into(self, key: str, buffer: BytesLike) -> int:
        """As in Node."""
        if self.lie is None:
            return self.honest.read_into(key, buffer)
        value, room = self[key], room_in(buffer)
        if len(value) > len(room):
            raise OversizedValue(self.name, too_long(len(value), len(room)))
        room[: len(value)] = value
        return len(value)

    def close(self) -> None:
        """As in Node."""
        self.honest.close()


def old_data(liar: Liar, key: str, value: bytes | None) -> bytes | None:
    """As if what was written since `remember` had never come."""
    return liar.memory.get(key)


def garbage(liar: Liar, key: str, value: bytes | None) -> bytes | None:
    """As many bytes as there should be, and none of them right."""
    return secrets.token_bytes(len(value)) if value else value


def one_bit(liar: Liar, key: str, value: bytes | None) -> bytes | None:
    """All right but for one bit."""
    return value[:-1] + bytes((value[-1] ^ 1,)) if value else value


def anothers(liar: Liar, key: str, value: bytes | None) -> bytes | None:
    """An honest value of another object, of the same kind and size where there is one."""
    kind, owner = key.count("/"), key.partition("/")[0]
    others = [
        other for other in liar.memory if other.count("/") == kind and not other.startswith(owner)
    ]
    return liar.memory[others[zlib.crc32(key.encode()) % len(others)]] if others else value


def nothing(liar: Liar, key: str, value: bytes | None) -> bytes | None:
    """As if it held nothing at all."""
    return None


def too_much(liar: Liar, key: str, value: bytes | None) -> bytes | None:
    """Three megabytes for every question."""
    return (value or b"") + bytes(3 << 20)


LIES: tuple[Lie, ...] = (old_data, garbage, one_bit, anothers, nothing, too_much)
