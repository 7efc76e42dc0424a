"""The main job: one file through the whole flow, every step checked, timed and weighed, and nothing left behind."""

from __future__ import annotations

import hashlib
import io
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from tqdm import tqdm

from lepton_lab import data, tls
from lepton_lab.buffers import BytesLike
from lepton_lab.errors import InvalidParameter, LabError, NotFound
from lepton_lab.files import private_folder
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import MappingNode, Node, local_nodes
from lepton_lab.sharding import ShardedStore
from lepton_lab.sharding.manifest import is_shard
from lepton_lab.totals import PATIENCE, encrypted_totals, numbers_of

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

NAME = "the file"
DEAD = (1, 3)
PIECE = 1 << 20  # bytes that are hashed at once
ONCE_MORE = "run it again, on a file that nobody writes to meanwhile"


class StepFailed(LabError):
    """A step of the demo did not hold; the message says how, and that of `Demo.run` which, and what to do next."""


@dataclass
class Cost:
    """What one step took: seconds, bytes it was given, bytes it stored, sent or made, and what it did."""

    step: str
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    said: str = ""

    @property
    def expansion(self) -> float | None:
        """Bytes out for each byte in."""
        return self.bytes_out / self.bytes_in if self.bytes_in and self.bytes_out else None


class Demo:
    """The steps, in order, and what they share. Use it as a context manager: leaving it ends and removes everything."""

    def __init__(self, file: Path | None, tell: Callable[[Cost], None]) -> None:
        """file: what to protect, or None for the data set that the lab carries. tell: called after every step."""
        self.costs: list[Cost] = []
        self._file, self._tell, self._stack = file, tell, ExitStack()

    def __enter__(self) -> Demo:
        self.folder = self._stack.enter_context(private_folder())
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run(self) -> None:
        """Every step. Raises StepFailed at the first that does not hold; InvalidParameter, OSError for the file."""
        self.take_the_file()
        for step in (
            self.start_nodes, self.make_keys, self.store, self.lose_two_nodes, self.mend_them, self.catch_a_lie,
            self.send, self.compute, self.shred,
        ):  # fmt: skip
            try:
                step()
            except LabError as error:
                raise StepFailed(f"{self._title}: {error}; {ONCE_MORE}") from error

    @contextmanager
    def _step(self, title: str) -> Iterator[Cost]:
        self._title, cost, start = title, Cost(title), time.perf_counter()
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
                self.path.write_bytes(data.read())
            else:
                self.path = self._file
            self.sha256, self.size = self._read_once()
            cost.bytes_in = self.size
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
            self._hold(
                not self.receipt.lacking,
                f"{', '.join(self.receipt.lacking)} did not take every shard",
            )
            cost.bytes_in, cost.bytes_out = self.size, self.receipt.stored
            cost.said = f"AES-256-GCM, any 3 of 5 suffice, {cost.bytes_out // 5:,} bytes a node"

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
            with self._watched("repairing") as vault:
                report = vault.repair(NAME)
                self._hold(vault.check(NAME).intact, "the repair left something missing")
            cost.bytes_in, cost.bytes_out = self.size, report.size
            cost.said = f"{sum(report.rebuilt.values())} shards rebuilt on {len(report.rebuilt)} empty nodes"

    def catch_a_lie(self) -> None:
        """Flip one bit of a stored shard: it is survived, found, named and repaired."""
        with self._step("flip one bit, catch it") as cost:
            liar = self.servers.nodes[0]
            key = next(key for key in liar if is_shard(key))
            shard = bytearray(liar[key])
            shard[len(shard) // 2] ^= 1
            liar[key] = bytes(shard)
            self._read_back(cost)
            with self._watched("checking, repairing") as vault:
                caught = {
                    name for name, health in vault.check(NAME).nodes.items() if health.altered
                }
                self._hold(
                    caught == {liar.name},
                    f"the altered shard was seen on {', '.join(caught) or 'no node'}",
                )
                mended = vault.repair(NAME).rebuilt
                self._hold(
                    mended == {liar.name: 1} and vault.check(NAME).intact,
                    "the altered shard was not repaired",
                )
            cost.said = f"{liar.name} named, its shard rebuilt; SHA-256 equal"

    def send(self) -> None:
        """Send the file to a receiver that knows us, over TLS 1.3 with a certificate on both sides."""
        with self._step("send through mutual TLS") as cost, self._source("sending") as source:
            ca = tls.LabCA.create()
            receiving, sending = ca.issue("localhost"), ca.issue("the-sender", client=True)
            sink = _Sink()
            context = tls.server_context(receiving, ca)
            most = max(1, self.size)
            with (
                ThreadPoolExecutor(
                    1
                ) as pool,  # outermost: an interruption closes the receiver before it waits for it
                tls.Receiver(
                    "127.0.0.1", 0, context, allowed=["the-sender"], max_bytes=most
                ) as receiver,
            ):
                taken = pool.submit(receiver.receive_into, cast("BinaryIO", sink))
                transfer = tls.send(
                    source,
                    "127.0.0.1",
                    receiver.port,
                    tls.client_context(ca, sending),
                    server_name="localhost",
                )
                taken.result()
            self._hold(sink.sha256 == self.sha256, "what arrived is not what was sent")
            cost.bytes_in, cost.bytes_out = self.size, self.size
            cost.said = f"{transfer.version}, {transfer.cipher}; acknowledged, SHA-256 equal"

    def compute(self) -> None:
        """Add columns under Paillier: who adds sees ciphertexts, who decrypts sees totals."""
        with self._step("add columns under Paillier") as cost:
            with self._progress("counting", self.size) as bar:
                numbers = numbers_of(self.path, bar.update)
            result = encrypted_totals(numbers.columns)
            self._hold(result.exact, "an encrypted total differs from the plain one")
            cost.bytes_in, cost.bytes_out = result.numbers * 8, result.size
            cost.said = f"{numbers.said}; only the totals decrypted, all exact"

    def shred(self) -> None:
        """Remove the keys, and see that what lies on the nodes is noise."""
        with self._step("shred the key") as cost:
            backups = [
                {key: node[key] for key in node if not is_shard(key)} for node in self.servers.nodes
            ]
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

    def _read_once(self) -> tuple[str, int]:
        """The file's SHA-256 and size. Raises InvalidParameter when it has no fixed content, OSError with its name."""
        try:
            size = self.path.stat().st_size
            if self.path.is_dir():
                raise InvalidParameter(
                    f"{self.path} is a folder: pack it into one file (tar, zip), and name that"
                )
            if (
                not self.path.is_file()
            ):  # looked at before it is opened: a pipe would wait for its writer
                raise InvalidParameter(
                    f"{self.path} is no ordinary file: copy what it gives to one, and name that"
                )
            with self._progress("hashing", size) as bar, self.path.open("rb", buffering=0) as file:
                sink = _Sink(bar)
                while piece := file.read(PIECE):
                    sink.write(piece)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        return sink.sha256, sink.size

    def _read_back(self, cost: Cost) -> None:
        with self._progress("reading", self.size) as bar:
            sink = _Sink(bar)
            self.vault.get(NAME, cast("BinaryIO", sink), receipt=self.receipt)
        self._hold(sink.sha256 == self.sha256, "what came back is not what was stored")
        cost.bytes_in = self.size

    @contextmanager
    def _source(self, doing: str) -> Iterator[BinaryIO]:
        with self._progress(doing, self.size) as bar, self.path.open("rb", buffering=0) as file:
            yield cast("BinaryIO", _Source(file, bar))

    @contextmanager
    def _watched(self, doing: str) -> Iterator[ShardedStore]:
        """The vault, with a bar of the bytes that its nodes have given."""
        with self._progress(doing, None) as bar:
            yield ShardedStore([_Watched(node, bar) for node in self.servers.nodes], self.ring, k=3)

    @contextmanager
    def _progress(self, doing: str, total: int | None) -> Iterator[tqdm[Any]]:
        """A bar for what takes more than a second, on a terminal only. total: bytes, where they are known before."""
        with tqdm(
            total=total,
            desc=f"  {doing}",
            unit="B",
            unit_scale=True,
            leave=False,
            delay=PATIENCE,
            disable=None,
        ) as bar:
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


class _Watched(MappingNode):
    """A node that moves a progress bar by what is read from it."""

    def __init__(self, node: Node, bar: tqdm[Any]) -> None:
        super().__init__(node, node.name)
        self.single_writer = node.single_writer
        self._bar = bar

    def read_into(self, key: str, buffer: BytesLike) -> int:
        count = super().read_into(key, buffer)
        self._bar.update(count)
        return count


class _Sink(io.RawIOBase):
    """Takes whatever comes, keeps its size and its SHA-256 alone, and moves a progress bar."""

    def __init__(self, bar: tqdm[Any] | None = None) -> None:
        self._hash, self._bar, self.size = hashlib.sha256(), bar, 0

    def writable(self) -> bool:
        return True

    def write(self, raw: ReadableBuffer) -> int:
        count = memoryview(raw).nbytes
        self._hash.update(raw)
        self.size += count
        if self._bar is not None:
            self._bar.update(count)
        return count

    @property
    def sha256(self) -> str:
        """Of everything so far, in hexadecimal."""
        return self._hash.hexdigest()
