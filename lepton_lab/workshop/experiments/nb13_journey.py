"""The way of one object into a store and back, and what can be seen of it at each stage.

Notebook 13 compares the order of the stages with the article's picture, which has storage first
and the protocol after it.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from lepton_lab import tls
from lepton_lab.errors import NodeError
from lepton_lab.keyring import KeyRing
from lepton_lab.sharding import ShardedStore
from lepton_lab.textbook.attacks.man_in_the_middle import TappedLine

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

_NODES = 5
_NEEDED = 3  # shards that give the object back
_NAME = "localhost"


class Stage(NamedTuple):
    """What happened, and the bytes that an observer at that place sees."""

    name: str
    seen: bytes


class _StageLog:
    """The stages in the order in which each was first seen. Several threads write it."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._lock = threading.Lock()

    def note(self, name: str, seen: bytes) -> None:
        with self._lock:
            known = {stage.name for stage in self.stages}
            if name not in known:
                self.stages.append(Stage(name, seen))


def journey(data: bytes) -> list[Stage]:
    """Store an object 3-of-5 on nodes behind TLS, read it back, and list what was seen, in order.

    "input": the store reads the object.
    "encryption": what the store hands to a node no longer contains the object.
    "protocol": an observer on the network sees bytes pass.
    "storage": a shard has arrived at its node.
    "use": the object is read back.

    Every stage is listed once, when it is first seen, and only if it is seen. Only the shards are
    followed. What a store writes besides them (claims, the manifest) does not cross the network
    here.
    """
    log = _StageLog()
    ca = tls.LabCA.create()
    server = tls.server_context(ca.issue(_NAME), ca)
    client = tls.client_context(ca, ca.issue("store", client=True))
    with (
        TemporaryDirectory() as folder,
        tls.Receiver("127.0.0.1", 0, server) as receiver,
        TappedLine(receiver.port) as line,
    ):

        class RemoteNode(dict[str, bytes]):
            """A node at the other end of the network. It keeps what was acknowledged."""

            def __setitem__(self, key: str, value: bytes) -> None:
                if _is_shard(key):
                    if data not in value:
                        log.note("encryption", value)
                    tls.send(value, "127.0.0.1", line.port, client, _NAME)
                super().__setitem__(key, value)

        def receive_shards() -> None:
            with suppress(NodeError):  # raised when the receiver is closed, which ends this thread
                while True:
                    shard = receiver.receive(None)
                    if line.seen:
                        log.note("protocol", line.text)
                    log.note("storage", shard)

        thread = threading.Thread(target=receive_shards, name="the nodes' receiver", daemon=True)
        thread.start()
        # A cheap scrypt: this ring lives for one journey.
        ring = KeyRing.create(
            Path(folder, "ring"), "one passphrase for one journey", scrypt_n=2**14
        )
        store = ShardedStore([RemoteNode() for _ in range(_NODES)], ring, k=_NEEDED)
        store.put("object", _ObservedFile(data, lambda: log.note("input", data)))
        log.note("use", store.get("object"))
        receiver.close()
        thread.join()
    return log.stages


def _is_shard(key: str) -> bool:
    return key.count("/") == 4  # object/version/put/stripe/index


class _ObservedFile(io.BytesIO):
    """A file that calls a function whenever it is read."""

    def __init__(self, data: bytes, on_read: Callable[[], None]) -> None:
        super().__init__(data)
        self._on_read = on_read

    def readinto(self, buffer: Buffer) -> int:
        self._on_read()
        return super().readinto(buffer)
