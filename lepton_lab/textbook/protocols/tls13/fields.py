"""Every byte gets a name: a cursor that can read nothing without saying what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal

from lepton_lab.textbook.protocols.tls13.errors import MalformedCapture
from lepton_lab.textbook.protocols.tls13.names import named
from lepton_lab.textbook.trace import shown

Kind = Literal[
    "type", "length", "version", "random", "choice", "key", "name", "certificate", "signature", "mac", "ticket", "data",
    "padding",
]  # fmt: skip


@dataclass(frozen=True, repr=False)
class Field:
    """Bytes that mean one thing.

    offset: from the start of the message (in `Message.fields`) or of the record (in `Record.fields`). path: nested as
    RFC 8446's structs are, "ClientHello.extensions[3].key_share.client_shares[0].key_exchange". value: a number, the
    name that is registered for it, a text, bytes, or a CertificateSummary. record: the index of the record in which
    its first byte lies.
    """

    offset: int
    length: int
    data: bytes
    path: str
    value: object
    meaning: str
    kind: Kind
    record: int = -1

    @property
    def name(self) -> str:
        """The last part of the path, the standard's name."""
        return self.path.rpartition(".")[2]

    def __repr__(self) -> str:
        return (
            f"{self.offset:5d} {self.length:5d}  {self.path}  {shown(self.value)}  ({self.meaning})"
        )

    def cut(self, start: int, end: int, offset: int, record: int) -> Field:
        """The part of it from byte `start` to `end` that a record holds, at `offset` there."""
        return replace(
            self, offset=offset, length=end - start, data=self.data[start:end], record=record
        )


class Reader:
    """A cursor over part of a message. What it reads becomes a Field; leaving a `with` block asks that all was read.

    A name is appended to the path behind a dot; "[0]" and "[0].group" are an entry of a vector and its part, "" the
    whole of it. Raises MalformedCapture for whatever does not fit: fields that end too early, vectors longer than what
    holds them.
    """

    def __init__(
        self, data: bytes, path: str, fields: list[Field], start: int = 0, end: int | None = None
    ) -> None:
        self.data, self.path, self.fields = data, path, fields
        self.position, self.end = start, len(data) if end is None else end

    @property
    def left(self) -> int:
        """How many bytes there are still to read."""
        return self.end - self.position

    def path_to(self, name: str) -> str:
        """The whole path of a part."""
        return self.path + name if name[:1] in ("", "[") else f"{self.path}.{name}"

    def take(
        self,
        name: str,
        length: int,
        kind: Kind,
        meaning: str,
        *,
        value: Callable[[bytes], object] | None = None,
    ) -> bytes:
        """The next `length` bytes; `value` says what to show for them. None at all are no field."""
        if length > self.left:
            raise MalformedCapture(
                self.path_to(name), f"it needs {length} bytes where {self.left} are left"
            )
        data = self.data[self.position : self.position + length]
        if length:
            shown_as = data if value is None else value(data)
            self.fields.append(
                Field(self.position, length, data, self.path_to(name), shown_as, meaning, kind)
            )
        self.position += length
        return data

    def number(
        self,
        name: str,
        length: int,
        kind: Kind,
        meaning: str,
        names: Mapping[int, str] | None = None,
    ) -> int:
        """An unsigned number, big-endian, shown under the name that `names` has for it."""

        def value(data: bytes) -> object:
            number = int.from_bytes(data, "big")
            return number if names is None else named(number, names, length)

        return int.from_bytes(self.take(name, length, kind, meaning, value=value), "big")

    def vector(self, name: str, prefix: int, least: int = 0) -> Reader:
        """A vector behind its length of `prefix` bytes, as a cursor of its own; of at least `least` bytes (§3.4)."""
        path = self.path_to(name)
        meaning = f"how many bytes of {path.rpartition('.')[2]} follow"
        count = self.number(f"{name}.length" if name else "length", prefix, "length", meaning)
        if not least <= count <= self.left:
            raise MalformedCapture(
                path, f"its length says {count}, where {least} to {self.left} are possible"
            )
        start, self.position = self.position, self.position + count
        return Reader(self.data, path, self.fields, start, self.position)

    def opaque(
        self,
        name: str,
        prefix: int,
        kind: Kind,
        meaning: str,
        *,
        least: int = 0,
        value: Callable[[bytes], object] | None = None,
    ) -> bytes:
        """A vector of bytes that are one thing."""
        with self.vector(name, prefix, least) as inside:
            return inside.take("", inside.left, kind, meaning, value=value)

    def numbers(
        self,
        name: str,
        prefix: int,
        length: int,
        kind: Kind,
        meaning: str,
        *,
        names: Mapping[int, str],
    ) -> list[int]:
        """A vector of numbers, at least one."""
        found: list[int] = []
        with self.vector(name, prefix, length) as inside:
            while inside.left:
                found.append(inside.number(f"[{len(found)}]", length, kind, meaning, names))
        return found

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and self.left:
            raise MalformedCapture(self.path, f"{self.left} bytes are left over at its end")


def text(data: bytes) -> str:
    """Bytes of a name, as text; what is not printable ASCII is escaped, so that it cannot disturb a terminal."""
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data)
