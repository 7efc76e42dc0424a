"""What a Redis server still has after it was killed, by how it writes to its file, and what each setting costs.

Notebook 05 shows it beside the choice that this package has made: `appendfsync always` (see `RedisServers.start`).
"""

from __future__ import annotations

import secrets
import time
from typing import NamedTuple

from lepton_lab.nodes import RedisServers

SETTINGS = {"appendfsync always": True, "appendfsync no": False, "no file at all": None}
_SIZE = 1024  # bytes of a value


class Kept(NamedTuple):
    """One setting: milliseconds of a write, and how many of the acknowledged writes are there after the server died."""

    setting: str
    milliseconds: float
    kept: int


def after_a_kill(writes: int = 100) -> list[Kept]:
    """For each of SETTINGS: make some writes, end the server by SIGKILL, start it again, and count them.

    Every write is acknowledged before the next one. A kill takes the process away and leaves the system standing: what
    the system had not yet brought to the medium survives it, and would not survive a power cut. Raises NodeError where
    there is no redis-server.
    """
    return [_tried(setting, sync, writes) for setting, sync in SETTINGS.items()]


def _tried(setting: str, sync: bool | None, writes: int) -> Kept:
    values = {f"value {number}": secrets.token_bytes(_SIZE) for number in range(writes)}
    with RedisServers.start(1, sync=sync) as servers:
        (node,) = servers.nodes
        started = time.perf_counter()
        for key, value in values.items():
            node[key] = value
        taken = time.perf_counter() - started
        servers.restart(0)
        return Kept(
            setting,
            1000 * taken / writes,
            sum(node.get(key) == value for key, value in values.items()),
        )
