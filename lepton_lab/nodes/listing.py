"""How much one listing of a node may hold: a listing that never ends must not fill the memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

from lepton_lab.errors import NodeError

# Of one listing. A store's keys have about 60 bytes.
MOST_KEYS = 4_000_000
MOST_BYTES = 64 << 20
LONGEST_LISTED = 4096  # bytes of one key

# The iterators over what a dict or set holds.
_NOTHING: dict[str, bytes] = {}
_OF_KEYS_HELD = (
    type(iter(_NOTHING)),
    type(iter(OrderedDict(_NOTHING))),
    type(iter(set(_NOTHING))),
)


class ListingBound:
    """Counts the keys of one listing and their bytes.

    name: what the error calls the node. most_keys: how many keys the listing may have.
    """

    def __init__(self, name: str, most_keys: int = MOST_KEYS) -> None:
        self._name = name
        self._most_keys = most_keys
        self._keys_left = most_keys
        self._bytes_left = MOST_BYTES

    def count(self, key: str | bytes) -> None:
        """Count a key that is kept or given on. Raises NodeError for one too many or too long."""
        self._keys_left -= 1
        if self._keys_left < 0:
            raise NodeError(self._name, f"it lists more than {self._most_keys:,} keys")
        length = len(key)
        # Text is counted by the most that a character takes; encoding each key would cost more.
        if isinstance(key, str) and not key.isascii():
            length *= 4
        if length > LONGEST_LISTED:
            raise NodeError(self._name, f"it lists a key of more than {LONGEST_LISTED:,} bytes")
        self._bytes_left -= length
        if self._bytes_left < 0:
            raise NodeError(self._name, f"it lists keys of more than {MOST_BYTES >> 20} MiB in all")


def keys_among(listed: Iterator[object], prefix: str, name: str) -> list[str]:
    """Return those keys that begin with `prefix`, of what another's mapping lists.

    name: what the error calls the node. Raises NodeError for more than four million keys, for what
    is not a str, and as `ListingBound.count` for the keys that are returned.
    """
    if isinstance(listed, _OF_KEYS_HELD):
        # One call, so that a dict which other threads write to is not seen half changed. Its keys
        # are in memory already.
        listed = iter(list(islice(listed, MOST_KEYS + 1)))
    bound = ListingBound(name)
    wanted: list[str] = []
    # One by one: any other iterator may make its keys only now, and without end.
    for number, key in enumerate(listed):
        if number >= MOST_KEYS:
            raise NodeError(name, f"it lists more than {MOST_KEYS:,} keys")
        if not isinstance(key, str):
            raise NodeError(name, f"it answered with a {type(key).__name__}, not a key of type str")
        if key.startswith(prefix):
            bound.count(key)
            wanted.append(key)
    return wanted
