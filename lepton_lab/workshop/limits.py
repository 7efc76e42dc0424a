"""A time limit for code that a learner wrote and that may loop for ever."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn


class OutOfTime(BaseException):
    """The limit has passed. No `Exception`, so that a learner's `except Exception` does not swallow it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime inside the block once `seconds` have passed.

    It reaches code written in Python. One long call into C (`pow` of enormous numbers, a blocking read) is only reached
    when it returns, and a loop around a bare `except:` never: there the interrupt button remains.
    """
    if sys.platform != "win32" and threading.current_thread() is threading.main_thread():
        with _alarm(seconds):
            yield
    else:  # no timer signal on Windows, and none outside the main thread
        with _watched(seconds):
            yield


if sys.platform != "win32":

    @contextmanager
    def _alarm(seconds: float) -> Iterator[None]:
        def ring(_signum: int, _frame: FrameType | None) -> NoReturn:
            raise OutOfTime

        handler = signal.signal(signal.SIGALRM, ring)
        left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, left, interval)
            signal.signal(signal.SIGALRM, handler)


@contextmanager
def _watched(seconds: float) -> Iterator[None]:
    """Look at the clock at every line that runs: slow, but it works in any thread and on any system."""
    deadline = time.monotonic() + seconds

    def look(_frame: FrameType, _event: str, _argument: Any) -> Any:
        if time.monotonic() > deadline:
            raise OutOfTime
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        yield
    finally:
        sys.settrace(before)
