"""Tests lepton_lab.workshop.exercises.sharding: other right answers pass, wrong ones get hints."""

from __future__ import annotations

import heapq
import math
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
