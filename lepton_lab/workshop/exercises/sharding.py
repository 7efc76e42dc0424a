"""The exercises of notebook `05_sharding`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import or_, xor

from lepton_lab.textbook.primitives import gf256, reed_solomon
from lepton_lab.textbook.primitives.durability import mean_time_to_loss
from lepton_lab.textbook.primitives.placement import weigh
from lepton_lab.workshop.engine import Exercise, Probe, WrongAnswer, function, in_hex, value

ByteOperation = Callable[[int, int], int]

# As safe as three copies --------------------------------------------------------------------------

_NODES = value(
    "sharding.nodes",
    "As safe as three copies",
    "Three copies survive two deaths. With k = 4 data shards, how many nodes n does a code need to "
    "survive two?",
    solution=6,
    otherwise="any k of the n shards suffice, so n − k of them may be lost",
    wrong=[
        WrongAnswer(
            12, "that is three copies of each of the four shards: the code needs no copies"
        ),
        WrongAnswer(5, "five shards of which four suffice survive one death"),
        WrongAnswer(8, "eight shards of which four suffice survive four deaths: more than needed"),
        WrongAnswer(2, "two is how many may die; four must be left"),
    ],
)

# The simplest parity ------------------------------------------------------------------------------


def _combine(shards: Sequence[bytes], operation: ByteOperation) -> bytes:
    return bytes(reduce(operation, column) for column in zip(*shards, strict=True))


def _parity(shards: Sequence[bytes]) -> bytes:
    return _combine(shards, xor)


def _draw_shards() -> list[Probe]:
    """One shard, many shards, empty ones, and some of 16 KiB."""
    probes: list[Probe] = []
    for count, size in ((1, 20), (2, 1), (3, 0), (12, 33), (5, 2**14)):
        probes.append(([secrets.token_bytes(size) for _ in range(count)],))
    # Their XOR begins with zeros, which must not be lost.
    common = secrets.token_bytes(8)
    probes.append(([common + b"\x01", common + b"\x02"],))
    return probes


_PARITY = function(
    "sharding.parity",
    "The simplest parity",
    "Write parity(shards): one more shard, the XOR of all, so that any one of them can be lost; "
    "shards are bytes of one length.",
    solution=_parity,
    probes=[
        ([b"\x0f\xf0", b"\x55\x55", b"\x01\x80"],),
        ([b"lepton", b"shards"],),
        ([b"\xff", b"\xff", b"\xff"],),
    ],
    draw=_draw_shards,
    wrong=[
        WrongAnswer(
            lambda shards: _combine(shards, or_),
            "nobody can get b back from a | b and a: which operation undoes itself?",
        ),
        WrongAnswer(
            lambda shards: _combine(shards, lambda a, b: (a + b) & 0xFF),
            "a sum modulo 256 would do too, but codes add in GF(2⁸), where sum and difference are "
            "one: XOR",
        ),
        WrongAnswer(
            lambda shards: _parity(shards[:2]),
            "every shard counts: only the first two are in yours",
        ),
        WrongAnswer(lambda shards: shards[-1], "a copy saves only the shard that it is a copy of"),
    ],
)

# Through three points -----------------------------------------------------------------------------


def _interpolate(
    values: Mapping[int, int],
    at: int,
    *,
    is_divided: bool = True,
    is_at_zero: bool = False,
    add: ByteOperation = xor,
) -> int:
    """Lagrange's formula. The arguments by name are where it typically goes wrong.

    is_divided: whether each weight is divided by the product of (xᵢ − xⱼ). is_at_zero: whether the
    factors are (0 − xⱼ) in place of (at − xⱼ). add: how the terms are added.
    """
    total = 0
    for x, known in values.items():
        term = known
        for other in values:
            if other == x:
                continue
            factor = other if is_at_zero else at ^ other
            term = reed_solomon.multiply(term, factor)
            if is_divided:
                term = reed_solomon.multiply(term, reed_solomon.inverse(x ^ other))
        total = add(total, term)
    return total


def _distinct_bytes(count: int, least: int = 0) -> list[int]:
    """Some numbers from `least` to 255, all different, in any order."""
    found: dict[int, None] = {}
    while len(found) < count:
        found[least + secrets.randbelow(256 - least)] = None
    return list(found)


def _draw_points() -> list[Probe]:
    """One to ten points; the last value that is asked for is one of them."""
    probes: list[Probe] = []
    for count in (1, 2, 3, 5, 10):
        values = {x: secrets.randbelow(256) for x in _distinct_bytes(count)}
        probes.append((values, secrets.randbelow(256)))
    probes.append((values, secrets.choice(list(values))))
    return probes


_INTERPOLATE = function(
    "sharding.interpolate",
    "Through three points",
    "Write interpolate(values, at): the value at `at` of the polynomial through the points "
    "x → values[x], in the field of the code.",
    solution=_interpolate,
    probes=[
        ({0: 7, 1: 9, 2: 4}, 3),
        ({0: 7, 3: 12, 4: 200}, 1),
        ({5: 99}, 17),
        ({1: 2, 2: 3}, 0),
    ],
    draw=_draw_points,
    wrong=[
        WrongAnswer(
            lambda values, at: _interpolate(values, at, is_divided=False),
            "at its own point a weight must be 1: divide by the product of (xᵢ − xⱼ)",
        ),
        WrongAnswer(
            lambda values, at: _interpolate(values, at, is_at_zero=True),
            "that is the value at 0, whatever `at` is: the factors are (at − xⱼ)",
        ),
        WrongAnswer(
            lambda values, at: _interpolate(values, at, add=lambda a, b: a + b),
            "the terms are elements of the field as well: they are added by XOR",
        ),
    ],
)

# A custodian who cheats ---------------------------------------------------------------------------


def _weight_of(shares: Mapping[int, int], mine: int) -> int:
    return reed_solomon.lagrange_weights(shares, 0, gf256.AES_POLYNOMIAL).result[mine]


def _forge(shares: Mapping[int, int], mine: int, change: int) -> int:
    needed = gf256.multiply(change, gf256.inverse(_weight_of(shares, mine)))
    return shares[mine] ^ needed


def _forge_by_the_weight(shares: Mapping[int, int], mine: int, change: int) -> int:
    return shares[mine] ^ gf256.multiply(change, _weight_of(shares, mine))


def _draw_forgeries() -> list[Probe]:
    probes: list[Probe] = []
    for count in (1, 2, 3, 6, 10):
        shares = {x: secrets.randbelow(256) for x in _distinct_bytes(count, least=1)}
        probes.append((shares, secrets.choice(list(shares)), secrets.randbelow(256)))
    probes.append((shares, secrets.choice(list(shares)), 0))
    return probes


_FORGE = function(
    "sharding.forge",
    "A custodian who cheats",
    "Write forge(shares, mine, change): what to show for shares[mine], so that the secret s "
    "becomes s ⊕ change.",
    solution=_forge,
    probes=[
        ({1: 17, 2: 99}, 2, 1),
        ({1: 17, 3: 200, 5: 6}, 1, 0x80),
        ({2: 1, 7: 0, 9: 4}, 9, 0x3C),
    ],
    draw=_draw_forgeries,
    notation=in_hex,
    wrong=[
        WrongAnswer(
            lambda shares, mine, change: shares[mine] ^ change,
            "the secret is Σ shares[x] • w(x): your change arrives there multiplied by w(mine)",
        ),
        WrongAnswer(
            _forge_by_the_weight,
            "the weight will multiply your change: divide by it beforehand",
        ),
        WrongAnswer(
            lambda shares, mine, change: change,
            "start from the share that you have, and change it",
        ),
    ],
)

# Where does it lie? -------------------------------------------------------------------------------


def _place(key: str, nodes: Sequence[str], count: int) -> list[str]:
    ranked = sorted(nodes, key=lambda node: weigh(node, key), reverse=True)
    return ranked[:count]


def _place_lowest(key: str, nodes: Sequence[str], count: int) -> list[str]:
    return sorted(nodes, key=lambda node: weigh(node, key))[:count]


def _place_without_key(key: str, nodes: Sequence[str], count: int) -> list[str]:
    return sorted(nodes, key=lambda node: weigh(node, ""), reverse=True)[:count]


def _place_by_remainder(key: str, nodes: Sequence[str], count: int) -> list[str]:
    first = weigh("", key) % len(nodes)
    return [nodes[(first + step) % len(nodes)] for step in range(count)]


def _draw_places() -> list[Probe]:
    """Up to forty nodes, none to all of them chosen, and names beyond ASCII."""
    probes: list[Probe] = []
    for number in (1, 2, 7, 40):
        nodes = [f"node-{secrets.token_hex(4)}" for _ in range(number)]
        for count in (0, 1 + secrets.randbelow(number), number):
            probes.append((secrets.token_hex(6), nodes, count))
    probes.append(("Müller/röntgen", ["Ära", "böb", "Zoë"], 2))
    return probes


_SIX_NODES = ["ada", "bob", "eve", "dan", "fay", "gus"]

_PLACE = function(
    "sharding.place",
    "Where does it lie?",
    "Write place(key, nodes, count): the list of the `count` nodes with the highest "
    "weigh(node, key), the highest first; count is at most the number of nodes.",
    solution=_place,
    probes=[
        ("x", _SIX_NODES, 3),
        ("patients", _SIX_NODES, 3),
        ("images", _SIX_NODES, 3),
        ("x", ["ada", "bob", "dan", "fay", "gus"], 3),
    ],
    draw=_draw_places,
    wrong=[
        WrongAnswer(
            lambda key, nodes, count: _place(key, nodes, count)[::-1],
            "the highest weight comes first",
        ),
        WrongAnswer(_place_lowest, "those are the lowest weights: sort the other way round"),
        WrongAnswer(
            _place_without_key,
            "the key must have a say, or every object lies on the same nodes",
        ),
        WrongAnswer(
            _place_by_remainder,
            "a remainder moves almost everything when a node joins: let each node draw its lot",
        ),
    ],
)

# Mean time to data loss ---------------------------------------------------------------------------


def _mean_time(
    n: int,
    k: int,
    fail: float,
    repair: float,
    *,
    last_step: int = 1,
    is_parallel: bool = True,
    is_dwindling: bool = True,
) -> float:
    """The mean time to loss. The arguments by name are where it typically goes wrong.

    last_step: 1 to count the step from n − k down as well. is_parallel: whether all nodes that are
    down are repaired at the same time. is_dwindling: whether only nodes that are up can fail.
    """
    total = 0.0
    step = 0.0
    for down in range(n - k + last_step):
        can_fail = n - down if is_dwindling else n
        in_repair = down if is_parallel else min(down, 1)
        failing = can_fail * fail
        step = 1 / failing + in_repair * repair / failing * step
        total += step
    return total


def _mean_time_without_repairs(n: int, k: int, fail: float, repair: float) -> float:
    return sum(1 / ((n - down) * fail) for down in range(n - k + 1))


def _draw_systems() -> list[Probe]:
    """Up to thirty nodes. The last system is never repaired."""
    probes: list[Probe] = []
    for spare in (0, 1, 2, 4):
        k = 1 + secrets.randbelow(25)
        fail = (1 + secrets.randbelow(200)) / 100
        repair = (1 + secrets.randbelow(5000)) / 100
        probes.append((k + spare, k, fail, repair))
    probes.append((7, 3, 0.5, 0.0))
    return probes


_MEAN_TIME = function(
    "sharding.mean_time",
    "Mean time to data loss",
    "Write mean_time(n, k, fail, repair): the years until fewer than k of n shards are left; rates "
    "are per year.",
    solution=lambda n, k, fail, repair: mean_time_to_loss(n, k, fail, repair).result,
    probes=[(5, 3, 0.5, 12.0), (3, 1, 1.0, 50.0), (2, 2, 0.25, 1.0), (14, 10, 2.0, 12.0)],
    draw=_draw_systems,
    wrong=[
        WrongAnswer(
            lambda *system: _mean_time(*system, last_step=0),
            "with n − k down it is still readable: the sum goes on for one more step",
        ),
        WrongAnswer(
            lambda *system: _mean_time(*system, is_dwindling=False),
            "a dead node does not die again: with j down, n − j can fail",
        ),
        WrongAnswer(
            lambda *system: _mean_time(*system, is_parallel=False),
            "every node that is down is repaired at the same time: the rate is j • repair",
        ),
        WrongAnswer(
            _mean_time_without_repairs,
            "that is without repairs: after each step down the chain may climb back",
        ),
    ],
)

EXERCISES: tuple[Exercise, ...] = (_NODES, _PARITY, _INTERPOLATE, _FORGE, _PLACE, _MEAN_TIME)
