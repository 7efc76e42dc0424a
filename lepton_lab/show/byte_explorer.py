"""Bytes to walk through, field by field: message after message, each byte with name and meaning.

Everything comes precomputed, so that the explorer also moves in a page with no kernel behind it.
Its text is the list of its pages, by name; its still form, where scripts do not run, has every
field with its bytes. This file does not know what the bytes mean: it is given `ExplorerPage`s, and
`handshake` makes them from what a dissector found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.table import Shown, table
from lepton_lab.show.widgets import BrowserWidget

# each kind has a colour in byte_explorer.css, by its place in this list
KINDS = (
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
)
_SAMPLE = 24  # bytes of a field in the still form
_TOP_LEFT = 'style="text-align: left; vertical-align: top"'


@dataclass(frozen=True)
class ExplorerSpan:
    """Some bytes of a page: their place and name, their value in words, and what they are for.

    `kind` is one of KINDS and chooses the colour.
    """

    offset: int
    length: int
    name: str
    value: str = ""
    meaning: str = ""
    kind: str = "data"


@dataclass(frozen=True)
class ExplorerPage:
    """A message: its title and sender, a sentence, its bytes on the wire, and its spans in order.

    `opened` has the bytes that are hidden under those of the wire, as many and in the same places;
    None when nothing is hidden.
    """

    title: str
    data: bytes
    spans: tuple[ExplorerSpan, ...]
    sender: str = ""
    sentence: str = ""
    opened: bytes | None = None


class ByteExplorer(BrowserWidget):
    """The widget that `byte_explorer` returns; `pages` is what it shows."""

    def __init__(self, pages: tuple[ExplorerPage, ...], caption: str) -> None:
        self.pages = pages
        rows = [(number, page.sender, page.title) for number, page in enumerate(pages)]
        listed = table(rows, ["", "from", "what"], caption=caption)
        still = Shown(listed.text, _still(pages, caption))
        packed = [_packed(page) for page in pages]
        super().__init__("byte_explorer", still, PAGES=packed, CAPTION=caption)


def byte_explorer(pages: Sequence[ExplorerPage], *, caption: str) -> ByteExplorer:
    """Walk through `pages`, byte by byte; `caption` names them for a reader who does not see them.

    Left and right arrow go from field to field, page up and page down from page to page, home and
    end to the first and the last page; the space bar changes between what crossed the wire and what
    it hides. Raises InvalidParameter when there is no page, when a span leaves its page, overlaps
    or is out of order, or when `opened` has another length than `data`.
    """
    pages = tuple(pages)
    if not pages:
        raise InvalidParameter("an explorer needs a page")
    for page in pages:
        _check(page)
    return ByteExplorer(pages, caption)


def _check(page: ExplorerPage) -> None:
    if page.opened is not None and len(page.opened) != len(page.data):
        raise InvalidParameter(f"{page.title}: what is hidden has as many bytes as what hides it")
    end = 0
    for span in page.spans:
        if span.length < 0 or span.offset < end or span.offset + span.length > len(page.data):
            raise InvalidParameter(
                f"{page.title}: {span.name!r} overlaps, is out of order, or leaves the page"
            )
        if span.kind not in KINDS:
            raise InvalidParameter(f"{span.kind!r} is none of the kinds: {', '.join(KINDS)}")
        end = span.offset + span.length


class _DissectedField(Protocol):
    offset: int
    length: int
    path: str
    value: object
    meaning: str
    kind: str


class _DissectedRecord(Protocol):
    sender: str
    data: bytes
    opened: bytes
    protected: bool
    secret_label: str
    inner_type: str
    fields: Sequence[_DissectedField]
    messages: Sequence[int]


class _DissectedMessage(Protocol):
    name: str
    summary: str


class DissectedConnection(Protocol):
    """What a dissector found: `textbook.protocols.tls13.dissect` returns one."""

    @property
    def records(self) -> Sequence[Any]:
        """The records, each with the attributes of `_DissectedRecord`.

        The numbers in a record's `messages` are places in the list of all messages.
        """
        ...

    @property
    def messages(self) -> Sequence[Any]:
        """The messages, each with `name` and `summary`."""
        ...


def handshake(
    dissection: DissectedConnection, *, caption: str = "A TLS 1.3 connection, record by record"
) -> ByteExplorer:
    """Explore a dissected connection: one page for each of its records.

    `show.handshake(tls13.dissect(capture))`.
    """
    pages = [_page(record, dissection.messages) for record in dissection.records]
    return byte_explorer(pages, caption=caption)


def _page(record: _DissectedRecord, messages: Sequence[_DissectedMessage]) -> ExplorerPage:
    inside = [messages[index] for index in record.messages]
    title = " + ".join(message.name for message in inside) or record.inner_type
    sentences = [f"{message.summary.rstrip('.')}." for message in inside if message.summary]
    if record.protected:
        sentences.append(f"Protected under {record.secret_label}.")
    else:
        sentences.append("In the clear.")
    spans = []
    for field in record.fields:
        span = ExplorerSpan(
            offset=field.offset,
            length=field.length,
            name=field.path,
            value=_written(field.value),
            meaning=field.meaning,
            kind=field.kind,
        )
        spans.append(span)
    return ExplorerPage(
        title=title,
        data=record.data,
        spans=tuple(spans),
        sender=record.sender,
        sentence=" ".join(sentences),
        opened=record.opened if record.protected else None,
    )


def _written(value: object) -> str:
    if not isinstance(value, bytes | bytearray | memoryview):
        return str(value)
    data = bytes(value)
    if data and all(0x20 <= byte < 0x7F for byte in data):
        return repr(data.decode("ascii"))
    return ""  # the explorer shows the bytes themselves


def _packed(page: ExplorerPage) -> dict[str, Any]:
    """A page as byte_explorer.js reads it."""
    spans = []
    for span in page.spans:
        kind = KINDS.index(span.kind)
        spans.append([span.offset, span.length, span.name, span.value, span.meaning, kind])
    return {
        "title": page.title,
        "sender": page.sender,
        "sentence": page.sentence,
        "wire": page.data.hex(),
        "opened": None if page.opened is None else page.opened.hex(),
        "spans": spans,
    }


def _still(pages: Sequence[ExplorerPage], caption: str) -> str:
    html = f"<p><strong>{escape(caption)}</strong></p>"
    for number, page in enumerate(pages):
        html += _still_page(number, page)
    return html


def _still_page(number: int, page: ExplorerPage) -> str:
    data = page.data if page.opened is None else page.opened
    rows = ""
    for span in page.spans:
        sample = _sample(data[span.offset : span.offset + span.length])
        rows += (
            f"<tr><td {_TOP_LEFT}>{span.offset}</td>"
            f'<th scope="row" {_TOP_LEFT}>{escape(_short(span.name))}</th>'
            f"<td {_TOP_LEFT}><code>{sample}</code></td>"
            f"<td {_TOP_LEFT}>{escape(span.value)}</td></tr>"
        )
    head = ""
    for name in ("byte", "field", "bytes", "value"):
        head += f'<th scope="col" {_TOP_LEFT}>{name}</th>'
    sender = f"{page.sender}: " if page.sender else ""
    title = f"{number} · {sender}{page.title}, {len(page.data):,} bytes"
    return (
        f"<details><summary>{escape(title)}</summary><p>{escape(page.sentence)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _short(name: str) -> str:
    """The last two parts of a path: enough in a table that stands under the message's name."""
    return ".".join(name.split(".")[-2:])


def _sample(data: bytes) -> str:
    if len(data) <= _SAMPLE:
        return data.hex(" ")
    return f"{data[:_SAMPLE].hex(' ')} … ({len(data):,} bytes)"
