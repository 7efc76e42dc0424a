"""The exercise `aes.decrypted_block`: the padding oracle, for one block."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from lepton_lab.textbook.attacks import padding_oracle, weak
from lepton_lab.textbook.primitives.modes import xor_bytes
from lepton_lab.workshop.engine import Probe, WrongAnswer, expect, function, written

_KEY = bytes(range(16))
_BLOCK = 16  # bytes

Ask = Callable[[bytes], bool]

_NOT_CONFIRMED = (
    "right for most blocks; but 02 02 is right padding too: change the byte before and ask again"
)
# All guesses twice for each byte, and some more: no way of asking that makes sense needs as many.
_MOST_QUESTIONS = 10_000


def _search(
    block: bytes,
    ask: Ask,
    *,
    found: Callable[[int, int], int] = lambda guess, n: guess ^ n,
    tail: Callable[[bytes, int], bytes] = lambda known, n: xor_bytes(
        known, bytes([n]) * len(known)
    ),
    confirmed: bool = True,
) -> bytes:
    """The attack on one block. The arguments by name are where it typically goes wrong.

    found: what is kept of a guess that worked, for padding n. tail: what is sent behind the guess.
    confirmed: whether a hit for the last byte is asked for a second time with another byte before.
    """
    output = bytearray(16)
    for n in range(1, 17):
        for guess in range(256):
            before = bytes(16 - n) + bytes([guess]) + tail(bytes(output[17 - n :]), n)
            if not ask(before + block):
                continue
            if n == 1 and confirmed and not ask(bytes(14) + bytes([1, guess]) + block):
                continue
            output[16 - n] = found(guess, n)
            break
    return bytes(output)


def _search_unconfirmed(block: bytes, ask: Ask) -> bytes:
    return _search(block, ask, confirmed=False)


def _search_keeping_guesses(block: bytes, ask: Ask) -> bytes:
    return _search(block, ask, found=lambda guess, n: guess)


def _search_with_old_tail(block: bytes, ask: Ask) -> bytes:
    return _search(block, ask, tail=lambda known, n: xor_bytes(known, bytes(range(n - 1, 0, -1))))


def _search_with_bare_tail(block: bytes, ask: Ask) -> bytes:
    return _search(block, ask, tail=lambda known, n: known)


def _search_backwards(block: bytes, ask: Ask) -> bytes:
    return _search(block, ask)[::-1]


def _expect_two_blocks(message: bytes) -> None:
    expect(len(message) == 32, f"ask takes R + block, twice 16 bytes; yours were {len(message)}")


def _block_and_receiver(output: bytes) -> Probe:
    """A block whose decryption is `output`, and the receiver that answers for its key."""
    receiver = padding_oracle.receiver(_KEY)

    def ask(message: bytes) -> bool:
        _expect_two_blocks(message)
        return receiver(bytes(message))

    return weak.ecb_encrypt(_KEY, output), ask


class _TemptingReceiver:
    """A receiver that tempts: one of its first yeses means padding 02 02, whatever is asked.

    It fixes the last two bytes of D_K(block) only at the question numbered `tempting`, such that
    the padding is 02 02 there. To questions before that it says no, and from there on it answers
    truly; no answer contradicts another. An attack that takes that yes for padding 01 gets the last
    byte wrong, in whatever order it guesses.
    """

    def __init__(self, tempting: int) -> None:
        self.block = secrets.token_bytes(_BLOCK)
        self.output = bytearray(secrets.token_bytes(_BLOCK))
        self._tempting = tempting
        self._asked: list[bytes] = []
        self._is_fixed = False

    def ask(self, message: bytes) -> bool:
        """Whether the padding of D_K(block) ⊕ R is right (PKCS #7)."""
        _expect_two_blocks(message)
        r = bytes(message[:_BLOCK])
        self._asked.append(r)
        expect(
            len(self._asked) <= _MOST_QUESTIONS,
            f"that is more than {_MOST_QUESTIONS:,} questions for one block; 256 guesses for each "
            "of its 16 bytes are 4,096",
        )
        if not self._is_fixed and len(self._asked) >= self._tempting:
            self.output[14] = r[14] ^ 2
            self.output[15] = r[15] ^ 2
            # Every earlier answer was no. Where that would now be untrue, tempt a question later.
            self._is_fixed = not any(self._is_right(earlier) for earlier in self._asked[:-1])
        return self._is_fixed and self._is_right(r)

    def _is_right(self, r: bytes) -> bool:
        plaintext = xor_bytes(bytes(self.output), r)
        count = plaintext[-1]
        return 1 <= count <= _BLOCK and plaintext[-count:] == bytes([count]) * count


def _judge_tempted(answer: Any) -> None:
    for tempting in (1, 2, 3 + secrets.randbelow(50)):
        receiver = _TemptingReceiver(tempting)
        result = answer(receiver.block, receiver.ask)
        expect(bytes(result) == bytes(receiver.output), _NOT_CONFIRMED)


def _bytes_or_ask(argument: Any) -> str:
    return "ask" if callable(argument) else written(argument)


DECRYPTED_BLOCK = function(
    "aes.decrypted_block",
    "The padding oracle, one block",
    "Write decrypted_block(block, ask): D_K(block), 16 bytes, where ask(R + block) says whether "
    "the padding is right.",
    solution=_search,
    probes=[
        _block_and_receiver(b"sixteen letters."),
        # For guesses going up, 02 02 comes before 01.
        _block_and_receiver(b"a lucky guess " + b"\x02\x03"),
        # For guesses going down, it does.
        _block_and_receiver(b"a lucky guess " + b"\x02\x00"),
        _block_and_receiver(bytes(range(240, 256))),
    ],
    also=_judge_tempted,
    seconds=30.0,
    notation=_bytes_or_ask,
    wrong=[
        WrongAnswer(_search_unconfirmed, _NOT_CONFIRMED),
        WrongAnswer(
            _search_keeping_guesses,
            "what you keep is R's byte; the one of D_K(block) is R's byte ⊕ the padding's value",
        ),
        WrongAnswer(
            _search_with_old_tail,
            "for padding n the bytes behind must read n too: set them again in every step, known "
            "byte ⊕ n",
        ),
        WrongAnswer(
            _search_with_bare_tail,
            "the bytes behind become 0 that way, not n: send the known byte ⊕ n",
        ),
        WrongAnswer(
            _search_backwards,
            "the bytes are right and their order is not: the last one is found first",
        ),
    ],
)
