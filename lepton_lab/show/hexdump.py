"""Bytes with their fields named: what a dissector shows, in colour and in words."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from lepton_lab.buffers import BytesLike, view_of
from lepton_lab.errors import InvalidParameter
from lepton_lab.show.display import Shown

Field = tuple[int, int, str]  # first byte, number of bytes, name

_ROW = 16
_HALF = 8  # a wider gap in the middle of a row helps the eye to count
# Paul Tol's 'light' scheme (personal.sron.nl/~pault): made for black text on colour, apart also for the colour-blind.
_TINTS = ("#99ddff", "#ffaabb", "#eedd88", "#bbcc33", "#77aadd", "#ee8866", "#44bb99", "#dddddd")


def hexdump(data: BytesLike, fields: Sequence[Field] = (), *, limit: int = 1024) -> Shown:
    """Bytes in hexadecimal, sixteen a row, with offsets and letters, and each field in a colour of its own.

    `fields` are (first byte, number of bytes, name), in order and without overlap; gaps are allowed. Each is also
    listed below with its place and its bytes, so that nothing is told by colour alone. Only `limit` bytes are shown;
    what is left out is said. Raises InvalidParameter when a field is empty, overlaps, or leaves the data.
    """
    raw = bytes(view_of(data))
    fields = _checked(fields, len(raw))
    shown = raw[:limit]
    owners = _owners(fields, len(shown))
    more = f"… {len(raw) - len(shown):,} bytes more" if len(shown) < len(raw) else ""
    starts = range(0, len(shown), _ROW) if shown else range(0)
    text = (
        "\n".join(_text_row(start, shown[start : start + _ROW]) for start in starts) or "(no bytes)"
    )
    rows = [
        _html_row(start, shown[start : start + _ROW], owners[start : start + _ROW])
        for start in starts
    ]
    html = "\n".join([*(rows or ["(no bytes)"]), *([more] if more else [])])
    pre = f'<pre style="font-family: monospace; line-height: 1.5; overflow-x: auto">{html}</pre>'
    return Shown(
        "\n".join(filter(None, [text, more, _text_legend(raw, fields)])),
        pre + _html_legend(raw, fields),
    )


def _checked(fields: Sequence[Field], size: int) -> list[Field]:
    position = 0
    for start, length, name in fields:
        if length < 1 or start < position or start + length > size:
            raise InvalidParameter(
                f"field {name!r}, bytes {start} to {start + length - 1}, is empty, out of order, overlaps the one "
                f"before, or leaves the {size} bytes"
            )
        position = start + length
    return list(fields)


def _owners(fields: list[Field], size: int) -> list[int | None]:
    """For every byte, which field it belongs to."""
    owners: list[int | None] = [None] * size
    for number, (start, length, _) in enumerate(fields):
        for place in range(start, min(start + length, size)):
            owners[place] = number
    return owners


def _letters(row: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)


def _text_row(start: int, row: bytes) -> str:
    halves = f"{row[:_HALF].hex(' ')}  {row[_HALF:].hex(' ')}"
    return f"{start:08x}  {halves:<48}  |{_letters(row)}|"


def _html_row(start: int, row: bytes, owners: list[int | None]) -> str:
    out, place = f"{start:08x}  ", 0
    for owner, group in groupby(owners):
        count = len(list(group))
        run = "".join(_gap(i) * (i > place) + f"{row[i]:02x}" for i in range(place, place + count))
        out += _gap(place) * (place > 0) + (
            run if owner is None else f'<span style="{_tint(owner)}">{run}</span>'
        )
        place += count
    width = 3 * len(row) - 1 + (len(row) > _HALF)
    return out + " " * (3 * _ROW - width) + f"  |{escape(_letters(row))}|"


def _gap(place: int) -> str:
    return "  " if place == _HALF else " "


def _tint(owner: int) -> str:
    return f"background-color: {_TINTS[owner % len(_TINTS)]}; color: black"


def _place(start: int, length: int) -> str:
    return str(start) if length == 1 else f"{start}–{start + length - 1}"


def _sample(raw: bytes) -> str:
    return raw.hex(" ") if len(raw) <= _ROW else f"{raw[:_ROW].hex(' ')} … ({len(raw):,} bytes)"


def _text_legend(raw: bytes, fields: list[Field]) -> str:
    if not fields:
        return ""
    places = [_place(start, length) for start, length, _ in fields]
    wide, named = max(map(len, places)), max(len(name) for *_, name in fields)
    return "\n".join(
        f"{place:>{wide}}  {name:<{named}}  {_sample(raw[start : start + length])}"
        for place, (start, length, name) in zip(places, fields, strict=True)
    )


def _html_legend(raw: bytes, fields: list[Field]) -> str:
    if not fields:
        return ""
    left = 'style="text-align: left"'
    rows = "".join(
        f"<tr><td {left}>{_place(start, length)}</td>"
        f'<th scope="row" style="text-align: left; {_tint(number)}">{escape(name)}</th>'
        f"<td {left}><code>{_sample(raw[start : start + length])}</code></td></tr>"
        for number, (start, length, name) in enumerate(fields)
    )
    head = "".join(f'<th scope="col" {left}>{name}</th>' for name in ("bytes", "field", "value"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
