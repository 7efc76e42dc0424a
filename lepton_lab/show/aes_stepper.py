"""AES step by step: the state before and after every operation, moved with buttons or arrow keys.

Every state comes precomputed from a `Trace` of `textbook.primitives.aes`, so that the stepper also
moves in a page with no kernel behind it. Its text, and its still form where scripts do not run, is
the table of all the states.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.table import table
from lepton_lab.show.widgets import BrowserWidget
from lepton_lab.textbook.trace import Step, Trace

# by the label of the state that an operation leaves (FIPS 197, Appendix C): the operation's name in
# the standard, and what it does
_OPERATIONS = {
    "s_box": ("SubBytes", "Every byte is replaced by its entry in the S-box."),
    "s_row": (
        "ShiftRows",
        "Row r is rotated left by r places; the colours show from which column a byte came.",
    ),
    "m_col": (
        "MixColumns",
        "Each column is multiplied by a fixed matrix over GF(2⁸), and stays in its place.",
    ),
    "is_row": (
        "InvShiftRows",
        "Row r is rotated right by r places; the colours show from which column a byte came.",
    ),
    "is_box": ("InvSubBytes", "Every byte is replaced by its entry in the inverse S-box."),
    "istart": (
        "InvMixColumns",
        "Each column is multiplied by the inverse matrix, and stays in its place.",
    ),
}
_ADD_ROUND_KEY = (
    "AddRoundKey",
    "Every byte is XORed with the byte of the round key in the same place.",
)
_INPUT = ("input", "The block comes in: its 16 bytes fill the square column by column.")

# states that a step before has shown already, under another label
_SHOWN_ALREADY = ("output", "ioutput", "start", "ik_add")
_ROUND_KEYS = ("k_sch", "ik_sch")

# byte i of a state stands in row i mod 4, column i div 4 (FIPS 197 §3.4)
_COLUMNS = [i // 4 for i in range(16)]
# the colours of the bytes before and after an operation: the column that each comes from
_TINTS = {
    "ShiftRows": (_COLUMNS, [(i // 4 + i % 4) % 4 for i in range(16)]),
    "InvShiftRows": (_COLUMNS, [(i // 4 - i % 4) % 4 for i in range(16)]),
    "MixColumns": (_COLUMNS, _COLUMNS),
    "InvMixColumns": (_COLUMNS, _COLUMNS),
}


@dataclass(frozen=True)
class StepperFrame:
    """One picture: an operation, the state before it and the one after it, in hexadecimal."""

    label: str
    round: int
    operation: str
    sentence: str
    before: str
    key: str
    after: str
    tints: tuple[list[int], list[int]]


class AesStepper(BrowserWidget):
    """The widget that `aes_stepper` returns; `frames` are its pictures."""

    def __init__(self, frames: tuple[StepperFrame, ...], caption: str) -> None:
        self.frames = frames
        rows = [(frame.label, frame.round, frame.operation, frame.after) for frame in frames]
        columns = ["state", "round", "left by", "bytes, column by column"]
        still = table(rows, columns, caption=caption)
        drawn = [asdict(frame) for frame in frames]
        super().__init__("aes_stepper", still, FRAMES=drawn, CAPTION=caption)


def aes_stepper(trace: Trace[bytes], *, caption: str = "") -> AesStepper:
    """Step through one block of AES: `aes_stepper(tb_aes.encrypt_block(key, block))`.

    `trace` is what `Cipher` or `InvCipher` of `textbook.primitives.aes` returns, or `encrypt_block`
    or `decrypt_block`. `caption` names it for a reader who does not see it. Left and right arrow
    move by one operation, page up and page down by one round, home and end to the ends. Raises
    InvalidParameter for the trace of anything else.
    """
    frames = tuple(_frames(trace))
    rounds = frames[-1].round
    key_bits = 128 + 32 * (rounds - 10)
    return AesStepper(frames, caption or f"AES-{key_bits}, one block, {rounds} rounds")


def _frames(trace: Trace[bytes]) -> Iterator[StepperFrame]:
    state = b""  # before the operation; empty until the input has been shown
    key = b""  # the round key that the next operation adds; empty when it adds none
    key_round = 0
    for step in trace:
        number, label = _parsed(step)
        if label in _ROUND_KEYS:
            key = step.value
            key_round = number
            continue
        if not state:
            operation, sentence = _INPUT
        elif key:
            # the standard counts the state by the round that follows, its key by the round it ends
            operation, sentence = _ADD_ROUND_KEY
            number = key_round
        elif label in _OPERATIONS:
            operation, sentence = _OPERATIONS[label]
            # InvMixColumns ends a round, and the standard names its result by the next
            if label == "istart":
                number -= 1
        elif label in _SHOWN_ALREADY:
            continue
        else:
            raise InvalidParameter(f"{step.name!r} is not a step of one block of AES")
        yield StepperFrame(
            label=step.name,
            round=number,
            operation=operation,
            sentence=sentence,
            before=state.hex(),
            key=key.hex(),
            after=step.value.hex(),
            tints=_TINTS.get(operation, ([], [])),
        )
        state = step.value
        key = b""
    if not state:
        raise InvalidParameter(
            "the trace is empty: give the one that aes.encrypt_block or aes.decrypt_block returns"
        )


def _parsed(step: Step) -> tuple[int, str]:
    """The number of the round and the label in the name of a step."""
    found = re.fullmatch(r"round\[ ?(\d+)\]\.(\w+)", step.name)
    if not found or not isinstance(step.value, bytes) or len(step.value) != 16:
        raise InvalidParameter(
            f"{step.name!r} is not a step of one block of AES: give aes.encrypt_block's trace"
        )
    return int(found[1]), found[2]
