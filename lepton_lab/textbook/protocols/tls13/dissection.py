"""What a dissection gives: records and messages with every byte explained, and what was verified on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.protocols.tls13.certificates import CertificateSummary
from lepton_lab.textbook.protocols.tls13.fields import Field
from lepton_lab.textbook.protocols.tls13.key_schedule import Secrets
from lepton_lab.textbook.protocols.tls13.suites import CipherSuite
from lepton_lab.textbook.trace import Trace, shown


@dataclass(frozen=True, repr=False)
class Record:
    """One record: as it crossed the wire (`bytes`) and `opened`, header ‖ TLSInnerPlaintext ‖ tag, of the same length.

    The AEADs of TLS 1.3 keep every byte in its place, so byte i of `opened` is what byte i on the wire hides. An
    unprotected record is its own `opened`. `fields` cover `opened` in order, without gap or overlap. `content_type` is
    what the header says, `inner_type` what it is. `protection`: the steps from the traffic secret to the
    TLSInnerPlaintext; `secret_label`: that secret's name in a key log; None and "" when it was not protected.
    `messages`: indices of those that have bytes here.
    """

    index: int
    sender: str
    data: bytes
    opened: bytes
    content_type: str
    inner_type: str
    padding: int
    secret_label: str
    protection: Trace[bytes] | None
    fields: tuple[Field, ...]
    messages: tuple[int, ...]

    @property
    def protected(self) -> bool:
        """Whether it was encrypted."""
        return self.protection is not None

    def __repr__(self) -> str:
        under = f" under {self.secret_label}" if self.protected else ""
        return (
            f"record {self.index}: {self.sender}, {self.inner_type}, {len(self.data)} bytes{under}"
        )


@dataclass(frozen=True, repr=False)
class Message:
    """One message, whole, its handshake header included; of a ChangeCipherSpec, an alert or data what the record holds.

    `records`: the indices of those that it lies in; `start`: where it begins in the first, from that record's start.
    `fields` cover `bytes`; their offsets count from the message's start. `check`: how a Finished or CertificateVerify
    was verified. `transcript_hash`: up to and including it, b"" for what is in no transcript. `summary`: one line.
    """

    index: int
    sender: str
    name: str
    data: bytes
    records: tuple[int, ...]
    start: int
    fields: tuple[Field, ...]
    check: Trace[object] | None
    transcript_hash: bytes
    summary: str

    def field(self, path_end: str) -> Field:
        """The first field whose path ends so: `field("key_exchange")`. Raises InvalidParameter when none does."""
        for each in self.fields:
            if each.path.endswith(path_end):
                return each
        raise InvalidParameter(f"{self.name} has no field {path_end!r}")

    def __repr__(self) -> str:
        return f"{self.sender}: {self.name}, {len(self.data)} bytes" + (
            f": {self.summary}" if self.summary else ""
        )


@dataclass(frozen=True, repr=False)
class Dissection:
    """A connection taken apart. It exists only when everything in it held; printed, it is a table of its messages.

    `secrets`: by key-log label, those derived included. `suite`: None when no ServerHello was there. `group`: of the
    key exchange, "" for a PSK alone. `certificates`: by sender, each chain from its owner upwards. `verified`: what
    was, in sentences. `key_schedule`: where the shared secret was given.
    """

    records: tuple[Record, ...]
    messages: tuple[Message, ...]
    secrets: Mapping[str, bytes] = field(repr=False)
    suite: CipherSuite | None
    group: str
    server_name: str
    certificates: Mapping[str, tuple[CertificateSummary, ...]]
    verified: tuple[str, ...]
    key_schedule: Trace[Secrets] | None

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of all records, one after another: together they are every byte of the capture."""
        return tuple(each for record in self.records for each in record.fields)

    def message(self, name: str, sender: str | None = None) -> Message:
        """The first message of that name, from that side if one is given. Raises InvalidParameter without one."""
        for each in self.messages:
            if each.name == name and sender in (None, each.sender):
                return each
        there = ", ".join(dict.fromkeys(each.name for each in self.messages))
        raise InvalidParameter(
            f"there is no {name!r} from {sender or 'either side'}; there are: {there}"
        )

    def application_data(self, sender: str) -> bytes:
        """Everything that "client" or "server" said, early data included."""
        said = [
            each
            for each in self.messages
            if each.name == "ApplicationData" and each.sender == sender
        ]
        return b"".join(each.data for each in said)

    def __repr__(self) -> str:
        rows = [
            (_records(each.records), each.sender, each.name, str(len(each.data)), each.summary)
            for each in self
        ]
        rows.insert(0, ("record", "sender", "message", "bytes", ""))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            f"{a:>{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}  {e}".rstrip()
            for a, b, c, d, e in rows
        )

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)


def _records(indices: tuple[int, ...]) -> str:
    return str(indices[0]) if len(indices) == 1 else f"{indices[0]}–{indices[-1]}"


SUMMARIES = {  # by message: the ends of the paths of the fields that tell most, and what to say around each
    "ClientHello": {"HostName": "{}", "client_shares[0].group": "{}"},
    "ServerHello": {
        "cipher_suite": "{}",
        "server_share.group": "{}",
        "selected_identity": "PSK {}",
    },
    "HelloRetryRequest": {"cipher_suite": "{}", "selected_group": "{}, please"},
    "Certificate": {"[0].cert_data": "{}"},
    "CertificateVerify": {"algorithm": "{}"},
    "Finished": {"verify_data": "{}"},
    "NewSessionTicket": {"ticket_lifetime": "good for {} s"},
    "KeyUpdate": {"request_update": "{}"},
    "Alert": {"description": "{}"},
    "ApplicationData": {"data": "{}"},
}


def summary_of_fields(name: str, fields: tuple[Field, ...]) -> str:
    """The one line that tells a reader most about a message."""
    if name in ("EncryptedExtensions", "CertificateRequest"):
        return ", ".join(str(each.value) for each in fields if each.name == "extension_type")
    found = [
        form.format(shown(each.value))
        for end, form in SUMMARIES.get(name, {}).items()
        for each in fields
        if each.path.endswith(end)
    ]
    return ", ".join(found)
