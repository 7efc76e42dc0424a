"""The exercise `paillier.steal`: a linear model stolen through its scores."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from lepton_lab.workshop.engine import (
    Exercise,
    NotYet,
    WrongAnswer,
    expect,
    expect_kind,
    kind_of,
    name_of,
    same,
    written,
)

Score = Callable[[Sequence[float]], float]
Steal = Callable[[Score, int], tuple[list[float], float]]


class _LinearModel:
    """score(x) = Σ wᵢxᵢ + b, which counts its questions.

    Its numbers are exact in binary, so that a right answer is exactly right.
    """

    def __init__(self, weights: Sequence[float], bias: float) -> None:
        self.weights = list(weights)
        self.bias = bias
        self.questions = 0

    def score(self, x: Sequence[float]) -> float:
        """The score of one row of numbers."""
        self.questions += 1
        products = [w * v for w, v in zip(self.weights, x, strict=True)]
        return sum(products) + self.bias


def _unit(i: int, d: int) -> list[float]:
    """A list of d numbers: 1 at place i, and 0 elsewhere."""
    return [1.0 if place == i else 0.0 for place in range(d)]


def _steal(score: Score, d: int) -> tuple[list[float], float]:
    bias = score([0.0] * d)
    return [score(_unit(i, d)) - bias for i in range(d)], bias


def _steal_sums(score: Score, d: int) -> tuple[list[float], float]:
    return [score(_unit(i, d)) for i in range(d)], score([0.0] * d)


def _steal_without_bias(score: Score, d: int) -> tuple[list[float], float]:
    return [score(_unit(i, d)) for i in range(d)], 0.0


def _steal_bias_of_ones(score: Score, d: int) -> tuple[list[float], float]:
    return _steal(score, d)[0], score([1.0] * d)


def _steal_by_ones(score: Score, d: int) -> tuple[list[float], float]:
    return [score([1.0] * d) / d] * d, score([0.0] * d)


_STEALING_WRONGLY: tuple[tuple[Steal, str], ...] = (
    (_steal_sums, "score of a unit vector is wᵢ + b: take b away"),
    (
        _steal_without_bias,
        "which input makes all the weights disappear, so that only b is left?",
    ),
    (
        _steal_bias_of_ones,
        "the weights are right; b is the score of the list of zeros",
    ),
    (
        _steal_by_ones,
        "a list of ones mixes all the weights: ask with a single 1 among zeros, once for each "
        "place",
    ),
)


def _draw_model(d: int) -> _LinearModel:
    numbers = [(secrets.randbelow(2**17) - 2**16) / 64 for _ in range(d + 1)]
    return _LinearModel(numbers[1:], numbers[0])


def _judge_steal(answer: Any) -> None:
    """The weights and the bias are compared, and then the questions are counted."""
    expect(callable(answer), f"a function is needed here, not {kind_of(answer)}")
    models = [
        _LinearModel([0.5, -2.0, 3.25], 1.5),
        _LinearModel([4.0], -1.0),
        _LinearModel([1.0, 0.0, -0.25, 8.0], 0.75),
        _draw_model(1),
        _draw_model(30),
    ]
    returned = [answer(model.score, len(model.weights)) for model in models]
    questions = [model.questions for model in models]
    right = [(model.weights, model.bias) for model in models]
    failures = [i for i in range(len(models)) if not same(returned[i], right[i])]
    if failures:
        for typical, hint in _STEALING_WRONGLY:
            stolen = [typical(model.score, len(model.weights)) for model in models]
            expect(not same(returned, stolen), hint)
        failed = failures[0]
        expect_kind(returned[failed], right[failed], "your function should return")
        raise NotYet(
            f"{name_of(answer)}(score, {len(models[failed].weights)}) should be "
            f"{written(right[failed])}, and yours gives {written(returned[failed])}"
        )
    for model, asked in zip(models, questions, strict=True):
        enough = len(model.weights) + 1
        expect(
            asked <= enough,
            f"right, but for d = {enough - 1} you asked {asked} questions, and {enough} are enough",
        )


def _score_or_value(argument: Any) -> str:
    return "score" if callable(argument) else written(argument)


STEAL = Exercise(
    "paillier.steal",
    "Steal the model",
    "score(x) is Σ wᵢxᵢ + b for a list x of d numbers. Write steal(score, d): the list of the wᵢ, "
    "and b, after d + 1 questions.",
    _judge_steal,
    _steal,
    tuple(WrongAnswer(typical, hint) for typical, hint in _STEALING_WRONGLY),
    notation=_score_or_value,
)
