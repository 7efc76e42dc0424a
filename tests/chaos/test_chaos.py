"""Chaos over real Redis servers: nothing acknowledged is lost, no wrong octet comes back, every refusal names nodes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from arena import SCENARIOS, SEGMENT, Arena

from lepton_lab.errors import NodeError
from lepton_lab.sharding import store

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="only on Windows is there no redis-server"),
]


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(store, "SEGMENT", SEGMENT)
    return


def run(folder: Path, rounds: int, arenas: int) -> Counter[str]:
    """So many rounds, shared out to so many arenas at once: much of a round is waiting for somebody who hangs."""

    def some(number: int) -> Counter[str]:
        (folder / str(number)).mkdir()
        try:
            arena = Arena(folder / str(number))
        except NodeError:
            pytest.skip("no redis-server is on PATH: apt install redis-server")
        try:
            for each in range(number, rounds, arenas):
                arena.round(each)
        finally:
            arena.close()
        return arena.ledger.counts

    with ThreadPoolExecutor(arenas) as pool:
        return sum(pool.map(some, range(arenas)), Counter())


def test_fifty_rounds_of_chaos(tmp_path: Path) -> None:
    counts = run(tmp_path, rounds=50, arenas=3)
    assert all(counts[scenario.__name__] for scenario in SCENARIOS)
    assert counts["refused"]
    assert counts["acknowledged"]


@pytest.mark.slow
def test_a_thousand_rounds_of_chaos(tmp_path: Path) -> None:
    counts = run(tmp_path, rounds=1000, arenas=4)
    print(dict(counts))
