"""Five real Redis servers, a store over them, and one round after another of what may befall both.

A round begins with every object whole on every node. Then at most n − k nodes die, hang, fill up or lie while somebody
puts, gets or repairs (in one kind of round: more than n − k, and the store must say so). At the end of it the servers
come back, the objects are repaired, and the ledger is compared with what every node holds. A round is its number: the
same number does the same again, but for the moment at which a signal meets a system call.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from ledger import Ledger
from liar import LIES, Liar

from lepton_lab.errors import LabError, NodeError, NotEnoughShards, StaleVersion, WriteConflict
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import RedisServers
from lepton_lab.sharding import Receipt, ShardedStore

T = TypeVar("T")
N, K = 5, 3
SEGMENT = 4096  # octets: a small object has many stripes, and a round many moments to fail at
STRIPE = K * (SEGMENT - 16)
TIMEOUT = 0.75  # seconds; what each hanging node costs an operation
MEMORY = 16 << 20
TRIES = 6  # a lone writer may meet the claims of its own attempts that failed
NAMES = ("patients", "images", "x")
PASSPHRASE = "a passphrase for chaos"


class Trap(io.BytesIO):
    """A source that springs when it has been read up to a certain octet, or a sink when as much was written."""

    def __init__(self, content: bytes, at: int, spring: Callable[[], object]) -> None:
        super().__init__(content)
        self._at, self._spring, self._armed = at, spring, True

    def readinto(self, buffer) -> int:
        count = super().readinto(buffer)
        self._look()
        return count

    def write(self, octets) -> int:
        count = super().write(octets)
        self._look()
        return count

    def _look(self) -> None:
        if self._armed and self.tell() >= self._at:
            self._armed = False
            self._spring()


class Arena:
    """The servers, the store and its ledger; `round(number)` is one of `SCENARIOS`."""

    def __init__(self, folder: Path) -> None:
        self.servers = RedisServers.start(N, tls=False, sync=False, timeout=TIMEOUT, max_memory=MEMORY)
        self.nodes = [Liar(node) for node in self.servers.nodes]
        self.ring_path = folder / "ring"
        ring = KeyRing.create(self.ring_path, PASSPHRASE, scrypt_n=1 << 14)
        self.store = ShardedStore(self.nodes, ring, k=K)
        self.other = ShardedStore(self.nodes, KeyRing.open(self.ring_path, PASSPHRASE), k=K)
        self.ledger = Ledger()
        self.rng = Random(0)
        self.at_fault: set[str] = set()
        self.hanging: set[int] = set()
        self.full: set[int] = set()
        for name in NAMES:
            self.put(name)

    def close(self) -> None:
        self.heal()
        self.servers.close()

    def round(self, number: int) -> None:
        """Do one round; an AssertionError says which and what was wrong."""
        self.rng = Random(number)
        scenario = SCENARIOS[number % len(SCENARIOS)]
        self.ledger.counts[scenario.__name__] += 1
        try:
            scenario(self)
            self.heal()
            self.settle()
        except (AssertionError, LabError) as error:
            raise AssertionError(f"round {number}, {scenario.__name__}: {error!r}") from error

    # --- what users do ----------------------------------------------------------------------------------------------

    def content(self, most: int = 12) -> bytes:
        """Fresh octets, mostly of a few stripes and sometimes at their edges."""
        sizes = [0, 1, STRIPE, STRIPE + 1, self.rng.randrange(most * STRIPE), self.rng.randrange(most * STRIPE)]
        return self.rng.randbytes(self.rng.choice(sizes))

    def put(self, name: str, content: bytes | None = None, source: io.BytesIO | None = None) -> Receipt | None:
        """Write, and again when an earlier attempt's claims are in the way. None when it was refused."""
        content = self.content() if content is None else content
        for _ in range(TRIES):
            self.ledger.begun(name, content)
            if source is not None:
                source.seek(0)
            try:
                receipt = self.store.put(name, content if source is None else source)
            except WriteConflict:
                continue
            except NotEnoughShards as error:
                self.ledger.refused(error, self.at_fault)
                return None
            self.ledger.acknowledged(content, receipt)
            assert set(receipt.lacking) <= self.at_fault, f"{receipt.lacking} lack it, at fault are {self.at_fault}"
            return receipt
        raise AssertionError("a lone writer was refused again and again")

    def get(self, name: str, sink: Trap | None = None) -> None:
        """Read, and compare with what is owed."""
        account = self.ledger[name]
        found = self.store.get(name, sink, receipt=account.receipt)
        self.ledger.check(name, sink.getvalue() if sink is not None else found)

    def refused(self, work: Callable[[], object]) -> None:
        """Either it works, or it raises the one error that names nodes."""
        try:
            work()
        except NotEnoughShards as error:
            self.ledger.refused(error, self.at_fault)

    # --- what befalls nodes -----------------------------------------------------------------------------------------

    def some(self, most: int = N - K, least: int = 1) -> list[int]:
        """A few nodes, from now on at fault."""
        chosen = self.rng.sample(range(N), self.rng.randint(least, most))
        self.at_fault |= {self.nodes[index].name for index in chosen}
        return chosen

    def kill(self, index: int) -> None:
        self.servers.kill(index)

    def hang(self, index: int) -> None:
        self.servers.pause(index)
        self.hanging.add(index)

    def fill(self, index: int) -> None:
        """Fill a server's memory to its limit, with values of shrinking size."""
        node, number = self.nodes[index].honest, 0
        self.full.add(index)
        for size in (1 << 20, 1 << 16, 1 << 12, 1 << 8):
            try:
                while True:
                    node[f"filler/{number}"] = bytes(size)
                    number += 1
            except NodeError:
                continue

    def heal(self) -> None:
        """Everything comes back: with its data, as a disk survives a crash, or at times with none."""
        for index, node in enumerate(self.nodes):
            node.lie = None
            if index in self.hanging:
                self.servers.resume(index)
            if not self.servers.alive(index):
                empty = len(self.at_fault) <= N - K and self.rng.random() < 0.3
                self.servers.restart(index, empty=empty)
            if index in self.full:
                node.delete_many(list(node.keys_with_prefix("filler/")))
        self.hanging.clear()
        self.full.clear()

    def settle(self) -> None:
        """Every object is read with its receipt, mended, found whole on all nodes, and read again."""
        self.at_fault.clear()
        for name in NAMES:
            self.get(name)
            if self.ledger[name].indeterminate:
                self.put(name)  # so that from now on one content is owed
                self.ledger.closed(name)
            self.store.repair(name)
            health = self.store.check(name)
            assert health.intact, f"after a repair: {health}"
            self.get(name)
        assert self.store.names() == sorted(NAMES)

    @contextmanager
    def meanwhile(self, *works: Callable[[], object]) -> Iterator[None]:
        """Run these in threads of their own while the block runs; what they raise is raised at its end."""
        errors: list[BaseException] = []

        def guarded(work: Callable[[], object]) -> None:
            try:
                work()
            except BaseException as error:  # handed over to the round's own thread
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for thread in threads:
                thread.join()
        if errors:
            raise errors[0]


# --- the rounds -----------------------------------------------------------------------------------------------------


def killed_during_a_put(arena: Arena) -> None:
    during_a_put(arena, arena.kill)


def hanging_during_a_put(arena: Arena) -> None:
    during_a_put(arena, arena.hang)


def full_during_a_put(arena: Arena) -> None:
    during_a_put(arena, arena.fill)


def during_a_put(arena: Arena, fault: Callable[[int], None]) -> None:
    name, content = arena.rng.choice(NAMES), arena.content()
    chosen = arena.some()
    at = arena.rng.randrange(len(content) + 1)
    source = Trap(content, at, lambda: [fault(index) for index in chosen])
    receipt = arena.put(name, content, source)
    assert receipt is None or len(receipt.lacking) <= 1
    arena.get(name)


def killed_during_a_get(arena: Arena) -> None:
    during_a_get(arena, arena.kill)


def hanging_during_a_get(arena: Arena) -> None:
    during_a_get(arena, arena.hang)


def during_a_get(arena: Arena, fault: Callable[[int], None]) -> None:
    name, chosen = arena.rng.choice(NAMES), arena.some()
    at = arena.rng.randrange(len(arena.ledger[name].content or b"") + 1)
    arena.get(name, Trap(b"", at, lambda: [fault(index) for index in chosen]))
    arena.get(name)


def killed_during_a_repair(arena: Arena) -> None:
    during_a_repair(arena, arena.kill)


def hanging_during_a_repair(arena: Arena) -> None:
    during_a_repair(arena, arena.hang)


def during_a_repair(arena: Arena, fault: Callable[[int], None]) -> None:
    """One node has lost everything; while it is rebuilt, it or another one is struck."""
    name, (lost, struck) = arena.rng.choice(NAMES), arena.some(least=2)
    arena.servers.restart(lost, empty=True)
    pause = arena.rng.random() * 0.02
    timer = threading.Timer(pause, fault, [arena.rng.choice([lost, struck])])
    timer.start()
    arena.store.repair(name)
    timer.join()
    arena.get(name)


def liars_while_reading(arena: Arena) -> None:
    """Old data, garbage, another object's shards, nothing, or too much: every object is read all the same."""
    chosen = arena.some()
    for index in chosen:
        arena.nodes[index].remember()
    if arena.rng.random() < 0.7:
        arena.put(arena.rng.choice(NAMES))  # what was remembered is now old
    for index in chosen:
        arena.nodes[index].lie = arena.rng.choice(LIES)
    for name in NAMES:
        arena.get(name)
        health = arena.store.check(name)
        named = {node for node, found in health.nodes.items() if found.missing or found.altered or found.unreachable}
        assert named <= arena.at_fault, f"{named} are named, {arena.at_fault} lie"


def liars_while_writing(arena: Arena) -> None:
    """A writer who is lied to about versions and claims is acknowledged what readers then find, or is refused."""
    chosen, name = arena.some(most=1), arena.rng.choice(NAMES)
    for index in chosen:
        arena.nodes[index].remember()
        arena.nodes[index].lie = arena.rng.choice(LIES)
    for _ in range(2):
        assert arena.put(name) is not None
        arena.get(name)
    arena.store.repair(name)
    arena.get(name)


def too_many_at_fault(arena: Arena) -> None:
    """Beyond n − k the store refuses by name, and has everything again when the nodes come back."""
    name = arena.rng.choice(NAMES)
    for index in arena.some(most=N, least=N - K + 1):
        arena.kill(index)
    assert arena.put(name) is None
    for work in (arena.get, arena.store.check, arena.store.repair):
        arena.refused(lambda work=work: work(name))


def faults_in_different_stripes(arena: Arena) -> None:
    """Every node is struck, but in no stripe more than n − k of them: all is read, all is mended."""
    name = arena.rng.choice(NAMES)
    arena.put(name, arena.rng.randbytes(5 * STRIPE))
    version = f"/{arena.ledger[name].receipt.version:016x}/"
    shards = [sorted(k for k in node if version in k and k.count("/") == 4) for node in arena.nodes]
    folder = next(iter({k.split("/")[0] for k in shards[0]} & _folders_of_five(shards)))
    for stripe in range(5):
        for index in arena.rng.sample(range(N), N - K):
            node = arena.nodes[index]
            key = [k for k in shards[index] if k.startswith(folder)][stripe]
            if arena.rng.random() < 0.5:
                del node[key]
            else:
                node[key] = bytes(len(node[key]))
    arena.at_fault = {node.name for node in arena.nodes}
    arena.get(name)


def _folders_of_five(shards: list[list[str]]) -> set[str]:
    """The object of five stripes among those that happen to be at the same version."""
    found = [key.split("/")[0] for key in shards[0]]
    return {folder for folder in found if found.count(folder) == 5}


def two_writers(arena: Arena) -> None:
    """Each is acknowledged a version of its own or is told; the later version is the one that stays."""
    name, contents = arena.rng.choice(NAMES), [arena.content(4), arena.content(4)]
    start = threading.Barrier(2)

    def write(store: ShardedStore, content: bytes) -> None:
        arena.ledger.begun(name, content)
        start.wait()
        try:
            arena.ledger.acknowledged(content, store.put(name, content))
        except WriteConflict:
            arena.ledger.counts["told of the other writer"] += 1

    with arena.meanwhile(lambda: write(arena.store, contents[0]), lambda: write(arena.other, contents[1])):
        pass
    arena.get(name)


def readers_during_writes(arena: Arena) -> None:
    """Whoever reads while another one writes gets one of the contents, whole, or is told to look again."""
    name = arena.rng.choice(NAMES)
    before = arena.ledger[name].content
    contents = [before, *(arena.content(3) for _ in range(3))]
    chosen = arena.some(most=1)

    def read() -> None:
        for _ in range(4):
            assert arena.other.get(name) in contents

    with arena.meanwhile(read):
        for number, content in enumerate(contents[1:]):
            if number == 1:
                arena.kill(chosen[0])
            arena.put(name, content)
    arena.get(name)


def client_killed_while_writing(arena: Arena) -> None:
    """SIGKILL for a client, at any piece or right after: its write counts if it was told so, else it is open."""
    name, content = arena.rng.choice(NAMES), arena.rng.randbytes(arena.rng.randrange(STRIPE, 12 * STRIPE))
    arena.ledger.begun(name, content)
    task = {
        "segment": SEGMENT, "ring": str(arena.ring_path), "passphrase": PASSPHRASE, "urls": arena.servers.urls,
        "k": K, "name": name, "content": content.hex(),
    }  # fmt: skip
    pieces, said = arena.rng.randrange(15), []
    command = [sys.executable, str(Path(__file__).with_name("writer.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        client.stdin.write(json.dumps(task))
        client.stdin.close()
        while len(said) <= pieces and (line := client.stdout.readline()):
            said.append(line)
        client.kill()
        said += client.stdout.readlines()
    if said and said[-1].startswith("{") and said[-1].endswith("\n"):
        receipt = json.loads(said[-1])
        arena.ledger.acknowledged(content, Receipt(**receipt | {"lacking": tuple(receipt["lacking"])}))
    else:
        arena.ledger.counts["clients killed before an answer"] += 1
    arena.get(name)


def rolled_back(arena: Arena) -> None:
    """All nodes together go back to yesterday, and the receipt of today says so."""
    name = arena.rng.choice(NAMES)
    for node in arena.nodes:
        node.remember()
    receipt = arena.put(name)
    arena.at_fault = {node.name for node in arena.nodes}
    for node in arena.nodes:
        node.lie = LIES[0]
    with pytest.raises(StaleVersion):
        arena.store.get(name, receipt=receipt)


SCENARIOS: tuple[Callable[[Arena], None], ...] = (
    killed_during_a_put,
    killed_during_a_get,
    killed_during_a_repair,
    two_writers,
    liars_while_reading,
    liars_while_writing,
    readers_during_writes,
    hanging_during_a_put,
    full_during_a_put,
    faults_in_different_stripes,
    killed_during_a_put,
    two_writers,
    liars_while_reading,
    hanging_during_a_get,
    rolled_back,
    too_many_at_fault,
    client_killed_while_writing,
    readers_during_writes,
    hanging_during_a_repair,
    liars_while_writing,
)
