"""Tests lepton_lab.sharding.stripes: memory while 1 GiB is streamed, as the system counts it.

The figure is the peak of resident memory in a process of its own.
"""

from __future__ import annotations

import sys

import pytest

from bench.memory import MIB, peaks
from lepton_lab.nodes.servers.binaries import find_binaries

MOST = 40 * MIB

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs Linux, whose /proc tells a process's peak"
)


@pytest.mark.parametrize(
    "size", [96 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.slow)], ids=["96 MiB", "1 GiB"]
)
@pytest.mark.parametrize("kind", ["directories", pytest.param("redis", marks=pytest.mark.redis)])
def test_streaming_either_way_takes_at_most_40_mib_above_the_imports(kind, size):
    if kind == "redis" and not find_binaries():
        pytest.skip("no redis-server is on PATH: apt install redis-server")
    measured = peaks(kind, size)
    assert all(peak <= MOST for peak in measured.values()), {
        verb: peak / MIB for verb, peak in measured.items()
    }
