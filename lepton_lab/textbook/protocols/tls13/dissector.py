"""The dissector: explains every byte of a whole connection, and verifies all that can be verified.

It is a record layer that reads both directions at once (RFC 8446 §5), on top of the handshake in
`handshake.py`. Unlike a peer it is given every secret, and it says exactly what is wrong with a
capture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lepton_lab.capture import Capture
from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.textbook.primitives import as_bytes as bytes_of
from lepton_lab.textbook.protocols.tls13 import messages
from lepton_lab.textbook.protocols.tls13.code_points import CONTENT_TYPES
from lepton_lab.textbook.protocols.tls13.dissection import (
    DissectedMessage,
    DissectedRecord,
    Dissection,
    summary_of_fields,
)
from lepton_lab.textbook.protocols.tls13.dissection_errors import (
    DissectionError,
    MalformedCapture,
    RecordNotOpened,
)
from lepton_lab.textbook.protocols.tls13.fields import WireField
from lepton_lab.textbook.protocols.tls13.handshake import GivenSecrets, HandshakeState
from lepton_lab.textbook.protocols.tls13.record_fields import (
    HEADER_LENGTH,
    inner_fields,
    read_header,
)
from lepton_lab.textbook.protocols.tls13.record_layer import LONGEST_PLAINTEXT, open_record
from lepton_lab.textbook.protocols.tls13.suites import SUITES, CipherSuite
from lepton_lab.textbook.trace import Trace


def dissect(
    capture: Capture,
    *,
    shared_secret: bytes = b"",
    psk: bytes = b"",
    external: bool = False,
    whole: bool = True,
) -> Dissection:
    """Open a TLS 1.3 connection, explain every field, verify every Finished and signature.

    capture: all its records, and the secrets of its key log (RFC 9850). shared_secret: the result
    of (EC)DHE. With it every secret is derived (§7.1) and no key log is needed; where there is one
    too, the two must agree. psk: needed in the same way if the connection was resumed or, with
    external=True, rests on a key agreed on elsewhere.

    whole: the capture must hold both Finished and a close_notify from each side. whole=False lets
    it end early, as a failed handshake does.

    Certificates are read, not judged: `ssl` decides whether to trust one. Raises DissectionError:
    MalformedCapture, RecordNotOpened, WrongFinished, WrongSignature or WrongSecret;
    InvalidParameter for arguments of the wrong kind.
    """
    if not isinstance(capture, Capture):
        raise InvalidParameter(
            f"a Capture is needed, not {type(capture).__name__}: record_handshake makes one"
        )
    given = GivenSecrets(bytes_of("shared_secret", shared_secret), bytes_of("psk", psk), external)
    secrets = {}
    for label, secret in capture.secrets.items():
        secrets[label] = bytes_of(f"secret {label}", secret)
    wire = [(record.sender, bytes_of("a record", record.data)) for record in capture.records]
    dissector = _Dissector(HandshakeState(secrets, given, _suite_of(wire)))
    for sender, data in wire:
        if sender not in ("client", "server"):
            raise InvalidParameter(f'a sender is "client" or "server", not {sender!r}')
        dissector.take(sender, data)
    return dissector.result(whole)


@dataclass
class _OpenedRecord:
    """A record that has been opened, while its messages may not all have arrived."""

    sender: str
    data: bytes
    opened: bytes
    content_type: str
    inner_type: str
    content: bytes
    padding: int = 0
    secret_label: str = ""
    protection: Trace[bytes] | None = None
    fields: list[WireField] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _MessagePart:
    """Where part of a message lies: `length` bytes from `offset` of record number `record`."""

    record: int
    offset: int
    length: int


class _Dissector:
    """The record layer of both sides, and what has been found so far."""

    def __init__(self, handshake: HandshakeState) -> None:
        self._handshake = handshake
        self._records: list[_OpenedRecord] = []
        self._messages: list[DissectedMessage] = []
        # By sender: the beginning of a message whose end is in a later record, and where it lies.
        self._unfinished: dict[str, tuple[bytes, list[_MessagePart]]] = {
            "client": (b"", []),
            "server": (b"", []),
        }
        self._sequence: dict[str, int] = {}  # by label: each new key counts from 0 (§5.3)
        self._closed: set[str] = set()

    def take(self, sender: str, data: bytes) -> None:
        """Take the next record. Raises DissectionError."""
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
        """Return everything found. Raises MalformedCapture when something is missing at the end."""
        found = self._handshake
        for sender, (beginning, _) in self._unfinished.items():
            if beginning:
                raise MalformedCapture(
                    "capture", f"it ends inside a handshake message of the {sender}"
                )
        if whole and not found.is_over:
            raise MalformedCapture(
                "capture", f"it ends after {found.last or 'nothing'}: the handshake is not whole"
            )
        if whole and len(self._closed) < 2:
            raise MalformedCapture(
                "capture", "it ends without a close_notify from each side: cut off? (§6.1)"
            )
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

    def _opened(self, sender: str, data: bytes) -> _OpenedRecord:
        """Read a record's header and remove its protection, if it has any."""
        fields: list[WireField] = []
        kind = read_header(data, fields, is_first=not self._messages)
        if kind == "application_data":
            return self._decrypted(sender, data, fields)
        label = self._handshake.labels[sender]
        if kind == "change_cipher_spec":
            # It is never protected, so it may come although its sender has handshake keys.
            is_over = label.startswith(f"{sender.upper()}_TRAFFIC")
            if not self._messages or is_over:
                raise MalformedCapture(
                    "ChangeCipherSpec", "it is allowed between ClientHello and Finished only (§5)"
                )
        elif label:
            raise MalformedCapture("record", f"it is not protected, though the {sender} has keys")
        content = data[HEADER_LENGTH:]
        return _OpenedRecord(sender, data, data, kind, kind, content, fields=fields)

    def _decrypted(self, sender: str, data: bytes, fields: list[WireField]) -> _OpenedRecord:
        """Open a TLSCiphertext."""
        label = self._handshake.labels[sender]
        suite = self._handshake.suite
        if not label or suite is None:
            raise MalformedCapture(
                "record", f"it is protected, though the {sender} has no keys yet"
            )
        secret = self._handshake.secret(label)
        sequence = self._sequence.get(label, 0)
        try:
            protection = open_record(suite, secret, sequence, data, sender)
        except DecryptionError:
            why = (
                f"it was not sealed under {label} with the sequence number {sequence}, "
                "or was altered"
            )
            raise RecordNotOpened("record", why) from None
        self._sequence[label] = sequence + 1

        inner = protection.result
        tag = data[len(data) - suite.tag_length :]
        content_and_type = inner.rstrip(b"\0")
        kind = CONTENT_TYPES.get(content_and_type[-1], "") if content_and_type else ""
        is_too_long = len(inner) > LONGEST_PLAINTEXT + 1
        if kind in ("", "change_cipher_spec") or is_too_long:
            raise MalformedCapture(
                "TLSInnerPlaintext", "it is too long, or holds no type that may be in it (§5.4)"
            )
        opened = data[:HEADER_LENGTH] + inner + tag
        content = content_and_type[:-1]
        record = _OpenedRecord(sender, data, opened, "application_data", kind, content)
        record.secret_label = label
        record.protection = protection
        record.padding = len(inner) - len(content_and_type)
        record.fields = [*fields, *inner_fields(opened, len(content), record.padding)]
        return record

    def _finished_record(self, index: int) -> DissectedRecord:
        record = self._records[index]
        fields = [each.cut(0, each.length, each.offset, index) for each in record.fields]
        fields.sort(key=lambda each: each.offset)
        return DissectedRecord(
            index,
            record.sender,
            record.data,
            record.opened,
            record.content_type,
            record.inner_type,
            record.padding,
            record.secret_label,
            record.protection,
            tuple(fields),
            tuple(record.messages),
        )

    # --- messages ---

    def _take_handshake(self, index: int, record: _OpenedRecord) -> None:
        """Put handshake messages together: they may be cut into records, and share them (§5.1)."""
        if not record.content:
            raise MalformedCapture("record", "a handshake record must not be empty (§5.1)")
        beginning, parts = self._unfinished[record.sender]
        stream = beginning + record.content
        parts = [*parts, _MessagePart(index, HEADER_LENGTH, len(record.content))]
        while len(stream) >= 4:
            size = 4 + int.from_bytes(stream[1:4], "big")
            if len(stream) < size:
                break
            message = stream[:size]
            stream = stream[size:]
            its_parts, parts = _divided(parts, size)
            self._take_message(record.sender, message, its_parts, has_more=bool(stream))
        self._unfinished[record.sender] = stream, parts

    def _take_message(
        self, sender: str, data: bytes, parts: list[_MessagePart], has_more: bool
    ) -> None:
        """Check one handshake message, and that none goes on across a change of keys (§5.1)."""
        name, fields = messages.read_handshake(data)
        before = dict(self._handshake.labels)
        check = self._handshake.take(sender, name, data, fields)
        after = self._handshake.labels
        changed = {side for side in after if after[side] != before[side]}
        other = "server" if sender == "client" else "client"
        senders_goes_on = sender in changed and has_more
        others_goes_on = other in changed and bool(self._unfinished[other][0])
        if senders_goes_on or others_goes_on:
            raise MalformedCapture(
                f"{sender} {name}", "handshake messages go on across a change of keys (§5.1)"
            )
        is_in_transcript = self._handshake.last == f"{sender} {name}"
        hashed = self._handshake.transcript_hash() if is_in_transcript else b""
        self._add(sender, name, data, fields, parts, check=check, transcript_hash=hashed)

    def _take_other(self, index: int, record: _OpenedRecord) -> None:
        """Take a record that is a message by itself: not a handshake message."""
        if record.inner_type == "change_cipher_spec":
            name = "ChangeCipherSpec"
            fields = messages.read_change_cipher_spec(record.content)
        elif record.inner_type == "alert":
            name = "Alert"
            fields = messages.read_alert(record.content)
            # Every other alert is the last thing that a side sends (§6).
            if fields[1].value != "user_canceled":
                self._closed.add(record.sender)
        else:
            name = "ApplicationData"
            fields = messages.read_application_data(record.content)
            if "HANDSHAKE" in record.secret_label:
                raise MalformedCapture(name, "it is not allowed under handshake keys (§2)")
        parts = [_MessagePart(index, HEADER_LENGTH, len(record.content))]
        self._add(record.sender, name, record.content, fields, parts)

    def _add(
        self,
        sender: str,
        name: str,
        data: bytes,
        fields: Sequence[WireField],
        parts: list[_MessagePart],
        *,
        check: Trace[object] | None = None,
        transcript_hash: bytes = b"",
    ) -> None:
        """Add a message that is right, and its fields to its records, cut where a record ends."""
        index = len(self._messages)
        located = list(fields)  # each with the record that holds its first byte
        position = 0
        for part in parts:
            end = position + part.length
            for number, each in enumerate(fields):
                start = max(position, each.offset)
                stop = min(end, each.offset + each.length)
                if start >= stop:
                    continue  # this field has no byte in this record
                offset = part.offset + start - position
                piece = each.cut(start - each.offset, stop - each.offset, offset, part.record)
                self._records[part.record].fields.append(piece)
                if start == each.offset:
                    located[number] = each.cut(0, each.length, each.offset, part.record)
            self._records[part.record].messages.append(index)
            position = end
        message = DissectedMessage(
            index,
            sender,
            name,
            data,
            tuple(part.record for part in parts),
            parts[0].offset,
            tuple(located),
            check,
            transcript_hash,
            summary_of_fields(name, tuple(fields)),
        )
        self._messages.append(message)


def _divided(parts: list[_MessagePart], size: int) -> tuple[list[_MessagePart], list[_MessagePart]]:
    """Divide parts into those that hold the first `size` bytes, and those that hold the others."""
    first: list[_MessagePart] = []
    others: list[_MessagePart] = []
    for part in parts:
        taken = min(size, part.length)
        size -= taken
        if taken:
            first.append(_MessagePart(part.record, part.offset, taken))
        if taken < part.length:
            offset = part.offset + taken
            others.append(_MessagePart(part.record, offset, part.length - taken))
    return first, others


def _suite_of(wire: Sequence[tuple[str, bytes]]) -> CipherSuite | None:
    """Look up the suite in the first ServerHello or HelloRetryRequest.

    It is needed early: early data is sealed under it before the ServerHello comes.
    """
    for sender, data in wire:
        hello = data[HEADER_LENGTH:]
        if sender == "server" and data[:1] == b"\x16" and hello[:1] == b"\x02":
            # ServerHello: 38 1 n, the length of the session id; 39+n 2 the suite.
            start = 39 + int.from_bytes(hello[38:39], "big")
            return SUITES.get(int.from_bytes(hello[start : start + 2], "big"))
    return None


@contextmanager
def _in_record(index: int) -> Iterator[None]:
    """Make every error raised inside say in which record it was found."""
    try:
        yield
    except DissectionError as error:
        if error.record is not None:
            raise
        raise type(error)(error.what, error.why, index) from None
