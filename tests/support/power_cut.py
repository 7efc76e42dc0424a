"""A client that dies at a certain write or deletion: what it would have done next is not done."""

from __future__ import annotations

import pytest

from lepton_lab.sharding.calls import GuardedNode

WRITES = ("put", "write", "set_if_absent", "delete_many")


class PowerCut(BaseException):
    """Raised in the store's own code, where nothing catches it."""


class WriteBudget:
    """How many writes and deletions are left before the power is cut; see `limit_writes`."""

    def __init__(self) -> None:
        self.left = 10**9

    def refill(self) -> None:
        self.left = 10**9


def limit_writes(patch: pytest.MonkeyPatch) -> WriteBudget:
    """Have every write of a store to a node spend from a budget, and cut the power at its end.

    A node cannot do this itself: whatever a node raises is the node's failure.
    """
    budget = WriteBudget()
    for name in WRITES:
        patch.setattr(GuardedNode, name, _spending(getattr(GuardedNode, name), budget))
    return budget


def _spending(honest, budget):
    def write(*arguments):
        budget.left -= 1
        if budget.left < 0:
            raise PowerCut
        return honest(*arguments)

    return write
