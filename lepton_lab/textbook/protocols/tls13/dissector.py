"""The dissector: a whole connection, every byte of it explained, everything in it that can be verified verified.

A record layer that reads both directions at once (RFC 8446 §5), over the handshake of `handshake.py`. Unlike a peer it
is given every secret, and it says exactly what is wrong with a capture.

TLSPlaintext
 0   1   type: 20 change_cipher_spec, 21 alert, 22 handshake; 23, application_data, is always a TLSCiphertext
 1   2   legacy_record_version: 0x0303; 0x0301 is allowed around the first ClientHello
 3   2   length of the fragment, at most 2¹⁴
 5   n   fragment
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lepton_lab.capture import Capture
from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.textbook.primitives import as_bytes as bytes_of
from lepton_lab.textbook.protocols.tls13 import messages, names
from lepton_lab.textbook.protocols.tls13.dissection import (
    Dissection,
    Message,
    Record,
    summary_of_fields,
)
from lepton_lab.textbook.protocols.tls13.errors import (
    DissectionError,
    MalformedCapture,
    RecordNotOpened,
)
from lepton_lab.textbook.protocols.tls13.fields import Field, Reader
from lepton_lab.textbook.protocols.tls13.handshake import Given, Handshake
from lepton_lab.textbook.protocols.tls13.record_layer import (
    LONGEST_CIPHERTEXT,
    LONGEST_PLAINTEXT,
    open_record,
)
from lepton_lab.textbook.protocols.tls13.suites import SUITES, CipherSuite
from lepton_lab.textbook.trace import Trace

HEADER = 5


def dissect(
    capture: Capture,
    *,
    shared_secret: bytes = b"",
    psk: bytes = b"",
    external: bool = False,
    whole: bool = True,
) -> Dissection:
    """Every field of every message of a TLS 1.3 connection, opened, with both Finished and every signature verified.

    capture: all its records and the secrets of its key log (RFC 9850). shared_secret: what (EC)DHE gave; with it every
    secret is derived (§7.1), and no key log is needed; where there is one too, they must agree. psk: likewise where the
    connection was resumed, or, with external=True, rests on a key agreed on elsewhere. whole=False lets a capture end
    early, as a failed handshake does; without it there must be both Finished, and a close_notify from each side.

    Certificates are read, not judged: whether to trust one is for `ssl` to say. Raises DissectionError:
    MalformedCapture, RecordNotOpened, WrongFinished, WrongSignature or WrongSecret; InvalidParameter for arguments of
    the wrong kind.
    """
    if not isinstance(capture, Capture):
        raise InvalidParameter(
            f"a Capture is needed, not {type(capture).__name__}: record_handshake makes one"
        )
    given = Given(bytes_of("shared_secret", shared_secret), bytes_of("psk", psk), external)
    secrets = {
        label: bytes_of(f"secret {label}", secret) for label, secret in capture.secrets.items()
    }
    wire = [(record.sender, bytes_of("a record", record.data)) for record in capture.records]
    dissector = _Dissector(Handshake(secrets, given, _suite_of(wire)))
    for sender, data in wire:
        if sender not in ("client", "server"):
            raise InvalidParameter(f'a sender is "client" or "server", not {sender!r}')
        dissector.take(sender, data)
    return dissector.result(whole)


@dataclass
class _Open:
    """A record while its messages are not all there."""

    sender: str
    data: bytes
    opened: bytes
    content_type: str
    inner_type: str
    content: bytes
    padding: int = 0
    secret_label: str = ""
    protection: Trace[bytes] | None = None
    fields: list[Field] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Piece:
    """Where part of a message lies: `length` bytes from `offset` of record number `record`."""

    record: int
    offset: int
    length: int


class _Dissector:
    """The record layer of both sides, and what has been found so far."""

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        self._records: list[_Open] = []
        self._messages: list[Message] = []
        self._unfinished: dict[str, tuple[bytes, list[_Piece]]] = {
            "client": (b"", []),
            "server": (b"", []),
        }
        self._sequence: dict[str, int] = {}  # by label: each new key counts from 0 (§5.3)
        self._closed: set[str] = set()

    def take(self, sender: str, data: bytes) -> None:
        """The next record. Raises DissectionError."""
        index = len(self._records)
        with _in_record(index):
            if sender in self._closed:
                raise MalformedCapture("record", f"the {sender} has already closed its side")
            record = self._opened(sender, data)
            self._records.append(record)
            if record.inner_type == "handshake":
                self._take_handshake(index, record)
            elif self._unfinished[sender][0]:
                raise MalformedCapture(
                    "record", "it stands between the parts of a handshake message (§5.1)"
                )
            else:
                self._take_other(index, record)

    def result(self, whole: bool) -> Dissection:
        """All of it. Raises MalformedCapture when something is missing at the end."""
        for sender, (left, _) in self._unfinished.items():
            if left:
                raise MalformedCapture(
                    "capture", f"it ends inside a handshake message of the {sender}"
                )
        if whole and not self._handshake.is_over:
            raise MalformedCapture(
                "capture", f"it ends after {self._handshake.last or 'nothing'}: no whole handshake"
            )
        if whole and len(self._closed) < 2:
            raise MalformedCapture(
                "capture", "it ends without a close_notify from each side: cut off? (§6.1)"
            )
        found = self._handshake
        return Dissection(
            tuple(self._finished_record(index) for index in range(len(self._records))),
            tuple(self._messages),
            found.secrets,
            found.suite,
            found.group,
            found.server_name,
            found.certificates,
            tuple(found.verified),
            found.key_schedule,
        )

    # --- records ---

    def _opened(self, sender: str, data: bytes) -> _Open:
        """A record with its header read and its protection, if any, taken off."""
        fields: list[Field] = []
        is_protected = data[:1] == b"\x17"
        with Reader(data, "TLSCiphertext" if is_protected else "TLSPlaintext", fields) as reader:
            kind = _read_header(reader, is_protected, is_first=not self._messages)
            inside = reader.data[HEADER:]
            reader.position = reader.end
        label = self._handshake.labels[sender]
        if is_protected:
            return self._decrypted(sender, data, fields)
        if kind == "change_cipher_spec":
            if not self._messages or label.startswith(f"{sender.upper()}_TRAFFIC"):
                raise MalformedCapture(
                    "ChangeCipherSpec", "it is allowed between ClientHello and Finished only (§5)"
                )
        elif label:
            raise MalformedCapture("record", f"it is not protected, though the {sender} has keys")
        return _Open(sender, data, data, kind, kind, inside, fields=fields)

    def _decrypted(self, sender: str, data: bytes, fields: list[Field]) -> _Open:
        """A TLSCiphertext, opened."""
        label, suite = self._handshake.labels[sender], self._handshake.suite
        if not label or suite is None:
            raise MalformedCapture(
                "record", f"it is protected, though the {sender} has no keys yet"
            )
        secret, sequence = self._handshake.secret(label), self._sequence.get(label, 0)
        try:
            protection = open_record(suite, secret, sequence, data, sender)
        except DecryptionError:
            why = f"it was not sealed under {label} with the sequence number {sequence}, or was altered"
            raise RecordNotOpened("record", why) from None
        self._sequence[label] = sequence + 1
        inner, tag = protection.result, data[len(data) - suite.tag_length :]
        content = inner.rstrip(b"\0")
        kind = names.CONTENT_TYPES.get(content[-1], "") if content else ""
        if kind in ("", "change_cipher_spec") or len(inner) > LONGEST_PLAINTEXT + 1:
            raise MalformedCapture(
                "TLSInnerPlaintext", "it is too long, or holds no type that may be in it (§5.4)"
            )
        record = _Open(
            sender, data, data[:HEADER] + inner + tag, "application_data", kind, content[:-1]
        )
        record.secret_label, record.protection = label, protection
        record.padding = len(inner) - len(content)
        record.fields = [*fields, *_inner_fields(record)]
        return record

    def _finished_record(self, index: int) -> Record:
        record = self._records[index]
        fields = sorted(
            (each.cut(0, each.length, each.offset, index) for each in record.fields), key=_by_offset
        )
        return Record(
            index, record.sender, record.data, record.opened, record.content_type, record.inner_type, record.padding,
            record.secret_label, record.protection, tuple(fields), tuple(record.messages),
        )  # fmt: skip

    # --- messages ---

    def _take_handshake(self, index: int, record: _Open) -> None:
        """Messages may be cut at will into records and share them, but not across a change of keys (§5.1)."""
        if not record.content:
            raise MalformedCapture("record", "a handshake record must not be empty (§5.1)")
        left, pieces = self._unfinished[record.sender]
        left, pieces = left + record.content, [*pieces, _Piece(index, HEADER, len(record.content))]
        while len(left) >= 4 and len(left) >= (size := 4 + int.from_bytes(left[1:4], "big")):
            message, left = left[:size], left[size:]
            mine, pieces = _divided(pieces, size)
            self._take_message(record.sender, message, mine, has_more=bool(left))
        self._unfinished[record.sender] = left, pieces

    def _take_message(self, sender: str, data: bytes, pieces: list[_Piece], has_more: bool) -> None:
        name, fields = messages.read_handshake(data)
        before = dict(self._handshake.labels)
        check = self._handshake.take(sender, name, data, fields)
        other = "server" if sender == "client" else "client"
        changed = {side for side, label in self._handshake.labels.items() if label != before[side]}
        if (sender in changed and has_more) or (other in changed and self._unfinished[other][0]):
            raise MalformedCapture(
                f"{sender} {name}", "handshake messages go on across a change of keys (§5.1)"
            )
        in_transcript = self._handshake.last == f"{sender} {name}"
        hashed = self._handshake.transcript_hash() if in_transcript else b""
        self._add(sender, name, data, fields, pieces, check=check, transcript_hash=hashed)

    def _take_other(self, index: int, record: _Open) -> None:
        pieces = [_Piece(index, HEADER, len(record.content))]
        if record.inner_type == "change_cipher_spec":
            name, fields = "ChangeCipherSpec", messages.read_change_cipher_spec(record.content)
        elif record.inner_type == "alert":
            name, fields = "Alert", messages.read_alert(record.content)
            if fields[1].value != "user_canceled":  # every other alert is a side's last word (§6)
                self._closed.add(record.sender)
        else:
            name, fields = "ApplicationData", messages.read_application_data(record.content)
            if "HANDSHAKE" in record.secret_label:
                raise MalformedCapture(name, "it is not allowed under handshake keys (§2)")
        self._add(record.sender, name, record.content, fields, pieces)

    def _add(
        self,
        sender: str,
        name: str,
        data: bytes,
        fields: Sequence[Field],
        pieces: list[_Piece],
        *,
        check: Trace[object] | None = None,
        transcript_hash: bytes = b"",
    ) -> None:
        """A message that holds: its fields go into its records, cut where a record ends."""
        index, position, located = len(self._messages), 0, list(fields)
        for piece in pieces:
            end = position + piece.length
            for at, each in enumerate(fields):
                start, stop = max(position, each.offset), min(end, each.offset + each.length)
                if start < stop:
                    offset = piece.offset + start - position
                    part = each.cut(start - each.offset, stop - each.offset, offset, piece.record)
                    self._records[piece.record].fields.append(part)
                    if start == each.offset:
                        located[at] = each.cut(0, each.length, each.offset, piece.record)
            self._records[piece.record].messages.append(index)
            position = end
        where = tuple(piece.record for piece in pieces)
        summary = summary_of_fields(name, tuple(fields))
        message = Message(
            index,
            sender,
            name,
            data,
            where,
            pieces[0].offset,
            tuple(located),
            check,
            transcript_hash,
            summary,
        )
        self._messages.append(message)


def _read_header(reader: Reader, is_protected: bool, is_first: bool) -> str:
    """The type of a record whose header is right; `is_first`: of the first ClientHello. Raises MalformedCapture."""
    whatever = "23, whatever is inside: the real type is encrypted (§5.2)"
    meaning = whatever if is_protected else "what the fragment holds (§5.1)"
    kind = reader.number(
        "opaque_type" if is_protected else "type", 1, "type", meaning, names.CONTENT_TYPES
    )
    meaning = "always TLS 1.2, or 1.0 around the first ClientHello (§5.1)"
    version = reader.number("legacy_record_version", 2, "version", meaning, names.VERSIONS)
    length = reader.number("length", 2, "length", "how many bytes follow")
    if kind not in names.CONTENT_TYPES:
        raise MalformedCapture("record", f"there is no content type {kind}")
    if version != 0x0303 and not (is_first and version == 0x0301):
        raise MalformedCapture("record", f"its legacy_record_version is 0x{version:04x}")
    if length != reader.left or length > (
        LONGEST_CIPHERTEXT if is_protected else LONGEST_PLAINTEXT
    ):
        raise MalformedCapture(
            "record", f"its header says {length} bytes, and {reader.left} follow"
        )
    return names.CONTENT_TYPES[kind]


def _inner_fields(record: _Open) -> list[Field]:
    """What surrounds the content of a protected record: its real type, zeros, and the tag."""
    fields: list[Field] = []
    reader = Reader(record.opened, "TLSInnerPlaintext", fields, HEADER + len(record.content))
    reader.number("type", 1, "type", "what the content really is (§5.2)", names.CONTENT_TYPES)
    reader.take(
        "zeros", record.padding, "padding", "zeros that hide how long the content is (§5.4)"
    )
    reader.path = "TLSCiphertext"
    reader.take(
        "tag",
        reader.left,
        "mac",
        "the AEAD's tag: no byte of the record or its header was altered (§5.2)",
    )
    return fields


def _divided(pieces: list[_Piece], size: int) -> tuple[list[_Piece], list[_Piece]]:
    """The pieces that hold the first `size` bytes, and those that hold the rest."""
    mine, rest = [], []
    for piece in pieces:
        taken = min(size, piece.length)
        size -= taken
        if taken:
            mine.append(_Piece(piece.record, piece.offset, taken))
        if taken < piece.length:
            rest.append(_Piece(piece.record, piece.offset + taken, piece.length - taken))
    return mine, rest


def _suite_of(wire: Sequence[tuple[str, bytes]]) -> CipherSuite | None:
    """The suite that the first ServerHello or HelloRetryRequest names: early data is sealed under it before that."""
    for sender, data in wire:
        if sender == "server" and data[:1] == b"\x16" and data[HEADER : HEADER + 1] == b"\x02":
            start = HEADER + 39 + int.from_bytes(data[HEADER + 38 : HEADER + 39], "big")
            return SUITES.get(int.from_bytes(data[start : start + 2], "big"))
    return None


def _by_offset(each: Field) -> int:
    return each.offset


@contextmanager
def _in_record(index: int) -> Iterator[None]:
    """Have every error inside say in which record it was found."""
    try:
        yield
    except DissectionError as error:
        if error.record is not None:
            raise
        raise type(error)(error.what, error.why, index) from None
