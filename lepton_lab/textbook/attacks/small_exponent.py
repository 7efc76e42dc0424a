"""A small exponent and no padding: c = m^e is read by taking a root, as if there were no modulus.

The weak form: raw RSA (RSAEP alone) with a small e, such as 3.

- *The root*: if m^e < n, nothing was reduced, and m is the integer e-th root of c.
- *Broadcast* (Håstad 1985): one m to e receivers, cᵢ = m^e mod nᵢ with coprime nᵢ. The Chinese
  remainder theorem gives m^e modulo n₁·…·n_e, which is above m^e, because m is below each nᵢ. So it
  is m^e itself; take the root.

The defence: `lepton_lab.rsa.encrypt` pads by OAEP, so that every ciphertext hides another, random,
number of full length, and refuses keys with e below 65537.
"""

from __future__ import annotations

from collections.abc import Sequence

from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives.numtheory import crt, integer_root
from lepton_lab.textbook.primitives.rsa import PublicKey
from lepton_lab.textbook.trace import Recorder, Trace


def root(public: PublicKey, c: int) -> Trace[int]:
    """Find the m with m^e = c as integers.

    Raises AttackFailed when c is not an e-th power: then m^e was above n.
    """
    seen = Recorder()
    m = seen("m", integer_root(c, public.e), "the integer e-th root of c")
    if m**public.e != c:
        raise AttackFailed("c is not an e-th power of an integer: m^e was reduced modulo n")
    return seen.trace(m)


def broadcast(receivers: Sequence[tuple[PublicKey, int]]) -> Trace[int]:
    """Find the m that was sent raw to e receivers with the same e.

    `receivers`: pairs of a public key and its ciphertext. Raises AttackFailed with fewer than e
    receivers, and when the messages were not the same number.
    """
    e = receivers[0][0].e if receivers else 0
    if len(receivers) < max(e, 1) or any(public.e != e for public, _ in receivers):
        raise AttackFailed(
            f"one message to e = {e} receivers with that same e is needed, not {len(receivers)}"
        )
    ciphertexts = [c for _, c in receivers]
    moduli = [public.n for public, _ in receivers]
    seen = Recorder()
    power = seen("m^e", crt(ciphertexts, moduli), "by the CRT, no modulus")
    m = seen("m", integer_root(power, e))
    if m**e != power:
        raise AttackFailed(
            "no e-th power comes out: "
            "these ciphertexts hide different numbers, as padding makes them"
        )
    return seen.trace(m)
