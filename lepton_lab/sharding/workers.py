"""Lanes: every node with one worker of its own, so that a slow node delays nobody but itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Self, TypeVar

from lepton_lab.errors import NodeError, NotEnoughShards
from lepton_lab.nodes import MemoryNode, Node

T = TypeVar("T")


class Lane:
    """One node, and the one worker that talks to it.

    `failure` holds why the node is given up for the rest of this operation; a node that hangs costs one time-out,
    not one for every stripe.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.failure: str | None = None
        self._open = ExitStack()
        self._session = self._open.enter_context(node.session())
        self._worker = ThreadPoolExecutor(
            1, thread_name_prefix=node.name
        )  # starts its thread when it is first used

    @classmethod
    def absent(cls, index: int) -> Self:
        """In place of a node that is not on the list any more: it has failed, and holds nothing."""
        lane = cls(MemoryNode(f"no node for shard {index}"))
        lane.failure = "the store has too few nodes"
        return lane

    def submit(self, work: Callable[[Node], T], *, anyway: bool = False) -> Future[T | None]:
        """Queue `work` on this node. The future gives None when the node fails, and `failure` then says why.

        anyway: ask also a node that is given up, which it stays.
        """
        return self._worker.submit(self._run, work, anyway)

    def _run(self, work: Callable[[Node], T], anyway: bool) -> T | None:
        if self.failure is not None and not anyway:
            return None
        try:
            return work(self._session)
        except NodeError as error:
            self.failure = self.failure or error.reason
        except OSError as error:  # a mapping that is not ours (a file system, a cloud store) fails in its own words
            self.failure = self.failure or error.strerror or type(error).__name__
        return None

    def close(self) -> None:
        """Drop what is queued and let the worker end after the call it is in."""
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._open.close()


class Lanes(Sequence[Lane]):
    """Lanes of one operation: all of the store, those that were chosen, or n of them in the order of the shards.

    others: for a shard's index, further lanes whose nodes say that they hold it.
    """

    def __init__(
        self, lanes: Sequence[Lane], others: Mapping[int, Sequence[Lane]] | None = None
    ) -> None:
        self._lanes, self.others = list(lanes), dict(others or {})

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # Sequence's two overloads say nothing here
        return self._lanes[index]

    def __len__(self) -> int:
        return len(self._lanes)

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes)

    def ask(self, work: Callable[[Node], T]) -> dict[Lane, T]:
        """Run `work` on all nodes at once; the answers by lane, without the nodes that failed."""
        futures = {lane: lane.submit(work) for lane in self}
        answers = {lane: future.result() for lane, future in futures.items()}
        return {lane: answer for lane, answer in answers.items() if lane.failure is None}  # type: ignore[misc]

    @property
    def failures(self) -> dict[str, str]:
        """Why each node that is given up is given up, by the node's name."""
        return {lane.node.name: lane.failure for lane in self if lane.failure is not None}

    def require(self, needed: int, what: str) -> None:
        """Raise NotEnoughShards when fewer than `needed` nodes still answer."""
        found = sum(lane.failure is None for lane in self)
        if found < needed:
            raise NotEnoughShards(what, found=found, needed=needed, failures=self.failures)


@contextmanager
def lanes_over(nodes: Sequence[Node]) -> Iterator[Lanes]:
    """Lanes for one operation, ended with it, also when it fails or is interrupted."""
    lanes = Lanes([Lane(node) for node in nodes])
    try:
        yield lanes
    finally:
        for lane in lanes:
            lane.close()
