"""Tests lepton_lab.workshop.experiments.nb13_journey: the order of the stages is observed."""

from __future__ import annotations

import pytest

from lepton_lab.workshop.experiments import nb13_journey as module
from lepton_lab.workshop.experiments.nb13_journey import journey

ROW = b"17.99,10.38,122.8,malignant"


def names() -> list[str]:
    return [stage.name for stage in journey(ROW)]


def test_the_protocol_comes_before_the_storage_and_use_is_in_the_clear() -> None:
    stages = journey(ROW)
    assert [stage.name for stage in stages] == ["input", "encryption", "protocol", "storage", "use"]
    assert [ROW in stage.seen for stage in stages] == [True, False, False, False, True]
    on_the_line = stages[2].seen
    assert on_the_line.startswith(b"\x16\x03\x01")  # a ClientHello
    assert stages[3].seen not in on_the_line


def test_a_store_that_does_not_encrypt_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def put(store: module.ShardedStore, name: str, source: module.io.BytesIO) -> None:
        for number, node in enumerate(store.nodes):
            node[f"o/1/p/0/{number}"] = source.getvalue()

    monkeypatch.setattr(module.ShardedStore, "put", put)
    monkeypatch.setattr(module.ShardedStore, "get", lambda store, name: ROW)
    assert names() == ["protocol", "storage", "use"]


def test_a_line_on_which_nothing_passes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.TappedLine, "seen", ())
    assert names() == ["input", "encryption", "storage", "use"]
