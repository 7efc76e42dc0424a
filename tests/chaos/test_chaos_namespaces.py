"""Tests lepton_lab.sharding.store against the kernel's own faults, in namespaces of the test."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lepton_lab.nodes.servers.binaries import find_binaries

pytestmark = pytest.mark.redis
UNSHARE = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
PROBE = (
    "ip link set lo up"
    " && ip rule add pref 100 lookup local"
    " && ip rule add pref 10 ipproto tcp dport 1 blackhole"
    " && tc qdisc add dev lo root tbf rate 1mbit burst 16k latency 1ms"
    " && mount -t tmpfs none /mnt"
)


@functools.cache
def allowed() -> bool:
    """Whether this user may have namespaces, and break networks and disks in them."""
    if not all(map(shutil.which, ["unshare", "ip", "tc", "mount"])):
        return False
    return (
        subprocess.run([*UNSHARE, "sh", "-c", PROBE], capture_output=True, check=False).returncode
        == 0
    )


@pytest.mark.parametrize(
    "what",
    ["disk", *(pytest.param(what, marks=pytest.mark.slow) for what in ("partition", "slow"))],
)
def test_the_store_holds_against_the_systems_own(what, tmp_path):
    if not allowed():
        pytest.skip(
            "optional peer: namespaces of one's own (unshare -rnm, with ip and tc), "
            "which a container may forbid"
        )
    if not any(binary.tls for binary in find_binaries()):
        pytest.skip("no redis-server with TLS is on PATH: apt install redis-server")
    program = str(Path(__file__).with_name("namespace.py"))
    done = subprocess.run(
        [*UNSHARE, sys.executable, program, what, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{what}: held, with " in done.stdout
    print(done.stdout)
