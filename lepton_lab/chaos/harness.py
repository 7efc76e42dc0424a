"""Five real Redis servers, the stores that use them, and the faults that can strike both.

A round (`rounds.py`) begins with every object whole on every node. Then at most n − k nodes die,
hang, fill up, answer falsely or are cut off while a client puts, gets or repairs; in some rounds it
is more than n − k, and the store must refuse. At the end the servers come back, the objects are
repaired, and the ledger is compared with what every node holds.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lepton_lab.chaos.byzantine_node import ByzantineNode
from lepton_lab.chaos.ledger import Ledger, PromiseBroken, require
from lepton_lab.chaos.network import Direction, FaultyNetwork
from lepton_lab.chaos.seeded_random import SeededRandom
from lepton_lab.errors import NodeError, NotEnoughShards, WriteConflict
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import Node, RedisServers, open_nodes
from lepton_lab.sharding import Receipt, ShardedStore

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

N = 5
K = 3
SEGMENT = 4096  # bytes; small, so that a small object has many stripes, and a round many moments
STRIPE = K * (SEGMENT - 16)  # bytes of plaintext in one stripe
TIMEOUT = 0.75  # seconds that a hanging server may cost one operation
CALL_TIMEOUT = 2.0  # seconds after which the store abandons a call to a node of any kind
MEMORY = 16 << 20  # bytes that a server may hold
TRIES = 6  # a lone writer may meet claims that its own failed attempts left
NAMES = ("patients", "images", "x")
PASSPHRASE = "a passphrase for chaos"  # noqa: S105  # this ring protects nothing
SCRYPT_N = 1 << 14


class TriggeringFile(io.BytesIO):
    """A source or sink that calls `action` once a certain number of bytes has passed."""

    def __init__(self, content: bytes, after: int, action: Callable[[], object]) -> None:
        super().__init__(content)
        self._after = after
        self._action = action
        self._triggered = False

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into the buffer, then trigger if it is time."""
        count = super().readinto(buffer)
        self._trigger_once()
        return count

    def write(self, data: ReadableBuffer, /) -> int:
        """Write the data, then trigger if it is time."""
        count = super().write(data)
        self._trigger_once()
        return count

    def _trigger_once(self) -> None:
        if not self._triggered and self.tell() >= self._after:
            self._triggered = True
            self._action()


class Harness:
    """The servers, three stores over them, and the ledger.

    `store` and `other` are two clients of the same nodes and key ring; `remote` reaches the same
    servers through the faulty network. `faulty` names the nodes that this round has struck.

    Raises NodeError when there is no redis-server.
    """

    def __init__(self, folder: Path) -> None:
        self.servers = RedisServers.start(
            N, tls=False, sync=False, timeout=TIMEOUT, max_memory=MEMORY
        )
        self.nodes = [ByzantineNode(node) for node in self.servers.nodes]
        self.network = FaultyNetwork([unquote(urlsplit(url).path) for url in self.servers.urls])
        self.folder = folder
        self.ring_path = folder / "ring"
        ring = KeyRing.create(self.ring_path, PASSPHRASE, scrypt_n=SCRYPT_N)
        second_handle = KeyRing.open(self.ring_path, PASSPHRASE)
        self.store = self._store(self.nodes, ring)
        self.other = self._store(self.nodes, second_handle)
        self.remote = self._store(self._nodes_behind_network(), ring)
        self.ledger = Ledger()
        self.random = SeededRandom(0)
        self.faulty: set[str] = set()
        self._hanging: set[int] = set()
        self._full: set[int] = set()
        self._cut_off: set[int] = set()
        for name in NAMES:
            self.put(name)

    def _store(self, nodes: Sequence[Node], ring: KeyRing) -> ShardedStore:
        return ShardedStore(nodes, ring, k=K, segment=SEGMENT, timeout=CALL_TIMEOUT)

    def _nodes_behind_network(self) -> list[Node]:
        urls = []
        for url, relay in zip(self.servers.urls, self.network.relays, strict=True):
            account = urlsplit(url).netloc.rpartition("@")[0]
            urls.append(f"redis://{account}@127.0.0.1:{relay.port}?socket_timeout={TIMEOUT}")
        nodes = open_nodes(urls)
        # The ledger compares names, so a node has one name by both ways.
        for remote, direct in zip(nodes, self.nodes, strict=True):
            remote.name = direct.name
        return nodes

    def close(self) -> None:
        """End the servers, whatever state they are in."""
        for index in self._hanging:
            self.servers.resume(index)
        self.network.close()
        for node in self.remote.nodes:
            node.close()
        self.servers.close()

    # --- what clients do ------------------------------------------------------------------------

    def content(self, most: int = 12) -> bytes:
        """Return random bytes of up to `most` stripes, sometimes exactly at a stripe's edge."""
        any_size = self.random.below(most * STRIPE)
        # Random sizes are twice as likely as each edge.
        sizes = [0, 1, STRIPE, STRIPE + 1, any_size, any_size]
        return self.random.draw_bytes(self.random.pick(sizes))

    def put(
        self,
        name: str,
        content: bytes | None = None,
        source: io.BytesIO | None = None,
        to: ShardedStore | None = None,
    ) -> Receipt | None:
        """Write an object; return its receipt, or None when the store refused.

        content: random by default. source: a file to read the content from. to: the store.
        """
        content = self.content() if content is None else content
        store = to or self.store
        for _ in range(TRIES):
            self.ledger.write_begins(name, content)
            if source is not None:
                source.seek(0)
            try:
                receipt = store.put(name, content if source is None else source)
            except WriteConflict:
                # A failed attempt of this client may have claimed the version.
                continue
            except NotEnoughShards as error:
                self.ledger.check_refusal(error, self.faulty)
                return None
            self.ledger.write_acknowledged(content, receipt)
            lacking = set(receipt.lacking)
            require(lacking <= self.faulty, f"{lacking} lack it, but faulty are {self.faulty}")
            return receipt
        raise PromiseBroken("a lone writer was refused again and again")

    def get(
        self, name: str, sink: io.BytesIO | None = None, by: ShardedStore | None = None
    ) -> None:
        """Read an object and compare it with the ledger."""
        reader = by or self.store
        receipt = self.ledger[name].receipt
        if sink is None:
            self.ledger.check_read(name, reader.get(name, receipt=receipt))
            return
        reader.get(name, sink, receipt=receipt)
        self.ledger.check_read(name, sink.getvalue())

    def check_refusal_of(self, work: Callable[[], object]) -> None:
        """Run `work`, which may succeed, or refuse by naming failed nodes."""
        try:
            work()
        except NotEnoughShards as error:
            self.ledger.check_refusal(error, self.faulty)

    # --- faults ---------------------------------------------------------------------------------

    def choose_faulty(self, most: int = N - K, least: int = 1) -> list[int]:
        """Choose a few nodes, which count as faulty from now on."""
        chosen = self.random.several(N, self.random.between(least, most))
        self.faulty |= {self.nodes[index].name for index in chosen}
        return chosen

    def kill(self, index: int) -> None:
        """End a server by SIGKILL."""
        self.servers.kill(index)

    def hang(self, index: int) -> None:
        """Stop a server by SIGSTOP, so that it accepts connections and answers nothing."""
        self.servers.pause(index)
        self._hanging.add(index)

    def fill(self, index: int) -> None:
        """Fill a server's memory to its limit, with values of shrinking size."""
        node = self.nodes[index].honest
        number = 0
        self._full.add(index)
        for size in (1 << 20, 1 << 16, 1 << 12, 1 << 8):
            try:
                while True:
                    node[f"filler/{number}"] = bytes(size)
                    number += 1
            except NodeError:
                continue

    def lose(self, index: int) -> None:
        """Lose what is sent to a server, what it answers, or both."""
        options: list[tuple[Direction, ...]] = [("there",), ("back",), ("there", "back")]
        self.network.lose(index, self.random.pick(options))
        self._cut_off.add(index)

    def cut(self, index: int) -> None:
        """Close every connection to a server."""
        self.network.cut(index)
        self._cut_off.add(index)

    def drip(self, index: int) -> None:
        """Let a server's answers arrive one byte at a time."""
        self.network.drip(index)
        self._cut_off.add(index)

    def flood(self, index: int) -> None:
        """Answer every request to a server by a reply that never ends."""
        self.network.flood(index)
        self._cut_off.add(index)

    def strike(self, fault: Callable[[int], None], chosen: Sequence[int]) -> None:
        """Apply one fault to each of the nodes."""
        for index in chosen:
            fault(index)

    def heal(self) -> None:
        """End every fault. Dead servers restart with their data, and at times without it."""
        for index, node in enumerate(self.nodes):
            node.behave()
            if index in self._hanging:
                self.servers.resume(index)
            if not self.servers.alive(index):
                # Losing data is a fault of its own, so no more than n − k nodes may do it.
                may_lose_data = len(self.faulty) <= N - K
                self.servers.restart(index, empty=may_lose_data and self.random.chance(0.3))
            if index in self._full:
                node.delete_many(list(node.keys_with_prefix("filler/")))
            self.network.mend(index, drop=index in self._cut_off and self.random.chance(0.5))
        self._hanging.clear()
        self._full.clear()
        self._cut_off.clear()

    def verify_after_healing(self) -> None:
        """Read every object with its receipt, repair it, and require it whole on all nodes."""
        self.faulty.clear()
        for name in NAMES:
            self.get(name)
            if self.ledger[name].indeterminate:
                # An acknowledged write settles which content reads must give.
                self.put(name)
                self.ledger.settle(name)
            self._repair_fully(name)
            self.get(name)
        require(self.store.names() == sorted(NAMES), "there are other names than were put")

    def _repair_fully(self, name: str) -> None:
        self.store.repair(name)
        health = self.store.check(name)
        if any(node.unreachable for node in health.nodes.values()):
            # All nodes are healthy: on a busy machine one may have missed its time-out.
            self.store.repair(name)
            health = self.store.check(name)
        require(health.intact, f"after a repair: {health}")

    @contextmanager
    def meanwhile(self, *works: Callable[[], object]) -> Iterator[None]:
        """Run each of `works` in its own thread while the block runs; re-raise what it raises."""
        with ThreadPoolExecutor(len(works)) as pool:
            futures = [pool.submit(work) for work in works]
            yield
        for future in futures:
            future.result()
