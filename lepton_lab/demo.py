"""The main job: one file through the whole flow, every step checked, timed and weighed, and nothing left behind."""

from __future__ import annotations

import hashlib
import io
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from lepton_lab import data, tls
from lepton_lab.errors import InvalidParameter, LabError, NotFound
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import local_nodes
from lepton_lab.sharding import ShardedStore
from lepton_lab.totals import encrypted_totals, numeric_columns

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

NAME = "the file"
DEAD = (1, 3)
LARGE = 32 << 20  # octets from which a progress bar is worth its line


class StepFailed(LabError):
    """A step of the demo did not hold; the message says which and how."""


@dataclass
class Cost:
    """What one step took: seconds, octets it was given, octets it stored, sent or made, and what it did."""

    step: str
    seconds: float = 0.0
    octets_in: int = 0
    octets_out: int = 0
    said: str = ""

    @property
    def expansion(self) -> float | None:
        """Octets out for each octet in."""
        return self.octets_out / self.octets_in if self.octets_in and self.octets_out else None


class Demo:
    """The steps, in order, and what they share. Use it as a context manager: leaving it ends and removes everything."""

    def __init__(self, file: Path | None, tell: Callable[[Cost], None]) -> None:
        """file: what to protect, or None for the data set that the lab carries. tell: called after every step."""
        self.costs: list[Cost] = []
        self._file, self._tell, self._stack = file, tell, ExitStack()

    def __enter__(self) -> Demo:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lepton-lab-")))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run(self) -> None:
        """Every step. Raises StepFailed at the first that does not hold, and whatever a helper raises."""
        for step in (
            self.take_the_file, self.start_nodes, self.make_keys, self.store, self.lose_two_nodes, self.mend_them,
            self.catch_a_lie, self.send, self.compute, self.shred,
        ):  # fmt: skip
            step()

    @contextmanager
    def _step(self, title: str) -> Iterator[Cost]:
        cost, start = Cost(title), time.perf_counter()
        yield cost
        cost.seconds = time.perf_counter() - start
        self.costs.append(cost)
        self._tell(cost)

    # --- the steps -------------------------------------------------------------------------------------------------

    def take_the_file(self) -> None:
        """Read the file once: its size and its SHA-256, which everything later is held against."""
        with self._step("take the file") as cost:
            if self._file is None:
                self.path = self.folder / data.DEFAULT
                self.path.write_bytes(data.octets())
            else:
                self.path = self._file
            with self.path.open("rb") as file:
                if not self.path.is_file():
                    raise InvalidParameter(f"{self.path} is not a regular file")
                self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            self.size = cost.octets_in = self.path.stat().st_size
            cost.said = f"{self.path.name}, SHA-256 {self.sha256[:16]}…"

    def start_nodes(self) -> None:
        """Five nodes: real Redis with mutual TLS, else without TLS on private sockets, else folders."""
        with self._step("start five nodes") as cost:
            self.servers = self._stack.enter_context(local_nodes(5))
            cost.said = self.servers.describe()

    def make_keys(self) -> None:
        """A key ring, apart from the nodes."""
        with self._step("make the key ring") as cost:
            keys = self.folder / "keys"
            keys.mkdir(mode=0o700)
            self.ring = KeyRing.create(keys / "ring", secrets.token_urlsafe(24))
            self.vault = ShardedStore(self.servers.nodes, self.ring, k=3)
            cost.said = "one file, apart from the nodes"

    def store(self) -> None:
        """Encrypt, code three of five, place."""
        with self._step("encrypt, shard, store") as cost, self._source("storing") as source:
            self.receipt = self.vault.put(NAME, source)
            self._hold(not self.receipt.lacking, f"{', '.join(self.receipt.lacking)} did not take every shard")
            cost.octets_in, cost.octets_out = self.size, self.receipt.stored
            cost.said = f"AES-256-GCM, any 3 of 5 suffice, {cost.octets_out // 5:,} octets a node"

    def lose_two_nodes(self) -> None:
        """Kill two nodes, read everything back, compare."""
        with self._step("kill two nodes, read back") as cost:
            for index in DEAD:
                self.servers.kill(index)
            self._read_back(cost)
            names = " and ".join(self.servers.nodes[index].name for index in DEAD)
            cost.said = f"{names} killed; SHA-256 equal"

    def mend_them(self) -> None:
        """Bring the two back, empty, and rebuild what they should hold."""
        with self._step("bring them back, repair") as cost:
            for index in DEAD:
                self.servers.restart(index, empty=True)
            report = self.vault.repair(NAME)
            self._hold(self.vault.check(NAME).intact, "the repair left something missing")
            cost.octets_in, cost.octets_out = self.size, report.octets
            cost.said = f"{sum(report.rebuilt.values())} shards rebuilt on {len(report.rebuilt)} empty nodes"

    def catch_a_lie(self) -> None:
        """Flip one bit of a stored shard: it is survived, found, named and repaired."""
        with self._step("flip one bit, catch it") as cost:
            liar = self.servers.nodes[0]
            key = next(key for key in liar if key.count("/") == 4)  # object/version/put/stripe/index
            shard = bytearray(liar[key])
            shard[len(shard) // 2] ^= 1
            liar[key] = bytes(shard)
            self._read_back(cost)
            caught = {name for name, health in self.vault.check(NAME).nodes.items() if health.altered}
            self._hold(caught == {liar.name}, f"the altered shard was seen on {caught or 'no node'}")
            mended = self.vault.repair(NAME).rebuilt
            self._hold(mended == {liar.name: 1} and self.vault.check(NAME).intact, "the altered shard was not repaired")
            cost.said = f"{liar.name} named, its shard rebuilt; SHA-256 equal"

    def send(self) -> None:
        """Send the file to a receiver that knows us, over TLS 1.3 with a certificate on both sides."""
        with self._step("send through mutual TLS") as cost, self._source("sending") as source:
            ca = tls.LabCA.create()
            receiving, sending = ca.issue("localhost"), ca.issue("the-sender", client=True)
            sink = _Sink()
            context = tls.server_context(receiving, ca)
            with tls.Receiver("127.0.0.1", 0, context, allowed=["the-sender"], max_bytes=max(1, self.size)) as receiver:
                taker = threading.Thread(target=receiver.receive_into, args=(sink,))
                taker.start()
                transfer = tls.send(
                    source, "127.0.0.1", receiver.port, tls.client_context(ca, sending), server_name="localhost"
                )
                taker.join()
            self._hold(sink.sha256 == self.sha256, "what arrived is not what was sent")
            cost.octets_in, cost.octets_out = self.size, self.size
            cost.said = f"{transfer.version}, {transfer.cipher}; acknowledged, SHA-256 equal"

    def compute(self) -> None:
        """Add columns under Paillier: who adds sees ciphertexts, who decrypts sees totals."""
        with self._step("add columns under Paillier") as cost:
            columns, unit = numeric_columns(self.path)
            result = encrypted_totals(columns)
            self._hold(result.exact, "an encrypted total differs from the plain one")
            cost.octets_in, cost.octets_out = result.numbers * 8, result.octets
            cost.said = f"{result.rows} {unit} of {len(columns)} columns; only the totals decrypted, all exact"

    def shred(self) -> None:
        """Remove the keys, and see that what lies on the nodes is noise."""
        with self._step("shred the key") as cost:
            backups = [{key: node[key] for key in node if key.count("/") < 4} for node in self.servers.nodes]
            self.vault.shred(NAME)
            for node, backup in zip(self.servers.nodes, backups, strict=True):
                node.update(backup)  # every node brings its manifests back, and gains nothing
            try:
                self.vault.get(NAME)
            except NotFound:
                cost.said = "its key is gone from the ring; what lies on the nodes is noise"
            else:
                raise StepFailed("the object could still be read")

    # --- what they share -------------------------------------------------------------------------------------------

    def _hold(self, held: bool, otherwise: str) -> None:
        if not held:
            raise StepFailed(otherwise)

    def _read_back(self, cost: Cost) -> None:
        with self._progress("reading") as bar:
            sink = _Sink(bar)
            self.vault.get(NAME, cast("BinaryIO", sink), receipt=self.receipt)
        self._hold(sink.sha256 == self.sha256, "what came back is not what was stored")
        cost.octets_in = self.size

    @contextmanager
    def _source(self, doing: str) -> Iterator[BinaryIO]:
        with self._progress(doing) as bar, self.path.open("rb", buffering=0) as file:
            yield cast("BinaryIO", _Source(file, bar))

    @contextmanager
    def _progress(self, doing: str) -> Iterator[tqdm[Any]]:
        quiet = self.size < LARGE or not sys.stderr.isatty()
        with tqdm(total=self.size, desc=f"  {doing}", unit="B", unit_scale=True, leave=False, disable=quiet) as bar:
            yield bar


class _Source(io.RawIOBase):
    """A file that moves a progress bar while it is read."""

    def __init__(self, file: io.FileIO, bar: tqdm[Any]) -> None:
        self._file, self._bar = file, bar

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = self._file.readinto(buffer) or 0
        self._bar.update(count)
        return count


class _Sink(io.RawIOBase):
    """Takes whatever comes, keeps its SHA-256 alone, and moves a progress bar."""

    def __init__(self, bar: tqdm[Any] | None = None) -> None:
        self._hash, self._bar = hashlib.sha256(), bar

    def writable(self) -> bool:
        return True

    def write(self, octets: ReadableBuffer) -> int:
        count = memoryview(octets).nbytes
        self._hash.update(octets)
        if self._bar is not None:
            self._bar.update(count)
        return count

    @property
    def sha256(self) -> str:
        """Of everything so far, in hexadecimal."""
        return self._hash.hexdigest()


def run(file: Path | None, console: Console) -> bool:
    """Run the demo and print a line a step, then what each one cost; True when every step held."""
    try:
        with Demo(file, lambda cost: console.print(_line(cost), soft_wrap=True)) as demo:
            demo.run()
    except LabError as error:
        console.print(f"[red]✗[/] {error}")
        return False
    console.print(_table(demo.costs))
    return True


def _line(cost: Cost) -> str:
    return f"[green]✓[/] {cost.step:<26}{cost.seconds:7.2f} s  {cost.said}"


def _table(costs: list[Cost]) -> Table:
    table = Table(title="What each step cost")
    table.add_column("step", no_wrap=True)
    for heading in ("seconds", "octets in", "octets out", "expansion"):
        table.add_column(heading, justify="right")
    for cost in costs:
        expansion = "" if cost.expansion is None else f"{cost.expansion:.2f}×"
        table.add_row(
            cost.step, f"{cost.seconds:.2f}", f"{cost.octets_in:,}" if cost.octets_in else "",
            f"{cost.octets_out:,}" if cost.octets_out else "", expansion,
        )  # fmt: skip
    table.add_section()
    table.add_row("all of it", f"{sum(cost.seconds for cost in costs):.2f}", "", "", "")
    return table
