"""The one line under an exercise: it never raises, and says 'done', or 'not yet' with a hint."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.answers import NotYet, name_of
from lepton_lab.workshop.catalogue import find
from lepton_lab.workshop.engine import Exercise
from lepton_lab.workshop.limits import OutOfTime, time_limit

_SKELETON = "put your answer where the ... stands"
_LOOK = {
    True: ("✓", "#d5f5dd", "#1a7f37"),
    False: ("→", "#fff4ce", "#9a6700"),
}  # sign, background, edge


@dataclass(frozen=True, repr=False)
class Verdict:
    """What a check says: `done`, and the `hint` when it is not."""

    exercise: str
    done: bool
    hint: str = ""

    def __repr__(self) -> str:
        return "done" if self.done else f"not yet: {self.hint}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        del include, exclude  # Jupyter filters what it gets
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        """`<output>` is a live region (role=status) by itself, which matters: an untrusted notebook loses the role."""
        sign, background, edge = _LOOK[self.done]
        look = f"background-color: {background}; color: black; border-left: 4px solid {edge}; padding: 6px 12px"
        said = (
            "<strong>done</strong>"
            if self.done
            else f"<strong>not yet:</strong> {escape(self.hint)}"
        )
        return f'<output role="status" style="display: block; {look}">{sign} {said}</output>'


def check(exercise: str, answer: Any = ...) -> Verdict:
    """Check an answer: `check("aes.xtime", xtime)`. It never raises; leave it as the last line of a cell.

    `exercise` is the exercise's name. `answer` is the value or the function that was asked for; the skeleton's `...`
    is 'not yet'. An answer that raises, never ends or is of the wrong type gets a hint of its own.
    """
    try:
        found = find(exercise)
    except InvalidParameter as unknown:
        return Verdict(str(exercise), False, str(unknown))
    hint = _hint(found, answer)
    return Verdict(found.id, hint is None, hint or "")


def _hint(exercise: Exercise, answer: Any) -> str | None:
    """None for a right answer. Whatever an answer does ends here as a hint: a learner's code may raise anything."""
    if _unfinished(answer):
        return _SKELETON
    watch = _Watch(answer, exercise.notation)
    try:
        with time_limit(exercise.seconds):
            exercise.judge(watch.watched)
    except OutOfTime:
        return f"{watch.call} takes longer than {exercise.seconds:g} seconds: does every loop and recursion end?"
    except NotYet as not_yet:
        return watch.gave_nothing() or str(not_yet)
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        return watch.gave_nothing() or f"{watch.call} raised {_described(error, answer)}"
    return None


class _Watch:
    """Stands around a learner's function and remembers its last call, so that a hint can name it."""

    def __init__(self, answer: Any, notation: Callable[[Any], str]) -> None:
        self.call = "checking this"
        self._notation = notation
        self._last: Any = ...
        self.watched = answer
        if callable(answer) and not isinstance(answer, type):
            self.watched = functools.wraps(answer)(functools.partial(self._run, answer))

    def _run(self, answer: Any, *arguments: Any, **named: Any) -> Any:
        given = [
            *map(self._notation, arguments),
            *(f"{name}={self._notation(v)}" for name, v in named.items()),
        ]
        self.call, self._last = f"{name_of(answer)}({', '.join(given)})", ...
        self._last = answer(*arguments, **named)
        if _unfinished(self._last):
            raise NotYet(_SKELETON)
        return self._last

    def gave_nothing(self) -> str | None:
        """The hint for a function that forgot its `return`, or is still the skeleton."""
        return (
            f"{self.call} gives None: {_SKELETON}, and end with `return`"
            if self._last is None
            else None
        )


def _unfinished(answer: Any) -> bool:
    return answer is ... or (
        isinstance(answer, list | tuple) and any(part is ... for part in answer)
    )


def _described(error: BaseException, answer: Any) -> str:
    """The error, its message, and the line of the learner's function in which it arose."""
    said = " ".join(str(error).split())[:200]
    code = getattr(answer, "__code__", None)
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code is code]
    place = (
        f" (line {lines[-1] - code.co_firstlineno + 1} of your function)" if code and lines else ""
    )
    return type(error).__name__ + (f": {said}" if said else "") + place
