"""Tests lepton_lab.workshop.checking: whatever an answer does, a check ends in a verdict."""

from __future__ import annotations

import time
from html.parser import HTMLParser
from typing import Any

import pytest

from lepton_lab.workshop import check
from lepton_lab.workshop.checking import hint_for
from lepton_lab.workshop.engine import WrongAnswer, find, function

SKELETON = "put your answer where the ... stands"


def square(answer: Any, **options: Any) -> str:
    exercise = function(
        "here.square",
        "Square",
        "Square a number.",
        solution=lambda x: x * x,
        probes=[(3,), (-1,)],
        wrong=[WrongAnswer(lambda x: 2 * x, "that is twice")],
        **options,
    )
    hint = hint_for(exercise, answer)
    return "done" if hint is None else hint


def test_a_function_is_told_the_first_value_that_differs() -> None:
    assert square(lambda x: x**2) == "done"
    assert square(lambda x: x + 6) == "<lambda>(-1) should be 1, and yours gives 5"
    assert square(lambda x: 2 * x) == "that is twice"
    assert square(lambda x: str(x * x)) == "your function should return an int, not a str"
    assert square(9) == "a function is needed here, not an int"


def test_an_answer_that_raises_is_told_where() -> None:
    def root(x: int) -> float:
        step = x + 1
        return x / step

    assert (
        square(root)
        == "root(-1) raised ZeroDivisionError: division by zero (line 3 of your function)"
    )
    assert square(lambda: 3).startswith("<lambda>(3) raised TypeError: ")
    assert "RecursionError" in square(_endless)


def _endless(x: int) -> int:
    return _endless(x)


def test_a_forgotten_return_and_a_skeleton_are_recognised() -> None:
    def forgot(x: int) -> None:
        x * x

    assert square(forgot) == f"forgot(-1) gives None: {SKELETON}, and end with `return`"
    assert square(lambda x: ...) == SKELETON
    assert square((1, ...)) == SKELETON


def test_an_endless_loop_ends_in_a_hint() -> None:
    def loops(x: int) -> int:
        while True:
            x += 1

    start = time.monotonic()
    assert (
        square(loops, seconds=0.2)
        == "loops(3) takes longer than 0.2 seconds: does every loop and recursion end?"
    )
    assert time.monotonic() - start < 5


def test_a_learners_broad_except_does_not_swallow_the_limit() -> None:
    def loops(x: int) -> int:
        while True:
            try:  # noqa: SIM105  # as a learner writes it
                x += 1
            except Exception:
                pass

    assert "takes longer" in square(loops, seconds=0.2)


def test_the_interrupt_button_ends_in_a_hint() -> None:
    def interrupted(x: int) -> int:
        raise KeyboardInterrupt

    assert (
        square(interrupted) == "interrupted(3) raised KeyboardInterrupt (line 2 of your function)"
    )


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("aes.xtim", 1), "did you mean 'aes.xtime'"),
        (("nowhere.at_all",), "there is no exercise 'nowhere.at_all'"),
        (("os.path",), "there is no exercise"),
        (("",), "there is no exercise"),
        ((lambda: 0, "aes.xtime"), "the exercise's name comes first"),
        (("aes.xtime",), SKELETON),
    ],
)
def test_a_check_that_is_asked_wrongly_says_how(arguments: tuple[Any, ...], hint: str) -> None:
    verdict = check(*arguments)
    assert not verdict.done
    assert hint in verdict.hint


def test_a_verdict_is_announced_and_does_not_stand_on_colour_alone() -> None:
    outputs = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            outputs.append((tag, dict(attrs).get("role")))

        def handle_data(self, data: str) -> None:
            outputs.append(data)

    verdict = check("aes.xtime", lambda b: "<i>")
    bundle = verdict._repr_mimebundle_()
    Reader().feed(bundle["text/html"])
    assert bundle["text/plain"] == f"not yet: {verdict.hint}"
    assert outputs[0] == ("output", "status")
    assert "not yet:" in outputs
    assert ("i", None) not in outputs
    done = check("aes.xtime", find("aes.xtime").solution)._repr_mimebundle_()
    assert done["text/plain"] == "done"
    assert "✓ <strong>done</strong>" in done["text/html"]


def test_arguments_of_real_size_are_shortened_in_a_hint() -> None:
    def real_keys_only(p: int, q: int, e: int) -> int:
        if p > 2**500:
            raise ValueError("too large")
        return pow(e, -1, (p - 1) * (q - 1))

    hint = check("rsa.private_exponent", real_keys_only).hint
    assert "raised ValueError: too large" in hint
    assert len(hint) < 300
