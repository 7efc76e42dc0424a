"""The demo step by step: where the time and the bytes of the whole flow go."""

from __future__ import annotations

import statistics

from bench.rows import Row
from lepton_lab.demo import Cost, Demo


def run(quick: bool) -> list[Row]:
    """Run the demo several times; return each step's median seconds and the bytes it sent."""
    runs = [_once() for _ in range(1 if quick else 5)]
    rows = []
    for costs in zip(*runs, strict=True):
        seconds = statistics.median(cost.seconds for cost in costs)
        first = costs[0]
        note = f"{first.bytes_out} bytes" if first.bytes_out else ""
        rows.append(Row(first.step, seconds, "s", note=note))
    return rows


def _once() -> list[Cost]:
    with Demo(None, lambda _: None) as demo:
        demo.run()
    return demo.costs
