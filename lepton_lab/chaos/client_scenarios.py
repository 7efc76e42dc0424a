"""Scenarios in which several clients meet, or one of them is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

from lepton_lab.chaos.harness import NAMES, PASSPHRASE, SEGMENT, STRIPE, Harness, K
from lepton_lab.chaos.ledger import PromiseBroken, require
from lepton_lab.errors import WriteConflict
from lepton_lab.sharding import Receipt, ShardedStore


def two_writers(harness: Harness) -> None:
    """Let two clients write one name at once: each gets a version of its own, or is told."""
    name = harness.random.pick(NAMES)
    contents = [harness.content(4), harness.content(4)]
    start = threading.Barrier(2)

    def write(store: ShardedStore, content: bytes) -> None:
        harness.ledger.write_begins(name, content)
        start.wait()
        try:
            receipt = store.put(name, content)
        except WriteConflict:
            harness.ledger.counts["writers told of another one"] += 1
        else:
            harness.ledger.write_acknowledged(content, receipt)

    with harness.meanwhile(
        lambda: write(harness.store, contents[0]),
        lambda: write(harness.other, contents[1]),
    ):
        pass
    harness.get(name)


def readers_during_writes(harness: Harness) -> None:
    """Let one client read while another writes: every read gives one of the contents, whole."""
    name = harness.random.pick(NAMES)
    contents = [harness.ledger[name].content, *(harness.content(3) for _ in range(3))]
    chosen = harness.choose_faulty(most=1)

    def read() -> None:
        for _ in range(4):
            require(harness.other.get(name) in contents, "a reader was given bytes never written")

    with harness.meanwhile(read):
        for number, content in enumerate(contents[1:]):
            if number == 1:
                harness.kill(chosen[0])
            harness.put(name, content)
    harness.get(name)


def client_killed_while_writing(harness: Harness) -> None:
    """Kill a client at any piece, or right after: its write counts if it was told so."""
    name = harness.random.pick(NAMES)
    content = harness.random.draw_bytes(harness.random.between(STRIPE, 12 * STRIPE))
    harness.ledger.write_begins(name, content)
    lines = _output_until_killed(harness, name, content, harness.random.below(15))
    _note_receipt(harness, content, lines)
    harness.get(name)


def _note_receipt(harness: Harness, content: bytes, lines: list[str]) -> None:
    """Note a client's write as acknowledged if the last line that it printed is a receipt."""
    if lines and lines[-1].startswith("{") and lines[-1].endswith("\n"):
        fields = json.loads(lines[-1])
        fields["lacking"] = tuple(fields["lacking"])
        harness.ledger.write_acknowledged(content, Receipt(**fields))
    else:
        # Without a receipt the outcome is unknown: reads may give the old content or the new.
        harness.ledger.counts["clients killed before an answer"] += 1


def client_forks_while_writing(harness: Harness) -> None:
    """Let a client fork again and again while it writes: no child keeps a lock of the key ring.

    The children live on after the client has ended. A lock that they had inherited would keep
    every other writer waiting.
    """
    name = harness.random.pick(NAMES)
    content = harness.random.draw_bytes(4 * STRIPE)
    harness.ledger.write_begins(name, content)
    with _client(harness, name, content, forks=True) as client:
        lines = client.stdout.readlines() if client.stdout is not None else []
    pids = [int(line.split()[1]) for line in lines if line.startswith("forked ")]
    try:
        _note_receipt(harness, content, lines)
        require(harness.put(name) is not None, "a forked child kept a writer from writing")
    finally:
        for pid in pids:
            # A child that has ended by itself is gone already.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _output_until_killed(harness: Harness, name: str, content: bytes, pieces: int) -> list[str]:
    """Start a client process, kill it after so many pieces, and return the lines it printed."""
    lines: list[str] = []
    with _client(harness, name, content) as client:
        if client.stdout is None:
            raise PromiseBroken("the client process has no pipes")
        while len(lines) <= pieces and (line := client.stdout.readline()):
            lines.append(line)
        client.kill()
        lines += client.stdout.readlines()
    return lines


def _client(
    harness: Harness, name: str, content: bytes, *, forks: bool = False
) -> subprocess.Popen[str]:
    """Start a client process that writes one object, and tell it what to write."""
    task = {
        "segment": SEGMENT,
        "ring": str(harness.ring_path),
        "passphrase": PASSPHRASE,
        "urls": harness.servers.urls,
        "k": K,
        "name": name,
        "content": content.hex(),
        "forks": forks,
    }
    command = [sys.executable, "-P", "-m", "lepton_lab.chaos.client_process"]
    client = subprocess.Popen(  # noqa: S603  # our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if client.stdin is not None:
        client.stdin.write(json.dumps(task))
        client.stdin.close()
    return client
