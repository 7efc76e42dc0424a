"""An exercise as data: the task, a solution, and the typical wrong answers with the hint that helps each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from lepton_lab.workshop.answers import NotYet, expect, expect_kind, kind_of, name_of, same, written


@dataclass(frozen=True)
class Wrong:
    """A typical wrong answer (a value, or a function as a learner would write it) and the hint that it earns."""

    answer: Any = field(repr=False)
    hint: str


@dataclass(frozen=True)
class Exercise:
    """One exercise. `id` is the file it is declared in and a name, 'aes.xtime'; `task` is one sentence.

    `judge` takes an answer and returns when it is right; otherwise it raises `NotYet` with a hint. Whatever else it
    raises is the answer's doing. `solution` is a right answer; `seconds` bounds how long an answer may take; `notation`
    writes a value in a hint (`in_hex` where bytes are numbers).
    """

    id: str
    title: str
    task: str
    judge: Callable[[Any], None] = field(repr=False)
    solution: Any = field(repr=False)
    wrong: tuple[Wrong, ...] = field(default=(), repr=False)
    seconds: float = 5.0
    notation: Callable[[Any], str] = field(default=written, repr=False)


def value(
    id: str, title: str, task: str, *, solution: Any, otherwise: str, wrong: Sequence[Wrong] = ()
) -> Exercise:
    """An exercise whose answer is a value: a number, bytes, a text.

    A typical wrong value earns its own hint, every other one `otherwise`, which does not give the solution away.
    """

    def judge(answer: Any) -> None:
        if same(answer, solution):
            return
        for typical in wrong:
            expect(not same(answer, typical.answer), typical.hint)
        expect_kind(answer, solution)
        raise NotYet(otherwise)

    return Exercise(id, title, task, judge, solution, tuple(wrong))


def function(
    id: str,
    title: str,
    task: str,
    *,
    solution: Callable[..., Any],
    probes: Sequence[tuple[Any, ...]],
    wrong: Sequence[Wrong] = (),
    seconds: float = 5.0,
    notation: Callable[[Any], str] | None = None,
) -> Exercise:
    """An exercise whose answer is a function, judged by what it returns for each tuple of arguments in `probes`.

    An answer that agrees on every probe with a typical wrong function earns that one's hint; any other is shown the
    first probe where it differs from the solution. Choose probes that tell all of these apart.
    """
    note = notation or written

    def judge(answer: Any) -> None:
        expect(callable(answer), f"a function is needed here, not {kind_of(answer)}")
        returned = [
            answer(*deepcopy(probe)) for probe in probes
        ]  # an answer may change what it is given
        expected = [solution(*probe) for probe in probes]
        differ = [
            i for i, (r, e) in enumerate(zip(returned, expected, strict=True)) if not same(r, e)
        ]
        if not differ:
            return
        for typical in wrong:
            agrees = all(
                same(r, typical.answer(*probe)) for r, probe in zip(returned, probes, strict=True)
            )
            expect(not agrees, typical.hint)
        first = differ[0]
        expect_kind(returned[first], expected[first], "your function should return")
        call = f"{name_of(answer)}({', '.join(map(note, probes[first]))})"
        raise NotYet(
            f"{call} should be {note(expected[first])}, and yours gives {note(returned[first])}"
        )

    return Exercise(id, title, task, judge, solution, tuple(wrong), seconds, note)
