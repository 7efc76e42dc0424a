"""Five real Redis servers, stores over them, and what may befall both.

A round (`rounds.py`) begins with every object whole on every node. Then at most n − k nodes die, hang, fill up, lie or
are cut off while somebody puts, gets or repairs (in some rounds: more than n − k, and the store must say so). At the
end the servers come back, the objects are repaired, and the ledger is compared with what every node holds.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lepton_lab.chaos.dice import Dice
from lepton_lab.chaos.ledger import Broken, Ledger, hold
from lepton_lab.chaos.liar import Liar
from lepton_lab.chaos.network import Network
from lepton_lab.errors import NodeError, NotEnoughShards, WriteConflict
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import Node, RedisServers, open_nodes
from lepton_lab.sharding import Receipt, ShardedStore

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

N, K = 5, 3
SEGMENT = 4096  # bytes: a small object has many stripes, and a round many moments to fail at
STRIPE = K * (SEGMENT - 16)
TIMEOUT = 0.75  # seconds; what each hanging node costs an operation
MEMORY = 16 << 20
TRIES = 6  # a lone writer may meet the claims of its own attempts that failed
NAMES = ("patients", "images", "x")
PASSPHRASE = "a passphrase for chaos"  # noqa: S105  # of a ring that holds nobody's data
SCRYPT_N = 1 << 14


class Trap(io.BytesIO):
    """A source that springs when it has been read up to a certain byte, or a sink when as much was written."""

    def __init__(self, content: bytes, at: int, spring: Callable[[], object]) -> None:
        super().__init__(content)
        self._at, self._spring, self._armed = at, spring, True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """As a file's."""
        count = super().readinto(buffer)
        self._look()
        return count

    def write(self, data: ReadableBuffer, /) -> int:
        """As a file's."""
        count = super().write(data)
        self._look()
        return count

    def _look(self) -> None:
        if self._armed and self.tell() >= self._at:
            self._armed = False
            self._spring()


class Arena:
    """The servers, two stores beside them, one behind a network, and the ledger.

    Raises NodeError when there is no redis-server.
    """

    def __init__(self, folder: Path) -> None:
        self.servers = RedisServers.start(
            N, tls=False, sync=False, timeout=TIMEOUT, max_memory=MEMORY
        )
        self.nodes = [Liar(node) for node in self.servers.nodes]
        self.network = Network([unquote(urlsplit(url).path) for url in self.servers.urls])
        self.ring_path = folder / "ring"
        ring = KeyRing.create(self.ring_path, PASSPHRASE, scrypt_n=SCRYPT_N)
        self.store = ShardedStore(self.nodes, ring, k=K, segment=SEGMENT)
        other_ring = KeyRing.open(self.ring_path, PASSPHRASE)
        self.other = ShardedStore(self.nodes, other_ring, k=K, segment=SEGMENT)
        self.remote = ShardedStore(self._behind_the_network(), ring, k=K, segment=SEGMENT)
        self.ledger = Ledger()
        self.dice = Dice(0)
        self.at_fault: set[str] = set()
        self.hanging: set[int] = set()
        self.full: set[int] = set()
        self.cut_off: set[int] = set()
        for name in NAMES:
            self.put(name)

    def _behind_the_network(self) -> list[Node]:
        accounts = [urlsplit(url).netloc.rpartition("@")[0] for url in self.servers.urls]
        lines = zip(accounts, self.network.lines, strict=True)
        nodes = open_nodes(
            f"redis://{account}@127.0.0.1:{line.port}?socket_timeout={TIMEOUT}"
            for account, line in lines
        )
        for node, near in zip(nodes, self.nodes, strict=True):
            node.name = near.name
        return nodes

    def close(self) -> None:
        """End the servers, whatever state they are in."""
        for index in self.hanging:
            self.servers.resume(index)
        self.network.close()
        for node in self.remote.nodes:
            node.close()
        self.servers.close()

    # --- what users do ----------------------------------------------------------------------------------------------

    def content(self, most: int = 12) -> bytes:
        """Fresh bytes, mostly of a few stripes and sometimes at their edges."""
        sizes = [
            0,
            1,
            STRIPE,
            STRIPE + 1,
            self.dice.below(most * STRIPE),
            self.dice.below(most * STRIPE),
        ]
        return self.dice.draw_bytes(self.dice.pick(sizes))

    def put(
        self,
        name: str,
        content: bytes | None = None,
        source: io.BytesIO | None = None,
        to: ShardedStore | None = None,
    ) -> Receipt | None:
        """Write, and again when an earlier attempt's claims are in the way. None when it was refused."""
        content = self.content() if content is None else content
        for _ in range(TRIES):
            self.ledger.begun(name, content)
            if source is not None:
                source.seek(0)
            try:
                receipt = (to or self.store).put(name, content if source is None else source)
            except WriteConflict:
                continue
            except NotEnoughShards as error:
                self.ledger.refused(error, self.at_fault)
                return None
            self.ledger.acknowledged(content, receipt)
            lacking = set(receipt.lacking)
            hold(lacking <= self.at_fault, f"{lacking} lack it, at fault are {self.at_fault}")
            return receipt
        raise Broken("a lone writer was refused again and again")

    def get(
        self, name: str, sink: io.BytesIO | None = None, by: ShardedStore | None = None
    ) -> None:
        """Read, and compare with what is owed."""
        account, reader = self.ledger[name], by or self.store
        if sink is None:
            self.ledger.check(name, reader.get(name, receipt=account.receipt))
            return
        reader.get(name, sink, receipt=account.receipt)
        self.ledger.check(name, sink.getvalue())

    def refused(self, work: Callable[[], object]) -> None:
        """Either it works, or it raises the one error that names nodes."""
        try:
            work()
        except NotEnoughShards as error:
            self.ledger.refused(error, self.at_fault)

    # --- what befalls nodes -----------------------------------------------------------------------------------------

    def some(self, most: int = N - K, least: int = 1) -> list[int]:
        """A few nodes, from now on at fault."""
        chosen = self.dice.several(N, self.dice.between(least, most))
        self.at_fault |= {self.nodes[index].name for index in chosen}
        return chosen

    def kill(self, index: int) -> None:
        """SIGKILL."""
        self.servers.kill(index)

    def hang(self, index: int) -> None:
        """SIGSTOP."""
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

    def lose(self, index: int) -> None:
        """A network that lets nothing through, in one direction or in both; what was sent arrives late, or never."""
        self.network.lose(index, self.dice.pick([("there",), ("back",), ("there", "back")]))
        self.cut_off.add(index)

    def cut(self, index: int) -> None:
        """A network that closes every connection."""
        self.network.cut(index)
        self.cut_off.add(index)

    def heal(self) -> None:
        """Everything comes back: with its data, as a disk survives a crash, or at times with none."""
        for index, node in enumerate(self.nodes):
            node.lie = None
            if index in self.hanging:
                self.servers.resume(index)
            if not self.servers.alive(index):
                empty = len(self.at_fault) <= N - K and self.dice.chance(0.3)
                self.servers.restart(index, empty=empty)
            if index in self.full:
                node.delete_many(list(node.keys_with_prefix("filler/")))
            self.network.mend(index, drop=index in self.cut_off and self.dice.chance(0.5))
        self.hanging.clear()
        self.full.clear()
        self.cut_off.clear()

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
            if any(
                node.unreachable for node in health.nodes.values()
            ):  # all are well: the machine was busy, once
                self.store.repair(name)
                health = self.store.check(name)
            hold(health.intact, f"after a repair: {health}")
            self.get(name)
        hold(self.store.names() == sorted(NAMES), "there are other names than were put")

    @contextmanager
    def meanwhile(self, *works: Callable[[], object]) -> Iterator[None]:
        """Run these in threads of their own while the block runs; what they raise is raised at its end."""
        with ThreadPoolExecutor(len(works)) as pool:
            futures = [pool.submit(work) for work in works]
            yield
        for future in futures:
            future.result()


def strike(fault: Callable[[int], None], chosen: Sequence[int]) -> None:
    """The fault on each of the nodes."""
    for index in chosen:
        fault(index)
