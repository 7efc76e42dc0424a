"""One object's way into a store and back, and what can be seen of it where: in the order in which it happens.

Notebook 13 holds that order against the article's picture, which has storage first and the protocol after it.
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
from lepton_lab.sharding.manifest import is_shard
from lepton_lab.textbook.attacks.man_in_the_middle import TappedLine

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

_NODES, _ENOUGH = 5, 3
_NAME = "localhost"


class Stage(NamedTuple):
    """What happened, and the bytes that somebody who stands there sees."""

    name: str
    seen: bytes


def journey(data: bytes) -> list[Stage]:
    """Store an object 3-of-5 on nodes that are reached by TLS, read it back, and say what was seen happening when.

    "input": the store reads the object. "encryption": what it hands to a node does not contain the object any more.
    "protocol": somebody on the line sees something pass. "storage": a shard has arrived where it is to lie. "use": the
    object is read back. Every stage comes once, when it is first seen, and only if it is. Followed are the shards; what
    a store writes besides (claims, the manifest) is kept without a line.
    """
    stages: list[Stage] = []
    lock = threading.Lock()

    def note(name: str, seen: bytes) -> None:
        with lock:
            if all(stage.name != name for stage in stages):
                stages.append(Stage(name, seen))

    ca = tls.LabCA.create()
    with (
        TemporaryDirectory() as folder,
        tls.Receiver("127.0.0.1", 0, tls.server_context(ca.issue(_NAME), ca)) as receiver,
        TappedLine(receiver.port) as line,
    ):
        context = tls.client_context(ca, ca.issue("store", client=True))

        class Remote(dict[str, bytes]):
            """A node at the other end of the line; what it has acknowledged stands here too, to be read."""

            def __setitem__(self, key: str, value: bytes) -> None:
                if is_shard(key):
                    if data not in value:
                        note("encryption", value)
                    tls.send(value, "127.0.0.1", line.port, context, _NAME)
                super().__setitem__(key, value)

        def keep() -> None:
            with suppress(NodeError):  # the receiver is closed
                while True:
                    value = receiver.receive(None)
                    if line.seen:
                        note("protocol", line.text)
                    note("storage", value)

        keeper = threading.Thread(target=keep, name="nodes that keep", daemon=True)
        keeper.start()
        ring = KeyRing.create(
            Path(folder, "ring"), "one passphrase for one journey", scrypt_n=2**14
        )
        store = ShardedStore([Remote() for _ in range(_NODES)], ring, k=_ENOUGH)
        store.put("object", _Watched(data, lambda: note("input", data)))
        note("use", store.get("object"))
        receiver.close()
        keeper.join()
    return stages


class _Watched(io.BytesIO):
    """A file whose reading is noticed."""

    def __init__(self, data: bytes, noticed: Callable[[], None]) -> None:
        super().__init__(data)
        self._noticed = noticed

    def readinto(self, buffer: Buffer) -> int:
        self._noticed()
        return super().readinto(buffer)
