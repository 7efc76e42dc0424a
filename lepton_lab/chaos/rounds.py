"""The rounds: what happens in each, and running many of them.

A round is its number: the same number does the same again, but for the moment at which a signal meets a system call.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from lepton_lab.chaos.arena import (
    NAMES,
    PASSPHRASE,
    SEGMENT,
    STRIPE,
    Arena,
    K,
    N,
    Trap,
    strike,
)
from lepton_lab.chaos.dice import Dice
from lepton_lab.chaos.ledger import Broken, hold
from lepton_lab.chaos.liar import LIES
from lepton_lab.errors import LabError, StaleVersion, WriteConflict
from lepton_lab.sharding import Receipt, ShardedStore
from lepton_lab.sharding.manifest import is_shard

Fault = Callable[[int], None]
_LOOK = 0.2  # seconds


def run(
    rounds: int,
    arenas: int,
    folder: Path,
    *,
    first: int = 0,
    tell: Callable[[int], object] = lambda _: None,
) -> Counter[str]:
    """So many rounds, shared out to so many arenas at once: much of a round is waiting for somebody who hangs.

    tell: called with the number of every round that held. Returns the counts of all ledgers. Raises Broken, NodeError
    when there is no redis-server, OSError.
    """
    stopped = threading.Event()

    def some(number: int) -> Counter[str]:
        (folder / str(number)).mkdir()
        arena = Arena(folder / str(number))
        try:
            for each in range(first + number, first + rounds, arenas):
                if stopped.is_set():
                    break
                round_of(arena, each)
                tell(each)
        except BaseException:
            stopped.set()
            raise
        finally:
            arena.close()
        return arena.ledger.counts

    with ThreadPoolExecutor(arenas) as pool:
        futures = [pool.submit(some, number) for number in range(min(arenas, rounds))]
        try:
            while wait(
                futures, _LOOK
            ).not_done:  # a thread that waits without end may miss a signal
                pass
            return sum((future.result() for future in futures), Counter())
        except BaseException:
            stopped.set()
            raise


def round_of(arena: Arena, number: int) -> None:
    """Do one round. Raises Broken, which says which round and what was wrong."""
    arena.dice = Dice(number)
    scenario = SCENARIOS[number % len(SCENARIOS)]
    arena.ledger.counts[scenario.__name__] += 1
    try:
        scenario(arena)
        arena.heal()
        arena.settle()
    except LabError as error:
        raise Broken(f"round {number}, {scenario.__name__}: {error!r}") from error


# --- nodes that die, hang or are full -------------------------------------------------------------------------------


def killed_during_a_put(arena: Arena) -> None:
    """SIGKILL for up to n − k nodes at some byte."""
    during_a_put(arena, arena.kill)


def hanging_during_a_put(arena: Arena) -> None:
    """SIGSTOP."""
    during_a_put(arena, arena.hang)


def full_during_a_put(arena: Arena) -> None:
    """No memory left."""
    during_a_put(arena, arena.fill)


def during_a_put(arena: Arena, fault: Fault, store: ShardedStore | None = None) -> None:
    """Strike a few nodes at some byte of a put."""
    name, content, chosen = arena.dice.pick(NAMES), arena.content(), arena.some()
    source = Trap(content, arena.dice.below(len(content) + 1), lambda: strike(fault, chosen))
    receipt = arena.put(name, content, source, to=store)
    hold(receipt is None or len(receipt.lacking) <= 1, "it was acknowledged below the quorum")
    arena.get(name, by=store)


def killed_during_a_get(arena: Arena) -> None:
    """SIGKILL while somebody reads."""
    during_a_get(arena, arena.kill)


def hanging_during_a_get(arena: Arena) -> None:
    """SIGSTOP while somebody reads."""
    during_a_get(arena, arena.hang)


def during_a_get(arena: Arena, fault: Fault, store: ShardedStore | None = None) -> None:
    """Strike a few nodes at some byte of a get."""
    name, chosen = arena.dice.pick(NAMES), arena.some()
    at = arena.dice.below(len(arena.ledger[name].content or b"") + 1)
    arena.get(name, Trap(b"", at, lambda: strike(fault, chosen)), by=store)
    arena.get(name, by=store)


def killed_during_a_repair(arena: Arena) -> None:
    """SIGKILL while a lost node is rebuilt."""
    during_a_repair(arena, arena.kill)


def hanging_during_a_repair(arena: Arena) -> None:
    """SIGSTOP while a lost node is rebuilt."""
    during_a_repair(arena, arena.hang)


def during_a_repair(arena: Arena, fault: Fault, store: ShardedStore | None = None) -> None:
    """One node has lost everything; while it is rebuilt, it or another one is struck."""
    name, (lost, struck) = arena.dice.pick(NAMES), arena.some(least=2)
    arena.servers.restart(lost, empty=True)
    timer = threading.Timer(arena.dice.upto(0.02), fault, [arena.dice.pick([lost, struck])])
    timer.start()
    try:
        (store or arena.store).repair(name)
    finally:
        timer.join()
    arena.get(name, by=store)


def too_many_at_fault(arena: Arena) -> None:
    """Beyond n − k the store refuses by name, and has everything again when the nodes come back."""
    beyond(arena, arena.kill, arena.store)


def beyond(arena: Arena, fault: Fault, store: ShardedStore) -> None:
    """Strike more than n − k nodes."""
    name = arena.dice.pick(NAMES)
    strike(fault, arena.some(most=N, least=N - K + 1))
    hold(arena.put(name, to=store) is None, "a put on too few nodes was acknowledged")
    for work in (
        lambda: arena.get(name, by=store),
        lambda: store.check(name),
        lambda: store.repair(name),
    ):
        arena.refused(work)


# --- the network ----------------------------------------------------------------------------------------------------


def a_slow_network(arena: Arena) -> None:
    """Every line is slow, each differently, and nobody is at fault: all is acknowledged on all nodes."""
    for index in range(N):
        arena.network.slow(index, arena.dice.upto(0.008))
    name = arena.dice.pick(NAMES)
    receipt = arena.put(name, arena.content(4), to=arena.remote)
    hold(receipt is not None and not receipt.lacking, "a slow network lost a write")
    arena.get(name, by=arena.remote)
    hold(arena.remote.check(name).intact, "a slow network made a node look bad")


def partition_during_a_put(arena: Arena) -> None:
    """Nothing gets through to a few nodes, or nothing comes back; and arrives late, or never."""
    during_a_put(arena, arena.lose, arena.remote)


def partition_during_a_get(arena: Arena) -> None:
    """The same while somebody reads."""
    during_a_get(arena, arena.lose, arena.remote)


def partition_during_a_repair(arena: Arena) -> None:
    """The same while a lost node is rebuilt."""
    during_a_repair(arena, arena.lose, arena.remote)


def connections_cut_during_a_put(arena: Arena) -> None:
    """Every connection to a few nodes is closed."""
    during_a_put(arena, arena.cut, arena.remote)


def on_the_small_side_of_a_partition(arena: Arena) -> None:
    """Who reaches too few nodes is refused by name, while a client on the other side goes on."""
    beyond(arena, arena.dice.pick([arena.lose, arena.cut]), arena.remote)
    arena.at_fault.clear()
    hold(arena.put(arena.dice.pick(NAMES)) is not None, "the client on the large side was refused")


# --- nodes that lie -------------------------------------------------------------------------------------------------


def liars_while_reading(arena: Arena) -> None:
    """Old data, garbage, another object's shards, nothing, or too much: every object is read all the same."""
    chosen = arena.some()
    for index in chosen:
        arena.nodes[index].remember()
    if arena.dice.chance(0.7):
        arena.put(arena.dice.pick(NAMES))  # what was remembered is now old
    for index in chosen:
        arena.nodes[index].lie = arena.dice.pick(LIES)
    for name in NAMES:
        arena.get(name)
        health = arena.store.check(name)
        named = {
            node
            for node, found in health.nodes.items()
            if found.missing or found.altered or found.unreachable
        }
        hold(named <= arena.at_fault, f"{named} are named, {arena.at_fault} lie")


def liars_while_writing(arena: Arena) -> None:
    """A writer who is lied to about versions and claims is acknowledged what readers then find, or is refused."""
    chosen, name = arena.some(most=1), arena.dice.pick(NAMES)
    for index in chosen:
        arena.nodes[index].remember()
        arena.nodes[index].lie = arena.dice.pick(LIES)
    for _ in range(2):
        hold(arena.put(name) is not None, "one liar kept a writer from writing")
        arena.get(name)
    arena.store.repair(name)
    arena.get(name)


def rolled_back(arena: Arena) -> None:
    """All nodes together go back to yesterday, and the receipt of today says so."""
    name = arena.dice.pick(NAMES)
    for node in arena.nodes:
        node.remember()
    receipt = arena.put(name)
    arena.at_fault = {node.name for node in arena.nodes}
    for node in arena.nodes:
        node.lie = LIES[0]
    try:
        arena.store.get(name, receipt=receipt)
    except StaleVersion:
        return
    raise Broken("a rollback of all nodes was not seen")


def faults_in_different_stripes(arena: Arena) -> None:
    """Every node is struck, but in no stripe more than n − k of them: all is read, all is mended."""
    name = arena.dice.pick(NAMES)
    receipt = arena.put(name, arena.dice.draw_bytes(5 * STRIPE))
    version = f"/{receipt.version:016x}/" if receipt else ""
    shards = [sorted(k for k in node if version in k and is_shard(k)) for node in arena.nodes]
    folder = next(iter({k.split("/")[0] for k in shards[0]} & _folders_of_five(shards)))
    for stripe in range(5):
        for index in arena.dice.several(N, N - K):
            node = arena.nodes[index]
            key = [k for k in shards[index] if k.startswith(folder)][stripe]
            if arena.dice.chance(0.5):
                del node[key]
            else:
                node[key] = bytes(len(node[key]))
    arena.at_fault = {node.name for node in arena.nodes}
    arena.get(name)


def _folders_of_five(shards: list[list[str]]) -> set[str]:
    """The object of five stripes among those that happen to be at the same version."""
    found = [key.split("/")[0] for key in shards[0]]
    return {folder for folder in found if found.count(folder) == 5}


# --- clients --------------------------------------------------------------------------------------------------------


def two_writers(arena: Arena) -> None:
    """Each is acknowledged a version of its own or is told; the later version is the one that stays."""
    name, contents = arena.dice.pick(NAMES), [arena.content(4), arena.content(4)]
    start = threading.Barrier(2)

    def write(store: ShardedStore, content: bytes) -> None:
        arena.ledger.begun(name, content)
        start.wait()
        try:
            arena.ledger.acknowledged(content, store.put(name, content))
        except WriteConflict:
            arena.ledger.counts["writers told of another one"] += 1

    with arena.meanwhile(
        lambda: write(arena.store, contents[0]), lambda: write(arena.other, contents[1])
    ):
        pass
    arena.get(name)


def readers_during_writes(arena: Arena) -> None:
    """Whoever reads while another one writes gets one of the contents, whole, or is told to look again."""
    name = arena.dice.pick(NAMES)
    contents = [arena.ledger[name].content, *(arena.content(3) for _ in range(3))]
    chosen = arena.some(most=1)

    def read() -> None:
        for _ in range(4):
            hold(arena.other.get(name) in contents, "a reader was given what nobody had written")

    with arena.meanwhile(read):
        for number, content in enumerate(contents[1:]):
            if number == 1:
                arena.kill(chosen[0])
            arena.put(name, content)
    arena.get(name)


def client_killed_while_writing(arena: Arena) -> None:
    """SIGKILL for a client, at any piece or right after: its write counts if it was told so, else it is open."""
    name, content = (
        arena.dice.pick(NAMES),
        arena.dice.draw_bytes(arena.dice.between(STRIPE, 12 * STRIPE)),
    )
    arena.ledger.begun(name, content)
    said = _written_until_killed(arena, name, content, arena.dice.below(15))
    if said and said[-1].startswith("{") and said[-1].endswith("\n"):
        receipt = json.loads(said[-1])
        arena.ledger.acknowledged(
            content, Receipt(**receipt | {"lacking": tuple(receipt["lacking"])})
        )
    else:
        arena.ledger.counts["clients killed before an answer"] += 1
    arena.get(name)


def _written_until_killed(arena: Arena, name: str, content: bytes, pieces: int) -> list[str]:
    """What a client in a process of its own said until it was killed, after so many pieces."""
    task = {
        "segment": SEGMENT, "ring": str(arena.ring_path), "passphrase": PASSPHRASE, "urls": arena.servers.urls,
        "k": K, "name": name, "content": content.hex(),
    }  # fmt: skip
    said: list[str] = []
    command = [sys.executable, "-m", "lepton_lab.chaos.writer"]
    with subprocess.Popen(  # noqa: S603  # our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        if client.stdin is None or client.stdout is None:
            raise Broken("a client without pipes")
        client.stdin.write(json.dumps(task))
        client.stdin.close()
        while len(said) <= pieces and (line := client.stdout.readline()):
            said.append(line)
        client.kill()
        said += client.stdout.readlines()
    return said


SCENARIOS: tuple[Callable[[Arena], None], ...] = (
    killed_during_a_put,
    killed_during_a_get,
    killed_during_a_repair,
    two_writers,
    liars_while_reading,
    liars_while_writing,
    a_slow_network,
    readers_during_writes,
    hanging_during_a_put,
    full_during_a_put,
    partition_during_a_put,
    faults_in_different_stripes,
    killed_during_a_put,
    two_writers,
    liars_while_reading,
    partition_during_a_get,
    hanging_during_a_get,
    rolled_back,
    too_many_at_fault,
    on_the_small_side_of_a_partition,
    client_killed_while_writing,
    partition_during_a_repair,
    readers_during_writes,
    hanging_during_a_repair,
    connections_cut_during_a_put,
)
