"""Tests lepton_lab.workshop.exercises.sharding: other right answers pass, wrong ones get hints."""

from __future__ import annotations

import heapq
import math
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest

from lepton_lab.textbook.primitives import gf256, reed_solomon
from lepton_lab.textbook.primitives import shamir as tb_shamir
from lepton_lab.textbook.primitives.placement import weigh
from lepton_lab.workshop import check
from lepton_lab.workshop.exercises.sharding import EXERCISES


def test_there_are_six_each_with_three_typical_wrong_answers() -> None:
    assert len(EXERCISES) == 6
    for exercise in EXERCISES:
        assert len({wrong.hint for wrong in exercise.wrong}) >= 3


def test_a_parity_may_come_from_numpy_or_from_whole_numbers() -> None:
    def by_numpy(shards):
        return np.bitwise_xor.reduce([np.frombuffer(shard, np.uint8) for shard in shards]).tobytes()

    def by_integers(shards):
        total = reduce(lambda a, b: a ^ b, (int.from_bytes(shard, "big") for shard in shards))
        return total.to_bytes(len(shards[0]), "big")

    assert check("sharding.parity", by_numpy).done
    assert check("sharding.parity", by_integers).done
    assert "bytes" in check("sharding.parity", lambda shards: list(by_numpy(shards))).hint


def test_interpolation_by_the_textbook_passes() -> None:
    assert check(
        "sharding.interpolate", lambda values, at: reed_solomon.interpolate(values, at).result
    ).done
    assert "interpolate" not in check("sharding.interpolate", lambda values, at: 0).hint


def test_a_forgery_moves_the_secret_as_it_should() -> None:
    forge = next(exercise.solution for exercise in EXERCISES if exercise.id == "sharding.forge")
    shares = tb_shamir.split(0x42, b"\x17\x99", [1, 4, 6]).result
    for mine in shares:
        false = shares | {mine: forge(shares, mine, 0x0F)}
        assert tb_shamir.combine(false).result == 0x42 ^ 0x0F
    assert check("sharding.forge", _moved).done


def _moved(shares, mine, change):
    """By trying all."""
    aim = tb_shamir.combine(shares).result ^ change
    return next(y for y in range(256) if tb_shamir.combine(shares | {mine: y}).result == aim)


def test_a_place_may_be_found_by_a_heap_and_needs_not_be_sorted_whole() -> None:
    def by_heap(key, nodes, count):
        return heapq.nlargest(count, nodes, lambda node: weigh(node, key))

    assert check("sharding.place", by_heap).done
    assert not check("sharding.place", lambda key, nodes, count: nodes[:count]).done


def test_the_mean_time_of_a_pair_is_the_known_formula() -> None:
    solution = next(
        exercise.solution for exercise in EXERCISES if exercise.id == "sharding.mean_time"
    )
    fail, repair = 0.2, 30.0
    # Mirrored disks: Patterson, Gibson and Katz (1988), in its exact form.
    known = (3 * fail + repair) / (2 * fail**2)
    assert math.isclose(solution(2, 1, fail, repair), known)


def test_the_mean_time_solves_the_equations_of_the_chain() -> None:
    """By linear algebra: −Q t = 1 over the states in which the data is there."""

    def mean_time(n, k, fail, repair):
        states = n - k + 1
        q = np.zeros((states, states))
        for down in range(states):
            q[down, down] = -(n - down) * fail - down * repair
            if down + 1 < states:
                q[down, down + 1] = (n - down) * fail
            if down:
                q[down, down - 1] = down * repair
        return float(np.linalg.solve(-q, np.ones(states))[0])

    assert check("sharding.mean_time", mean_time).done


@pytest.mark.parametrize("answer", [5.0, "6", [6], True, 7])
def test_a_number_of_nodes_of_the_wrong_kind_or_size_gets_a_hint(answer) -> None:
    assert check("sharding.nodes", answer).hint


def test_the_field_of_the_forgery_is_shamirs() -> None:
    assert gf256.AES_POLYNOMIAL != reed_solomon.POLYNOMIAL


def solution_of(name):
    return next(each.solution for each in EXERCISES if each.id == f"sharding.{name}")


def parity_of_three_at_most(shards):
    total = shards[0]
    for shard in shards[1:3]:
        total = bytes(a ^ b for a, b in zip(total, shard, strict=True))
    return total


def parity_without_leading_zeros(shards):
    total = reduce(lambda a, b: a ^ b, (int.from_bytes(shard, "big") for shard in shards))
    return total.to_bytes((total.bit_length() + 7) // 8, "big")


def interpolate_over_the_rationals(values, at):
    total = Fraction(0)
    for x, y in values.items():
        term = Fraction(y)
        for other in values:
            if other != x:
                term *= Fraction(at - other, x - other)
        total += term
    return round(total) % 256


def mean_time_of_pairs(n, k, fail, repair):
    """The known approximation, which is near where repairs are quick."""
    product = math.prod((n - j) * fail for j in range(n - k + 1))
    return math.factorial(n - k) * repair ** (n - k) / product


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("nodes", "6"),
        ("nodes", 6.5),
        ("parity", parity_of_three_at_most),
        ("parity", parity_without_leading_zeros),
        ("interpolate", interpolate_over_the_rationals),
        (
            "interpolate",
            lambda values, at: solution_of("interpolate")(dict(list(values.items())[:3]), at),
        ),
        ("forge", lambda shares, mine, change: solution_of("forge")(shares, mine, change or 1)),
        (
            "forge",
            lambda shares, mine, change: solution_of("forge")(
                dict(list(shares.items())[:3]), mine, change
            ),
        ),
        ("place", lambda key, nodes, count: solution_of("place")(key, nodes, 3)),
        ("place", lambda key, nodes, count: set(solution_of("place")(key, nodes, count))),
        ("mean_time", mean_time_of_pairs),
        ("mean_time", lambda *system: round(solution_of("mean_time")(*system), 3)),
    ],
)
def test_a_clever_wrong_answer_is_not_done(exercise, answer) -> None:
    assert not check(f"sharding.{exercise}", answer).done


def place_changing_its_list(key, nodes, count):
    nodes.sort(key=lambda node: weigh(node, key), reverse=True)
    del nodes[count:]
    return tuple(nodes)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("nodes", np.int8(6)),
        ("nodes", 6.0),
        ("parity", lambda shards: bytearray(solution_of("parity")(shards))),
        ("interpolate", lambda values, at: np.uint8(solution_of("interpolate")(values, at))),
        ("forge", lambda *given: np.int64(solution_of("forge")(*given))),
        ("place", place_changing_its_list),
        ("mean_time", lambda *system: np.float64(solution_of("mean_time")(*system))),
        ("mean_time", lambda *system: Fraction(solution_of("mean_time")(*system))),
    ],
)
def test_a_right_answer_in_an_unusual_form_is_right(exercise, answer) -> None:
    assert repr(check(f"sharding.{exercise}", answer)) == "done"


def test_the_task_of_the_parity_says_xor() -> None:
    assert any("XOR" in each.task for each in EXERCISES if each.id == "sharding.parity")
