"""A board of nodes to kill and restart, by mouse or keyboard, while it reads again and again.

The board does not know what the nodes are: it is given three functions. It does not start to read
by itself, so that a notebook that is run from top to bottom is the same each time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import ipywidgets

from lepton_lab.errors import InvalidParameter, LabError
from lepton_lab.show.table import table

_PAUSE = 0.4  # seconds between two reads
_SHOWN = 30  # reads whose outcome is shown


class NodeBoard(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The widget that `node_board` returns; its text, shown in a still page, is a table."""

    def __init__(
        self,
        nodes: int,
        needed: int,
        kill: Callable[[int], Any],
        restart: Callable[[int], Any],
        read: Callable[[], Any],
    ) -> None:
        self._needed = needed
        self._kill = kill
        self._restart = restart
        self._read = read
        rows = []
        for dead in range(nodes + 1):
            left = nodes - dead
            rows.append((dead, left, left >= needed))
        caption = f"A board of {nodes} nodes, any {needed} of which suffice"
        still = table(rows, ["nodes dead", "nodes left", "readable"], caption=caption)
        self.text = still.text
        self.html = still.html
        self._outcomes: deque[str] = deque(maxlen=_SHOWN)
        self._reading = threading.Event()
        self._switches = [self._switch(index) for index in range(nodes)]
        self._reads = ipywidgets.ToggleButton(description="start reading", icon="play")
        self._reads.observe(self._start_or_stop, "value")
        self._state = ipywidgets.HTML()
        self._record = ipywidgets.HTML()
        self._describe()
        super().__init__([ipywidgets.HBox(self._switches), self._reads, self._state, self._record])

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options) or {}
        # ipywidgets returns the data alone, or with metadata, depending on its version
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/plain": self.text, "text/html": self.html}, metadata

    def close(self) -> None:
        """Stop reading and remove the board."""
        self._reading.clear()
        super().close()

    def _switch(self, index: int) -> ipywidgets.ToggleButton:
        switch = ipywidgets.ToggleButton(
            value=True,
            description=f"node {index}: up",
            tooltip=f"kill or restart node {index}",
            button_style="success",
            layout=ipywidgets.Layout(width="8.5em"),
        )
        switch.observe(lambda change: self._flip(index, switch, up=change["new"]), "value")
        return switch

    def _flip(self, index: int, switch: ipywidgets.ToggleButton, *, up: bool) -> None:
        if up:
            self._restart(index)
        else:
            self._kill(index)
        switch.description = f"node {index}: {'up' if up else 'dead'}"
        switch.button_style = "success" if up else "danger"
        self._describe()

    def _describe(self) -> None:
        up = sum(switch.value for switch in self._switches)
        spare = up - self._needed
        if spare >= 0:
            said = f"{spare} more may die"
        else:
            said = f"{-spare} too few: reads are refused until enough nodes are up again"
        counted = f"<strong>{up} up, {self._needed} needed</strong>"
        # a screen reader speaks a status when it changes
        self._state.value = f'<output role="status">{counted}: {said}</output>'

    def _start_or_stop(self, change: dict[str, Any]) -> None:
        is_on = change["new"]
        self._reads.description = "stop reading" if is_on else "start reading"
        self._reads.icon = "stop" if is_on else "play"
        if is_on:
            self._reading.set()
            threading.Thread(target=self._read_on, daemon=True).start()
        else:
            self._reading.clear()

    def _read_on(self) -> None:
        while self._reading.is_set():
            self.read_once()
            time.sleep(_PAUSE)

    def read_once(self) -> None:
        """Read once and record the outcome."""
        start = time.perf_counter()
        try:
            is_right = bool(self._read())
        except LabError as error:
            self._outcomes.append("·")
            said = type(error).__name__
        else:
            milliseconds = 1000 * (time.perf_counter() - start)
            self._outcomes.append("✓" if is_right else "✗")
            said = f"{'right' if is_right else 'WRONG'}, {milliseconds:.0f} ms"
        line = " ".join(self._outcomes)
        self._record.value = (
            f"<code>{line}</code><br>last read: {said} (✓ right, · refused, ✗ wrong)"
        )


def node_board(
    nodes: int,
    needed: int,
    *,
    kill: Callable[[int], Any],
    restart: Callable[[int], Any],
    read: Callable[[], Any],
) -> NodeBoard:
    """Make a switch for each of `nodes` nodes, and a button that starts and stops reading.

    `needed`: how many nodes suffice. `kill(index)`, `restart(index)`: called with a node's number,
    from 0, when its switch is moved. `read()`: tells whether a read gave what it should; a LabError
    that it raises is a refusal. Tab goes from switch to switch, the space bar moves one. Raises
    InvalidParameter when more nodes are needed than there are.
    """
    if not 1 <= needed <= nodes:
        raise InvalidParameter(f"of {nodes} nodes from 1 to {nodes} can be needed, not {needed}")
    return NodeBoard(nodes, needed, kill, restart, read)
