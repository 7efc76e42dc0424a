"""Decryption time as an oracle: a fall-back for large numbers tells an aggregator a salary.

The weak form: a key holder knows that messages are small, so it computes m mod p alone (Paillier
1999, §7) and does the other half only if the result lies outside of the declared bound B. That
takes twice as long. Anyone may add to a ciphertext: c · (1 + n)^s hides m + s. So an aggregator
who can see how long a decryption takes asks with s = B - t whether m > t, and a binary search finds
m below 2^k with k questions (Kocher 1996 has the idea: running times are outputs too).

The defence: `lepton_lab.paillier` raises as soon as the half-size result passes the bound. A
plaintext within the bound equals its remainder modulo p, so a remainder outside of it settles the
matter; the other half is never needed, and every decryption costs the same.
"""

from __future__ import annotations

from collections.abc import Callable

from lepton_lab.textbook.attacks import AttackFailed, Counted
from lepton_lab.textbook.primitives.paillier import PrivateKey, PublicKey, decrypt, modulo_prime
from lepton_lab.textbook.trace import Recorder, Trace


def decrypt_with_fall_back(private: PrivateKey, c: int, bound: int) -> tuple[int, int]:
    """The weak form: return the message, and how many half-size powers its decryption took.

    `bound`: the largest message that is expected, below p/2.
    """
    m = modulo_prime(private.public.g, private.p, c).result
    if m <= bound:
        return m, 1
    # The message may be larger than p, so one prime cannot tell what it is.
    return decrypt(private, c, crt=True).result, 1 + 2


def shifted(public: PublicKey, c: int, shift: int) -> int:
    """Add a public number to an encrypted one: c · (1 + n)^shift mod n² hides m + shift."""
    return c * (1 + shift * public.n) % public.n_square


def read_by_clock(
    public: PublicKey, c: int, bound: int, most: int, is_slow: Callable[[int], bool]
) -> Trace[int]:
    """Find the number under c from the running times of decryptions.

    `bound`: what the key holder expects messages to stay below. `most`: the largest number that c
    may hide, at most `bound`. `is_slow(c')`: whether decrypting c' took noticeably longer. Raises
    AttackFailed when the times tell nothing.
    """
    seen = Recorder()
    ask = Counted(is_slow, most.bit_length() + 2)
    if not ask(shifted(public, c, bound + 1)) or ask(c):
        raise AttackFailed("a number past the bound takes no longer than one within it")
    low = 0
    high = most
    while low < high:
        middle = (low + high) // 2
        if ask(shifted(public, c, bound - middle)):
            low = middle + 1
            seen(f"slow: m > {middle}", low, "the least that m can be")
        else:
            high = middle
            seen(f"fast: m <= {middle}", high, "the most that m can be")
    seen("queries", ask.asked)
    return seen.trace(seen("m", low))
