"""Rendezvous hashing: which nodes keep an object, with no table that lists it.

Each node has a weight for each key, and the nodes with the highest weights win (Thaler and
Ravishankar, 1998). All who know the nodes' names come to the same result. When a node joins,
nothing moves but what it wins itself; when one leaves, nothing moves but what it kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lepton_lab.errors import InvalidParameter


def weigh(node: str, key: str) -> int:
    """Compute a node's weight for a key: the first 8 bytes of SHA-256 over both, as a number."""
    # the NUL keeps ("ab", "c") and ("a", "bc") apart
    digest = hashlib.sha256(f"{node}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def place(key: str, nodes: Iterable[str], count: int) -> list[str]:
    """Choose the `count` nodes with the highest weights for this key, the highest first.

    Raises InvalidParameter when there are fewer nodes than `count`.
    """
    ranked = sorted(nodes, key=lambda node: weigh(node, key), reverse=True)
    if not 0 <= count <= len(ranked):
        raise InvalidParameter(f"{count} of {len(ranked)} nodes cannot be chosen")
    return ranked[:count]
