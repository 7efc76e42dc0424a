"""What a killed Redis server still has, by how it writes to its file, and what each setting costs.

Notebook 05 shows it beside the choice that this package has made: `appendfsync always` (see
`RedisServers.start`).
"""

from __future__ import annotations

import secrets
import time
from typing import NamedTuple

from lepton_lab.nodes import RedisServers

SETTINGS = {"appendfsync always": True, "appendfsync no": False, "no file at all": None}
_VALUE_SIZE = 1024  # bytes


class Kept(NamedTuple):
    """One setting: milliseconds per write, and how many acknowledged writes outlived the kill."""

    setting: str
    milliseconds: float
    kept: int


def after_a_kill(writes: int = 100) -> list[Kept]:
    """For each of SETTINGS: make some writes, kill the server by SIGKILL, start it again, count
    them.

    Every write is acknowledged before the next one. A kill ends the process and leaves the
    operating system running. Data that the system had not yet written to the medium survives the
    kill, and would not survive a power cut. Raises NodeError when there is no redis-server.
    """
    return [_write_and_kill(setting, sync, writes) for setting, sync in SETTINGS.items()]


def _write_and_kill(setting: str, sync: bool | None, writes: int) -> Kept:
    values = {f"value {number}": secrets.token_bytes(_VALUE_SIZE) for number in range(writes)}
    with RedisServers.start(1, sync=sync) as servers:
        (node,) = servers.nodes
        start = time.perf_counter()
        for key, value in values.items():
            node[key] = value
        seconds = time.perf_counter() - start
        servers.restart(0)
        kept = sum(node.get(key) == value for key, value in values.items())
    return Kept(setting, 1000 * seconds / writes, kept)
