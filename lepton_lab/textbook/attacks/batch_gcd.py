"""Shared primes: thousands of keys at once, and every prime that two of them share falls out (Heninger et al. 2012).

The weak form: devices that make their keys before they have gathered randomness draw the same first prime. For
n₁ = p·q₁ and n₂ = p·q₂ the gcd is p, by Euclid in no time; both keys are broken. Trying all pairs of N keys takes N²/2
gcds. Two trees do better (Bernstein 2004): going up, each node is the product of its two children. Going down, let Oᵥ
be the product of all moduli that are *not* below node v, reduced modulo v: it is 1 at the root, and a child c with its
sibling s has O_c = Oᵥ · s mod c. At the leaves stands the product of all other keys modulo nᵢ, and

    gcd(nᵢ, Oᵢ)

is the part of nᵢ that occurs in any other key. 64,000 TLS hosts fell to this in 2012.

The defence beside it: `lepton_lab.rsa.generate_private_key` takes its randomness from the operating system, which does
not answer before it has gathered enough; primes then never repeat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace


def shared_primes(moduli: Sequence[int]) -> Trace[dict[int, tuple[int, int]]]:
    """For every modulus that shares a prime with another: its place in the list, and its factors (p, q), p <= q.

    `moduli`: the n of many keys; one that occurs twice gives nothing by this alone. Raises AttackFailed when no two
    share a prime, InvalidParameter for what is no modulus.
    """
    for n in moduli:
        integer("a modulus", n, least=2)
    seen = Recorder()
    tree = [list(moduli) or [1]]
    while len(tree[-1]) > 1:
        level = tree[-1]
        tree.append([math.prod(level[i : i + 2]) for i in range(0, len(level), 2)])
    seen("levels", len(tree), f"the tree's root has {tree[-1][0].bit_length()} bits")
    tree.pop()
    others = [1]
    for level in reversed(tree):
        siblings = [level[i ^ 1] if i ^ 1 < len(level) else 1 for i in range(len(level))]
        others = [others[i // 2] % n * (siblings[i] % n) % n for i, n in enumerate(level)]
    found = {}
    for i, (n, other) in enumerate(zip(moduli, others, strict=False)):
        p = math.gcd(n, other)
        if 1 < p < n:
            found[i] = (min(p, n // p), max(p, n // p))
    if not found:
        raise AttackFailed(f"no two of the {len(moduli)} moduli share a prime")
    seen("broken", len(found), f"of {len(moduli)} keys")
    return seen.trace(found)
