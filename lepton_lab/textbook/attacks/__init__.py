"""Attacks that run: each breaks a weak construction and fails against the helpers.

There is one idea per file: the mathematics in the docstring, the weak form, the attack, and a word
on the defence. An attack is given only what an attacker would have: a public key, some ciphertexts,
a callable that answers (an *oracle*). It returns a `Trace` with its steps, `trace["queries"]` where
it asked an oracle, and the loot as `.result`. When the construction does not leak, it raises
`AttackFailed` after a bounded number of queries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

from lepton_lab.errors import LabError

P = ParamSpec("P")
R = TypeVar("R")


class AttackFailed(LabError):
    """The construction does not leak what the attack needs; the message says what was missing."""


class Counted(Generic[P, R]):
    """An oracle that counts its queries in `asked`, and ends the attack after `limit` of them."""

    def __init__(self, oracle: Callable[P, R], limit: int) -> None:
        self._oracle = oracle
        self._limit = limit
        self.asked = 0

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask once more; raises AttackFailed beyond the limit."""
        if self.asked >= self._limit:
            raise AttackFailed(
                f"gave up after {self.asked} queries: "
                "the oracle does not leak what this attack needs"
            )
        self.asked += 1
        return self._oracle(*args, **kwargs)
