"""What the store's caller passes in, checked before anything is read or written."""

from __future__ import annotations

import io
import operator
import os
import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lepton_lab.buffers import view_of
from lepton_lab.errors import InvalidName, InvalidParameter
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import Node, as_node
from lepton_lab.sharding.manifest import SEGMENT, SMALLEST_SEGMENT
from lepton_lab.sharding.reports import Receipt

Source = bytes | bytearray | memoryview | os.PathLike[str] | BinaryIO

LONGEST_NAME = 1024  # bytes of UTF-8


# --- what the verbs are given --------------------------------------------------------------------


def checked_name(name: str) -> bytes:
    """Return an object's name in UTF-8. Raises InvalidName."""
    if not isinstance(name, str):
        raise InvalidName(f"a name is a str, not {type(name).__name__}")
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise InvalidName("a name must be valid Unicode") from None
    if not 1 <= len(encoded) <= LONGEST_NAME or 0 in encoded:
        raise InvalidName(f"a name is 1 to {LONGEST_NAME} bytes of UTF-8 without NUL")
    return encoded


@contextmanager
def opened(source: Source) -> Iterator[memoryview | BinaryIO]:
    """Give a source as a flat view of bytes or as a binary file; a path's file is closed again.

    Raises InvalidParameter for anything else, OSError if a path cannot be opened.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        yield view_of(source)
    elif isinstance(source, str):
        # It could be a path or the content itself: the wrong guess would store a file that the
        # caller did not mean, or leave out the one that it meant.
        raise InvalidParameter(
            "a str is not a source: pass Path(...) to store a file, or its .encode() to store text"
        )
    elif isinstance(source, os.PathLike):
        path = Path(source)
        if "\0" in str(path):
            raise InvalidParameter("a path cannot contain NUL")
        with path.open("rb", buffering=0) as file:
            yield file
    elif callable(getattr(source, "read", None)):
        if getattr(source, "closed", False) is True:
            raise InvalidParameter("the source is a closed file: open it again")
        yield source
    else:
        raise InvalidParameter(
            f"a source is bytes, a path or a binary file, not {type(source).__name__}"
        )


def check_sink(sink: object) -> None:
    """Raise InvalidParameter for anything but a binary file that can be written, or None."""
    if sink is None:
        return
    if not callable(getattr(sink, "write", None)):
        raise InvalidParameter(
            f"a sink is a binary file that is open for writing, not {type(sink).__name__}"
        )
    if isinstance(sink, io.TextIOBase):
        raise InvalidParameter("the sink takes text: open the file in binary mode")
    # A class of the caller's own need not say that it is writable; Python's files do.
    readable_only = isinstance(sink, io.FileIO | io.BufferedReader) and not sink.writable()
    if readable_only or getattr(sink, "closed", False) is True:
        raise InvalidParameter("the sink cannot be written: open the file for writing")


def check_receipt(receipt: object, name: str) -> None:
    """Raise InvalidParameter for anything but a receipt of this object, or None."""
    if receipt is None:
        return
    if not isinstance(receipt, Receipt):
        raise InvalidParameter(f"a receipt is what put returned, not {type(receipt).__name__}")
    version = receipt.version
    sound = (
        isinstance(version, int)
        and not isinstance(version, bool)
        and 1 <= version < 1 << 64
        and isinstance(receipt.digest, str)
        and re.fullmatch("[0-9a-f]{64}", receipt.digest) is not None
    )
    if not sound:
        raise InvalidParameter("the receipt has a version or a digest that no put returns")
    if receipt.name != name:
        raise InvalidParameter(
            "the receipt is of another object: it says nothing about the freshness of this one"
        )


# --- what a store is made of ---------------------------------------------------------------------


def checked_count(value: object, what: str) -> int:
    """Return a whole number, numpy's too, as int. Raises InvalidParameter."""
    kind = type(value).__name__
    if isinstance(value, bool) or kind == "bool_":
        raise InvalidParameter(f"{what} is a whole number, not {kind}")
    try:
        return operator.index(value)  # type: ignore[arg-type]  # which is what is asked here
    except TypeError:
        raise InvalidParameter(f"{what} is a whole number, not {kind}") from None


def checked_quorum(value: object, k: int, n: int) -> int:
    """Return a write quorum, from k to n; the usual one for None. Raises InvalidParameter."""
    if value is None:
        return min(n, max(k + 1, n // 2 + 1))
    quorum = checked_count(value, "write_quorum")
    if not k <= quorum <= n:
        raise InvalidParameter(f"write_quorum must be from k = {k} to n = {n}, not {quorum}")
    return quorum


def checked_segment(value: object) -> int:
    """Return a segment size that the erasure code and the manifest take.

    Raises InvalidParameter.
    """
    segment = checked_count(value, "segment")
    if segment % SMALLEST_SEGMENT or not SMALLEST_SEGMENT <= segment <= SEGMENT:
        raise InvalidParameter(
            f"segment must be a multiple of {SMALLEST_SEGMENT} from {SMALLEST_SEGMENT} to "
            f"{SEGMENT}, not {segment}"
        )
    return segment


def checked_ring(value: object) -> KeyRing:
    """Return a key ring. Raises InvalidParameter for anything else."""
    if isinstance(value, KeyRing):
        return value
    kind = type(value).__name__
    raise InvalidParameter(f"the keyring is made by KeyRing.create or .open, not a {kind}")


def checked_seconds(value: object, what: str) -> float:
    """Return a positive, finite number as float. Raises InvalidParameter."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"):
        return float(value)
    raise InvalidParameter(f"{what} is a positive number of seconds, not {value!r}")


def checked_nodes(nodes: Sequence[MutableMapping[str, bytes]]) -> list[Node]:
    """Return the nodes for what the caller calls nodes. Raises InvalidParameter.

    One place that is listed twice is refused: its loss would be the loss of two nodes.
    """
    if isinstance(nodes, Mapping | str | bytes):
        raise InvalidParameter(f"nodes are a list of mappings, not a {type(nodes).__name__}")
    try:
        listed = list(nodes)
    except TypeError:
        raise InvalidParameter(
            f"nodes are a list of mappings, not a {type(nodes).__name__}"
        ) from None
    made = [as_node(node, _name_of(node, index)) for index, node in enumerate(listed)]
    places: dict[object, int] = {}
    for index, node in enumerate(made):
        place = node.identity
        if place is None:
            continue
        if place in places:
            raise InvalidParameter(
                f"nodes {places[place]} and {index} are the same place: list it once"
            )
        places[place] = index
    return made


def check_names(nodes: Sequence[Node], n: int) -> None:
    """Raise InvalidParameter if n of these nodes cannot be chosen, or not by their names."""
    if n > len(nodes):
        raise InvalidParameter(f"n = {n} shards need as many nodes; there are {len(nodes)}")
    own = {_name_of(node, index) for index, node in enumerate(nodes)}
    if n < len(nodes) and len(own) < len(nodes):
        raise InvalidParameter(
            "objects are placed by the nodes' names, so no two nodes may have the same name"
        )


def distinct_names(nodes: Sequence[Node]) -> list[str]:
    """Return a name for each node by which reports can tell it from all others.

    It is the node's own, or one by its position if it has none. Nodes that share a name have their
    positions added.
    """
    own = [_name_of(node, index) for index, node in enumerate(nodes)]
    names: list[str] = []
    for index, name in enumerate(own):
        distinct = name
        if own.count(name) > 1:
            distinct = f"{name} (node {index})"
        while distinct in names:
            # Somebody has named a node in just this way.
            distinct += "'"
        names.append(distinct)
    return names


def _name_of(node: object, index: int) -> str:
    name = getattr(node, "name", None)
    return name if isinstance(name, str) else f"node-{index}"
