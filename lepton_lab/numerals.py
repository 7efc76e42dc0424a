"""Numbers as people write them in tables: 1234.5, 1,234.5, 1.234,5, 1 234,5, 1'234.5, 12e-3.

They are read exactly, as decimal numbers. Nothing is guessed: what could be two numbers, such as
1,234, stays unread until other columns of the same file show which mark stands for the decimals.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

MOST_DIGITS = 50  # of a number before its decimal point, and as many behind it


class Style(Enum):
    """Which mark stands before the decimals of a column's numbers."""

    POINT = "decimal point"
    COMMA = "decimal comma"
    EITHER = "whole numbers"


POINT = Style.POINT
COMMA = Style.COMMA

# Groups of three digits may be set apart by the other mark, an apostrophe or a space. A number that
# begins with 0 has no groups: 0,123 can only have decimals.
_SPACES = "'’ \u00a0\u202f"
_PATTERN = r"""
    (?P<whole> [+-]? (?: [1-9][0-9]{0,2} (?P<group> [%(group)s'’\ \u00a0\u202f]) [0-9]{3}
                         (?: (?P=group) [0-9]{3} )*
                       | [0-9]+ | (?= [%(mark)s][0-9] ) ) )
    (?: [%(mark)s] (?P<decimals> [0-9]* ) )?
    (?: [eE] (?P<exponent> [+-]? [0-9]{1,9} ) )?
"""
_NUMERAL = {
    POINT: re.compile(_PATTERN % {"mark": ".", "group": ","}, re.VERBOSE),
    COMMA: re.compile(_PATTERN % {"mark": ",", "group": "."}, re.VERBOSE),
}
_DIGIT = re.compile(r"[0-9]")
_NOT_DIGITS = re.compile(r"[^0-9+-]")
_MINUS = str.maketrans("−", "-")  # the sign of printed tables, U+2212


@dataclass(frozen=True)
class Column:
    """The numbers of a column, exactly as they are written.

    has_groups: whether thousands are set apart in some of its cells.
    """

    numbers: list[Decimal]
    style: Style
    has_groups: bool = False


@dataclass(frozen=True)
class AmbiguousColumn:
    """A column whose cells are other numbers with decimal commas than with decimal points."""

    point: list[Decimal]
    comma: list[Decimal]
    has_points: bool
    has_commas: bool

    @property
    def reason(self) -> str:
        """Why it cannot be read, with the count of cells that have two meanings."""
        unclear = sum(a != b for a, b in zip(self.point, self.comma, strict=True))
        mark = "points" if self.has_points else "commas"
        where = _of(unclear, len(self.point))
        return f"{mark} in {where} could stand before decimals or between thousands"


# --- one cell -----------------------------------------------------------------------------------


def parse(cell: str, style: Style) -> Decimal | None:
    """The number in a cell without blanks around it, or None.

    style: POINT or COMMA. None also for numbers of more than 50 digits before or behind the point.
    """
    if cell.isascii() and cell.isdigit() and len(cell) <= MOST_DIGITS:
        return Decimal(cell)
    number = _unlimited(cell, style)
    # The digits are counted before anything computes with the number: 1e999999999 is cheap to hold
    # and has no end when it is written out.
    if number is None or number.adjusted() >= MOST_DIGITS:
        return None
    exponent = number.as_tuple().exponent
    return number if isinstance(exponent, int) and exponent >= -MOST_DIGITS else None


def _unlimited(cell: str, style: Style) -> Decimal | None:
    found = _NUMERAL[style].fullmatch(cell.translate(_MINUS))
    if found is None:
        return None
    whole = _NOT_DIGITS.sub("", found["whole"])
    return Decimal(f"{whole}.{found['decimals'] or ''}e{found['exponent'] or '0'}")


def is_number(cell: str) -> bool:
    """Whether a cell is a number in one style or the other."""
    if not _DIGIT.search(cell):
        return False  # at once: wide tables have many headings
    text = cell.strip()
    return parse(text, POINT) is not None or parse(text, COMMA) is not None


def is_missing(cell: str) -> bool:
    """Whether a cell stands where a number is missing: blank, NaN, null, a dash, infinite."""
    return kind_of(cell) in ("blank", "NaN or missing", "infinite")


_SIGN = r"(?:[$€£¥₹]|[A-Z]{3} ?)"
_KINDS = {  # what a cell that is not a number is: the first that fits
    "blank": re.compile(r"\s*"),
    "NaN or missing": re.compile(r"[+-]?nan|#?n/?a|null|none|[-–?.]", re.IGNORECASE),
    "infinite": re.compile(r"[+-]?(?:inf|infinity|∞)", re.IGNORECASE),
    "a percentage": re.compile(r".*[0-9]\s*%"),
    "an amount with a currency": re.compile(rf"[+-]?\s*{_SIGN}\s*[+-]?[0-9].*|.*[0-9]\s*{_SIGN}"),
    "hexadecimal": re.compile(r"0x[0-9a-f]+", re.IGNORECASE),
    "digits with underscores": re.compile(r"[+-]?[0-9]+(?:_[0-9]+)+"),
    "a date or a time": re.compile(
        r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}(?:[ T].*)?|[0-9]{1,2}:[0-9]{2}.*"
    ),
}
TEXT = "text"  # any other
_TOO_LONG = f"a number of more than {MOST_DIGITS} digits"


def kind_of(cell: str) -> str:
    """What a cell that is not a number is: "blank", "a percentage", "text" and so on."""
    text = cell.strip()
    for kind, pattern in _KINDS.items():
        if pattern.fullmatch(text):
            return kind
    if _unlimited(text, POINT) is not None or _unlimited(text, COMMA) is not None:
        return _TOO_LONG
    return TEXT


# --- one column ---------------------------------------------------------------------------------


def read_column(cells: Sequence[str]) -> Column | AmbiguousColumn | str:
    """The numbers of a column, both readings of it, or the reason why it is left out.

    The reason says how many of the cells are concerned, and what they are.
    """
    texts = list(map(str.strip, cells))
    # Most columns hold digits alone, which need no pattern.
    are_digits = all(map(str.isdigit, texts)) and all(map(str.isascii, texts))
    if are_digits and max(map(len, texts)) <= MOST_DIGITS:
        return Column(list(map(Decimal, texts)), Style.EITHER)
    point = [parse(text, POINT) for text in texts]
    # Without marks both readings are the same.
    comma = [parse(text, COMMA) for text in texts] if _has_any(texts, ",.") else point
    with_point = [number for number in point if number is not None]
    with_comma = [number for number in comma if number is not None]
    if len(with_point) == len(with_comma) == len(texts):
        if point is comma or with_point == with_comma:
            return Column(with_point, Style.EITHER, _has_any(texts, _SPACES))
        unclear = [text for text, a, b in zip(texts, point, comma, strict=True) if a != b]
        return AmbiguousColumn(
            with_point,
            with_comma,
            has_points=_has_any(unclear, "."),
            has_commas=_has_any(unclear, ","),
        )
    if len(with_point) == len(texts):
        return Column(with_point, POINT, _has_any(texts, f",{_SPACES}"))
    if len(with_comma) == len(texts):
        return Column(with_comma, COMMA, _has_any(texts, f".{_SPACES}"))
    return _reason(texts, point, comma)


def _reason(
    texts: Sequence[str], point: Sequence[Decimal | None], comma: Sequence[Decimal | None]
) -> str:
    kinds: Counter[str] = Counter()
    for text, with_point, with_comma in zip(texts, point, comma, strict=True):
        if with_point is None and with_comma is None:
            kinds[kind_of(text)] += 1
    if not kinds:
        count = sum(number is None for number in point)
        return f"decimal commas in {_of(count, len(texts))}, decimal points in others"
    said = " or ".join(kind for kind, _ in kinds.most_common())
    return f"{said} in {_of(kinds.total(), len(texts))}"


def resolve(column: AmbiguousColumn, others: Collection[Column], delimiter: str) -> Column | None:
    """The reading of a column that could be read in two ways, or None if both remain possible.

    others: the columns of the file that can be read in one way only. delimiter: between columns.
    """
    as_point = Column(column.point, POINT, column.has_commas)
    as_comma = Column(column.comma, COMMA, column.has_points)
    seen = {other.style for other in others} - {Style.EITHER}
    if len(seen) > 1 or (column.has_points and column.has_commas):
        return None
    if POINT in seen:
        return as_point
    if COMMA in seen:
        # Machine-made columns with decimal points often stand beside decimal commas, so 1.234 stays
        # unclear unless the file shows points between thousands elsewhere, as in 1.234,5.
        are_grouped = any(other.style is COMMA and other.has_groups for other in others)
        return as_comma if are_grouped or not column.has_points else None
    # Nothing else shows the mark. Semicolons stand between columns where commas stand before
    # decimals; where commas stand between columns, a quoted "1,234" has thousands.
    if column.has_points:
        return None if delimiter == ";" else as_point
    return as_point if delimiter == "," else None


def _has_any(texts: Iterable[str], characters: str) -> bool:
    """Whether any of the characters occurs in any of the texts."""
    return not set(characters).isdisjoint("".join(texts))


def _of(count: int, total: int) -> str:
    """Such as "2 of 3 cells", "all 3 cells" and "its only cell"."""
    if total == 1:
        return "its only cell"
    return f"all {total:,} cells" if count == total else f"{count:,} of {total:,} cells"
