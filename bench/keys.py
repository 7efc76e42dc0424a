"""What one guess at a passphrase costs, by the function that stretches it."""

from __future__ import annotations

from bench.rows import Row
from lepton_lab.workshop.experiments.nb04_guessing import costs

BASELINE = "SHA-256"


def run(quick: bool) -> list[Row]:
    """Milliseconds of a guess on one core; the ratio says how many times dearer than a bare hash it
    is.
    """
    found = costs(1 if quick else 9)
    return [
        Row(
            name,
            cost,
            "ms",
            None if name == BASELINE else cost / found[BASELINE],
            BASELINE * (name != BASELINE),
        )
        for name, cost in found.items()
    ]
