"""An exercise as data, how an answer is compared with the right one, and how an exercise is found.

An `Exercise` carries its task, a right answer, and the typical wrong answers with a hint for
each. Two functions declare nearly all of them: `value` for an answer that is a number, bytes or a
text, and `function` for an answer that is a function.
"""

from __future__ import annotations

import difflib
import importlib
import math
import operator
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Rational, Real
from typing import Any

import numpy as np

import lepton_lab.workshop.exercises
from lepton_lab.errors import InvalidParameter

_LONGEST = 60  # characters of one value in a hint
_MOST_BITS = 10_000  # of a whole number that is written out

Probe = tuple[Any, ...]  # the arguments of one call of a learner's function

# Exercises ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WrongAnswer:
    """A typical wrong answer, and the hint for it.

    answer: a value, or a function as a learner would write it.
    """

    answer: Any = field(repr=False)
    hint: str


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    id: the name of the file that declares it and a name in that file, 'aes.xtime'.
    task: what to do, in one sentence.
    judge: takes an answer and returns when it is right. Otherwise it raises `NotYet` with a hint.
        Any other exception comes from the answer itself.
    solution: one right answer.
    wrong: the typical wrong answers, each with its hint.
    seconds: how long an answer may take.
    notation: writes a value in a hint, for example `in_hex` where bytes are numbers; `written` if
        it is None.
    """

    id: str
    title: str
    task: str
    judge: Callable[[Any], None] = field(repr=False)
    solution: Any = field(repr=False)
    wrong: tuple[WrongAnswer, ...] = field(default=(), repr=False)
    seconds: float = 5.0
    notation: Callable[[Any], str] | None = field(default=None, repr=False)


def value(
    id: str,
    title: str,
    task: str,
    *,
    solution: Any,
    otherwise: str,
    wrong: Sequence[WrongAnswer] = (),
) -> Exercise:
    """Declare an exercise whose answer is a value: a number, bytes or a text.

    A typical wrong value gets its own hint. Every other value gets `otherwise`, which must not
    give the solution away. Where a whole number is asked for, a float that equals it is right.
    """

    def judge(answer: Any) -> None:
        if isinstance(answer, float) and not isinstance(solution, float) and answer.is_integer():
            answer = int(answer)
        if same(answer, solution):
            return
        for typical in wrong:
            expect(not _is_typical(answer, typical.answer), typical.hint)
        expect_kind(answer, solution)
        raise NotYet(otherwise)

    return Exercise(id, title, task, judge, solution, tuple(wrong))


def function(
    id: str,
    title: str,
    task: str,
    *,
    solution: Callable[..., Any],
    probes: Sequence[Probe],
    draw: Callable[[], Sequence[Probe]] | None = None,
    also: Callable[[Any], None] | None = None,
    wrong: Sequence[WrongAnswer] = (),
    seconds: float = 5.0,
    notation: Callable[[Any], str] | None = None,
    normal_form: Callable[[Any], Any] | None = None,
) -> Exercise:
    """Declare an exercise whose answer is a function, judged by what it returns.

    probes: the arguments of calls that are the same in every check. They are small, so that a
        learner can follow the first one that fails by hand. They must tell the typical wrong
        answers apart.
    draw: makes the arguments of more calls, at random in each check and some of them at real size.
        An answer that knows the probes by heart, or works for small numbers only, fails there.
    also: judges what cannot be seen from what is returned, and raises NotYet with a hint.
    normal_form: what makes two equal results the same, where several forms of one are right.

    An answer that agrees in every call with a typical wrong function gets that function's hint. Any
    other wrong answer is shown the first call in which it differs from the solution.
    """
    note = notation or written
    compared = _Comparison(solution, tuple(wrong), note, normal_form or (lambda result: result))

    def judge(answer: Any) -> None:
        expect(callable(answer), f"a function is needed here, not {kind_of(answer)}")
        compared.judge(answer, probes)
        # What is drawn comes last: a hint should show the small numbers where they already fail.
        if draw is not None:
            compared.judge(answer, draw(), "right for the small examples, but not in general: ")
        if also is not None:
            also(answer)

    return Exercise(id, title, task, judge, solution, tuple(wrong), seconds, notation)


@dataclass(frozen=True)
class _Comparison:
    """Compares a learner's function with the solution and with the typical wrong functions."""

    solution: Callable[..., Any]
    wrong: tuple[WrongAnswer, ...]
    note: Callable[[Any], str]
    normal_form: Callable[[Any], Any]

    def judge(self, answer: Callable[..., Any], probes: Sequence[Probe], preface: str = "") -> None:
        """Raise NotYet unless the answer returns for each probe what the solution does.

        preface: what stands in front of a hint that shows a call.
        """
        returned = []
        for probe in probes:
            # A copy, because a learner's function may change its arguments.
            result = answer(*deepcopy(probe))
            returned.append(list(result) if isinstance(result, Iterator) else result)
        expected = [self.solution(*deepcopy(probe)) for probe in probes]
        failures = [i for i in range(len(probes)) if not self._same(returned[i], expected[i])]
        if not failures:
            return
        for typical in self.wrong:
            expect(not self._agrees(typical.answer, probes, returned), typical.hint)
        failed = failures[0]
        expect_kind(returned[failed], expected[failed], "your function should return")
        arguments = ", ".join(map(self.note, probes[failed]))
        raise NotYet(
            f"{preface}{name_of(answer)}({arguments}) should be {self.note(expected[failed])}, "
            f"and yours gives {self.note(returned[failed])}"
        )

    def _same(self, returned: Any, expected: Any) -> bool:
        if not _comparable(returned, expected):
            return False
        return same(self.normal_form(returned), self.normal_form(expected))

    def _agrees(
        self, typical: Callable[..., Any], probes: Sequence[Probe], returned: Sequence[Any]
    ) -> bool:
        """Whether a typical wrong function returns the same as the learner's in every call."""
        for probe, result in zip(probes, returned, strict=True):
            try:
                expected = typical(*deepcopy(probe))
            except (ArithmeticError, ValueError, IndexError):
                # It raises for these arguments (there is no inverse, for example), and the
                # learner's function did not.
                return False
            if not self._same(result, expected):
                return False
        return True


def _is_typical(answer: Any, typical: Any) -> bool:
    """Whether a wrong value is this typical one. A float was rounded when it was declared."""
    if isinstance(typical, float) and _comparable(answer, typical):
        return math.isclose(answer, typical, rel_tol=1e-3)
    return same(answer, typical)


# Comparing answers --------------------------------------------------------------------------------


class NotYet(Exception):
    """Raised inside a check when the answer is not right yet. Its message is the hint."""


def expect(condition: bool, hint: str) -> None:
    """Raise NotYet with this hint unless `condition` holds."""
    if not condition:
        raise NotYet(hint)


def expect_kind(answer: Any, like: Any, what: str = "the answer should be") -> None:
    """Raise NotYet with a hint at the right type when `answer` cannot be compared with `like`."""
    if _comparable(answer, like):
        return
    hint = f"{what} {kind_of(like)}, not {kind_of(answer)}"
    if isinstance(like, bytes) and isinstance(answer, list | tuple):
        hint += ": bytes(…) makes them of a list of numbers from 0 to 255"
    raise NotYet(hint)


def same(answer: Any, right: Any) -> bool:
    """Whether an answer equals the right one, as a learner means it.

    True is not 1. A list may be a tuple or a numpy array, a whole number may be numpy's, gmpy2's
    or a fraction with denominator 1. Where the right answer is a float, nearly equal is enough.
    """
    if not _comparable(answer, right):
        return False
    if isinstance(right, list | tuple):
        if len(answer) != len(right):
            return False
        return all(same(one, other) for one, other in zip(answer, right, strict=True))
    if isinstance(right, float):
        return math.isclose(answer, right, rel_tol=1e-9, abs_tol=1e-12)
    equal = answer == right
    # Two numpy arrays are compared element by element.
    return bool(equal.all() if hasattr(equal, "all") else equal)


def _comparable(answer: Any, right: Any) -> bool:
    answer_is_bool = isinstance(answer, bool | np.bool_)
    if isinstance(right, bool) or answer_is_bool:
        return isinstance(right, bool) and answer_is_bool
    if isinstance(right, int):
        return is_whole(answer)
    if isinstance(right, float):
        return isinstance(answer, Real | Decimal) or is_whole(answer)
    if isinstance(right, bytes):
        return isinstance(answer, bytes | bytearray | memoryview)
    if isinstance(right, list | tuple):
        return isinstance(answer, list | tuple) or _is_row(answer)
    return isinstance(answer, type(right))


def is_whole(answer: Any) -> bool:
    """Whether this is a whole number of an exact type: int, numpy's, gmpy2's, a fraction over 1.

    A float is not, even one such as 3.0: beyond 2⁵³ it is not exact.
    """
    try:
        operator.index(answer)
    except TypeError:
        return isinstance(answer, Rational) and answer.denominator == 1
    return True


def _is_row(answer: Any) -> bool:
    return isinstance(answer, np.ndarray) and answer.ndim == 1


# Writing values in hints --------------------------------------------------------------------------


def written(value: Any) -> str:
    """A value as it stands in a hint: shortened if it is long, bytes as text or in hexadecimal."""
    if isinstance(value, bytes) and not _is_text(value):
        text = f"bytes.fromhex('{value.hex()}')"
    elif isinstance(value, list | tuple):
        parts = ", ".join(written(part) for part in value)
        text = f"[{parts}]" if isinstance(value, list) else f"({parts})"
    elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
        text = f"a number of {value.bit_length()} bits"  # Python writes no number of that size
    else:
        text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _is_text(value: bytes) -> bool:
    return value.isascii() and value.decode("ascii").isprintable()


def in_hex(value: Any) -> str:
    """A whole number in hexadecimal, at least two digits. Anything else as `written`."""
    if isinstance(value, bool) or not is_whole(value):
        return written(value)
    return f"{int(value):#04x}"


def kind_of(value: Any) -> str:
    """The type of a value, in words: 'an int', 'a function'."""
    if value is None:
        return "None"
    name = "function" if callable(value) else type(value).__name__
    article = "an" if name[0] in "aeio" else "a"
    return f"{article} {name}"


def name_of(answer: Any) -> str:
    """The name that a learner gave a function."""
    return str(getattr(answer, "__name__", "your function"))


# Finding exercises --------------------------------------------------------------------------------


def find(id: object) -> Exercise:
    """The exercise with this id, 'aes.xtime'.

    Raises InvalidParameter, naming the nearest ids, when there is none.
    """
    if not isinstance(id, str):
        raise InvalidParameter(
            "the exercise's name comes first, then the answer: check('aes.xtime', xtime)"
        )
    topic = id.partition(".")[0]
    for exercise in _declared_in(topic):
        if exercise.id == id:
            return exercise
    every_id = [exercise.id for exercise in all_exercises()]
    near = difflib.get_close_matches(id, every_id, n=2)
    meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise InvalidParameter(f"there is no exercise {id!r}{meant}")


def all_exercises() -> list[Exercise]:
    """The exercises of all files, in the order of the files' names and of declaration."""
    return [exercise for topic in _topics() for exercise in _declared_in(topic)]


def _topics() -> list[str]:
    folder = lepton_lab.workshop.exercises.__path__
    return sorted(module.name for module in pkgutil.iter_modules(folder))


def _declared_in(topic: str) -> tuple[Exercise, ...]:
    # Only files that are listed are imported: the topic comes from what a learner typed.
    if topic not in _topics():
        return ()
    module = importlib.import_module(f"lepton_lab.workshop.exercises.{topic}")
    declared: tuple[Exercise, ...] = getattr(module, "EXERCISES", ())
    return declared
