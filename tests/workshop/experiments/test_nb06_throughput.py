"""Tests lepton_lab.workshop.experiments.nb06_throughput: three ways, and all bytes arrive."""

from __future__ import annotations

import pytest

from lepton_lab import data
from lepton_lab.errors import NodeError
from lepton_lab.workshop.experiments import nb06_throughput as throughput


def test_the_three_ways_are_those_of_the_reference_run() -> None:
    found = throughput.throughput(2**16, rounds=1)
    assert list(found) == [
        row["name"] for row in data.reference("tls")["rows"] if row["unit"] == "MB/s"
    ]
    assert all(rate > 0 for rate in found.values())


def test_a_receiver_that_has_not_had_everything_is_no_measurement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drain = throughput._drain
    monkeypatch.setattr(
        throughput, "_drain", lambda listener, context, expected: drain(listener, context, -1)
    )
    with pytest.raises((NodeError, ConnectionError)):
        throughput.throughput(2**10, rounds=1)
