"""Where exercises are found: in the file of `exercises/` that carries the first part of their name."""

from __future__ import annotations

import difflib
import importlib
import pkgutil

import lepton_lab.workshop.exercises
from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.engine import Exercise


def find(id: object) -> Exercise:
    """The exercise of this name, 'aes.xtime'. Raises InvalidParameter, naming the nearest ones, when there is none."""
    if not isinstance(id, str):
        raise InvalidParameter(
            "the exercise's name comes first, then the answer: check('aes.xtime', xtime)"
        )
    exercises = {exercise.id: exercise for exercise in _declared_in(id.partition(".")[0])}
    if id not in exercises:
        near = difflib.get_close_matches(id, [exercise.id for exercise in every_exercise()], n=2)
        meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise InvalidParameter(f"there is no exercise {id!r}{meant}")
    return exercises[id]


def every_exercise() -> list[Exercise]:
    """All exercises of all files, in order of file name and declaration."""
    return [exercise for file in _files() for exercise in _declared_in(file)]


def _files() -> list[str]:
    return sorted(
        module.name for module in pkgutil.iter_modules(lepton_lab.workshop.exercises.__path__)
    )


def _declared_in(file: str) -> tuple[Exercise, ...]:
    if file not in _files():
        return ()
    module = importlib.import_module(f"lepton_lab.workshop.exercises.{file}")
    declared: tuple[Exercise, ...] = getattr(module, "EXERCISES", ())
    return declared
