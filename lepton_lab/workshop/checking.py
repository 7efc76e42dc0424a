"""The one line under an exercise: it never raises, and says 'done', or 'not yet' with a hint."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.engine import Exercise, NotYet, find, name_of, written
from lepton_lab.workshop.time_limit import TimeLimitExceeded, time_limit

_SKELETON_HINT = "put your answer where the ... stands"
_LONGEST_ERROR = 200  # characters of an error's message in a hint


@dataclass(frozen=True)
class _VerdictStyle:
    """How the bar of a verdict looks. Its sign says what its colour says."""

    sign: str
    background: str
    edge: str


_DONE_STYLE = _VerdictStyle("✓", "#d5f5dd", "#1a7f37")
_NOT_YET_STYLE = _VerdictStyle("→", "#fff4ce", "#9a6700")


@dataclass(frozen=True, repr=False)
class Verdict:
    """What a check says: whether the exercise is `done`, and the `hint` when it is not."""

    exercise: str
    done: bool
    hint: str = ""

    def __repr__(self) -> str:
        return "done" if self.done else f"not yet: {self.hint}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        del include, exclude  # Jupyter filters the bundle itself
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        # `<output>` is a live region by itself. An untrusted notebook drops the role attribute,
        # so a <div role="status"> would not be announced there.
        style = _DONE_STYLE if self.done else _NOT_YET_STYLE
        css = (
            f"display: block; background-color: {style.background}; color: black; "
            f"border-left: 4px solid {style.edge}; padding: 6px 12px"
        )
        if self.done:
            said = "<strong>done</strong>"
        else:
            said = f"<strong>not yet:</strong> {escape(self.hint)}"
        return f'<output role="status" style="{css}">{style.sign} {said}</output>'


def check(exercise: str, answer: Any = ...) -> Verdict:
    """Check an answer: `check("aes.xtime", xtime)`. Leave it as the last line of a cell.

    exercise: the exercise's id.
    answer: the value or the function that was asked for. The skeleton's `...` is 'not yet'.

    It never raises. An answer that raises, never ends or has the wrong type gets a hint of its own.
    """
    try:
        found = find(exercise)
    except InvalidParameter as unknown:
        return Verdict(str(exercise), False, str(unknown))
    hint = hint_for(found, answer)
    return Verdict(found.id, hint is None, hint or "")


def hint_for(exercise: Exercise, answer: Any) -> str | None:
    """None for a right answer, else the hint. Whatever the answer does or raises, this returns."""
    if _is_skeleton(answer):
        return _SKELETON_HINT
    observed = _ObservedAnswer(answer, exercise.notation or written)
    try:
        with time_limit(exercise.seconds):
            exercise.judge(observed.answer)
    except TimeLimitExceeded:
        return (
            f"{observed.call} takes longer than {exercise.seconds:g} seconds: "
            "does every loop and recursion end?"
        )
    except NotYet as not_yet:
        return observed.hint_for_none() or str(not_yet)
    # A learner's code may raise anything, and may call sys.exit(). The interrupt button ends here
    # too.
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        raised = f"{observed.call} raised {_description(error, answer)}"
        return observed.hint_for_none() or raised
    return None


class _ObservedAnswer:
    """Wraps a learner's function and remembers its last call, so that a hint can name it.

    An answer that is not a function is kept as it is.
    """

    def __init__(self, answer: Any, notation: Callable[[Any], str]) -> None:
        self.call = "checking this"
        self._notation = notation
        self._last_result: Any = ...
        self.answer = answer
        if callable(answer) and not isinstance(answer, type):
            self.answer = functools.wraps(answer)(functools.partial(self._run, answer))

    def _run(self, function: Any, *arguments: Any, **named: Any) -> Any:
        given = [self._notation(argument) for argument in arguments]
        given += [f"{name}={self._notation(argument)}" for name, argument in named.items()]
        self.call = f"{name_of(function)}({', '.join(given)})"
        self._last_result = ...
        self._last_result = function(*arguments, **named)
        if _is_skeleton(self._last_result):
            raise NotYet(_SKELETON_HINT)
        return self._last_result

    def hint_for_none(self) -> str | None:
        """The hint for a function without a `return`; None if its last call returned something."""
        if self._last_result is not None:
            return None
        return f"{self.call} gives None: {_SKELETON_HINT}, and end with `return`"


def _is_skeleton(answer: Any) -> bool:
    if isinstance(answer, list | tuple):
        return any(part is ... for part in answer)
    return answer is ...


def _description(error: BaseException, answer: Any) -> str:
    """The error, its message, and the line of the learner's function in which it was raised."""
    message = " ".join(str(error).split())[:_LONGEST_ERROR]
    said = f"{type(error).__name__}: {message}" if message else type(error).__name__
    code = getattr(answer, "__code__", None)
    if code is None:
        return said
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code is code]
    if not lines:
        return said
    line_of_function = lines[-1] - code.co_firstlineno + 1
    return f"{said} (line {line_of_function} of your function)"
