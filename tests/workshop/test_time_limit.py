"""Tests lepton_lab.workshop.time_limit: by a timer signal, and line by line in other threads."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import pytest

from lepton_lab.workshop.time_limit import TimeLimitExceeded, time_limit


def spin() -> None:
    while True:
        pass


def limited(seconds: float, work: Callable[[], None], outcome: list[str]) -> None:
    try:
        with time_limit(seconds):
            work()
        outcome.append("finished")
    except TimeLimitExceeded:
        outcome.append("out of time")


def test_the_limit_also_holds_outside_the_main_thread() -> None:
    outcome: list[str] = []
    for work in (spin, lambda: None):
        thread = threading.Thread(target=limited, args=(0.2, work, outcome), daemon=True)
        thread.start()
        thread.join(20)
    assert outcome == ["out of time", "finished"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="only on systems with a timer signal")
def test_the_limit_leaves_no_timer_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    outcome: list[str] = []
    limited(0.1, spin, outcome)
    limited(60, lambda: None, outcome)
    assert outcome == ["out of time", "finished"]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == before


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="only on systems with a timer signal")
def test_arithmetic_with_enormous_numbers_is_interrupted() -> None:
    outcome: list[str] = []
    start = time.monotonic()
    limited(0.2, lambda: print(3 ** (2**100)), outcome)
    assert outcome == ["out of time"]
    assert time.monotonic() - start < 10
