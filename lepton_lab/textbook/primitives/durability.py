"""How long data on n nodes lasts when any k of them suffice: a birth–death chain.

Its states are the numbers of nodes that are down. With j nodes down the next failure comes at the
rate (n − j)·λ and the next repair at the rate j·μ; with n − k + 1 nodes down the data is lost. The
model takes exponential times and independent failures. Real failures come together (a power cut,
one batch of disks), so the result serves for comparisons, not for promises.
"""

from __future__ import annotations

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace


def mean_time_to_loss(n: int, k: int, fail: float, repair: float) -> Trace[float]:
    """Compute the mean time from 'all nodes up' to 'data lost': the sum of all Tⱼ.

    Tⱼ is the mean time from j nodes down to j + 1: 1/((n−j)λ) + jμ/((n−j)λ) · Tⱼ₋₁. `n`, `k`: 1 ≤ k
    ≤ n. `fail`: λ > 0, the failures of one node per unit of time. `repair`: μ ≥ 0, the repairs of
    one node per unit of time. The result is in that unit. Raises InvalidParameter. For disks, see
    Patterson, Gibson and Katz, 1988.
    """
    integer("n", n, 1)
    integer("k", k, 1, n + 1)
    # written so that NaN is refused as well
    if not (fail > 0 and repair >= 0):
        raise InvalidParameter(
            "nodes must fail at a rate above 0, and be repaired at a rate of 0 or more"
        )
    seen = Recorder()
    total = 0.0
    step = 0.0
    for down in range(n - k + 1):
        failing = (n - down) * fail
        # a repair that comes first costs the way back from down - 1, and then this step again
        step = 1 / failing + down * repair / failing * step
        seen(f"T{down}", step, f"from {down} down to {down + 1}")
        total += step
    return seen.trace(total)
