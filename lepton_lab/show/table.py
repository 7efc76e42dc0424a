"""Tables, and what every helper of this package shares: the type `Shown`, and rounded numbers.

A table has scoped headings for the screen reader and aligned columns for the terminal.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any, SupportsFloat

from lepton_lab.errors import InvalidParameter

_LONGEST = 15  # digits before or zeros after the point; beyond them the exponent is easier to read


@dataclass(frozen=True, repr=False)
class Shown:
    """Something to look at: `html` for a notebook, `text` for everything that cannot draw.

    The text serves a terminal, a screen reader and the check of a notebook. Left as the last value
    of a cell, it is displayed. The HTML keeps to what JupyterLab also shows in a notebook that is
    not trusted yet, which is how every fresh clone opens: inline styles, no script, pictures inside
    `<img>`.
    """

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        del include, exclude  # Jupyter filters what it gets
        return {"text/plain": self.text, "text/html": self.html}


def rounded(number: SupportsFloat, digits: int = 3) -> str:
    """Write a number for reading: integers exactly, fractions to `digits` significant digits.

    `rounded(1234567)` is '1,234,567', `rounded(0.0123456)` is '0.0123', `rounded(12345.6)` is
    '12,300'. Integers of more than 15 digits and fractions outside 10⁻⁴…10¹⁵ are written with an
    exponent. numpy's numbers are taken as well.
    """
    if isinstance(number, numbers.Integral):
        exact = int(number)
        if abs(exact) < 10**_LONGEST:
            return f"{exact:,}"
        # Decimal, because a float cannot hold an integer of 3,072 bits
        return f"{Decimal(exact):.{digits - 1}e}"
    fraction = float(number)
    if not math.isfinite(fraction):
        return str(fraction)
    scientific = f"{fraction:.{digits - 1}e}"
    exponent = int(scientific.partition("e")[2])
    if not -4 <= exponent < _LONGEST:
        return scientific
    plain = f"{Decimal(scientific):,f}"
    # 10.0 is written as 10; the zeros of 10 itself stay
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def table(
    rows: Iterable[Sequence[object]],
    columns: Sequence[str],
    *,
    caption: str = "",
    formats: Mapping[str, str] | None = None,
) -> Shown:
    """Make a table of `rows` under the headings `columns`; the first column names its row.

    Numbers are aligned to the right: integers exactly, fractions to three significant digits, or as
    `formats` says by column, in the language of `format`: `{"time / s": ".2f"}`. Bytes are written
    in hexadecimal, None as '–', a truth value as yes or no, anything else by `str`. Raises
    InvalidParameter when a row has more or fewer cells than there are columns, or when `formats`
    names a column that does not exist.
    """
    all_rows = [tuple(row) for row in rows]
    by_column = dict(formats or {})
    for row in all_rows:
        if len(row) != len(columns):
            raise InvalidParameter(
                f"a row has {len(row)} cells where there are {len(columns)} columns: {row!r}"
            )
    unknown = set(by_column) - set(columns)
    if unknown:
        raise InvalidParameter(f"there is no column {', '.join(sorted(unknown))}")
    cells = []
    for row in all_rows:
        written = [
            _written(cell, by_column.get(name)) for cell, name in zip(row, columns, strict=True)
        ]
        cells.append(written)
    right = [_is_numeric(row[place] for row in all_rows) for place in range(len(columns))]
    text = _table_text(cells, columns, right, caption)
    return Shown(text, _table_html(cells, columns, right, caption))


def _written(cell: object, number_format: str | None) -> str:
    if cell is None:
        return "–"
    # True and False are numbers in Python, so they come first
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, numbers.Real):
        return format(cell, number_format) if number_format else rounded(cell)
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell).hex()
    return str(cell)


def _is_numeric(column: Iterable[object]) -> bool:
    """Tell whether a column holds numbers alone, perhaps with gaps, and at least one of them."""
    kinds = {
        isinstance(cell, numbers.Real) and not isinstance(cell, bool)
        for cell in column
        if cell is not None
    }
    return kinds == {True}


def _table_text(
    cells: list[list[str]], columns: Sequence[str], right: list[bool], caption: str
) -> str:
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        parts = []
        for cell, width, is_right in zip(row, widths, right, strict=True):
            parts.append(cell.rjust(width) if is_right else cell.ljust(width))
        return "  ".join(parts).rstrip()

    rule = "  ".join("─" * width for width in widths)
    lines = [line(columns), rule, *map(line, cells)]
    if caption:
        lines.insert(0, caption)
    return "\n".join(lines)


def _table_html(
    cells: list[list[str]], columns: Sequence[str], right: list[bool], caption: str
) -> str:
    aligned = [f'style="text-align: {"right" if is_right else "left"}"' for is_right in right]
    head = ""
    for name, style in zip(columns, aligned, strict=True):
        head += f'<th scope="col" {style}>{escape(name)}</th>'
    body = ""
    for row in cells:
        first = f'<th scope="row" {aligned[0]}>{escape(row[0])}</th>'
        others = ""
        for cell, style in zip(row[1:], aligned[1:], strict=True):
            others += f"<td {style}>{escape(cell)}</td>"
        body += f"<tr>{first}{others}</tr>"
    title = ""
    if caption:
        style = 'style="caption-side: top; text-align: left; font-weight: bold"'
        title = f"<caption {style}>{escape(caption)}</caption>"
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
