"""Memory while 1 GiB is streamed, as the system counts it: the peak of resident memory in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lepton_lab.nodes.binaries import find_binaries

MIB = 1 << 20
MOST = 40 * MIB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, whose /proc tells a process's peak")

# The peak is set back once the ring is open, since its scrypt alone takes 16 to 512 MiB, whatever is stored then.
PROGRAM = """
import io, json, re, sys, tempfile
from pathlib import Path
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import DirectoryNode, RedisServers
from lepton_lab.sharding import ShardedStore

kind, size = sys.argv[1], int(sys.argv[2])

def memory(field):
    return int(re.search(field + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) << 10

class Source(io.RawIOBase):
    left, block = size, bytes(range(256)) * 256
    def readinto(self, buffer):
        count = min(len(buffer), self.left, len(self.block))
        buffer[:count] = self.block[:count]
        self.left -= count
        return count

class Sink:
    taken = 0
    def write(self, octets):
        self.taken += len(octets)
        return len(octets)

with tempfile.TemporaryDirectory() as folder:
    ring = KeyRing.create(Path(folder) / "ring", "a passphrase", scrypt_n=1 << 14)
    servers = RedisServers.start(5, tls=False, sync=False) if kind == "redis" else None
    nodes = servers.nodes if servers else [DirectoryNode(Path(folder) / f"node-{i}", sync=False) for i in range(5)]
    store, sink = ShardedStore(nodes, ring, k=3), Sink()
    before, peaks = memory("VmRSS"), {}
    for verb, work in (("put", lambda: store.put("x", Source())), ("get", lambda: store.get("x", sink))):
        Path("/proc/self/clear_refs").write_text("5")
        work()
        peaks[verb] = memory("VmHWM") - before
    if servers:
        servers.close()
    print(json.dumps({"peaks": peaks, "read": sink.taken}))
"""


def measured(kind: str, size: int) -> dict[str, int]:
    run = subprocess.run([sys.executable, "-c", PROGRAM, kind, str(size)], capture_output=True, text=True, check=True)
    said = json.loads(run.stdout)
    assert said["read"] == size
    return said["peaks"]


@pytest.mark.parametrize("size", [96 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.slow)], ids=["96 MiB", "1 GiB"])
@pytest.mark.parametrize("kind", ["directories", pytest.param("redis", marks=pytest.mark.redis)])
def test_streaming_either_way_takes_at_most_40_mib_more(kind, size):
    if kind == "redis" and not find_binaries():
        pytest.skip("no redis-server is on PATH: apt install redis-server")
    peaks = measured(kind, size)
    assert all(peak <= MOST for peak in peaks.values()), {verb: peak / MIB for verb, peak in peaks.items()}
