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


class TimeLimitExceeded(BaseException):
    """Raised inside the block when its time is over.

    It is not an `Exception`, so that a learner's `except Exception` does not swallow it.
    """


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitExceeded inside the block once `seconds` have passed.

    It interrupts code written in Python, and Python's own arithmetic with large numbers. Other
    long calls into C (a blocking read, `pow` of gmpy2) are interrupted when they return. A loop
    around a bare `except:` is never interrupted: there the learner needs the interrupt button.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if sys.platform != "win32" and in_main_thread:
        with _alarm(seconds):
            yield
    else:
        # Windows has no timer signal, and Python delivers signals to the main thread only.
        with _line_by_line(seconds):
            yield


if sys.platform != "win32":

    @contextmanager
    def _alarm(seconds: float) -> Iterator[None]:
        """Interrupt the block by a timer signal. A timer that was set before runs on afterwards."""

        def interrupt(_signum: int, _frame: FrameType | None) -> NoReturn:
            raise TimeLimitExceeded

        handler_before = signal.signal(signal.SIGALRM, interrupt)
        left_before, interval_before = signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, left_before, interval_before)
            signal.signal(signal.SIGALRM, handler_before)


@contextmanager
def _line_by_line(seconds: float) -> Iterator[None]:
    """Look at the clock at every line that runs: slow, but it works anywhere."""
    deadline = time.monotonic() + seconds

    def look_at_clock(_frame: FrameType, _event: str, _argument: Any) -> Any:
        if time.monotonic() > deadline:
            raise TimeLimitExceeded
        return look_at_clock

    trace_before = sys.gettrace()
    sys.settrace(look_at_clock)
    try:
        yield
    finally:
        sys.settrace(trace_before)
