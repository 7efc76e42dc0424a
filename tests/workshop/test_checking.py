"""The checks under the exercises, the students' edition, and the learner's copies."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop import check
from lepton_lab.workshop.answers import NotYet, expect, same, written
from lepton_lab.workshop.catalogue import every_exercise, find
from lepton_lab.workshop.copies import copy_notebooks, newer
from lepton_lab.workshop.engine import Exercise, Wrong, function, value
from lepton_lab.workshop.limits import OutOfTime, time_limit
from lepton_lab.workshop.student import student_edition
from tests.support.paths import NOTEBOOKS
from tools.notebook_run import execute

EXERCISES = every_exercise()
NOTEBOOKS = sorted((NOTEBOOKS).glob("[0-9][0-9]_*.ipynb"))
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


# The machinery, on exercises made here.


def square(answer: Any, **options: Any) -> str:
    exercise = function(
        "here.square",
        "Square",
        "Square a number.",
        solution=lambda x: x * x,
        probes=[(3,), (-1,)],
        wrong=[Wrong(lambda x: 2 * x, "that is twice")],
        **options,
    )
    from lepton_lab.workshop import checking

    hint = checking._hint(exercise, answer)
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
        wrong=[Wrong("3", "without the quotes")],
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


def test_only_a_name_that_exists_is_found() -> None:
    with pytest.raises(InvalidParameter):
        find("checking.check")


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


# The time limit, both ways.


def spin() -> None:
    while True:
        pass


def limited(seconds: float, work: Callable[[], None], outcome: list[str]) -> None:
    try:
        with time_limit(seconds):
            work()
        outcome.append("finished")
    except OutOfTime:
        outcome.append("out of time")


def test_the_limit_also_holds_outside_the_main_thread() -> None:
    outcome: list[str] = []
    for work in (spin, lambda: None):
        thread = threading.Thread(target=limited, args=(0.2, work, outcome), daemon=True)
        thread.start()
        thread.join(20)
    assert outcome == ["out of time", "finished"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="only on systems with a timer signal")
def test_the_limit_leaves_no_timer_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    outcome: list[str] = []
    limited(0.1, spin, outcome)
    limited(60, lambda: None, outcome)
    assert outcome == ["out of time", "finished"]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == before


# Copies and editions.


def notebook(*sources: str, output: str = "", tags: tuple[str, ...] = ()) -> str:
    outputs = [{"output_type": "stream", "name": "stdout", "text": [output]}] if output else []
    cell = {
        "cell_type": "code",
        "metadata": {"tags": list(tags)},
        "outputs": outputs,
        "execution_count": 1,
    }
    return json.dumps(
        {
            "cells": [cell | {"source": [source]} for source in sources],
            "metadata": {},
            "nbformat": 4,
        }
    )


def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, mine = tmp_path / "notebooks", tmp_path / "deep" / "my"
    source.mkdir()
    (source / "00.ipynb").write_text(notebook("a = 1"))
    (source / "GLOSSARY.md").write_text("words")
    (source / "conftest.py").write_text("")
    return source, mine


def test_notebooks_and_the_pages_they_link_to_are_copied_once(tmp_path: Path) -> None:
    source, mine = folders(tmp_path)
    assert copy_notebooks(source, mine) == [mine / "00.ipynb", mine / "GLOSSARY.md"]
    assert copy_notebooks(source, mine) == []
    assert (mine / "00.ipynb").read_bytes() == (source / "00.ipynb").read_bytes()
    assert not (mine / "conftest.py").exists()


def test_an_edited_copy_is_never_touched(tmp_path: Path) -> None:
    source, mine = folders(tmp_path)
    copy_notebooks(source, mine)
    (mine / "00.ipynb").write_text(notebook("a = 2  # mine"))
    (source / "00.ipynb").write_text(notebook("a = 3"))
    assert copy_notebooks(source, mine) == []
    assert "mine" in (mine / "00.ipynb").read_text()
    assert newer(source, mine) == [mine / "00.ipynb"]


def test_a_copy_that_was_only_run_gives_way_to_a_newer_one_and_is_kept_aside(
    tmp_path: Path,
) -> None:
    source, mine = folders(tmp_path)
    copy_notebooks(source, mine)
    for generation in (2, 3):
        ran = notebook(f"a = {generation - 1}", output="run by me")
        (mine / "00.ipynb").write_text(ran)
        (source / "00.ipynb").write_text(notebook(f"a = {generation}"))
        assert newer(source, mine) == [mine / "00.ipynb"]
        assert copy_notebooks(source, mine) == [mine / "00.ipynb"]
        assert f"a = {generation}" in (mine / "00.ipynb").read_text()
        assert (mine / "older" / f"00.{generation - 1}.ipynb").read_text() == ran
        assert newer(source, mine) == []


def test_without_its_record_every_copy_counts_as_edited(tmp_path: Path) -> None:
    source, mine = folders(tmp_path)
    copy_notebooks(source, mine)
    (source / "00.ipynb").write_text(notebook("a = 3"))
    for damage in ("", "[]", '{"00.ipynb": 3}'):
        (mine / ".copies.json").write_text(damage)
        assert copy_notebooks(source, mine) == []
        assert newer(source, mine) == [mine / "00.ipynb"]
    assert "a = 1" in (mine / "00.ipynb").read_text()


def test_a_copy_that_is_no_notebook_any_more_is_left_alone(tmp_path: Path) -> None:
    source, mine = folders(tmp_path)
    copy_notebooks(source, mine)
    (mine / "00.ipynb").write_bytes(b"\xff half a noteb")
    (source / "00.ipynb").write_text(notebook("a = 3"))
    assert copy_notebooks(source, mine) == []


def test_the_students_edition_has_no_solutions_and_nothing_run() -> None:
    page = json.loads(notebook("b = ...", output="not yet", tags=("exercise",)))
    page["cells"] += json.loads(notebook("# Solution\nb = 2", output="done", tags=("solution",)))[
        "cells"
    ]
    before = json.dumps(page)
    edition = student_edition(page)
    assert [cell["source"] for cell in edition["cells"]] == [["b = ..."]]
    assert edition["cells"][0]["outputs"] == []
    assert edition["cells"][0]["execution_count"] is None
    assert json.dumps(page) == before


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_reaches_the_end_of_the_students_edition_before_anything_is_solved(
    path: Path,
) -> None:
    page = json.dumps(student_edition(json.loads(path.read_text(encoding="utf-8"))))
    edition = nbformat.reads(page, as_version=4)
    execute(edition, path)  # raises where a cell does
    shown = [
        output.get("data", {}).get("text/plain", "")
        for cell in edition.cells
        for output in cell.get("outputs", [])
    ]
    verdicts = [text for text in shown if text.startswith("not yet: ")]
    skeletons = [cell for cell in edition.cells if "exercise" in cell.metadata.get("tags", [])]
    assert len(verdicts) == sum(cell.cell_type == "code" for cell in skeletons)
