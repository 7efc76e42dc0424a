"""Nodes: the places that store shards. Each is a mutable mapping from `str` to `bytes`; a plain
dict works too.

A node sees ciphertext, sizes, times, and keys that reveal no object's name. `open_nodes` opens
nodes by their URLs, `local_nodes` starts the best ones that this machine can run, and every class
here can be used directly.

The names below are loaded when they are first used (PEP 562), so that a store over plain dicts or
folders needs neither redis-py nor X.509.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lepton_lab.nodes.directory import DirectoryNode
    from lepton_lab.nodes.fsspec_node import FsspecNode
    from lepton_lab.nodes.mapping import MappingNode, as_node
    from lepton_lab.nodes.memory import MemoryNode
    from lepton_lab.nodes.mongo_node import MongoNode
    from lepton_lab.nodes.node import Node
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

_MODULES = {
    "DirectoryNode": "directory",
    "FsspecNode": "fsspec_node",
    "LocalNodes": "servers.local",
    "MappingNode": "mapping",
    "MemoryNode": "memory",
    "MongoNode": "mongo_node",
    "Node": "node",
    "RedisNode": "redis_node",
    "RedisServers": "servers.redis_servers",
    "as_node": "mapping",
    "local_nodes": "servers.local",
    "open_nodes": "urls",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"lepton_lab.nodes.{_MODULES[name]}")
    value: object = getattr(module, name)
    # Python asks this function only for names that the module does not have, so each is loaded
    # once.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
