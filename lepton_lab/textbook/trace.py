"""The return type of textbook code: every step under the standard's name for it, and the result.

A `Trace` is deliberately neither bytes nor an integer, so that it cannot be sent over a socket by
accident. It shows everything, keys included: one more reason never to run it on real secrets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from lepton_lab.errors import InvalidParameter

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_WIDEST_BYTES = 32  # longer values are shown by their two ends
_WIDEST_DECIMAL = 10**24  # larger integers are shown in hexadecimal, with their length in bits
_MOST_LINES = 100  # a longer trace is shown by its first and its last steps


def shown(value: object) -> str:
    """Write a value as one short line of text.

    Bytes are written in hexadecimal, integers in full while they are short, lists item by item, and
    anything else by `str`. Long values are cut in the middle and end with their size.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        digits = bytes(value).hex() or "(empty)"
        return _shortened(digits, f"({len(value)} bytes)")
    # True and False are integers in Python, but a reader wants to see the words
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < _WIDEST_DECIMAL:
            return str(value)
        return _shortened(f"{value:#x}", f"({value.bit_length()} bits)")
    if isinstance(value, (tuple, list)):
        items = " ".join(shown(item) for item in value)
        return _shortened(items, f"({len(value)} values)")
    return str(value)


def _shortened(text: str, size: str) -> str:
    width = 2 * _WIDEST_BYTES
    if len(text) <= width:
        return text
    start = text[: width // 2]
    end = text[-width // 4 :]
    return f"{start}…{end} {size}"


@dataclass(frozen=True, repr=False)
class Step:
    """One step of a computation: its `name` in the standard, the `value` after it, and a `note`.

    The note, for the reader, may be empty.
    """

    name: str
    value: Any
    note: str = ""

    def __repr__(self) -> str:
        line = f"{self.name}  {shown(self.value)}"
        return f"{line}  ({self.note})" if self.note else line


@dataclass(frozen=True, repr=False)
class Trace(Generic[T_co]):
    """All the steps of one computation, in order, and its result.

    `trace.result` is what the function computed. `trace["round[ 1].s_box"]` is the value after the
    first step of that name, and `trace[0]` the first `Step`. `trace.named("s_box")` gives every
    step with that in its name; a loop over the trace visits every `Step`. Printed, a trace is a
    table.
    """

    steps: tuple[Step, ...]
    result: T_co

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, name: str) -> Any: ...
    @overload
    def __getitem__(self, name: int) -> Step: ...
    def __getitem__(self, name: str | int) -> Any:
        if isinstance(name, int):
            return self.steps[name]
        for step in self.steps:
            if step.name == name:
                return step.value
        available = ", ".join(self.names()) or "none"
        raise InvalidParameter(f"no step is called {name!r}; the steps are: {available}")

    def names(self) -> list[str]:
        """The names of the steps, in order, each once."""
        return list(dict.fromkeys(step.name for step in self.steps))

    def named(self, part: str) -> tuple[Step, ...]:
        """Every step whose name contains `part`, in order.

        `named("s_box")` follows SubBytes through all the rounds of AES.
        """
        return tuple(step for step in self.steps if part in step.name)

    def __repr__(self) -> str:
        rows = [(step.name, shown(step.value), step.note) for step in self.steps]
        if len(rows) > _MOST_LINES:
            half = _MOST_LINES // 2
            left_out = ("…", f"({len(rows) - 2 * half} steps more)", "")
            rows = [*rows[:half], left_out, *rows[-half:]]
        rows.append(("result", shown(self.result), ""))
        name_width = max(len(name) for name, _, _ in rows)
        # values are padded only where a column of notes follows them
        has_notes = any(note for _, _, note in rows)
        value_width = max(len(value) for _, value, _ in rows) if has_notes else 0
        lines = []
        for name, value, note in rows:
            line = f"{name:<{name_width}}  {value:<{value_width}}  {note}"
            lines.append(line.rstrip())
        return "\n".join(lines)


class Recorder:
    """Collects the steps of a computation while it runs.

    Textbook code calls its recorder `seen`: `state = seen("s_box", SubBytes(state))` records a step
    and goes on with its value, and `return seen.trace(state)` ends the function.
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def __len__(self) -> int:
        return len(self._steps)

    def __call__(self, name: str, value: T, note: str = "") -> T:
        """Record one step and return its value, so that recording does not interrupt a formula."""
        self._steps.append(Step(name, value, note))
        return value

    def include(self, prefix: str, trace: Trace[T]) -> T:
        """Record all the steps of an inner computation and return its result.

        `prefix` is put before the name of each of those steps.
        """
        for step in trace:
            self._steps.append(Step(prefix + step.name, step.value, step.note))
        return trace.result

    def trace(self, result: T) -> Trace[T]:
        """End the recording: the steps so far, with `result` as the result of the computation."""
        return Trace(tuple(self._steps), result)
