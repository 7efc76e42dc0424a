"""Tests lepton_lab.workshop.engine: comparing answers, writing hints, finding exercises."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpz

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


def double(draw: Callable[[], list[tuple[int]]] | None = None, **options: Any) -> Exercise:
    """An exercise made here: double a number."""
    return function(
        "here.double",
        "Double",
        "Double a number.",
        solution=lambda x: 2 * x,
        probes=[(2,), (3,)],
        draw=draw,
        wrong=[WrongAnswer(lambda x: x + 1, "that is one more")],
        **options,
    )


def hint_of(exercise: Exercise, answer: Any) -> str:
    with pytest.raises(NotYet) as caught:
        exercise.judge(answer)
    return str(caught.value)


def test_small_probes_come_first_and_drawn_ones_only_when_those_are_right() -> None:
    drawn: list[int] = []

    def draw() -> list[tuple[int]]:
        drawn.append(10**30 + len(drawn))
        return [(drawn[-1],)]

    exercise = double(draw)
    assert hint_of(exercise, lambda x: x * x) == "<lambda>(3) should be 6, and yours gives 9"
    assert drawn == []
    by_heart = hint_of(exercise, lambda x: {2: 4, 3: 6}.get(x, 0))
    assert by_heart.startswith("right for the small examples, but not in general: <lambda>(1000")
    assert hint_of(exercise, lambda x: int(2 * float(x))).startswith("right for the small examples")
    assert hint_of(exercise, lambda x: x + 1) == "that is one more"
    exercise.judge(lambda x: x + x)
    assert len(set(drawn)) == len(drawn) == 3


def test_a_typical_wrong_function_that_raises_agrees_with_no_answer() -> None:
    exercise = function(
        "here.f",
        "F",
        "T.",
        solution=lambda x: x,
        probes=[(0,), (1,)],
        wrong=[WrongAnswer(lambda x: 1 // x, "a fraction")],
    )
    assert hint_of(exercise, lambda x: x + 1) == "<lambda>(0) should be 0, and yours gives 1"


def test_what_cannot_be_seen_from_results_is_judged_last() -> None:
    def refuses(answer: Any) -> None:
        raise NotYet("asked too often")

    assert hint_of(double(also=refuses), lambda x: 2 * x) == "asked too often"
    assert "should be" in hint_of(double(also=refuses), lambda x: 0)


def test_two_forms_of_one_result_are_the_same_where_an_exercise_says_so() -> None:
    exercise = function(
        "here.f",
        "F",
        "T.",
        solution=lambda: [1, 2],
        probes=[()],
        normal_form=sorted,
    )
    exercise.judge(lambda: [2, 1])
    exercise.judge(lambda: iter((2, 1)))
    assert "should be [1, 2]" in hint_of(exercise, lambda: [2, 2])


@pytest.mark.parametrize(
    ("answer", "right", "equal"),
    [
        (Fraction(6, 2), 3, True),
        (Fraction(7, 2), 3, False),
        (mpz(3), 3, True),
        (3.0, 3, False),
        (np.bool_(True), True, True),
        (1, True, False),
        (np.float64(0.5), 0.5, True),
        (Decimal("0.5"), 0.5, True),
        (np.array([1, 2]), [1, 2], True),
        (np.array([[1, 2]]), [1, 2], False),
        (1e-15, 0.0, True),
    ],
)
def test_the_number_types_of_other_libraries_count(answer: Any, right: Any, equal: bool) -> None:
    assert same(answer, right) is equal


def test_a_whole_number_may_be_given_as_a_float_and_a_typical_one_may_be_rounded() -> None:
    exercise = value(
        "here.v",
        "V",
        "T?",
        solution=49,
        otherwise="count again",
        wrong=[WrongAnswer(49.7103, "round down")],
    )
    exercise.judge(49.0)
    assert hint_of(exercise, 49.71) == "round down"
    assert hint_of(exercise, 48.0) == "count again"
    assert hint_of(exercise, 48.5) == "the answer should be an int, not a float"


def test_bytes_that_are_a_list_are_told_how_to_become_bytes() -> None:
    exercise = function("here.f", "F", "T.", solution=lambda: b"ab", probes=[()])
    assert "bytes(…) makes them" in hint_of(exercise, lambda: [97, 98])


def test_hints_write_bytes_as_text_or_in_hexadecimal_and_no_number_is_too_long() -> None:
    assert written(b"sixteen letters.") == "b'sixteen letters.'"
    assert written(bytes(2)) == "bytes.fromhex('0000')"
    assert written([b"\x00", 1]) == "[bytes.fromhex('00'), 1]"
    assert written(1 << 20_000) == "a number of 20001 bits"
