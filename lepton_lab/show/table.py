"""Tables: scoped headings for the screen reader, aligned columns for the terminal."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.display import Shown
from lepton_lab.show.numbers import rounded


def table(
    rows: Iterable[Sequence[object]],
    columns: Sequence[str],
    *,
    caption: str = "",
    formats: Mapping[str, str] | None = None,
) -> Shown:
    """A table of `rows` under the headings `columns`; the first column names its row.

    Numbers stand on the right: integers exactly, fractions to three significant digits, or as `formats` says by column,
    in the language of `format`: `{"time / s": ".2f"}`. Bytes are given in hexadecimal, None as '–', a truth value as
    yes or no, all else by `str`. Raises InvalidParameter when a row has more or fewer cells than there are columns, or
    `formats` names no column.
    """
    rows, formats = [tuple(row) for row in rows], dict(formats or {})
    for row in rows:
        if len(row) != len(columns):
            raise InvalidParameter(
                f"a row has {len(row)} cells where there are {len(columns)} columns: {row!r}"
            )
    if unknown := set(formats) - set(columns):
        raise InvalidParameter(f"there is no column {', '.join(sorted(unknown))}")
    cells = [
        [_written(cell, formats.get(name)) for cell, name in zip(row, columns, strict=True)]
        for row in rows
    ]
    right = [_is_numeric(row[place] for row in rows) for place in range(len(columns))]
    return Shown(_text(cells, columns, right, caption), _html(cells, columns, right, caption))


def _written(cell: object, format_: str | None) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, numbers.Real):
        return format(cell, format_) if format_ else rounded(cell)
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell).hex()
    return str(cell)


def _is_numeric(column: Iterable[object]) -> bool:
    """Whether a column stands on the right: numbers, perhaps with gaps, and at least one of them."""
    kinds = {
        isinstance(cell, numbers.Real) and not isinstance(cell, bool)
        for cell in column
        if cell is not None
    }
    return kinds == {True}


def _text(cells: list[list[str]], columns: Sequence[str], right: list[bool], caption: str) -> str:
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        parts = (
            cell.rjust(width) if r else cell.ljust(width)
            for cell, width, r in zip(row, widths, right, strict=True)
        )
        return "  ".join(parts).rstrip()

    rule = "  ".join("─" * width for width in widths)
    return "\n".join([*([caption] if caption else []), line(columns), rule, *map(line, cells)])


def _html(cells: list[list[str]], columns: Sequence[str], right: list[bool], caption: str) -> str:
    aligned = [f'style="text-align: {"right" if r else "left"}"' for r in right]
    head = "".join(
        f'<th scope="col" {a}>{escape(name)}</th>' for name, a in zip(columns, aligned, strict=True)
    )
    body = "".join(
        f'<tr><th scope="row" {aligned[0]}>{escape(row[0])}</th>'
        + "".join(
            f"<td {a}>{escape(cell)}</td>" for cell, a in zip(row[1:], aligned[1:], strict=True)
        )
        + "</tr>"
        for row in cells
    )
    style = 'style="caption-side: top; text-align: left; font-weight: bold"'
    title = f"<caption {style}>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
