"""Rebalancing: bring shards to the nodes that the placement names, one object at a time.

The order of the steps makes it safe to stop anywhere. Shards are written to their new node and read
back from it; then its manifest says that they are there; and only then are they deleted from the
old node. In between two nodes have the same shards, and readers take either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lepton_lab.errors import IntegrityError, NotEnoughShards, StaleVersion
from lepton_lab.sharding import commit
from lepton_lab.sharding.manifest import TAG, Manifest
from lepton_lab.sharding.placement import Seats
from lepton_lab.sharding.reports import RebalanceReport
from lepton_lab.sharding.stripes import GOOD, Stripes
from lepton_lab.sharding.versions import Versions


class Rebalancer:
    """Moves objects to their place, and counts for the report what that took.

    failed: by the object's name, why it could not be moved.
    """

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}
        self._objects = 0
        self._bytes = 0
        self._moved: Counter[str] = Counter()
        self._unreachable: dict[str, str] = {}

    def report(self) -> RebalanceReport:
        """Return what was done since this object was made."""
        moved = {name: shards for name, shards in self._moved.items() if shards}
        return RebalanceReport(self._objects, moved, self._bytes, self._unreachable, self.failed)

    def try_to_move(self, versions: Versions) -> None:
        """Bring the newest version of one of many objects to its place, or note why it failed."""
        try:
            # Tombstones are moved too: without them old data could come back.
            manifest = versions.fresh(everywhere=True)
            if manifest is not None:
                self.move_to_place(versions, manifest)
        except (NotEnoughShards, StaleVersion, IntegrityError) as error:
            self.failed[versions.name.decode()] = str(error)

    def move_to_place(self, versions: Versions, manifest: Manifest) -> None:
        """Bring the shards of one version to the nodes that the placement names.

        Raises NotEnoughShards if a shard is lost and cannot be rebuilt.
        """
        self._objects += 1
        seats = versions.seats(manifest, moving=True)
        misplaced = []
        for index, worker in enumerate(seats):
            # A second copy has to be deleted even if the first is where it should be.
            if seats.others[index] or not versions.claims_to_hold(manifest, index, worker):
                misplaced.append(index)

        taken = _send_missing(seats, manifest, misplaced)
        unkept = _not_kept(seats, manifest, taken)
        if not versions.is_replaced(manifest):
            kept = [index for index in misplaced if index not in unkept]
            commit.publish(versions, manifest, seats, kept)
        # If another writer was faster, what was sent here is not wanted any more. It is looked for
        # after publishing: a version that comes later deletes what it finds.
        replaced = versions.is_replaced(manifest)

        for index in misplaced:
            seat = seats[index]
            if replaced or index in unkept:
                commit.withdraw(versions, manifest, index, seat, wholly=replaced)
            elif seat.failure is None:
                for worker in seats.others[index]:
                    # A node may hold one index too many and still be another index's seat.
                    wholly = worker not in list(seats)
                    commit.withdraw(versions, manifest, index, worker, wholly=wholly)
                self._moved[seat.name] += taken[index]
                self._bytes += taken[index] * (manifest.body.segment + TAG)
        if unkept:
            names = ", ".join(seats[index].name for index in sorted(unkept))
            self.failed[versions.name.decode()] = f"{names} did not keep what it was given"
        self._unreachable |= seats.failures


def _send_missing(seats: Seats, manifest: Manifest, indexes: list[int]) -> Counter[int]:
    """Send what the seats of these indexes lack; return how many shards of each were taken."""
    stripes = Stripes(manifest.body, manifest.keys)
    taken: Counter[int] = Counter()
    for stripe, verdicts, buffers in stripes.examine(seats, indexes):
        taken.update(stripes.mend(seats, stripe, verdicts, buffers))
    return taken


def _not_kept(seats: Seats, manifest: Manifest, indexes: Iterable[int]) -> set[int]:
    """Read back what was sent; return the indexes whose nodes answer, but lack a shard of it."""
    stripes = Stripes(manifest.body, manifest.keys)
    unkept: set[int] = set()
    # Second copies elsewhere do not count here.
    for _, verdicts, _ in stripes.examine(seats.without_others(), indexes):
        unkept |= {index for index, verdict in verdicts.items() if verdict != GOOD}
    return unkept
