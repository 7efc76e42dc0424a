"""The ledger: which writes a store has acknowledged, kept where no fault of a node reaches it."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field

from lepton_lab.errors import LabError, NotEnoughShards
from lepton_lab.sharding import Receipt


class PromiseBroken(LabError):
    """The store did not do what it promises; the message says what, and in which round."""


def require(held: bool, otherwise: str) -> None:
    """Raise PromiseBroken with the text `otherwise` unless `held` is true."""
    if not held:
        raise PromiseBroken(otherwise)


@dataclass
class ObjectAccount:
    """One object: its newest acknowledged write, and the later writes whose outcome is unknown."""

    receipt: Receipt | None = None
    content: bytes | None = None
    indeterminate: list[bytes] = field(default_factory=list)

    def readable(self) -> list[bytes | None]:
        """Return the contents that a read may give; None stands for "there is no such object"."""
        return [self.content, *self.indeterminate]


class Ledger:
    """The accounts of all objects, by name. Threads may share it.

    A write is noted before it begins, and settled by what became of it.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, ObjectAccount] = {}
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def __getitem__(self, name: str) -> ObjectAccount:
        return self._accounts.setdefault(name, ObjectAccount())

    def write_begins(self, name: str, content: bytes) -> None:
        """Note that a read may give this content until a later write is acknowledged."""
        with self._lock:
            self[name].indeterminate.append(content)

    def write_acknowledged(self, content: bytes, receipt: Receipt) -> None:
        """Note that reads must give this content, unless a later version was acknowledged already.

        Raises PromiseBroken when the receipt is wrong, or two writers were given one version.
        """
        with self._lock:
            account = self[receipt.name]
            known = account.receipt
            self.counts["writes acknowledged"] += 1
            require(receipt.size == len(content), "a receipt states a wrong size")
            require(
                known is None or known.version != receipt.version,
                "one version was acknowledged to two writers",
            )
            if known is None or known.version < receipt.version:
                account.receipt = receipt
                account.content = content
            account.indeterminate = [each for each in account.indeterminate if each is not content]

    def settle(self, name: str) -> None:
        """Forget writes of unknown outcome: a later version than theirs has been acknowledged."""
        self[name].indeterminate.clear()

    def check_read(self, name: str, found: bytes | None) -> None:
        """Raise PromiseBroken when a read gave something that it must not give."""
        self.counts["reads compared"] += 1
        allowed = self[name].readable()
        described = [_described(content) for content in allowed]
        require(found in allowed, f"{_described(found)} was read, expected one of {described}")

    def check_refusal(self, error: NotEnoughShards, faulty: set[str]) -> None:
        """Raise PromiseBroken unless the refusal names failed nodes and only failed nodes."""
        self.counts["refusals, each naming its nodes"] += 1
        require(bool(error.failures), f"no node is named: {error}")
        require(
            set(error.failures) <= faulty,
            f"{error} names a healthy node; faulty are {sorted(faulty)}",
        )
        require(error.found < error.needed, f"{error} refuses what would have been enough")


def _described(content: bytes | None) -> str:
    if content is None:
        return "nothing"
    return f"{len(content)} bytes {hashlib.sha256(content).hexdigest()[:8]}"
