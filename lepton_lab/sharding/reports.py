"""What the store tells its user: receipts, an object's health, and what each operation did."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Receipt:
    """What a put was acknowledged as. Given to `get` later, it exposes a rollback of all nodes.

    name: the object. version: from 1. digest: SHA-256 of the manifest's body in hexadecimal. size:
    of the plaintext, in bytes. lacking: the nodes that did not take every shard, for which a
    `repair` is due. stored: bytes of shards that the other nodes took.
    """

    name: str
    version: int
    digest: str
    size: int
    lacking: tuple[str, ...] = ()
    stored: int = 0


@dataclass(frozen=True)
class NodeHealth:
    """How many of one node's shards are good, missing and altered.

    unreachable: why the node could not be asked, or None.
    """

    good: int = 0
    missing: int = 0
    altered: int = 0
    unreachable: str | None = None

    def __str__(self) -> str:
        """Return one line for a table."""
        if self.unreachable is not None:
            return f"unreachable: {self.unreachable}"
        parts = [f"{self.good} good"]
        if self.missing:
            parts.append(f"{self.missing} missing")
        if self.altered:
            parts.append(f"{self.altered} altered")
        return ", ".join(parts)


@dataclass(frozen=True)
class Health:
    """The state of one object: of every node, by its name, and of the weakest stripe.

    margin: how many more shards the weakest stripe may lose before the object becomes unreadable;
    negative if it already is. size: of the plaintext, in bytes.
    """

    name: str
    version: int
    size: int
    k: int
    n: int
    stripes: int
    margin: int
    nodes: dict[str, NodeHealth] = field(default_factory=dict)

    @property
    def readable(self) -> bool:
        """Whether every stripe has k good shards."""
        return self.margin >= 0

    @property
    def intact(self) -> bool:
        """Whether every shard of every node is good."""
        return self.margin == self.n - self.k


@dataclass(frozen=True)
class RepairReport:
    """What a repair rebuilt.

    rebuilt: how many shards on each node. size: their bytes. unreachable: why each node that could
    not be reached failed.
    """

    name: str
    version: int
    rebuilt: dict[str, int] = field(default_factory=dict)
    size: int = 0
    unreachable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RebalanceReport:
    """What a rebalancing moved.

    objects: how many it looked at. moved: how many shards each node took over. size: their bytes.
    failed: by the object's name, why it could not be brought to its place; it stays where it lay.
    """

    objects: int
    moved: dict[str, int] = field(default_factory=dict)
    size: int = 0
    unreachable: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def shards(self) -> int:
        """How many shards were moved to another node."""
        return sum(self.moved.values())


@dataclass(frozen=True)
class ShredReport:
    """What a shredding removed.

    data_keys: how many left the key ring. unreachable: the nodes on which ciphertext may still lie.
    """

    name: str
    data_keys: int
    unreachable: dict[str, str] = field(default_factory=dict)
