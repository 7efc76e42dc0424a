"""Tests lepton_lab.textbook.trace: it shows its steps, gives values by name, and is not bytes."""

from __future__ import annotations

import dataclasses

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.trace import Recorder, Step, Trace, shown


def some_trace() -> Trace[bytes]:
    seen = Recorder()
    seen("start", b"\x01\x02")
    seen("squared", 4, "2 · 2")
    return seen.trace(seen("end", b"\xff"))


def test_a_step_is_found_by_its_name_or_place_and_a_loop_visits_them_all() -> None:
    trace = some_trace()
    assert (trace["squared"], trace[0], len(trace)) == (4, Step("start", b"\x01\x02"), 3)
    assert [step.name for step in trace] == trace.names() == ["start", "squared", "end"]
    assert trace.named("s") == trace.steps[:2]
    assert trace.result == b"\xff"


def test_an_unknown_step_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InvalidParameter, match="start, squared, end"):
        some_trace()["cubed"]
    with pytest.raises(InvalidParameter, match="none"):
        Trace((), 0)["x"]


def test_a_trace_prints_as_a_table() -> None:
    assert repr(some_trace()).splitlines() == [
        "start    0102",
        "squared  4     2 · 2",
        "end      ff",
        "result   ff",
    ]
    assert repr(Trace((), 7)) == "result  7"
    assert repr(Step("s", b"\0", "why")) == "s  00  (why)"


def test_long_values_and_long_traces_are_shown_by_their_ends() -> None:
    assert shown(b"") == "(empty)"
    assert shown(bytes(range(64))).endswith("(64 bytes)")
    assert shown(10**23) == str(10**23)
    assert shown(2**1000).endswith("(1001 bits)")
    assert shown([1, b"\xab"]) == "1 ab"
    assert shown(True) == "True"
    assert all(len(shown(value)) < 120 for value in (bytes(10**5), 3**10**4, [1] * 1000))
    table = repr(Trace(tuple(Step(str(i), i) for i in range(1000)), 0)).splitlines()
    assert len(table) == 102
    assert any("900 steps more" in line for line in table)


def test_a_trace_is_not_bytes_and_not_a_number() -> None:
    trace = some_trace()
    assert trace != b"\xff"
    for use in (bytes, int, b"".join, memoryview):
        with pytest.raises(TypeError):
            use(trace)  # type: ignore[call-overload]


def test_a_trace_cannot_be_changed() -> None:
    for thing, name in ((some_trace(), "result"), (some_trace()[0], "value")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, b"other")


def test_an_inner_trace_is_included_under_a_prefix() -> None:
    seen = Recorder()
    assert seen.include("inner ", some_trace()) == b"\xff"
    assert seen.trace(None).names() == ["inner start", "inner squared", "inner end"]
