"""The result of a dissection: records and messages, with every byte explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.protocols.tls13.certificates import CertificateSummary
from lepton_lab.textbook.protocols.tls13.fields import WireField
from lepton_lab.textbook.protocols.tls13.key_schedule import Secrets
from lepton_lab.textbook.protocols.tls13.suites import CipherSuite
from lepton_lab.textbook.trace import Trace, shown


@dataclass(frozen=True, repr=False)
class DissectedRecord:
    """One record of a connection.

    data: as it crossed the wire. opened: header ‖ TLSInnerPlaintext ‖ tag, of the same length. The
    AEADs of TLS 1.3 keep every byte in its place, so byte i of `opened` is what byte i of `data`
    hides. For an unprotected record the two are the same.

    fields: they cover `opened` in order, without gap or overlap. content_type: what the header
    says; inner_type: what the record really holds. protection: the steps from the traffic secret to
    the TLSInnerPlaintext, and secret_label that secret's name in a key log; None and "" for an
    unprotected record. messages: the indices of the messages that have bytes here.
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
    fields: tuple[WireField, ...]
    messages: tuple[int, ...]

    @property
    def protected(self) -> bool:
        """Whether it was encrypted."""
        return self.protection is not None

    def __repr__(self) -> str:
        what = f"record {self.index}: {self.sender}, {self.inner_type}, {len(self.data)} bytes"
        return f"{what} under {self.secret_label}" if self.protected else what


@dataclass(frozen=True, repr=False)
class DissectedMessage:
    """One message: a whole handshake message with its header, or the content of any other record.

    records: the indices of the records that it lies in; start: where it begins in the first one,
    counted from that record's start. fields: they cover `data`, and their offsets count from the
    message's start. check: how a Finished or CertificateVerify was verified. transcript_hash: up to
    and including this message; b"" for a message that is in no transcript. summary: one line.
    """

    index: int
    sender: str
    name: str
    data: bytes
    records: tuple[int, ...]
    start: int
    fields: tuple[WireField, ...]
    check: Trace[object] | None
    transcript_hash: bytes
    summary: str

    def field(self, path_end: str) -> WireField:
        """Return the first field whose path ends so: `field("key_exchange")`.

        Raises InvalidParameter when there is none.
        """
        for each in self.fields:
            if each.path.endswith(path_end):
                return each
        raise InvalidParameter(f"{self.name} has no field {path_end!r}")

    def __repr__(self) -> str:
        what = f"{self.sender}: {self.name}, {len(self.data)} bytes"
        return f"{what}: {self.summary}" if self.summary else what


@dataclass(frozen=True, repr=False)
class Dissection:
    """A whole connection, taken apart. Printed, it is a table of its messages.

    It exists only if everything in the capture was right; otherwise `dissect` raises.

    secrets: by key-log label, those that were derived included. suite: None when there was no
    ServerHello. group: of the key exchange, "" when it rests on a PSK alone. certificates: by
    sender, each chain from its owner upwards. verified: what was verified, in sentences.
    key_schedule: None unless the shared secret was given.
    """

    records: tuple[DissectedRecord, ...]
    messages: tuple[DissectedMessage, ...]
    secrets: Mapping[str, bytes] = field(repr=False)
    suite: CipherSuite | None
    group: str
    server_name: str
    certificates: Mapping[str, tuple[CertificateSummary, ...]]
    verified: tuple[str, ...]
    key_schedule: Trace[Secrets] | None

    @property
    def fields(self) -> tuple[WireField, ...]:
        """The fields of all records in order: together they are every byte of the capture."""
        return tuple(each for record in self.records for each in record.fields)

    def message(self, name: str, sender: str | None = None) -> DissectedMessage:
        """Return the first message of that name, from `sender` if one is given.

        Raises InvalidParameter when there is none.
        """
        for each in self.messages:
            if each.name == name and sender in (None, each.sender):
                return each
        there = ", ".join(dict.fromkeys(each.name for each in self.messages))
        raise InvalidParameter(
            f"there is no {name!r} from {sender or 'either side'}; there are: {there}"
        )

    def application_data(self, sender: str) -> bytes:
        """Return all the data that "client" or "server" sent, early data included."""
        said = []
        for each in self.messages:
            if each.name == "ApplicationData" and each.sender == sender:
                said.append(each.data)
        return b"".join(said)

    def __repr__(self) -> str:
        rows = [("record", "sender", "message", "bytes", "")]
        for each in self:
            size = str(len(each.data))
            rows.append((_range(each.records), each.sender, each.name, size, each.summary))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = []
        for where, sender, name, size, summary in rows:
            left = f"{where:>{widths[0]}}  {sender:<{widths[1]}}  {name:<{widths[2]}}"
            lines.append(f"{left}  {size:>{widths[3]}}  {summary}".rstrip())
        return "\n".join(lines)

    def __iter__(self) -> Iterator[DissectedMessage]:
        return iter(self.messages)


def _range(indices: tuple[int, ...]) -> str:
    return str(indices[0]) if len(indices) == 1 else f"{indices[0]}–{indices[-1]}"


# By message: the ends of the paths of its most telling fields, and how to word each.
SUMMARIES = {
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


def summary_of_fields(name: str, fields: tuple[WireField, ...]) -> str:
    """Return the one line that tells a reader most about a message."""
    if name in ("EncryptedExtensions", "CertificateRequest"):
        return ", ".join(str(each.value) for each in fields if each.name == "extension_type")
    found = []
    for path_end, wording in SUMMARIES.get(name, {}).items():
        for each in fields:
            if each.path.endswith(path_end):
                found.append(wording.format(shown(each.value)))
    return ", ".join(found)
