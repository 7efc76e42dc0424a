"""Whatever somebody brings as a node, as a node."""

from __future__ import annotations

from collections.abc import MutableMapping

from lepton_lab.errors import InvalidParameter
from lepton_lab.nodes.fsspec_node import FsspecNode, is_fsspec
from lepton_lab.nodes.node import MappingNode, Node


def as_node(mapping: MutableMapping[str, bytes], name: str) -> Node:
    """The mapping itself when it is a Node, an FsspecNode when it is fsspec's, else a MappingNode of that name.

    Raises InvalidParameter for anything but a mutable mapping.
    """
    if isinstance(mapping, Node):
        return mapping
    if is_fsspec(mapping):
        return FsspecNode(mapping)  # which has a name of its own, by its place
    if not isinstance(mapping, MutableMapping):
        raise InvalidParameter(f"a node is a mutable mapping, not {type(mapping).__name__}")
    return MappingNode(mapping, name)
