"""Exercises of `05_sharding`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import or_, xor
from typing import Any

from lepton_lab.textbook.primitives import gf256, reed_solomon
from lepton_lab.textbook.primitives.durability import mean_time_to_loss
from lepton_lab.textbook.primitives.placement import place, weigh
from lepton_lab.workshop.engine import Exercise, WrongAnswer, function, in_hex, value

Fold = Callable[[int, int], int]


def _folded(shards: Sequence[bytes], fold: Fold) -> bytes:
    return bytes(reduce(fold, column) for column in zip(*shards, strict=True))


def _parity(shards: Sequence[bytes]) -> bytes:
    return _folded(shards, xor)


def _interpolated(
    values: Mapping[int, int], at: int, *, multiply: Fold = reed_solomon.multiply, **how: bool
) -> int:
    total = 0
    for x, known in values.items():
        term = known
        for other in values:
            if other != x:
                term = multiply(term, other if how.get("at_zero") else at ^ other)
                if how.get("divided", True):
                    term = multiply(term, reed_solomon.inverse(x ^ other))
        total = total + term if how.get("plain_sum") else total ^ term
    return total


def _forged(shares: Mapping[int, int], mine: int, change: int) -> int:
    weight = reed_solomon.lagrange_weights(shares, 0, gf256.AES_POLYNOMIAL).result[mine]
    return shares[mine] ^ gf256.multiply(change, gf256.inverse(weight))


def _forged_by_the_weight(shares: Mapping[int, int], mine: int, change: int) -> int:
    weight = reed_solomon.lagrange_weights(shares, 0, gf256.AES_POLYNOMIAL).result[mine]
    return shares[mine] ^ gf256.multiply(change, weight)


def _place_by_remainder(key: str, nodes: Sequence[str], count: int) -> list[str]:
    first = weigh("", key) % len(nodes)
    return [nodes[(first + step) % len(nodes)] for step in range(count)]


def _mean_time_to_loss(
    n: int,
    k: int,
    fail: float,
    repair: float,
    *,
    spare: int = 1,
    at_once: bool = True,
    dwindling: bool = True,
) -> float:
    total = step = 0.0
    for down in range(n - k + spare):
        failing = (n - down if dwindling else n) * fail
        mending = (down if at_once else min(down, 1)) * repair
        step = 1 / failing + mending / failing * step
        total += step
    return total


def _variant(**how: Any) -> Callable[..., float]:
    return lambda n, k, fail, repair: _mean_time_to_loss(n, k, fail, repair, **how)


EXERCISES: tuple[Exercise, ...] = (
    value(
        "sharding.nodes",
        "As safe as three copies",
        "Three copies survive two deaths. With k = 4 data shards, how many nodes n does a code need to survive two?",
        solution=6,
        otherwise="any k of the n shards suffice, so n − k of them may be lost",
        wrong=[
            WrongAnswer(
                12, "that is three copies of each of the four shards: the code needs no copies"
            ),
            WrongAnswer(5, "five shards of which four suffice survive one death"),
            WrongAnswer(
                8, "eight shards of which four suffice survive four deaths: more than was asked"
            ),
            WrongAnswer(2, "two is how many may die; four must be left"),
        ],
    ),
    function(
        "sharding.parity",
        "The simplest parity",
        "Write parity(shards): one more shard, such that any one of them can be lost; shards are bytes of one length.",
        solution=_parity,
        probes=[
            ([b"\x0f\xf0", b"\x55\x55", b"\x01\x80"],),
            ([b"lepton", b"shards"],),
            ([b"\xff", b"\xff", b"\xff"],),
        ],
        wrong=[
            WrongAnswer(
                lambda shards: _folded(shards, or_),
                "from a | b and a nobody gets b back: which operation undoes itself?",
            ),
            WrongAnswer(
                lambda shards: _folded(shards, lambda a, b: (a + b) & 0xFF),
                "a sum modulo 256 would do too, but codes add in GF(2⁸), where sum and difference are one: XOR",
            ),
            WrongAnswer(
                lambda shards: _parity(shards[:2]),
                "every shard counts: only the first two are in yours",
            ),
            WrongAnswer(
                lambda shards: shards[-1], "a copy saves only the shard that it is a copy of"
            ),
        ],
    ),
    function(
        "sharding.interpolate",
        "Through three points",
        "Write interpolate(values, at): the value at `at` of the polynomial through the points x → values[x].",
        solution=_interpolated,
        probes=[
            ({0: 7, 1: 9, 2: 4}, 3),
            ({0: 7, 3: 12, 4: 200}, 1),
            ({5: 99}, 17),
            ({1: 2, 2: 3}, 0),
        ],
        wrong=[
            WrongAnswer(
                lambda values, at: _interpolated(values, at, divided=False),
                "at its own point a weight must be 1: divide by the product of (xᵢ − xⱼ)",
            ),
            WrongAnswer(
                lambda values, at: _interpolated(values, at, at_zero=True),
                "that is the value at 0, whatever `at` is: the factors are (at − xⱼ)",
            ),
            WrongAnswer(
                lambda values, at: _interpolated(values, at, plain_sum=True),
                "the terms are elements of the field as well: they are added by XOR",
            ),
        ],
    ),
    function(
        "sharding.forge",
        "A custodian who cheats",
        "Write forge(shares, mine, change): what to show for shares[mine], so that the secret s becomes s ⊕ change.",
        solution=_forged,
        probes=[
            ({1: 17, 2: 99}, 2, 1),
            ({1: 17, 3: 200, 5: 6}, 1, 0x80),
            ({2: 1, 7: 0, 9: 4}, 9, 0x3C),
        ],
        notation=in_hex,
        wrong=[
            WrongAnswer(
                lambda shares, mine, change: shares[mine] ^ change,
                "the secret is Σ shares[x] • w(x): your change arrives there multiplied by w(mine)",
            ),
            WrongAnswer(
                _forged_by_the_weight,
                "the weight will multiply your change: divide by it beforehand",
            ),
            WrongAnswer(
                lambda shares, mine, change: change,
                "start from the share that you have, and change it",
            ),
        ],
    ),
    function(
        "sharding.place",
        "Where does it lie?",
        "Write place(key, nodes, count): the `count` nodes with the highest weigh(node, key), the highest first.",
        solution=place,
        probes=[
            (key, ["ada", "bob", "eve", "dan", "fay", "gus"], 3)
            for key in ("x", "patients", "images")
        ]
        + [("x", ["ada", "bob", "dan", "fay", "gus"], 3)],
        wrong=[
            WrongAnswer(
                lambda key, nodes, count: place(key, nodes, count)[::-1],
                "the highest weight comes first",
            ),
            WrongAnswer(
                lambda key, nodes, count: sorted(nodes, key=lambda node: weigh(node, key))[:count],
                "those are the lowest weights: sort the other way round",
            ),
            WrongAnswer(
                lambda key, nodes, count: sorted(
                    nodes, key=lambda node: weigh(node, ""), reverse=True
                )[:count],
                "the key must have a say, or every object lies on the same nodes",
            ),
            WrongAnswer(
                _place_by_remainder,
                "a remainder moves almost everything when a node joins: let each node draw its lot",
            ),
        ],
    ),
    function(
        "sharding.mean_time",
        "Mean time to data loss",
        "Write mean_time(n, k, fail, repair): the years until fewer than k of n shards are left; rates are per year.",
        solution=lambda n, k, fail, repair: mean_time_to_loss(n, k, fail, repair).result,
        probes=[(5, 3, 0.5, 12.0), (3, 1, 1.0, 50.0), (2, 2, 0.25, 1.0), (14, 10, 2.0, 12.0)],
        wrong=[
            WrongAnswer(
                _variant(spare=0),
                "with n − k down it is still readable: the sum goes on for one more step",
            ),
            WrongAnswer(
                _variant(dwindling=False),
                "a dead node does not die again: with j down, n − j can fail",
            ),
            WrongAnswer(
                _variant(at_once=False),
                "every node that is down is mended at the same time: the rate is j • repair",
            ),
            WrongAnswer(
                lambda n, k, fail, repair: sum(
                    1 / ((n - down) * fail) for down in range(n - k + 1)
                ),
                "that is without repairs: after each step down the chain may climb back",
            ),
        ],
    ),
)
