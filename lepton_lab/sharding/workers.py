"""Workers: one thread per node and operation, so that a slow node delays only its own calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Self, TypeVar

from lepton_lab.errors import NodeError, NotEnoughShards
from lepton_lab.nodes import MemoryNode, Node

T = TypeVar("T")


class Worker:
    """One node and the thread that calls it, for one operation of the store.

    failure: why the node is not called any more in this operation, or None. A node that times out
    therefore costs one time-out, not one for every stripe.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.failure: str | None = None
        self._open = ExitStack()
        self._session = self._open.enter_context(node.session())
        # The thread starts when it is first used.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=node.name)

    @classmethod
    def absent(cls, index: int) -> Self:
        """Return a worker in place of a node that is not on the list: failed from the start."""
        worker = cls(MemoryNode(f"no node for shard {index}"))
        worker.failure = "the store has too few nodes"
        return worker

    def submit(self, work: Callable[[Node], T], *, anyway: bool = False) -> Future[T | None]:
        """Queue `work` on this node's thread.

        The future gives None if the node fails; `failure` then says why. anyway: call the node even
        if it has failed before, which remains noted.
        """
        return self._executor.submit(self._run, work, anyway)

    def _run(self, work: Callable[[Node], T], anyway: bool) -> T | None:
        if self.failure is not None and not anyway:
            return None
        try:
            return work(self._session)
        except NodeError as error:
            reason = error.reason
        except OSError as error:
            # Another library's mapping (a file system, a cloud store) raises the system's errors.
            reason = error.strerror or type(error).__name__
        # The first failure explains the later ones.
        self.failure = self.failure or reason
        return None

    def close(self) -> None:
        """Drop what is queued, and end the thread after the call that it is in."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._open.close()


class Workers(Sequence[Worker]):
    """Some workers of one operation: those of all nodes, or of the nodes that keep one object."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = list(workers)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # Sequence has two overloads
        return self._workers[index]

    def __len__(self) -> int:
        return len(self._workers)

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._workers)

    def ask(self, work: Callable[[Node], T]) -> dict[Worker, T]:
        """Run `work` on all nodes at the same time; return the answers of those that answered."""
        calls = {worker: worker.submit(work) for worker in self}
        answers: dict[Worker, T] = {}
        for worker, call in calls.items():
            answer = call.result()
            if worker.failure is None:
                answers[worker] = answer  # type: ignore[assignment]  # None is a failure's answer
        return answers

    @property
    def failures(self) -> dict[str, str]:
        """Why each failed node failed, by the node's name."""
        return {w.node.name: w.failure for w in self if w.failure is not None}

    def require(self, needed: int, what: str) -> None:
        """Raise NotEnoughShards if fewer than `needed` nodes have not failed."""
        found = sum(worker.failure is None for worker in self)
        if found < needed:
            raise NotEnoughShards(what, found=found, needed=needed, failures=self.failures)


@contextmanager
def workers_over(nodes: Sequence[Node]) -> Iterator[Workers]:
    """Give the workers of one operation, and end them with it, also if it fails."""
    workers = Workers([Worker(node) for node in nodes])
    try:
        yield workers
    finally:
        for worker in workers:
            worker.close()
