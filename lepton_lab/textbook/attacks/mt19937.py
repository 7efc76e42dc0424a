"""The Mersenne Twister read off its outputs: 624 of them tell all others, later and earlier.

MT19937 (Matsumoto and Nishimura, 1998) is Python's `random`. Its state is 624 words of 32 bits, a window that slides
over one endless sequence x₀, x₁, …, where with y_k = the top bit of x_k and the 31 low bits of x_{k+1}

    x_{k+624} = x_{k+397} ⊕ y_k·A,      y·A = y >> 1, ⊕ 9908B0DF if y is odd,

and an output is one word, tempered: four steps, each y ⊕= something shifted out of y itself. Every one of these can be
undone, so an output *is* a word of the state, and so many outputs as the window holds are the window. The recurrence
runs backwards too: the top bit of 9908B0DF is 1 and that of y >> 1 is 0, so the top bit of y·A tells whether y was odd.

The weak form: keys, tokens or nonces from `random`, however well it was seeded. It is a fine generator for simulations:
its outputs are evenly spread, which is another promise than being hard to foretell.

The defence beside it: `secrets`, from which every key and nonce of `lepton_lab` comes; it has no state to be read off.
"""

from __future__ import annotations

from collections.abc import Sequence

from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives import integer
from lepton_lab.textbook.trace import Recorder, Trace

WORDS, MIDDLE, MATRIX = 624, 397, 0x9908B0DF
_TOP, _LOW = 0x80000000, 0x7FFFFFFF
_MASK_B, _MASK_C = 0x9D2C5680, 0xEFC60000


def temper(x: int) -> int:
    """The output that a word of the state gives (Matsumoto and Nishimura, equations 2.2 to 2.5)."""
    y = integer("x", x, 0, 1 << 32)
    y ^= y >> 11
    y ^= y << 7 & _MASK_B
    y ^= y << 15 & _MASK_C
    return y ^ y >> 18


def untemper(output: int) -> int:
    """The word of the state that gave an output: the four steps undone, last first."""
    y = _undo(integer("output", output, 0, 1 << 32), -18)
    y = _undo(y, 15, _MASK_C)
    y = _undo(y, 7, _MASK_B)
    return _undo(y, -11)


def _undo(y: int, shift: int, mask: int = 0xFFFFFFFF) -> int:
    """The x with y = x ⊕ (x shifted & mask); left for shift > 0.

    |shift| bits of y are those of x, having met only zeros; with them the next ones follow, and so on.
    """
    x = y
    for _ in range(32 // abs(shift)):
        x = y ^ ((x << shift if shift > 0 else x >> -shift) & mask)
    return x


class Twister:
    """A window of 624 words, which `following` moves on by one and `preceding` moves back by one."""

    def __init__(self, words: Sequence[int]) -> None:
        if len(words) != WORDS:
            raise AttackFailed(f"the window is {WORDS} words, not {len(words)}")
        self._x = [integer("word", word, 0, 1 << 32) for word in words]

    def following(self) -> int:
        """The next output after the window."""
        x = self._x
        y = x[0] & _TOP | x[1] & _LOW
        x.append(x[MIDDLE] ^ y >> 1 ^ (MATRIX if y & 1 else 0))
        del x[0]
        return temper(x[-1])

    def preceding(self) -> int:
        """The last output before the window.

        Its top bit stands in y₋₁, which made the window's last word, and its 31 low bits in the y before that one.
        """
        x = self._x
        before = _halved(x[-1] ^ x[MIDDLE - 1]) & _TOP | _halved(x[-2] ^ x[MIDDLE - 2]) & _LOW
        x.insert(0, before)
        del x[-1]
        return temper(before)


def _halved(product: int) -> int:
    """The y with y·A = product."""
    return (product ^ MATRIX) << 1 | 1 if product & _TOP else product << 1


def clone(outputs: Sequence[int]) -> Trace[Twister]:
    """The generator behind at least 625 outputs in a row (32 bits each), its window the last 624 of them.

    The surplus is what it is checked against. Raises AttackFailed when there is none, or it does not fit.
    """
    if len(outputs) <= WORDS:
        raise AttackFailed(
            f"{WORDS} outputs and one more to check against are needed, not {len(outputs)}"
        )
    seen = Recorder()
    words = seen(
        "state", [untemper(output) for output in outputs], f"{len(outputs)} outputs, untempered"
    )
    twister, surplus = Twister(words[:WORDS]), outputs[WORDS:]
    if any(twister.following() != output for output in surplus):
        raise AttackFailed("these numbers do not continue as MT19937 does")
    seen("foretold", len(surplus), "outputs, before they were looked at")
    return seen.trace(twister)
