"""What the store tells its user: receipts, the health of an object, and what a repair or a shredding did."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Receipt:
    """Proof for the writer of what was acknowledged. Kept and given to `get`, it exposes a rollback by all nodes.

    `digest` is SHA-256 of the manifest's body in hexadecimal; `size` is the plaintext's in bytes; `lacking` names the
    nodes that did not take every shard, for which `repair` is due; `stored` is what the others took, in bytes.
    """

    name: str
    version: int
    digest: str
    size: int
    lacking: tuple[str, ...] = ()
    stored: int = 0


@dataclass(frozen=True)
class NodeHealth:
    """How many of one node's shards are good, missing and altered; `unreachable` says why none could be asked for."""

    good: int = 0
    missing: int = 0
    altered: int = 0
    unreachable: str | None = None

    def __str__(self) -> str:
        """One line for a table."""
        if self.unreachable is not None:
            return f"unreachable: {self.unreachable}"
        faults = [
            f"{count} {what}"
            for what, count in (("missing", self.missing), ("altered", self.altered))
            if count
        ]
        return ", ".join([f"{self.good} good", *faults])


@dataclass(frozen=True)
class Health:
    """The state of one object: of each node by its name, and of its weakest stripe.

    `margin` is how many more shards the weakest stripe may lose before the object is unreadable; below 0 it is.
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
        """Every stripe has k good shards."""
        return self.margin >= 0

    @property
    def intact(self) -> bool:
        """Nothing is missing, altered or unreachable."""
        return self.margin == self.n - self.k


@dataclass(frozen=True)
class RepairReport:
    """What a repair rebuilt, by node: how many shards and bytes; and which nodes it could not reach, and why."""

    name: str
    version: int
    rebuilt: dict[str, int] = field(default_factory=dict)
    size: int = 0
    unreachable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RebalanceReport:
    """What a rebalancing did: how many objects it looked at, how many shards each node took over, and their bytes.

    `failed` says, by the object's name, what could not be brought to its place and why; it lies where it lay.
    """

    objects: int
    moved: dict[str, int] = field(default_factory=dict)
    size: int = 0
    unreachable: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def shards(self) -> int:
        """How many shards went to another node."""
        return sum(self.moved.values())


@dataclass(frozen=True)
class ShredReport:
    """What a shredding removed: how many data keys from the ring, and on which nodes ciphertext may still lie."""

    name: str
    data_keys: int
    unreachable: dict[str, str] = field(default_factory=dict)
