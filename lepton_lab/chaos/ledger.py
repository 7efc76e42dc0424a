"""The ledger of acknowledged writes: what a store owes its users, kept where no fault of a node can reach it."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field

from lepton_lab.errors import LabError, NotEnoughShards
from lepton_lab.sharding import Receipt


class Broken(LabError):
    """The store did not do what it promises; the message says what and in which round."""


def hold(held: bool, otherwise: str) -> None:
    """Raise Broken unless it held."""
    if not held:
        raise Broken(otherwise)


@dataclass
class Account:
    """One object: the newest acknowledged write, and the writes that may or may not have come through since."""

    receipt: Receipt | None = None
    content: bytes | None = None
    indeterminate: list[bytes] = field(default_factory=list)

    def owed(self) -> list[bytes | None]:
        """What a read may give. None stands for 'there is no such object'."""
        return [self.content, *self.indeterminate]


class Ledger:
    """Accounts by name. Writes are noted before they begin and settled by what became of them; threads may share it."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def __getitem__(self, name: str) -> Account:
        return self._accounts.setdefault(name, Account())

    def begun(self, name: str, content: bytes) -> None:
        """From now on a read may give this content, until a later write is acknowledged."""
        with self._lock:
            self[name].indeterminate.append(content)

    def acknowledged(self, content: bytes, receipt: Receipt) -> None:
        """The content is owed, unless a later version was acknowledged already."""
        with self._lock:
            account = self[receipt.name]
            self.counts["writes acknowledged"] += 1
            hold(receipt.size == len(content), "a receipt tells another size")
            known = account.receipt
            hold(
                known is None or known.version != receipt.version,
                "one version was acknowledged to two writers",
            )
            if known is None or known.version < receipt.version:
                account.receipt, account.content = receipt, content
            account.indeterminate = [
                other for other in account.indeterminate if other is not content
            ]

    def closed(self, name: str) -> None:
        """Nobody writes any more, and a later version than any that raised has been acknowledged."""
        self[name].indeterminate.clear()

    def check(self, name: str, found: bytes | None) -> None:
        """Raise Broken for any content but what is owed."""
        self.counts["reads compared"] += 1
        owed = self[name].owed()
        hold(
            found in owed,
            f"{_told(found)} was read, where {[_told(content) for content in owed]} is owed",
        )

    def refused(self, error: NotEnoughShards, at_fault: set[str]) -> None:
        """A refusal names nodes, and none that was well."""
        self.counts["refusals, all by name"] += 1
        hold(bool(error.failures), f"no node is named: {error}")
        hold(
            set(error.failures) <= at_fault,
            f"{error} names a node that was well; at fault: {sorted(at_fault)}",
        )
        hold(error.found < error.needed, f"{error} refuses what would have sufficed")


def _told(content: bytes | None) -> str:
    if content is None:
        return "nothing"
    return f"{len(content)} bytes {hashlib.sha256(content).hexdigest()[:8]}"
