"""Bytes with their fields named: what a dissector shows, in colour and in words."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from lepton_lab.buffers import BytesLike, view_of
from lepton_lab.errors import InvalidParameter
from lepton_lab.show.table import Shown

HexField = tuple[int, int, str]  # first byte, number of bytes, name

_ROW = 16  # bytes in a row
_HALF = 8  # a wider gap in the middle of a row helps the eye to count
# Paul Tol's 'light' scheme (personal.sron.nl/~pault): made for black text on colour, and told apart
# by colour-blind readers as well
_TINTS = ("#99ddff", "#ffaabb", "#eedd88", "#bbcc33", "#77aadd", "#ee8866", "#44bb99", "#dddddd")
_LEFT = 'style="text-align: left"'


def hexdump(data: BytesLike, fields: Sequence[HexField] = (), *, limit: int = 1024) -> Shown:
    """Show bytes in hexadecimal, sixteen to a row, with offsets, letters and coloured fields.

    `fields` are (first byte, number of bytes, name), in order and without overlap; gaps are
    allowed. Each is also listed below with its place and its bytes, so that nothing is told by
    colour alone. Only the first `limit` bytes are shown, and a line says how many more there are.
    Raises InvalidParameter when a field is empty, overlaps, or leaves the data.
    """
    raw = bytes(view_of(data))
    checked = _checked(fields, len(raw))
    shown = raw[:limit]
    owners = _owners(checked, len(shown))
    text_rows = []
    html_rows = []
    for start in range(0, len(shown), _ROW):
        row = shown[start : start + _ROW]
        text_rows.append(_text_row(start, row))
        html_rows.append(_html_row(start, row, owners[start : start + _ROW]))
    if not shown:
        text_rows.append("(no bytes)")
        html_rows.append("(no bytes)")
    if len(shown) < len(raw):
        more = f"… {len(raw) - len(shown):,} bytes more"
        text_rows.append(more)
        html_rows.append(more)
    if checked:
        text_rows.append(_text_legend(raw, checked))
    look = "font-family: monospace; line-height: 1.5; overflow-x: auto"
    rows = "\n".join(html_rows)
    html = f'<pre style="{look}">{rows}</pre>' + _html_legend(raw, checked)
    return Shown("\n".join(text_rows), html)


def _checked(fields: Sequence[HexField], size: int) -> list[HexField]:
    position = 0
    for start, length, name in fields:
        if length < 1 or start < position or start + length > size:
            raise InvalidParameter(
                f"field {name!r}, bytes {start} to {start + length - 1}, is empty, out of order, "
                f"overlaps the one before, or leaves the {size} bytes"
            )
        position = start + length
    return list(fields)


def _owners(fields: list[HexField], size: int) -> list[int | None]:
    """For every byte, the number of the field that it belongs to, or None."""
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
    out = f"{start:08x}  "
    place = 0
    # neighbours of one field share a span, the gaps between them included
    for owner, group in groupby(owners):
        end = place + len(list(group))
        run = ""
        for i in range(place, end):
            if i > place:
                run += _gap(i)
            run += f"{row[i]:02x}"
        if place > 0:
            out += _gap(place)
        out += run if owner is None else f'<span style="{_tint(owner)}">{run}</span>'
        place = end
    width = 3 * len(row) - 1 + (1 if len(row) > _HALF else 0)
    filling = " " * (3 * _ROW - width)
    return f"{out}{filling}  |{escape(_letters(row))}|"


def _gap(place: int) -> str:
    return "  " if place == _HALF else " "


def _tint(owner: int) -> str:
    return f"background-color: {_TINTS[owner % len(_TINTS)]}; color: black"


def _place(start: int, length: int) -> str:
    return str(start) if length == 1 else f"{start}–{start + length - 1}"


def _sample(raw: bytes) -> str:
    if len(raw) <= _ROW:
        return raw.hex(" ")
    return f"{raw[:_ROW].hex(' ')} … ({len(raw):,} bytes)"


def _text_legend(raw: bytes, fields: list[HexField]) -> str:
    place_width = max(len(_place(start, length)) for start, length, _ in fields)
    name_width = max(len(name) for _, _, name in fields)
    lines = []
    for start, length, name in fields:
        place = _place(start, length)
        value = _sample(raw[start : start + length])
        lines.append(f"{place:>{place_width}}  {name:<{name_width}}  {value}")
    return "\n".join(lines)


def _html_legend(raw: bytes, fields: list[HexField]) -> str:
    if not fields:
        return ""
    rows = ""
    for number, (start, length, name) in enumerate(fields):
        value = _sample(raw[start : start + length])
        rows += (
            f"<tr><td {_LEFT}>{_place(start, length)}</td>"
            f'<th scope="row" style="text-align: left; {_tint(number)}">{escape(name)}</th>'
            f"<td {_LEFT}><code>{value}</code></td></tr>"
        )
    head = "".join(f'<th scope="col" {_LEFT}>{name}</th>' for name in ("bytes", "field", "value"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
