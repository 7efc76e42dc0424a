"""Comparing a learner's answer with the right one, and writing it in a hint."""

from __future__ import annotations

import math
import operator
from typing import Any

_WIDEST = 60  # letters of a value in a hint


class NotYet(Exception):
    """Raised inside a check: the answer is not right yet, and this hint helps on."""


def expect(condition: bool, hint: str) -> None:
    """Inside a check: go on when `condition` holds, else say `hint`."""
    if not condition:
        raise NotYet(hint)


def expect_kind(answer: Any, like: Any, what: str = "the answer should be") -> None:
    """Inside a check: hint at the right type when `answer` cannot be compared with `like`."""
    expect(_comparable(answer, like), f"{what} {kind_of(like)}, not {kind_of(answer)}")


def same(answer: Any, right: Any) -> bool:
    """Whether two values are equal for a learner: True is not 1, a tuple may be a list, fractions need not be exact."""
    if not _comparable(answer, right):
        return False
    if isinstance(right, list | tuple):
        return len(answer) == len(right) and all(map(same, answer, right))
    if isinstance(right, float):
        return math.isclose(answer, right, rel_tol=1e-9)
    equal = answer == right
    return bool(equal.all() if hasattr(equal, "all") else equal)


def written(value: Any) -> str:
    """A value in a hint, shortened where it is long; bytes in hexadecimal."""
    text = (
        f"bytes.fromhex('{value.hex()}')"
        if isinstance(value, bytes) and not value.isascii()
        else repr(value)
    )
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def in_hex(value: Any) -> str:
    """A whole number in hexadecimal, two digits at least; anything else as `written`."""
    return (
        f"{operator.index(value):#04x}"
        if _is_whole(value) and not isinstance(value, bool)
        else written(value)
    )


def _comparable(answer: Any, right: Any) -> bool:
    if isinstance(answer, bool) or isinstance(right, bool):
        return isinstance(answer, bool) and isinstance(right, bool)
    if isinstance(right, int):
        return _is_whole(answer)
    if isinstance(right, float):
        return isinstance(answer, float) or _is_whole(answer)
    if isinstance(right, bytes):
        return isinstance(answer, bytes | bytearray | memoryview)
    if isinstance(right, list | tuple):
        return isinstance(answer, list | tuple)
    return isinstance(answer, type(right))


def _is_whole(answer: Any) -> bool:
    """An int, or another type's integer (numpy's, gmpy2's)."""
    try:
        operator.index(answer)
    except TypeError:
        return False
    return True


def kind_of(value: Any) -> str:
    """The type of a value, in words."""
    name = "function" if callable(value) else type(value).__name__
    return f"{'an' if name[0] in 'aeio' else 'a'} {name}" if value is not None else "None"


def name_of(answer: Any) -> str:
    """What a learner called a function."""
    return str(getattr(answer, "__name__", "your function"))
