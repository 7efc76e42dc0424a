"""Workers: one thread per node and operation, and how long an operation waits for each of them.

A node may hang, sleep or trickle. The rules by which it costs an operation one time-out at most:

1. A call to a node that has not returned after `timeout` seconds is abandoned, and so is the node
   for the rest of the operation. The thread stays behind until the call returns; it is a daemon
   thread, so it never keeps the interpreter from exiting, and what the call fills or sends is a
   buffer that nobody uses again.
2. Once enough nodes have answered, the operation waits for the others only so long: reads go on
   after HURRY seconds without them; writes and deletions wait for each node until the time that
   the operation spent on waiting for it alone comes to `timeout`.
3. While MOST_STUCK calls of earlier operations have not returned, the node is not called at all.

What a node raises or answers out of its type is its failure (`calls.py`). What our own code raises
in a worker is raised again in the operation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

from lepton_lab.errors import NodeError, NotEnoughShards
from lepton_lab.nodes import Node
from lepton_lab.sharding.calls import GuardedNode

T = TypeVar("T")

TIMEOUT = 10.0  # seconds, unless the store was told otherwise
HURRY = 1.5  # seconds that a read waits for slow nodes once enough others have answered
MOST_STUCK = 4  # threads per node

_SLOW = 1.0  # seconds under way after which a node's call is not waited for by reads
_GRACE = 0.5  # seconds that a straggler may take without being charged for them
_POLL = 0.05  # seconds between two looks at the calls that are under way
_ENDING = 0.5  # seconds that the end of an operation waits for calls that nobody needs any more


class Call(Generic[T]):
    """Work that was handed to a worker, and its answer."""

    def __init__(self, worker: Worker, work: Callable[[GuardedNode], T], anyway: bool) -> None:
        self.worker = worker
        self.work = work
        self.anyway = anyway
        self.begun = False  # the node may use the buffers of this work
        self._future: Future[T | None] = Future()

    @property
    def done(self) -> bool:
        """Whether the call has ended, with an answer or without."""
        return self._future.done()

    @property
    def answer(self) -> T | None:
        """What the node answered; None if it failed or has not answered yet.

        Raises what our own code raised in the worker.
        """
        return self._future.result() if self._future.done() else None

    def end(self, answer: T | None, error: BaseException | None = None) -> None:
        """Note the outcome. Of two threads that do so, an abandoning and a late one, one wins."""
        with suppress(InvalidStateError):
            if error is not None:
                self._future.set_exception(error)
            else:
                self._future.set_result(answer)

    def wait(self, seconds: float) -> bool:
        """Wait so many seconds at most; tell whether the call has ended."""
        try:
            self._future.exception(seconds)
        except TimeoutError:
            return False
        return True


class Worker:
    """One node and the thread that calls it, for one operation of the store.

    name: what reports and placement call the node. failure: why the node is not called any more in
    this operation, or None. stuck: threads of earlier operations that hang in a call to this node.
    """

    def __init__(
        self, node: Node | None, name: str, timeout: float = TIMEOUT, stuck: Sequence[Thread] = ()
    ) -> None:
        self.name = name
        self.failure: str | None = None
        self.thread: Thread | None = None
        self._node = node
        self._guarded: GuardedNode | None = None
        self._opening: float | None = None  # since when the thread opens the node's session
        self._timeout = timeout
        self._allowance = timeout  # seconds that the operation will still wait for this node alone
        self._ended = False
        self._queue: SimpleQueue[Call[object] | None] = SimpleQueue()
        self._waiting: list[Call[object]] = []
        if node is None:
            self.failure = "the store has too few nodes"
        elif len(stuck) >= MOST_STUCK:
            self.failure = f"{len(stuck)} earlier calls have not returned"

    # --- the operation's side --------------------------------------------------------------------

    def submit(self, work: Callable[[GuardedNode], T], *, anyway: bool = False) -> Call[T]:
        """Queue `work` on this node's thread.

        anyway: call the node even if it has failed before, which remains noted.
        """
        call = Call(self, work, anyway)
        if self._ended or self._node is None or (self.failure is not None and not anyway):
            call.end(None)
            return call
        if self.thread is None:
            # The thread starts when it is first used. It is noted once it runs, for a thread that
            # an interruption kept from starting cannot be joined.
            thread = Thread(target=self._run, name=self.name, daemon=True)
            thread.start()
            self.thread = thread
        self._waiting = [each for each in self._waiting if not each.done]
        self._waiting.append(call)  # type: ignore[arg-type]  # calls of every answer's type
        self._queue.put(call)  # type: ignore[arg-type]
        return call

    @property
    def is_slow(self) -> bool:
        """Whether the call that is under way has taken so long that reads go on without it."""
        return self._seconds_under_way() > _SLOW

    @property
    def can_retry(self) -> bool:
        """Whether the node failed, but in a way that leaves its thread free for another call."""
        return self.failure is not None and not self._ended and self._node is not None

    def _seconds_under_way(self) -> float:
        started = self._opening if self._guarded is None else self._guarded.started
        return 0.0 if started is None else time.monotonic() - started

    def abandon_if_overdue(self) -> None:
        """Abandon the node if its call has reached the time-out."""
        if self._seconds_under_way() >= self._timeout:
            self.abandon(f"no answer within {self._timeout:g} seconds")

    def charge(self, seconds: float) -> None:
        """Take time that the operation waited for this node alone off its allowance."""
        self._allowance -= seconds
        if self._allowance <= 0:
            self.abandon(f"too slow: the others were done {self._timeout:g} seconds before it")

    def abandon(self, reason: str) -> None:
        """Note the node as failed, and end what it has not answered."""
        self.failure = self.failure or reason
        self.stop()

    def stop(self) -> None:
        """End every call that is queued or under way; the thread ends when its call returns."""
        self._ended = True
        if self._guarded is not None:
            self._guarded.ended = True
        for call in self._waiting:
            call.end(None)
        self._queue.put(None)

    # --- the thread's side -----------------------------------------------------------------------

    def _run(self) -> None:
        if self._node is None:
            return
        self._opening = time.monotonic()
        try:
            with self._node.session() as session:
                self._guarded = GuardedNode(session, self.name)
                while (call := self._queue.get()) is not None and not self._ended:
                    self._answer(call, self._guarded)
                return
        except BaseException as error:  # the node's own, while its session began or ended
            reason = error.reason if isinstance(error, NodeError) else type(error).__name__
            self.failure = self.failure or f"its session failed: {reason}"
        # Whatever is asked of it from now on has no answer.
        while (call := self._queue.get()) is not None:
            call.end(None)

    def _answer(self, call: Call[object], node: GuardedNode) -> None:
        if self.failure is not None and not call.anyway:
            call.end(None)
            return
        call.begun = True
        if self._ended:
            # Looked at after `begun` was set: whoever ends the call sees that, or it does nothing.
            return
        try:
            call.end(call.work(node))
        except NodeError as error:
            # The first failure explains the later ones.
            self.failure = self.failure or error.reason
            call.end(None)
        except BaseException as error:  # ours: the operation raises it again
            call.end(None, error)


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

    def ask(
        self,
        work: Callable[[GuardedNode], T],
        enough: int = 0,
        *,
        at_most: float | None = None,
    ) -> dict[Worker, T]:
        """Run `work` on all nodes at the same time; return the answers, by worker.

        Returns HURRY seconds after `enough` nodes, and more than half of them, have answered; after
        `at_most` seconds in any case. A node whose earlier call is still under way is not asked,
        unless it is needed.
        """
        enough = min(max(enough, len(self) // 2 + 1), len(self))
        ready = [worker for worker in self if worker.failure is None and not worker.is_slow]
        asked = ready if len(ready) >= enough else list(self)
        calls = [worker.submit(work) for worker in asked]
        wait_for(calls, enough, patience=HURRY, at_most=at_most)
        answers: dict[Worker, T] = {}
        for call in calls:
            answer = call.answer
            if answer is not None:
                answers[call.worker] = answer
        return answers

    @property
    def failures(self) -> dict[str, str]:
        """Why each failed node failed, by the node's name."""
        return {worker.name: worker.failure for worker in self if worker.failure is not None}

    def require(self, needed: int, what: str) -> None:
        """Raise NotEnoughShards if fewer than `needed` nodes have not failed."""
        found = sum(worker.failure is None for worker in self)
        if found < needed:
            raise NotEnoughShards(what, found=found, needed=needed, failures=self.failures)


def wait_for(
    calls: Iterable[Call[T]],
    enough: int | None = None,
    *,
    patience: float | None = None,
    good: Callable[[T], bool] | None = None,
    at_most: float | None = None,
) -> None:
    """Wait for calls; abandon nodes by the rules at the top of this file.

    Returns when all calls have ended. enough: how many answers are enough, by default more than
    half; from then on stragglers are charged for the time that they take. patience: return so many
    seconds after that, without abandoning them. good: which answers count. at_most: return after
    so many seconds in any case.
    """
    calls = list(calls)
    if enough is None:
        enough = len(calls) // 2 + 1
    # Most nodes answer at once: then nothing below needs to be counted.
    if all(call.wait(_POLL) for call in calls):
        _answered(calls, good)  # raises what our own code raised
        return
    begun = time.monotonic() - _POLL
    complete: float | None = None  # when there were enough answers
    charged = 0.0  # seconds that the stragglers have been charged for
    while True:
        pending = [call for call in calls if not call.done]
        if not pending:
            _answered(calls, good)  # raises what our own code raised
            return
        now = time.monotonic()
        if at_most is not None and now - begun >= at_most:
            return
        if complete is None and _answered(calls, good) >= enough:
            complete = now
        if complete is not None:
            if patience is not None and now - complete >= patience:
                return
            late = max(0.0, now - complete - _GRACE)
            if late > charged:
                for worker in {call.worker for call in pending}:
                    worker.charge(late - charged)
                charged = late
        for call in pending:
            call.worker.abandon_if_overdue()
        pending[0].wait(_POLL)


def _answered(calls: Iterable[Call[T]], good: Callable[[T], bool] | None) -> int:
    answers = [call.answer for call in calls]
    return sum(answer is not None and (good is None or good(answer)) for answer in answers)


@contextmanager
def workers_over(
    nodes: Sequence[Node], names: Sequence[str], timeout: float, stuck: Sequence[list[Thread]]
) -> Iterator[Workers]:
    """Give the workers of one operation, and end them with it, also if it fails.

    names: what reports call each node. stuck: for each node, the threads of earlier operations that
    hang in a call to it; kept up to date here.
    """
    workers = []
    for node, name, threads in zip(nodes, names, stuck, strict=True):
        threads[:] = [thread for thread in threads if thread.is_alive()]
        workers.append(Worker(node, name, timeout, threads))
    try:
        yield Workers(workers)
    finally:
        for worker in workers:
            worker.stop()
        ending = time.monotonic() + _ENDING
        for worker, threads in zip(workers, stuck, strict=True):
            if worker.thread is None:
                continue
            # A node that is known to be slow is not waited for.
            if not worker.is_slow:
                worker.thread.join(max(0.0, ending - time.monotonic()))
            if worker.thread.is_alive():
                threads.append(worker.thread)
