"""The main job, step by step: where the time and the bytes of the whole flow go."""

from __future__ import annotations

import statistics

from bench.rows import Row
from lepton_lab.demo import Cost, Demo


def run(quick: bool) -> list[Row]:
    """The demo on the carried data set, several times: each step's median seconds, and the bytes it
    stored or sent.
    """
    runs = [_once() for _ in range(1 if quick else 5)]
    rows = []
    for costs in zip(*runs, strict=True):
        seconds = statistics.median(cost.seconds for cost in costs)
        rows.append(
            Row(
                costs[0].step,
                seconds,
                "s",
                note=f"{costs[0].bytes_out} bytes" if costs[0].bytes_out else "",
            )
        )
    return rows


def _once() -> list[Cost]:
    with Demo(None, lambda _: None) as demo:
        demo.run()
    return demo.costs
