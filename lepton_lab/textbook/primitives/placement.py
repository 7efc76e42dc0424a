"""Rendezvous hashing: which nodes keep an object, decided alike by all who know the nodes' names, with no table.

Each node draws a lot for each key, and the highest lots win (Thaler and Ravishankar, 1998). When a node joins, nothing
moves but what it wins itself; when one leaves, nothing but what it kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lepton_lab.errors import InvalidParameter


def weigh(node: str, key: str) -> int:
    """A node's lot for a key: the first 8 bytes of SHA-256 over both, as a number."""
    return int.from_bytes(hashlib.sha256(f"{node}\0{key}".encode()).digest()[:8], "big")


def place(key: str, nodes: Iterable[str], count: int) -> list[str]:
    """The `count` nodes with the highest lots for this key, the highest first. Raises InvalidParameter for too few."""
    drawn = sorted(nodes, key=lambda node: weigh(node, key), reverse=True)
    if not 0 <= count <= len(drawn):
        raise InvalidParameter(f"{count} of {len(drawn)} nodes cannot be chosen")
    return drawn[:count]
