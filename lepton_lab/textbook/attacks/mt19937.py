"""The Mersenne Twister read off its outputs: 624 of them give all others, later and earlier.

MT19937 (Matsumoto and Nishimura, 1998) is Python's `random`. Its state is 624 words of 32 bits, a
window that slides over one endless sequence x₀, x₁, …, where with y_k = the top bit of x_k and the
31 low bits of x_{k+1}

    x_{k+624} = x_{k+397} ⊕ y_k·A,      y·A = y >> 1, ⊕ 9908B0DF if y is odd,

and an output is one word, tempered: four steps, each y ⊕= something shifted out of y itself. Every
one of these can be undone, so an output *is* a word of the state, and 624 outputs are the window.
The recurrence runs backwards too: the top bit of 9908B0DF is 1 and that of y >> 1 is 0, so the top
bit of y·A tells whether y was odd.

The weak form: keys, tokens or nonces from `random`, however well it was seeded. It is a fine
generator for simulations: its outputs are evenly spread, but that does not make them hard to
predict.

The defence: `secrets`, from which every key and nonce of `lepton_lab` comes. It takes its numbers
from the operating system, and no state can be computed from them.
"""

from __future__ import annotations

from collections.abc import Sequence

from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace

# the names and numbers of the authors: n, m, a, and the masks of the tempering
WORDS = 624
MIDDLE = 397
MATRIX = 0x9908B0DF
_TOP = 0x80000000
_LOW = 0x7FFFFFFF
_MASK_B = 0x9D2C5680
_MASK_C = 0xEFC60000


def temper(x: int) -> int:
    """Compute the output that a word of the state gives (equations 2.2 to 2.5 of the paper)."""
    y = integer("x", x, 0, 1 << 32)
    y ^= y >> 11
    y ^= y << 7 & _MASK_B
    y ^= y << 15 & _MASK_C
    return y ^ y >> 18


def untemper(output: int) -> int:
    """Compute the word of the state that gave an output: the four steps undone, last first."""
    y = _undo(integer("output", output, 0, 1 << 32), -18)
    y = _undo(y, 15, _MASK_C)
    y = _undo(y, 7, _MASK_B)
    return _undo(y, -11)


def _undo(y: int, shift: int, mask: int = 0xFFFFFFFF) -> int:
    """Find the x with y = x ⊕ (x shifted & mask).

    The shift is to the left for shift > 0 and to the right for shift < 0. The first |shift| bits of
    y are those of x, because only zeros were added to them. From them the next |shift| bits follow,
    and so on.
    """
    x = y
    for _ in range(32 // abs(shift)):
        shifted = x << shift if shift > 0 else x >> -shift
        x = y ^ shifted & mask
    return x


class Twister:
    """A window of 624 words, which `following` and `preceding` move on and back."""

    def __init__(self, words: Sequence[int]) -> None:
        if len(words) != WORDS:
            raise AttackFailed(f"the window is {WORDS} words, not {len(words)}")
        self._x = [integer("word", word, 0, 1 << 32) for word in words]

    def following(self) -> int:
        """Move the window on and return the next output after it."""
        x = self._x
        y = x[0] & _TOP | x[1] & _LOW
        product = y >> 1 ^ (MATRIX if y & 1 else 0)
        x.append(x[MIDDLE] ^ product)
        del x[0]
        return temper(x[-1])

    def preceding(self) -> int:
        """Move the window back and return the last output before it.

        The top bit of the word before the window is that of y₋₁, which made the window's last word;
        its 31 low bits are those of the y before that one.
        """
        x = self._x
        y = _halved(x[-1] ^ x[MIDDLE - 1])
        y_before = _halved(x[-2] ^ x[MIDDLE - 2])
        word = y & _TOP | y_before & _LOW
        x.insert(0, word)
        del x[-1]
        return temper(word)


def _halved(product: int) -> int:
    """Find the y with y·A = product."""
    if product & _TOP:
        return (product ^ MATRIX) << 1 | 1
    return product << 1


def clone(outputs: Sequence[int]) -> Trace[Twister]:
    """Rebuild the generator behind at least 625 outputs in a row (32 bits each).

    Its window is the last 624 of them. The outputs beyond the first 624 are predicted, to check the
    clone. Raises AttackFailed when there are too few, or they do not fit.
    """
    if len(outputs) <= WORDS:
        raise AttackFailed(
            f"{WORDS} outputs and one more to check against are needed, not {len(outputs)}"
        )
    seen = Recorder()
    words = [untemper(output) for output in outputs]
    seen("state", words, f"{len(outputs)} outputs, untempered")
    twister = Twister(words[:WORDS])
    surplus = outputs[WORDS:]
    for output in surplus:
        if twister.following() != output:
            raise AttackFailed("these numbers do not continue as MT19937 does")
    seen("foretold", len(surplus), "outputs, before they were looked at")
    return seen.trace(twister)
