"""Sharded storage: encryption, erasure coding and placement on nodes that may fail, forget or lie.

`ShardedStore` (`store.py`) is what others use; `arguments.py` checks what it is given. Below it:
`versions.py` finds the newest version and holds it against the key ring's record, `verifier.py`
says which manifests to believe, `commit.py` writes, acknowledges and deletes versions, `stripes.py`
moves shards to nodes and back, `codec.py` does their arithmetic, `placement.py` says which nodes,
`workers.py` calls them and says for how long, `calls.py` checks what they answer, `rebalance.py`
moves shards between them, `manifest.py` has the formats, and `reports.py` the answers.
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
