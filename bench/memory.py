"""Peak memory while a large object is streamed into the store and out of it.

The figure is how far the peak lies above a process that has only imported the package. Each
measurement is a process of its own: `python -m bench.memory redis 1073741824`. The ring has a
cheap scrypt, and the peak is reset before each verb, because scrypt alone may take 16 to 512 MiB.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.rows import Row
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import DirectoryNode, RedisServers
from lepton_lab.sharding import ShardedStore

MIB = 1 << 20
ROOT = Path(__file__).resolve().parent.parent


def run(quick: bool) -> list[Row]:
    """Measure a put and a get of 1 GiB, on Redis servers and on folders; on Linux only."""
    # only Linux says and resets the peak of a process, in /proc
    if sys.platform != "linux":
        return []
    size = (96 if quick else 1024) * MIB
    rows = []
    for kind in ("redis", "directories"):
        for verb, peak in peaks(kind, size).items():
            name = f"peak of memory above the imports, {verb}: 3-of-5, {size // MIB} MiB, {kind}"
            rows.append(Row(name, peak / MIB, "MiB"))
    return rows


def peaks(kind: str, size: int) -> dict[str, int]:
    """Return the peak in bytes above the process after its imports, for "put" and "get"."""
    command = [sys.executable, "-m", "bench.memory", kind, str(size)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    measured: dict[str, int] = json.loads(said)
    return measured


class Source(io.RawIOBase):
    """A file of `size` bytes that is never whole in memory."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._block = bytes(range(256)) * 256

    def readinto(self, buffer) -> int:
        count = min(len(buffer), self._left, len(self._block))
        buffer[:count] = self._block[:count]
        self._left -= count
        return count


class Sink:
    """A file that counts the bytes written to it, and drops them."""

    taken = 0

    def write(self, data: memoryview) -> int:
        self.taken += len(data)
        return len(data)


def memory(field: str) -> int:
    """Return a figure of this process in bytes: VmRSS is what it holds, VmHWM its peak."""
    status = Path("/proc/self/status").read_text()
    kibibytes = re.search(field + r":\s+(\d+) kB", status)[1]
    return int(kibibytes) << 10


def main(kind: str, size: int) -> None:
    """Measure in this process, and print the peaks as JSON."""
    before = memory("VmRSS")
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        ring = KeyRing.create(Path(folder) / "ring", "a passphrase", scrypt_n=1 << 14)
        servers = RedisServers.start(5, tls=False, sync=False) if kind == "redis" else None
        if servers:
            nodes = servers.nodes
        else:
            nodes = [DirectoryNode(Path(folder) / f"node-{i}", sync=False) for i in range(5)]
        store = ShardedStore(nodes, ring, k=3)
        sink = Sink()
        works = {
            "put": lambda: store.put("x", Source(size)),
            "get": lambda: store.get("x", sink),
        }
        for verb, work in works.items():
            Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, see proc(5)
            work()
            peaks[verb] = memory("VmHWM") - before
        if servers:
            servers.close()
    if sink.taken != size:
        raise SystemExit(f"only {sink.taken} of {size} bytes came back")
    print(json.dumps(peaks))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
