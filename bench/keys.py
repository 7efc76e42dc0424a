"""What one guess at a passphrase costs, by the function that stretches it."""

from __future__ import annotations

from bench.rows import Row
from lepton_lab.workshop.experiments.nb04_guessing import costs

BASELINE = "SHA-256"


def run(quick: bool) -> list[Row]:
    """Measure the milliseconds of one guess on one core.

    The ratio says how many times more expensive it is than a bare hash.
    """
    found = costs(1 if quick else 9)
    rows = []
    for name, cost in found.items():
        if name == BASELINE:
            rows.append(Row(name, cost, "ms"))
        else:
            rows.append(Row(name, cost, "ms", cost / found[BASELINE], BASELINE))
    return rows
