"""Gives every byte a name: a cursor that reads nothing without recording what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal

from lepton_lab.textbook.protocols.tls13.code_points import named
from lepton_lab.textbook.protocols.tls13.dissection_errors import MalformedCapture
from lepton_lab.textbook.trace import shown

FieldKind = Literal[
    "type",
    "length",
    "version",
    "random",
    "choice",
    "key",
    "name",
    "certificate",
    "signature",
    "mac",
    "ticket",
    "data",
    "padding",
]


@dataclass(frozen=True, repr=False)
class WireField:
    """Bytes on the wire that together mean one thing.

    offset: from the start of the message (in `DissectedMessage.fields`) or of the record (in
    `DissectedRecord.fields`). path: nested like RFC 8446's structs, for example
    "ClientHello.extensions[3].key_share.client_shares[0].key_exchange". value: a number, the name
    registered for it, a text, bytes, or a CertificateSummary. record: the index of the record that
    holds its first byte.
    """

    offset: int
    length: int
    data: bytes
    path: str
    value: object
    meaning: str
    kind: FieldKind
    record: int = -1

    @property
    def name(self) -> str:
        """The last part of the path: the standard's name."""
        return self.path.rpartition(".")[2]

    def __repr__(self) -> str:
        where = f"{self.offset:5d} {self.length:5d}"
        return f"{where}  {self.path}  {shown(self.value)}  ({self.meaning})"

    def cut(self, start: int, end: int, offset: int, record: int) -> WireField:
        """Return the part of it from byte `start` to `end`, which `record` holds at `offset`."""
        length = end - start
        data = self.data[start:end]
        return replace(self, offset=offset, length=length, data=data, record=record)


class WireFieldReader:
    """A cursor over part of a message. Everything that it reads becomes a WireField.

    Names are appended to the path with a dot. "[0]" and "[0].group" stand for an entry of a vector
    and a part of it; "" stands for the whole of what the cursor covers. Leaving a `with` block
    checks that everything was read.

    Raises MalformedCapture when a field ends too early, or a vector is longer than what holds it.
    """

    def __init__(
        self,
        data: bytes,
        path: str,
        fields: list[WireField],
        start: int = 0,
        end: int | None = None,
    ) -> None:
        self.data = data
        self.path = path
        self.fields = fields
        self.position = start
        self.end = len(data) if end is None else end

    @property
    def left(self) -> int:
        """How many bytes are still to be read."""
        return self.end - self.position

    def path_to(self, name: str) -> str:
        """Return the whole path of a part."""
        is_entry = name == "" or name.startswith("[")
        return self.path + name if is_entry else f"{self.path}.{name}"

    def take(
        self,
        name: str,
        length: int,
        kind: FieldKind,
        meaning: str,
        *,
        value: Callable[[bytes], object] | None = None,
    ) -> bytes:
        """Read the next `length` bytes; `value` computes what to show for them.

        A length of 0 makes no field.
        """
        path = self.path_to(name)
        if length > self.left:
            raise MalformedCapture(path, f"it needs {length} bytes where {self.left} are left")
        data = self.data[self.position : self.position + length]
        if length:
            shown_as = data if value is None else value(data)
            field = WireField(self.position, length, data, path, shown_as, meaning, kind)
            self.fields.append(field)
        self.position += length
        return data

    def number(
        self,
        name: str,
        length: int,
        kind: FieldKind,
        meaning: str,
        names: Mapping[int, str] | None = None,
    ) -> int:
        """Read an unsigned number, big-endian. It is shown under its name in `names`."""

        def value(data: bytes) -> object:
            number = int.from_bytes(data, "big")
            return number if names is None else named(number, names, length)

        return int.from_bytes(self.take(name, length, kind, meaning, value=value), "big")

    def vector(self, name: str, prefix: int, least: int = 0) -> WireFieldReader:
        """Read the length of a vector, `prefix` bytes, and return a cursor over the vector (§3.4).

        least: the fewest bytes that the vector may have.
        """
        path = self.path_to(name)
        meaning = f"how many bytes of {path.rpartition('.')[2]} follow"
        length_name = f"{name}.length" if name else "length"
        count = self.number(length_name, prefix, "length", meaning)
        if not least <= count <= self.left:
            raise MalformedCapture(
                path, f"its length says {count}, where {least} to {self.left} are possible"
            )
        start = self.position
        self.position += count
        return WireFieldReader(self.data, path, self.fields, start, self.position)

    def opaque(
        self,
        name: str,
        prefix: int,
        kind: FieldKind,
        meaning: str,
        *,
        least: int = 0,
        value: Callable[[bytes], object] | None = None,
    ) -> bytes:
        """Read a vector of bytes that together are one thing."""
        with self.vector(name, prefix, least) as inside:
            return inside.take("", inside.left, kind, meaning, value=value)

    def numbers(
        self,
        name: str,
        prefix: int,
        length: int,
        kind: FieldKind,
        meaning: str,
        *,
        names: Mapping[int, str],
    ) -> list[int]:
        """Read a vector of at least one number, each `length` bytes long."""
        found: list[int] = []
        with self.vector(name, prefix, length) as inside:
            while inside.left:
                number = inside.number(f"[{len(found)}]", length, kind, meaning, names)
                found.append(number)
        return found

    def __enter__(self) -> WireFieldReader:
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
    """Decode the bytes of a name, with all but printable ASCII escaped to protect terminals."""
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data)
