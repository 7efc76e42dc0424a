"""What textbook code returns: every step under the standard's name for it, and the result.

A `Trace` is deliberately neither bytes nor an integer, so that nobody can send one over a socket by accident. It shows
everything, keys included: one more reason to keep real secrets away from it.
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
_MOST_LINES = 100  # a longer trace is shown by its two ends


def shown(value: object) -> str:
    """A value as one short line: bytes in hexadecimal, integers in full while they are short, the rest by `str`."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _shortened(
            bytes(value).hex() or "(empty)", 2 * _WIDEST_BYTES, f"({len(value)} bytes)"
        )
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < _WIDEST_DECIMAL:
            return str(value)
        return _shortened(f"{value:#x}", 2 * _WIDEST_BYTES, f"({value.bit_length()} bits)")
    if isinstance(value, (tuple, list)):
        return _shortened(
            " ".join(shown(item) for item in value), 2 * _WIDEST_BYTES, f"({len(value)} values)"
        )
    return str(value)


def _shortened(text: str, width: int, size: str) -> str:
    return text if len(text) <= width else f"{text[: width // 2]}…{text[-width // 4 :]} {size}"


@dataclass(frozen=True, repr=False)
class Step:
    """One step: `name` as the standard calls it, `value` after it, and perhaps a `note` for the reader."""

    name: str
    value: Any
    note: str = ""

    def __repr__(self) -> str:
        return f"{self.name}  {shown(self.value)}" + (f"  ({self.note})" if self.note else "")


@dataclass(frozen=True, repr=False)
class Trace(Generic[T_co]):
    """All the steps of one computation, in order, and its result.

    `trace.result` is what the function computed; `trace["round[ 1].s_box"]` is the value after the step of that name
    (the first of them, should there be several); `trace.named("s_box")` is every step with that in its name; a loop
    over the trace visits every `Step`. Printed, it is a table.
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
        raise InvalidParameter(
            f"no step is called {name!r}; the steps are: {', '.join(self.names()) or 'none'}"
        )

    def names(self) -> list[str]:
        """The names of the steps, in order, each once."""
        return list(dict.fromkeys(step.name for step in self.steps))

    def named(self, part: str) -> tuple[Step, ...]:
        """Every step whose name contains `part`, in order: `named("s_box")` follows SubBytes through all the rounds."""
        return tuple(step for step in self.steps if part in step.name)

    def __repr__(self) -> str:
        rows = [(step.name, shown(step.value), step.note) for step in self.steps]
        if len(rows) > _MOST_LINES:
            half = _MOST_LINES // 2
            rows = [*rows[:half], ("…", f"({len(rows) - 2 * half} steps more)", ""), *rows[-half:]]
        rows.append(("result", shown(self.result), ""))
        name_width = max(len(name) for name, _, _ in rows)
        value_width = (
            max(len(value) for _, value, note in rows if note or value)
            if any(n for *_, n in rows)
            else 0
        )
        return "\n".join(
            f"{name:<{name_width}}  {value:<{value_width}}  {note}".rstrip()
            for name, value, note in rows
        )


class Recorder:
    """Collects steps while a function computes: `state = seen("s_box", SubBytes(state))`, then `seen.trace(result)`."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def __len__(self) -> int:
        return len(self._steps)

    def __call__(self, name: str, value: T, note: str = "") -> T:
        """Record one step and hand its value back, so that recording does not interrupt the formula."""
        self._steps.append(Step(name, value, note))
        return value

    def include(self, prefix: str, trace: Trace[T]) -> T:
        """Record all the steps of an inner computation, their names behind `prefix`, and hand its result back."""
        self._steps.extend(Step(prefix + step.name, step.value, step.note) for step in trace)
        return trace.result

    def trace(self, result: T) -> Trace[T]:
        """The finished trace."""
        return Trace(tuple(self._steps), result)
