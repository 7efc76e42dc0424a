"""Moving shards to the nodes that the placement names, one object at a time.

The order of the steps is what makes it safe to stop anywhere: the shards are on their new node, and were read back from
it, before its manifest says so, and that says so before the old node forgets. In between two nodes have the same
shards, and readers take either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lepton_lab.sharding.manifest import TAG, Manifest
from lepton_lab.sharding.reports import RebalanceReport
from lepton_lab.sharding.stripes import GOOD, Stripes
from lepton_lab.sharding.versions import History
from lepton_lab.sharding.workers import Lanes


class Mover:
    """Settles objects, and adds up what it took."""

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}
        self._objects = self._bytes = 0
        self._moved: Counter[str] = Counter()
        self._unreachable: dict[str, str] = {}

    def report(self) -> RebalanceReport:
        """All of it."""
        moved = {name: shards for name, shards in self._moved.items() if shards}
        return RebalanceReport(self._objects, moved, self._bytes, self._unreachable, self.failed)

    def settle(self, past: History, manifest: Manifest) -> None:
        """Bring one version to its place. Raises NotEnoughShards when a shard is lost and cannot be rebuilt."""
        self._objects += 1
        seats = past.seats(manifest, moving=True)
        unsettled = [
            i
            for i, lane in enumerate(seats)
            if seats.others[i] or not past.says_so(manifest, i, lane)
        ]
        taken = _written(seats, manifest, unsettled)
        false = _false_among(seats, manifest, taken)
        if not past.is_replaced(manifest):
            past.publish(manifest, seats, [index for index in unsettled if index not in false])
        replaced = past.is_replaced(manifest)  # then what was written is wanted no more
        for index in unsettled:
            if replaced or index in false:
                past.withdraw(manifest, index, seats[index], wholly=replaced)
            elif seats[index].failure is None:
                for lane in seats.others[index]:
                    past.withdraw(manifest, index, lane, wholly=lane not in list(seats))
                self._moved[seats[index].node.name] += taken[index]
                self._bytes += taken[index] * (manifest.body.segment + TAG)
        if false:
            names = ", ".join(seats[index].node.name for index in false)
            self.failed[past.name.decode()] = f"{names} did not keep what it was given"
        self._unreachable |= seats.failures


def _written(seats: Lanes, manifest: Manifest, indexes: list[int]) -> Counter[int]:
    """Send what the seats lack of these indexes; how many shards of each were taken."""
    stripes = Stripes(manifest.body, manifest.keys)
    taken: Counter[int] = Counter()
    for stripe, verdicts, slot in stripes.examine(seats, indexes):
        taken.update(stripes.mend(seats, stripe, verdicts, slot))
    return taken


def _false_among(seats: Lanes, manifest: Manifest, indexes: Iterable[int]) -> set[int]:
    """Those of these indexes of which the seats, though they answer, do not hold every shard."""
    false: set[int] = set()
    for _, verdicts, _ in Stripes(manifest.body, manifest.keys).examine(
        Lanes(list(seats)), indexes
    ):
        false |= {index for index, verdict in verdicts.items() if verdict != GOOD}
    return false
