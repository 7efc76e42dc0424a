"""The demo: one file through every step, each one checked and timed, and nothing left behind."""

from __future__ import annotations

import hashlib
import io
import secrets
import shutil
import ssl
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
from lepton_lab.files import ProgressFile, private_folder
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import MappingNode, Node, local_nodes
from lepton_lab.nodes.values import reason_of
from lepton_lab.sharding import ShardedStore
from lepton_lab.sharding.manifest import is_shard
from lepton_lab.totals import PATIENCE, encrypted_totals, numbers_of, say_if_long

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

NAME = "the file"
KILLED = (1, 3)  # the nodes that the demo kills, by index
_PIECE = 1 << 20  # bytes that are hashed at once
_SPARE = 4 << 20  # bytes that must be left for temporary files, beside the file's shards


class StepFailed(LabError):
    """A step of the demo failed; the message names the step and says what to do."""


class _FileChanged(LabError):
    """A copy of the file is not what the file was at the first step."""


@dataclass
class Cost:
    """What one step took and did.

    bytes_in: what it was given. bytes_out: what it stored, sent or computed. said: its result, in
    one line.
    """

    step: str
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    said: str = ""

    @property
    def expansion(self) -> float | None:
        """Bytes out per byte in, or None for a step that has not both."""
        return self.bytes_out / self.bytes_in if self.bytes_in and self.bytes_out else None


class Demo:
    """The steps of the demo, in order, and what they share.

    Use it as a context manager: leaving it stops the nodes and removes all files.
    """

    def __init__(self, file: Path | None, tell: Callable[[Cost], None]) -> None:
        """Prepare the demo of `file`, or of the carried data set if it is None.

        tell: called after each step with its cost.
        """
        self.costs: list[Cost] = []
        self.size = 0  # of the file, once it has been read
        self._file = file
        self._tell = tell
        self._stack = ExitStack()

    def __enter__(self) -> Demo:
        self.folder = self._stack.enter_context(private_folder())
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run(self) -> None:
        """Run every step.

        Raises StepFailed at the first one that fails; InvalidParameter or OSError when the file
        cannot be read.
        """
        self.take_file()
        self.start_nodes()
        self.make_key_ring()
        self.store()
        self.kill_two_nodes()
        self.repair_nodes()
        self.detect_altered_shard()
        self.send()
        self.add_columns()
        self.shred()

    # --- the steps ------------------------------------------------------------------------------

    def take_file(self) -> None:
        """Read the file once, for its size and SHA-256, with which later copies are compared."""
        if self._file is None:
            self.path = self.folder / data.DEFAULT
            self.path.write_bytes(data.read())
        else:
            self.path = self._file
            _refuse_irregular(self.path)
        with self._step("take the file") as cost:
            self.sha256, self.size = self._hash_file()
            cost.bytes_in = self.size
            cost.said = f"{self.path.name}, SHA-256 {self.sha256[:16]}…"

    def start_nodes(self) -> None:
        """Start five nodes: Redis with mutual TLS, else Redis on private sockets, else folders."""
        with self._step("start five nodes") as cost:
            self.servers = self._stack.enter_context(local_nodes(5))
            cost.said = self.servers.describe()

    def make_key_ring(self) -> None:
        """Create a key ring in a folder of its own, apart from the nodes."""
        with self._step("make the key ring") as cost:
            keys = self.folder / "keys"
            keys.mkdir(mode=0o700)
            self.ring = KeyRing.create(keys / "ring", secrets.token_urlsafe(24))
            self.vault = ShardedStore(self.servers.nodes, self.ring, k=3)
            cost.said = "one file, apart from the nodes"

    def store(self) -> None:
        """Encrypt the file, compute five shards of which any three suffice, and store them."""
        with self._step("encrypt, shard, store") as cost:
            with self._source("storing") as source:
                self.receipt = self.vault.put(NAME, source)
            lacking = ", ".join(self.receipt.lacking)
            self._check(not lacking, f"{lacking} did not store every shard")
            cost.bytes_in = self.size
            cost.bytes_out = self.receipt.stored
            each = cost.bytes_out // len(self.servers.nodes)
            cost.said = f"AES-256-GCM, any 3 of 5 suffice, {each:,} bytes per node"

    def kill_two_nodes(self) -> None:
        """Kill two nodes, read the file back from the others, and compare."""
        with self._step("kill two nodes, read back") as cost:
            for index in KILLED:
                self.servers.kill(index)
            self._read_back(cost)
            names = " and ".join(self.servers.nodes[index].name for index in KILLED)
            cost.said = f"{names} killed; SHA-256 equal"

    def repair_nodes(self) -> None:
        """Start the two nodes again, empty, and rebuild their shards from the others."""
        with self._step("bring them back, repair") as cost:
            for index in KILLED:
                self.servers.restart(index, empty=True)
            with self._watched_vault("repairing") as vault:
                report = vault.repair(NAME)
                self._check(vault.check(NAME).intact, "the repair left something missing")
            cost.bytes_in = self.size
            cost.bytes_out = report.size
            shards = sum(report.rebuilt.values())
            cost.said = f"{shards} shards rebuilt on {len(report.rebuilt)} empty nodes"

    def detect_altered_shard(self) -> None:
        """Flip one bit of a shard: reading still works, and the node is named and repaired."""
        with self._step("flip one bit, catch it") as cost:
            liar = self.servers.nodes[0]
            _flip_a_bit(liar)
            self._read_back(cost)
            with self._watched_vault("checking, repairing") as vault:
                found = vault.check(NAME).nodes
                caught = {name for name, health in found.items() if health.altered}
                seen_on = ", ".join(caught) or "no node"
                self._check(caught == {liar.name}, f"the altered shard was seen on {seen_on}")
                rebuilt = vault.repair(NAME).rebuilt
                repaired = rebuilt == {liar.name: 1} and vault.check(NAME).intact
                self._check(repaired, "the altered shard was not repaired")
            cost.said = f"{liar.name} named, its shard rebuilt; SHA-256 equal"

    def send(self) -> None:
        """Send the file over TLS 1.3 with a certificate on both sides."""
        with self._step("send through mutual TLS") as cost:
            ca = tls.LabCA.create()
            server = tls.server_context(ca.issue("localhost"), ca)
            client = tls.client_context(ca, ca.issue("the-sender", client=True))
            sink = _HashingSink()
            # The pool is the outer one: an interruption then closes the receiver first, so that the
            # pool does not wait for a thread that waits for a sender.
            with (
                ThreadPoolExecutor(1) as pool,
                tls.Receiver(
                    "127.0.0.1", 0, server, allowed=["the-sender"], max_bytes=max(1, self.size)
                ) as receiver,
                self._source("sending") as source,
            ):
                received = pool.submit(receiver.receive_into, cast("BinaryIO", sink))
                transfer = tls.send(
                    source, "127.0.0.1", receiver.port, client, server_name="localhost"
                )
                received.result()
            self._check_copy(sink, "what arrived is not what was sent")
            cost.bytes_in = self.size
            cost.bytes_out = self.size
            cost.said = f"{transfer.version}, {transfer.cipher}; acknowledged, SHA-256 equal"

    def add_columns(self) -> None:
        """Add up columns under Paillier: only the totals are ever decrypted."""
        with self._step("add columns under Paillier") as cost:
            with self._progress("counting", self.size) as advance:
                numbers = numbers_of(self.path, advance)
            result = encrypted_totals(numbers.cells, say_if_long)
            self._check(result.exact, "an encrypted total differs from the plain one")
            cost.bytes_in = result.numbers * 8
            cost.bytes_out = result.size
            cost.said = f"{numbers.said}; only the totals decrypted, all exact"

    def shred(self) -> None:
        """Remove the keys, and see that nothing on the nodes can be decrypted any more."""
        with self._step("shred the key") as cost:
            # Every node keeps a copy of its manifests and puts it back afterwards: even then the
            # object cannot be read, because its keys are gone.
            backups = []
            for node in self.servers.nodes:
                backups.append({key: node[key] for key in node if not is_shard(key)})
            self.vault.shred(NAME)
            for node, backup in zip(self.servers.nodes, backups, strict=True):
                node.update(backup)
            try:
                self.vault.get(NAME)
            except NotFound:
                cost.said = "its key is gone from the ring; what lies on the nodes is noise"
            else:
                raise StepFailed("the object could still be read")

    # --- what they share ------------------------------------------------------------------------

    @contextmanager
    def _step(self, title: str) -> Iterator[Cost]:
        """Time the block and record its cost. An error becomes a StepFailed with the title."""
        cost = Cost(title)
        start = time.perf_counter()
        try:
            yield cost
        except LabError as error:
            raise StepFailed(f"{title}: {error}; {self._advice(error)}") from error
        except OSError as error:
            # an error about the user's file says all that is needed, in whichever step it comes
            if error.filename is not None and Path(error.filename) == self.path:
                raise
            where = "" if error.filename is None else f"{error.filename}: "
            reason = f"{where}{reason_of(error)}; {self._advice(error)}"
            raise StepFailed(f"{title}: {reason}") from error
        cost.seconds = time.perf_counter() - start
        self.costs.append(cost)
        self._tell(cost)

    def _advice(self, error: Exception) -> str:
        """What the user can do about an error, by its cause as far as it can be seen."""
        if isinstance(error, _FileChanged):
            return "run it again, on a file that no other program is writing to"
        # A server whose disk is full ends, so that its clients see only a closed connection.
        if shutil.disk_usage(self.folder).free < 2 * self.size + _SPARE:
            return f"free some space in {self.folder.parent}, or set TMPDIR to another folder"
        if _tls_13_is_disabled():
            return "TLS 1.3 is disabled here: enable it in OpenSSL's configuration (OPENSSL_CONF)"
        return "run it again, and report it if it fails again"

    def _check(self, held: bool, otherwise: str) -> None:
        if not held:
            raise StepFailed(otherwise)

    def _check_copy(self, copy: _HashingSink, otherwise: str) -> None:
        if copy.sha256 != self.sha256:
            raise _FileChanged(otherwise)

    def _hash_file(self) -> tuple[str, int]:
        """The file's SHA-256 and its size in bytes. Raises OSError with its name."""
        try:
            size = self.path.stat().st_size
            with (
                self._progress("hashing", size) as advance,
                self.path.open("rb", buffering=0) as file,
            ):
                sink = _HashingSink(advance)
                shutil.copyfileobj(file, sink, _PIECE)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        return sink.sha256, sink.size

    def _read_back(self, cost: Cost) -> None:
        """Read the file from the nodes and compare it with what was stored."""
        with self._progress("reading", self.size) as advance:
            sink = _HashingSink(advance)
            self.vault.get(NAME, cast("BinaryIO", sink), receipt=self.receipt)
        self._check_copy(sink, "what came back is not what was stored")
        cost.bytes_in = self.size

    @contextmanager
    def _source(self, doing: str) -> Iterator[BinaryIO]:
        """The file, with a progress bar that moves while it is read."""
        with (
            self._progress(doing, self.size) as advance,
            self.path.open("rb", buffering=0) as file,
        ):
            yield cast("BinaryIO", ProgressFile(cast("BinaryIO", file), advance))

    @contextmanager
    def _watched_vault(self, doing: str) -> Iterator[ShardedStore]:
        """The store, with a progress bar that counts what is read from its nodes."""
        with self._progress(doing, None) as advance:
            nodes = [_WatchedNode(node, advance) for node in self.servers.nodes]
            yield ShardedStore(nodes, self.ring, k=3)

    @contextmanager
    def _progress(self, doing: str, total: int | None) -> Iterator[Callable[[int], Any]]:
        """A progress bar in bytes, for work of more than a second, on a terminal only.

        total: bytes, if they are known beforehand. Gives the function that moves the bar.
        """
        how: dict[str, Any] = {"unit": "B", "unit_scale": True, "delay": PATIENCE}
        with tqdm(total=total, desc=f"  {doing}", leave=False, disable=None, **how) as bar:
            yield bar.update


def _refuse_irregular(path: Path) -> None:
    """Raise InvalidParameter for anything but a regular file; OSError if there is nothing.

    It is looked at before it is opened, because opening a pipe waits for another program to write.
    """
    path.stat()
    if path.is_dir():
        raise InvalidParameter(
            f"{path} is a folder: pack it into one file (tar, zip), and name that"
        )
    if not path.is_file():
        raise InvalidParameter(
            f"{path} is not a regular file: copy its content into one, and name that"
        )


def _tls_13_is_disabled() -> bool:
    """Whether this machine's OpenSSL, or its configuration, does not let programs use TLS 1.3."""
    highest = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).maximum_version
    allowed = highest in (ssl.TLSVersion.MAXIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_3)
    return not (ssl.HAS_TLSv1_3 and allowed)


def _flip_a_bit(node: Node) -> None:
    """Flip one bit in the middle of a shard on this node."""
    key = next(key for key in node if is_shard(key))
    shard = bytearray(node[key])
    shard[len(shard) // 2] ^= 1
    node[key] = bytes(shard)


class _WatchedNode(MappingNode):
    """A node that reports how many bytes are read from it."""

    def __init__(self, node: Node, advance: Callable[[int], object]) -> None:
        super().__init__(node, node.name)
        self.single_writer = node.single_writer
        self._advance = advance

    def read_into(self, key: str, buffer: BytesLike) -> int:
        count = super().read_into(key, buffer)
        self._advance(count)
        return count


class _HashingSink(io.RawIOBase):
    """A file that keeps only the size and the SHA-256 of what is written to it."""

    def __init__(self, advance: Callable[[int], object] = lambda count: None) -> None:
        self.size = 0
        self._hash = hashlib.sha256()
        self._advance = advance

    def writable(self) -> bool:
        return True

    def write(self, raw: ReadableBuffer) -> int:
        count = memoryview(raw).nbytes
        self._hash.update(raw)
        self.size += count
        self._advance(count)
        return count

    @property
    def sha256(self) -> str:
        """Of everything written so far, in hexadecimal."""
        return self._hash.hexdigest()
