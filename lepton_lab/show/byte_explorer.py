"""Bytes to walk through, field by field: a message after another, each byte with its name, value and meaning.

Everything comes precomputed, so that the explorer also moves in a page with no kernel behind it. Its text is the list
of what there is, by name; its still form, where scripts do not run, has every field with its bytes. What the bytes
mean is not this file's affair: it is given `Page`s, and `handshake` makes them of what a dissector found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.display import Shown
from lepton_lab.show.moving import Moving
from lepton_lab.show.table import table

KINDS = (
    *(
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
    ),
    *("data", "padding"),
)
_SAMPLE = 24  # bytes of a field in the still form


@dataclass(frozen=True)
class Span:
    """Some bytes of a page: where, what they are called, their value in words, and a sentence on what they are for.

    `kind` is one of KINDS and chooses the colour.
    """

    offset: int
    length: int
    name: str
    value: str = ""
    meaning: str = ""
    kind: str = "data"


@dataclass(frozen=True)
class Page:
    """A message: its title and sender, a sentence, its bytes as they crossed the wire, and its spans in order.

    `opened` has the bytes that hide under those of the wire, as many and in the same places; None when none hide.
    """

    title: str
    data: bytes
    spans: tuple[Span, ...]
    sender: str = ""
    sentence: str = ""
    opened: bytes | None = None


class ByteExplorer(Moving):
    """The widget that `byte_explorer` returns; `pages` is what it shows, `text` and `html` what stands in for it."""

    def __init__(self, pages: tuple[Page, ...], caption: str) -> None:
        self.pages = pages
        listed = table(
            [(number, page.sender, page.title) for number, page in enumerate(pages)],
            ["", "from", "what"],
            caption=caption,
        )
        still = Shown(listed.text, _still(pages, caption))
        super().__init__(
            "byte_explorer", still, PAGES=[_packed(page) for page in pages], CAPTION=caption
        )


def byte_explorer(pages: Sequence[Page], *, caption: str) -> ByteExplorer:
    """Walk through `pages`, byte by byte; `caption` names the whole for a reader who does not see it.

    Left and right arrow go from field to field, page up and page down from page to page, home and end to the first and
    the last page; the space bar changes between what crossed the wire and what it hides. Raises InvalidParameter when
    there is no page, a span leaves its page, overlaps or is out of order, or `opened` is of another length.
    """
    pages = tuple(pages)
    if not pages:
        raise InvalidParameter("an explorer needs a page")
    for page in pages:
        _check(page)
    return ByteExplorer(pages, caption)


def _check(page: Page) -> None:
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


class _Field(Protocol):
    offset: int
    length: int
    path: str
    value: object
    meaning: str
    kind: str


class _Record(Protocol):
    sender: str
    data: bytes
    opened: bytes
    protected: bool
    secret_label: str
    inner_type: str
    fields: Sequence[_Field]
    messages: Sequence[int]


class _Message(Protocol):
    name: str
    summary: str


class Dissection(Protocol):
    """What a dissector found: `textbook.protocols.tls13.dissect` returns one."""

    @property
    def records(self) -> Sequence[Any]:
        """Each with sender, bytes, opened, protected, secret_label, inner_type, fields, and its messages' indices."""
        ...

    @property
    def messages(self) -> Sequence[Any]:
        """Each with name and summary."""
        ...


def handshake(
    dissection: Dissection, *, caption: str = "A TLS 1.3 connection, record by record"
) -> ByteExplorer:
    """Explore a dissected connection: `show.handshake(tls13.dissect(capture))`, a page for each of its records."""
    return byte_explorer(
        [_page(record, dissection.messages) for record in dissection.records], caption=caption
    )


def _page(record: _Record, messages: Sequence[_Message]) -> Page:
    inside = [messages[index] for index in record.messages]
    title = " + ".join(message.name for message in inside) or record.inner_type
    protection = f"Protected under {record.secret_label}." if record.protected else "In the clear."
    sentence = " ".join(
        [*(f"{message.summary.rstrip('.')}." for message in inside if message.summary), protection]
    )
    spans = tuple(
        Span(
            field.offset, field.length, field.path, _written(field.value), field.meaning, field.kind
        )
        for field in record.fields
    )
    return Page(
        title,
        record.data,
        spans,
        record.sender,
        sentence,
        record.opened if record.protected else None,
    )


def _written(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        if data and all(0x20 <= byte < 0x7F for byte in data):
            return repr(data.decode("ascii"))
        return ""  # the bytes say it themselves
    return str(value)


def _packed(page: Page) -> dict[str, Any]:
    return {
        "title": page.title,
        "sender": page.sender,
        "sentence": page.sentence,
        "wire": page.data.hex(),
        "opened": None if page.opened is None else page.opened.hex(),
        "spans": [
            [s.offset, s.length, s.name, s.value, s.meaning, KINDS.index(s.kind)]
            for s in page.spans
        ],
    }


def _still(pages: Sequence[Page], caption: str) -> str:
    return f"<p><strong>{escape(caption)}</strong></p>" + "".join(
        _still_page(*each) for each in enumerate(pages)
    )


def _still_page(number: int, page: Page) -> str:
    data = page.data if page.opened is None else page.opened
    left = 'style="text-align: left; vertical-align: top"'
    rows = "".join(
        f'<tr><td {left}>{span.offset}</td><th scope="row" {left}>{escape(_short(span.name))}</th>'
        f"<td {left}><code>{_sample(data[span.offset : span.offset + span.length])}</code></td>"
        f"<td {left}>{escape(span.value)}</td></tr>"
        for span in page.spans
    )
    head = "".join(
        f'<th scope="col" {left}>{name}</th>' for name in ("byte", "field", "bytes", "value")
    )
    title = f"{number} · {page.sender + ': ' if page.sender else ''}{page.title}, {len(page.data):,} bytes"
    return (
        f"<details><summary>{escape(title)}</summary><p>{escape(page.sentence)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _short(name: str) -> str:
    """The last two parts of a path: enough in a table that stands under the message's name."""
    return ".".join(name.split(".")[-2:])


def _sample(data: bytes) -> str:
    return (
        data.hex(" ")
        if len(data) <= _SAMPLE
        else f"{data[:_SAMPLE].hex(' ')} … ({len(data):,} bytes)"
    )
