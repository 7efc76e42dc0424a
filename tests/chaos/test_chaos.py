"""Chaos over real Redis servers: nothing acknowledged is lost, no wrong byte comes back, every refusal names nodes."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from lepton_lab.chaos import SCENARIOS, Arena, Broken, Ledger, rounds, run
from lepton_lab.errors import NodeError, NotEnoughShards
from lepton_lab.sharding import Receipt

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]


def counts_of(folder: Path, number: int, arenas: int) -> Counter[str]:
    try:
        return run(number, arenas, folder)
    except NodeError:
        pytest.skip("no redis-server is on PATH: apt install redis-server")


def test_fifty_rounds_of_chaos(tmp_path: Path) -> None:
    counts = counts_of(tmp_path, 50, arenas=3)
    assert all(counts[scenario.__name__] for scenario in SCENARIOS)
    assert counts["refusals, all by name"]
    assert counts["writes acknowledged"]
    assert counts["reads compared"] >= 50 * 6


@pytest.mark.slow
def test_a_thousand_rounds_of_chaos(tmp_path: Path) -> None:
    counts = counts_of(tmp_path, 1000, arenas=4)
    print(dict(counts))
    assert sum(counts[scenario.__name__] for scenario in set(SCENARIOS)) == 1000


def test_a_round_that_does_not_hold_is_named(tmp_path, monkeypatch):
    def forgetful(arena: Arena) -> None:
        arena.ledger["patients"].content = b"what nobody wrote"

    monkeypatch.setattr(rounds, "SCENARIOS", (forgetful,))
    with pytest.raises(
        Broken, match=r"round 7, forgetful: .* was read, where \['17 bytes .*'\] is owed"
    ):
        run(1, 1, tmp_path, first=7)


def receipt(version: int) -> Receipt:
    return Receipt("x", version, "digest", 3)


def test_the_ledger_notices_what_must_not_be():
    ledger = Ledger()
    ledger.begun("x", b"one")
    ledger.check("x", b"one")
    ledger.acknowledged(b"one", receipt(1))
    ledger.begun("x", b"two")
    for owed in (b"one", b"two"):
        ledger.check("x", owed)
    ledger.acknowledged(b"two", receipt(3))
    for lost in (b"one", None, b"two!"):
        with pytest.raises(Broken, match="is owed"):
            ledger.check("x", lost)
    with pytest.raises(Broken, match="two writers"):
        ledger.acknowledged(b"six", receipt(3))
    with pytest.raises(Broken, match="no node is named"):
        ledger.refused(NotEnoughShards("nodes", found=1, needed=3), {"a"})
    with pytest.raises(Broken, match="was well"):
        ledger.refused(NotEnoughShards("nodes", found=1, needed=3, failures={"b": "?"}), {"a"})
    with pytest.raises(Broken, match="would have sufficed"):
        ledger.refused(NotEnoughShards("nodes", found=3, needed=3, failures={"a": "?"}), {"a"})
