"""Tests lepton_lab.chaos over real Redis servers: the rounds, the ledger, the harness.

Modules: lepton_lab.chaos.rounds, lepton_lab.chaos.harness, lepton_lab.chaos.ledger,
lepton_lab.chaos.server_scenarios, lepton_lab.chaos.network_scenarios,
lepton_lab.chaos.byzantine_scenarios, lepton_lab.chaos.client_scenarios,
lepton_lab.chaos.file_scenarios, lepton_lab.chaos.client_process,
lepton_lab.chaos.network, lepton_lab.chaos.byzantine_node,
lepton_lab.chaos.seeded_random. Nothing acknowledged is lost, no wrong byte is read, and every
refusal names the nodes that failed.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from lepton_lab.chaos import SCENARIOS, Harness, Ledger, PromiseBroken, rounds, run
from lepton_lab.errors import NodeError, NotEnoughShards
from lepton_lab.sharding import Receipt

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]


def counts_of(folder: Path, number: int, harnesses: int) -> Counter[str]:
    try:
        return run(number, harnesses, folder)
    except NodeError:
        pytest.skip("no redis-server is on PATH: apt install redis-server")


def test_fifty_rounds_of_chaos(tmp_path: Path) -> None:
    counts = counts_of(tmp_path, 50, harnesses=3)
    assert all(counts[scenario.__name__] for scenario in SCENARIOS)
    assert counts["refusals, each naming its nodes"]
    assert counts["writes acknowledged"]
    assert counts["reads compared"] >= 50 * 6


@pytest.mark.slow
def test_a_thousand_rounds_of_chaos(tmp_path: Path) -> None:
    counts = counts_of(tmp_path, 1000, harnesses=4)
    print(dict(counts))
    assert sum(counts[scenario.__name__] for scenario in set(SCENARIOS)) == 1000


def test_a_round_that_does_not_hold_is_named(tmp_path, monkeypatch):
    def forgetful(harness: Harness) -> None:
        harness.ledger["patients"].content = b"what nobody wrote"

    monkeypatch.setattr(rounds, "SCENARIOS", (forgetful,))
    with pytest.raises(
        PromiseBroken, match=r"round 7, forgetful: .* was read, expected one of \['17 bytes .*'\]"
    ):
        run(1, 1, tmp_path, first=7)


def receipt(version: int) -> Receipt:
    return Receipt("x", version, "digest", 3)


def test_the_ledger_notices_what_must_not_be():
    ledger = Ledger()
    ledger.write_begins("x", b"one")
    ledger.check_read("x", b"one")
    ledger.write_acknowledged(b"one", receipt(1))
    ledger.write_begins("x", b"two")
    for owed in (b"one", b"two"):
        ledger.check_read("x", owed)
    ledger.write_acknowledged(b"two", receipt(3))
    for lost in (b"one", None, b"two!"):
        with pytest.raises(PromiseBroken, match="expected one of"):
            ledger.check_read("x", lost)
    with pytest.raises(PromiseBroken, match="two writers"):
        ledger.write_acknowledged(b"six", receipt(3))
    with pytest.raises(PromiseBroken, match="no node is named"):
        ledger.check_refusal(NotEnoughShards("nodes", found=1, needed=3), {"a"})
    with pytest.raises(PromiseBroken, match="a healthy node"):
        ledger.check_refusal(
            NotEnoughShards("nodes", found=1, needed=3, failures={"b": "?"}), {"a"}
        )
    with pytest.raises(PromiseBroken, match="would have been enough"):
        ledger.check_refusal(
            NotEnoughShards("nodes", found=3, needed=3, failures={"a": "?"}), {"a"}
        )
