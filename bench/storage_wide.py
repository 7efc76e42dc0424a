"""The sharded store at other sizes, codes and transports, its repair, and its alternatives.

The figures are MB/s of plaintext. restic, borg and Tahoe-LAFS are measured where installed.

restic and borg back up into a repository on this disk and restore from it. They also deduplicate
and compress, but do not survive a lost disk; the store beside them writes its shards to folders.
Tahoe-LAFS is a grid of five storage servers, 3-of-5, on loopback (`bench/programs/tahoe.py`). The
store beside it has its shards on five Redis servers on private sockets: once as in
`bench/storage.py`, and once with every write synced to the disk before it is answered.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.programs.tahoe import Grid, find_tahoe
from bench.rows import Row, interleaved
from bench.storage import TCP, TLS, UNIX, Nowhere, beside_the_floor
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import DirectoryNode, RedisServers
from lepton_lab.sharding import ShardedStore

MIB = 1 << 20
Works = dict[str, Callable[[], object]]


def run(quick: bool) -> list[Row]:
    """Measure sizes, codes, transports, repair, the cipher alone, a cluster's start, and peers."""
    rounds = 1 if quick else 3
    size = (32 if quick else 256) * MIB
    cases = (
        [(3, 5, 16 * MIB)]
        if quick
        else [(3, 5, 64 * MIB), (3, 5, 1024 * MIB), (4, 6, size), (10, 14, size)]
    )
    rows = []
    for transport in (UNIX, TCP, TLS):
        # 3-of-5 over the other two transports is in bench/storage.py
        more = [(3, 5, size)] if transport == TCP else []
        for k, n, data in cases + more:
            rows += beside_the_floor(k, n, data, rounds, transport)
    rows += [_repair(k, n, size, rounds) for k, n in ((3, 5), (4, 6), (10, 14))]
    return [*rows, *_cipher(), _cluster(rounds), *_backups(size, rounds), *_tahoe(size, rounds)]


def _rate(
    name: str,
    size: int,
    seconds: float,
    beside: float | None = None,
    baseline: str = "",
    note: str = "",
) -> Row:
    ratio = None if beside is None else beside / seconds
    return Row(name, size / 1e6 / seconds, "MB/s", ratio, baseline, note)


def _repair(k: int, n: int, size: int, rounds: int) -> Row:
    """Fill a node that came back empty: for every stripe, k shards are read and one is written."""
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisServers.start(n, tls=False, sync=None) as servers,
    ):
        ring = KeyRing.create(
            Path(folder) / "ring", "a passphrase for a benchmark", scrypt_n=1 << 14
        )
        store = ShardedStore(servers.nodes, ring, k=k)
        store.put("x", os.urandom(size))
        works = {
            "loss": lambda: servers.restart(1, empty=True),
            "repair": lambda: store.repair("x"),
        }
        seconds = interleaved(works, rounds)["repair"]
    return _rate(
        f"repair of one empty node: {k}-of-{n}, {size // MIB} MiB, unix socket", size, seconds
    )


def _cluster(rounds: int) -> Row:
    """Measure how long a Redis Cluster of three primaries with replicas takes until it serves."""

    def stop_watch() -> float:
        begin = time.perf_counter()
        with RedisServers.cluster(3, 1):
            return time.perf_counter() - begin

    seconds = sorted(stop_watch() for _ in range(rounds))[rounds // 2]
    return Row(
        "a Redis Cluster of 3 primaries and 3 replicas, mutual TLS, from nothing until it serves",
        seconds,
        "s",
    )


def _cipher() -> list[Row]:
    """`openssl speed`: the cipher alone, on one core."""
    command = ["openssl", "speed", "-evp", "aes-256-gcm", "-bytes", "1048576", "-seconds", "1"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"AES-256-GCM\s+([\d.]+)k", ran.stdout)
    if not found:
        return []
    return [Row("AES-256-GCM alone: openssl speed, 1 MiB", float(found[1]) / 1e3, "MB/s")]


def _backups(size: int, rounds: int) -> list[Row]:
    """The store on five folders beside restic and borg on one, with another file in every round."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        file = home / "file"

        ring = KeyRing.create(home / "ring", "a passphrase for a benchmark", scrypt_n=1 << 14)
        store = ShardedStore(
            [DirectoryNode(home / f"node-{i}", sync=False) for i in range(5)], ring, k=3
        )
        environment = os.environ | {
            "RESTIC_PASSWORD": "throw-away",
            "RESTIC_REPOSITORY": str(home / "restic"),
            "HOME": folder,
            "BORG_PASSPHRASE": "throw-away",
            "BORG_REPO": str(home / "borg"),
            "BORG_BASE_DIR": folder,
        }

        def command(*words: str) -> Callable[[], object]:
            return lambda: subprocess.run(
                words, cwd=home, env=environment, check=True, capture_output=True
            )

        writing: Works = {
            "file": lambda: file.write_bytes(os.urandom(size)),
            "store": lambda: store.put("x", file),
        }
        reading: Works = {"store": lambda: store.get("x", Nowhere())}
        if shutil.which("restic"):
            command("restic", "init")()
            writing["restic"] = command("restic", "backup", "file")
            reading["restic"] = command("restic", "restore", "latest", "--target", "back")
        if shutil.which("borg"):
            command("borg", "init", "--encryption", "repokey-blake2")()
            writing["borg"] = command(
                "borg", "create", "--compression", "none", "::{utcnow}", "file"
            )
            last = 'borg extract --stdout "::$(borg list --short --last 1)" > /dev/null'
            reading["borg"] = command("sh", "-c", last)
        into, out = interleaved(writing, rounds), interleaved(reading, rounds)
    rows = []
    for verb, times in (("into", into), ("out of", out)):
        rows.append(
            _rate(f"{verb} the store, five folders, {size // MIB} MiB", size, times["store"])
        )
        for name in sorted(times.keys() - {"file", "store"}):
            rows.append(
                _rate(
                    f"{verb} {name}, {size // MIB} MiB",
                    size,
                    times[name],
                    times["store"],
                    "the store",
                )
            )
    return rows


def _tahoe(size: int, rounds: int) -> list[Row]:
    """Tahoe-LAFS by its own gateway, beside the store on Redis, with another file in each round."""
    tahoe = find_tahoe()
    if tahoe is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        file = home / "file"
        ring = KeyRing.create(home / "ring", "a passphrase for a benchmark", scrypt_n=1 << 14)
        memory, synced = (RedisServers.start(5, tls=False, sync=sync) for sync in (None, True))
        with memory, synced, Grid(tahoe, home / "grid") as grid:
            stores = {"the store": memory, "the store, synced": synced}
            works: Works = {"file": lambda: file.write_bytes(os.urandom(size))}
            for name, servers in stores.items():
                store = ShardedStore(servers.nodes, ring, k=3)
                works[f"into {name}"] = lambda store=store, name=name: store.put(name, file)
                works[f"out of {name}"] = lambda store=store, name=name: store.get(name, Nowhere())
            works |= {
                "into Tahoe-LAFS": lambda: grid.put(file),
                "out of Tahoe-LAFS": lambda: grid.get(Nowhere()),
            }
            times = interleaved(works, rounds)
    rows = []
    for verb in ("into", "out of"):
        tahoes = times[f"{verb} Tahoe-LAFS"]
        rows.append(_rate(f"{verb} Tahoe-LAFS, 3-of-5, {size // MIB} MiB", size, tahoes))
        for name in stores:
            where = f"{verb} {name}, five Redis, {size // MIB} MiB"
            rows.append(_rate(where, size, times[f"{verb} {name}"], tahoes, "Tahoe-LAFS"))
    return rows
