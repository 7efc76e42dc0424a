"""Nodes: the places that keep shards. Each is a mutable mapping from `str` to `bytes`; a plain dict is one too.

A node sees what every node may see: ciphertext, sizes, times, and names that say nothing. Which nodes there are is
decided by URLs (`open_nodes`), by what a machine can run (`local_nodes`), or by whoever makes them one by one.
"""

from lepton_lab.nodes.adapting import as_node
from lepton_lab.nodes.directory import DirectoryNode
from lepton_lab.nodes.fsspec_node import FsspecNode
from lepton_lab.nodes.memory import MemoryNode
from lepton_lab.nodes.mongo_node import MongoNode
from lepton_lab.nodes.node import MappingNode, Node
from lepton_lab.nodes.redis_node import RedisNode
from lepton_lab.nodes.servers.local import LocalNodes, local_nodes
from lepton_lab.nodes.servers.redis_servers import RedisServers
from lepton_lab.nodes.urls import open_nodes

__all__ = [
    "DirectoryNode",
    "FsspecNode",
    "LocalNodes",
    "MappingNode",
    "MemoryNode",
    "MongoNode",
    "Node",
    "RedisNode",
    "RedisServers",
    "as_node",
    "local_nodes",
    "open_nodes",
]
