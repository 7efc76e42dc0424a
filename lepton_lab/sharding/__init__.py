"""Sharded storage: encryption, erasure coding and placement on nodes that may die, forget or lie.

`ShardedStore` is the door; `manifest.py` has the formats, `stripes.py` the data's path, `history.py` the versions,
`placement.py` says which nodes, and `moving.py` brings shards there.
"""

from lepton_lab.sharding.reports import (
    Health,
    NodeHealth,
    RebalanceReport,
    Receipt,
    RepairReport,
    ShredReport,
)
from lepton_lab.sharding.store import ShardedStore

__all__ = [
    "Health",
    "NodeHealth",
    "RebalanceReport",
    "Receipt",
    "RepairReport",
    "ShardedStore",
    "ShredReport",
]
