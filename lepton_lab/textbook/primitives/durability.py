"""How long data on n nodes lasts, when any k of them suffice: a birth–death chain in the number of nodes that are down.

With j nodes down the next failure comes at the rate (n − j)·λ, the next repair at the rate j·μ; with n − k + 1 down the
data is lost. Exponential times, independent failures: real ones come together (a power cut, one batch of disks), so
take the result for a comparison, not for a promise.
"""

from __future__ import annotations

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace


def mean_time_to_loss(n: int, k: int, fail: float, repair: float) -> Trace[float]:
    """The mean time from 'all up' to 'lost': Σ Tⱼ, with Tⱼ = 1/((n−j)λ) + jμ/((n−j)λ) · Tⱼ₋₁ from j to j + 1 down.

    n, k: 1 ≤ k ≤ n. fail: λ > 0, failures of one node per unit of time; repair: μ ≥ 0, repairs of one node. The result
    is in that unit. Raises InvalidParameter. For disks: Patterson, Gibson and Katz, 1988.
    """
    integer("k", k, 1, integer("n", n, 1) + 1)
    if not (fail > 0 and repair >= 0):
        raise InvalidParameter("nodes fail at a rate above 0, and are repaired at one of 0 or more")
    seen, total, step = Recorder(), 0.0, 0.0
    for down in range(n - k + 1):
        failing = (n - down) * fail
        step = seen(
            f"T{down}",
            1 / failing + down * repair / failing * step,
            f"from {down} down to {down + 1}",
        )
        total += step
    return seen.trace(total)
