"""Tests lepton_lab.workshop.engine: comparing answers, writing hints, finding exercises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.engine import (
    Exercise,
    NotYet,
    WrongAnswer,
    expect,
    find,
    function,
    same,
    value,
    written,
)


def test_an_answer_may_change_what_it_is_given() -> None:
    def first(items: list[int]) -> int:
        return items.pop(0)

    exercise = function("here.f", "F", "T.", solution=lambda items: items[0], probes=[([1, 2],)])
    for _ in range(2):
        exercise.judge(first)


def test_a_value_gets_its_hint_also_when_its_type_is_wrong() -> None:
    exercise = value(
        "here.v",
        "V",
        "T?",
        solution=3,
        otherwise="count again",
        wrong=[WrongAnswer("3", "without the quotes")],
    )

    def hint(answer: Any) -> str:
        with pytest.raises(NotYet) as caught:
            exercise.judge(answer)
        return str(caught.value)

    exercise.judge(np.int64(3))
    assert hint("3") == "without the quotes"
    assert hint("4") == "the answer should be an int, not a str"
    assert hint(True) == "the answer should be an int, not a bool"
    assert hint(4) == "count again"


@pytest.mark.parametrize(
    ("answer", "right", "equal"),
    [
        (True, 1, False),
        (bytearray(b"a"), b"a", True),
        ("a", b"a", False),
        ([1, (2, 3)], (1, [2, 3]), True),
        ([1, 2], [1, 2, 3], False),
        (0.1 + 0.2, 0.3, True),
        (1, 1.0, True),
        (np.arange(3), np.arange(3), True),
        (np.arange(3), np.ones(3), False),
    ],
)
def test_answers_are_compared_as_a_learner_means_them(answer: Any, right: Any, equal: bool) -> None:
    assert same(answer, right) is equal


def test_values_in_hints_are_short() -> None:
    assert len(written(b"\xff" * 1000)) <= 60
    assert written(b"\xff") == "bytes.fromhex('ff')"


def test_a_check_of_ones_own_may_say_what_it_expects() -> None:
    def judge(answer: Any) -> None:
        expect(len(answer) == 32, "32 bytes are needed")

    assert not Exercise("here.key", "K", "T.", judge, bytes(32)).wrong
    with pytest.raises(NotYet, match="32 bytes"):
        judge(b"")


def test_only_a_name_that_exists_is_found() -> None:
    with pytest.raises(InvalidParameter):
        find("checking.check")
