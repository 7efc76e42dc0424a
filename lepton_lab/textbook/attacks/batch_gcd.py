"""Shared primes: among thousands of keys, find every prime that two of them share.

Heninger et al. (2012) broke 64,000 TLS hosts with it. The weak form: devices that make their keys
before they have gathered randomness draw the same first prime. For n₁ = p·q₁ and n₂ = p·q₂ the gcd
is p, by Euclid in no time; both keys are broken.

Trying all pairs of N keys takes N²/2 gcds. Two trees do better (Bernstein 2004). Going up, each
node is the product of its two children. Going down, let Oᵥ be the product of all moduli that are
*not* below node v, reduced modulo v: it is 1 at the root, and a child c with its sibling s has O_c
= Oᵥ · s mod c. At the leaves stands the product of all other keys modulo nᵢ, and

    gcd(nᵢ, Oᵢ)

is the part of nᵢ that occurs in any other key.

The defence: `lepton_lab.rsa.generate_private_key` takes its randomness from the operating system,
which does not answer before it has gathered enough; primes then never repeat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace


def shared_primes(moduli: Sequence[int]) -> Trace[dict[int, tuple[int, int]]]:
    """Factor every modulus that shares a prime with another.

    `moduli`: the n of many keys; one that occurs twice gives nothing by this alone. The result maps
    its place in the list to its factors (p, q), p <= q. Raises AttackFailed when no two share a
    prime, InvalidParameter for anything that cannot be a modulus.
    """
    for n in moduli:
        integer("a modulus", n, least=2)
    seen = Recorder()
    tree = _product_tree(list(moduli) or [1])
    seen("levels", len(tree), f"the tree's root has {tree[-1][0].bit_length()} bits")
    others = _products_of_others(tree)
    found = {}
    for i, n in enumerate(moduli):
        p = math.gcd(n, others[i])
        # p = n means that both primes are shared, or that n itself occurs twice
        if 1 < p < n:
            found[i] = (min(p, n // p), max(p, n // p))
    if not found:
        raise AttackFailed(f"no two of the {len(moduli)} moduli share a prime")
    seen("broken", len(found), f"of {len(moduli)} keys")
    return seen.trace(found)


def _product_tree(moduli: list[int]) -> list[list[int]]:
    """Build the levels of the tree, leaves first: each number is the product of its children."""
    tree = [moduli]
    while len(tree[-1]) > 1:
        level = tree[-1]
        tree.append([math.prod(level[i : i + 2]) for i in range(0, len(level), 2)])
    return tree


def _products_of_others(tree: list[list[int]]) -> list[int]:
    """Go down the tree: for every leaf, the product of all other leaves modulo this one."""
    others = [1]
    for level in reversed(tree[:-1]):
        below = []
        for i, n in enumerate(level):
            # i ^ 1 is the other child of the same parent, which the last child may lack
            sibling = level[i ^ 1] if i ^ 1 < len(level) else 1
            below.append(others[i // 2] % n * (sibling % n) % n)
        others = below
    return others
