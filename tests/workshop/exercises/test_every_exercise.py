"""Tests lepton_lab.workshop.exercises: what holds for every exercise of every topic.

Modules: lepton_lab.workshop.exercises.aes, lepton_lab.workshop.exercises.aes_padding_oracle,
lepton_lab.workshop.exercises.keys, lepton_lab.workshop.exercises.paillier,
lepton_lab.workshop.exercises.paillier_clock, lepton_lab.workshop.exercises.paillier_outbid,
lepton_lab.workshop.exercises.paillier_scheme, lepton_lab.workshop.exercises.paillier_steal,
lepton_lab.workshop.exercises.rsa, lepton_lab.workshop.exercises.rsa_slices,
lepton_lab.workshop.exercises.sharding, lepton_lab.workshop.exercises.tls and
lepton_lab.workshop.real_keys.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from lepton_lab.workshop import check
from lepton_lab.workshop.engine import Exercise, all_exercises, find

EXERCISES = all_exercises()
SKELETON = "put your answer where the ... stands"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_the_solution_passes_and_the_skeleton_does_not(exercise: Exercise) -> None:
    assert repr(check(exercise.id, exercise.solution)) == "done"
    assert repr(check(exercise.id, ...)) == f"not yet: {SKELETON}"
    assert not check(exercise.id, lambda *_: ...).done
    assert not check(exercise.id, None).done


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_typical_wrong_answers_each_get_a_hint_of_their_own(exercise: Exercise) -> None:
    hints = [wrong.hint for wrong in exercise.wrong]
    assert len(hints) >= 3
    assert len({*hints, SKELETON}) == len(hints) + 1
    for wrong in exercise.wrong:
        assert check(exercise.id, wrong.answer).hint == wrong.hint


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_no_answer_makes_a_check_raise(exercise: Exercise) -> None:
    class Hostile:
        def __eq__(self, other: object) -> bool:
            raise OSError("no comparison")

        __hash__ = None  # type: ignore[assignment]

        def __index__(self) -> int:
            raise MemoryError

    def leaves(*_: object) -> None:
        raise SystemExit(3)

    for answer in (
        Hostile(),
        leaves,
        [..., 1],
        {},
        b"",
        "",
        -1,
        10**400,
        object,
        print,
        float("nan"),
        np.zeros(3),
    ):
        verdict = check(exercise.id, answer)
        assert not verdict.done
        assert verdict.hint


def test_every_exercise_is_named_after_its_file_and_says_its_task() -> None:
    assert len({exercise.id for exercise in EXERCISES}) == len(EXERCISES)
    for exercise in EXERCISES:
        assert re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", exercise.id)
        assert exercise.title
        assert exercise.task.endswith((".", "?"))
        assert find(exercise.id) is exercise
