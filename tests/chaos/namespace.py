"""A program that runs as root in namespaces of its own, where it may break networks and disks.

Start it under `unshare -rnm`:

    python namespace.py partition|slow|disk FOLDER

Its exit status is 0 when the store held; the last line says which tool made the fault.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lepton_lab.chaos.harness import TriggeringFile
from lepton_lab.errors import NotEnoughShards, WriteConflict
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import DirectoryNode, RedisServers
from lepton_lab.sharding import ShardedStore

MIB = 1 << 20


def system(command: str) -> None:
    subprocess.run(command.split(), check=True)


def ring_in(folder: Path) -> KeyRing:
    return KeyRing.create(folder / "ring", "a passphrase", scrypt_n=1 << 14)


def written(store: ShardedStore, content, at_fault: set[str]) -> bool:
    """Return whether a put was acknowledged. A refusal must name failed nodes only."""
    for _ in range(6):
        try:
            receipt = store.put("x", content)
        except WriteConflict:
            content.seek(0)
            continue
        except NotEnoughShards as error:
            refusal = error
        else:
            assert set(receipt.lacking) <= at_fault, receipt
            return True
        assert refusal.failures
        assert set(refusal.failures) <= at_fault, refusal
        return False
    raise AssertionError("a lone writer was refused again and again")


def partition(folder: Path) -> str:
    """Let the kernel drop what some servers are sent, or what they answer, from mid-put on."""
    system("ip rule add pref 100 lookup local")
    # Rule 0 comes first and accepts everything, so no other rule could drop anything.
    system("ip rule del pref 0")
    with RedisServers.start(5, tls=True, sync=False, timeout=0.75) as servers:
        store = ShardedStore(servers.nodes, ring_in(folder), k=3)
        ports = [urlsplit(url).port for url in servers.urls]
        owed = [os.urandom(MIB)]
        store.put("x", owed[0])
        for cut, ways in [
            ([1], ["dport"]),
            ([1, 4], ["sport"]),
            ([0, 3], ["dport", "sport"]),
            ([0, 1, 2], ["dport"]),
        ]:
            rules = [
                f"pref 10 ipproto tcp {way} {ports[index]} blackhole"
                for index in cut
                for way in ways
            ]
            new = os.urandom(12 * MIB)
            source = TriggeringFile(
                new, 5 * MIB, lambda rules=rules: [system(f"ip rule add {rule}") for rule in rules]
            )
            owed.append(new)
            at_fault = {f"redis-{index}" for index in cut}
            if written(store, source, at_fault):
                assert len(cut) == 1
                owed = [new]
            if len(cut) <= 2:
                assert store.get("x") in owed
                assert {
                    name for name, found in store.check("x").nodes.items() if found.unreachable
                } == at_fault
            for rule in rules:
                system(f"ip rule del {rule}")
            assert store.get("x") in owed
            assert written(store, TriggeringFile(new, 0, str), set())
            owed = [new]
            store.repair("x")
            assert store.check("x").intact
    return "rules of the kernel's routing"


def slow(folder: Path) -> str:
    """Slow the network down: nothing is lost, and no node looks bad."""
    # A real network's size: tbf drops packets that are longer than its bucket.
    system("ip link set lo mtu 1500")
    for how in ("netem delay 15ms 5ms loss 1%", "tbf rate 60mbit burst 32k latency 200ms"):
        if (
            subprocess.run(
                ["tc", "qdisc", "add", "dev", "lo", "root", *how.split()], check=False
            ).returncode
            == 0
        ):
            break
    else:
        raise AssertionError("the kernel has neither netem nor tbf")
    with RedisServers.start(5, tls=True, sync=False, timeout=5) as servers:
        store = ShardedStore(servers.nodes, ring_in(folder), k=3)
        content = os.urandom(4 * MIB)
        assert not store.put("x", content).lacking
        assert store.get("x") == content
        assert store.check("x").intact
    return how


def disk(folder: Path) -> str:
    """Fill the disks of one or two nodes during a put, below folders and servers; then enlarge
    them.
    """
    ring = ring_in(folder)
    homes = [folder / f"node-{index}" for index in range(5)]
    for home in homes[:2]:
        home.mkdir()
        system(f"mount -t tmpfs -o size=2m none {home}")
    store = ShardedStore([DirectoryNode(home, home.name) for home in homes], ring, k=3)
    old, new = os.urandom(MIB), os.urandom(12 * MIB)
    receipt = store.put("x", old)
    with pytest.raises(NotEnoughShards) as refusal:
        store.put("x", new)
    assert refusal.value.failures == dict.fromkeys(["node-0", "node-1"], "no space left on device")
    assert store.get("x", receipt=receipt) == old
    system(f"mount -o remount,size=64m {homes[0]}")
    assert store.put("x", new).lacking == ("node-1",)
    assert store.get("x") == new
    system(f"mount -o remount,size=64m {homes[1]}")
    assert store.repair("x").rebuilt
    assert store.check("x").intact

    data = folder / "servers" / "data-0"
    data.mkdir(parents=True)
    system(f"mount -t tmpfs -o size=3m none {data}")
    with RedisServers.start(5, tls=False, sync=True, folder=folder / "servers") as servers:
        store = ShardedStore(servers.nodes, ring, k=3)
        store.put("y", old)
        assert store.put("y", new).lacking == ("redis-0",)
        assert store.get("y") == new
        system(f"mount -o remount,size=64m {data}")
        servers.restart(0)
        store.repair("y")
        assert store.check("y").intact
        assert store.get("y") == new
    return "tmpfs"


def main(what: str, folder: Path) -> None:
    system("ip link set lo up")
    print(
        f"{what}: held, with {({'partition': partition, 'slow': slow, 'disk': disk})[what](folder)}"
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
