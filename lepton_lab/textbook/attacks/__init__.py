"""Attacks that run: each breaks a weak construction through an oracle handed to it, and each loses against the helpers.

One idea a file: the mathematics in the docstring, the weak form, the attack, and the defence beside it. An attack gets
only what an attacker would have: a public key, some ciphertexts, a callable that answers. It returns a `Trace`: how it
went, `trace["queries"]` where it asked an oracle, and `.result`, the loot. When nothing leaks it raises `AttackFailed`
after a bounded number of queries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

from lepton_lab.errors import LabError

P = ParamSpec("P")
R = TypeVar("R")


class AttackFailed(LabError):
    """The construction did not leak what the attack feeds on; the message says what was missing."""


class Counted(Generic[P, R]):
    """An oracle that counts how often it is asked, in `asked`, and ends the attack when `limit` is reached."""

    def __init__(self, oracle: Callable[P, R], limit: int) -> None:
        self._oracle, self._limit, self.asked = oracle, limit, 0

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask once more; raises AttackFailed beyond the limit."""
        if self.asked >= self._limit:
            raise AttackFailed(
                f"gave up after {self.asked} queries: the oracle does not leak what this attack needs"
            )
        self.asked += 1
        return self._oracle(*args, **kwargs)
