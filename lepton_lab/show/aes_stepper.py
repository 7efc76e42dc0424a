"""AES step by step: the state before and after every operation, moved with buttons or the arrow keys.

Every state comes precomputed from a `Trace` of `textbook.primitives.aes`, so that the stepper also moves in a page with
no kernel behind it. Its text, and its still form where scripts do not run, is the table of all the states.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.moving import Moving
from lepton_lab.show.table import table
from lepton_lab.textbook.trace import Step, Trace

# FIPS 197's name for each operation, by the label of the state that it leaves (Appendix C), and what it does
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

_COLUMNS = [
    i // 4 for i in range(16)
]  # byte i of a state stands in row i mod 4, column i div 4 (FIPS 197 §3.4)
_ORIGINS = {
    "ShiftRows": (_COLUMNS, [(i // 4 + i % 4) % 4 for i in range(16)]),
    "InvShiftRows": (_COLUMNS, [(i // 4 - i % 4) % 4 for i in range(16)]),
    "MixColumns": (_COLUMNS, _COLUMNS),
    "InvMixColumns": (_COLUMNS, _COLUMNS),
}


@dataclass(frozen=True)
class Frame:
    """One picture: an operation, the state that it finds and the one that it leaves, in hexadecimal."""

    label: str
    round: int
    operation: str
    sentence: str
    before: str
    key: str
    after: str
    tints: tuple[list[int], list[int]]


class AesStepper(Moving):
    """The widget that `aes_stepper` returns; `frames` are its pictures, `text` and `html` what stands in for them."""

    def __init__(self, frames: tuple[Frame, ...], caption: str) -> None:
        self.frames = frames
        still = table(
            [(frame.label, frame.round, frame.operation, frame.after) for frame in frames],
            ["state", "round", "left by", "bytes, column by column"],
            caption=caption,
        )
        super().__init__(
            "aes_stepper", still, FRAMES=[asdict(frame) for frame in frames], CAPTION=caption
        )


def aes_stepper(trace: Trace[bytes], *, caption: str = "") -> AesStepper:
    """Step through one block of AES: `aes_stepper(tb_aes.encrypt_block(key, block))`, or `decrypt_block`.

    `trace` is what `Cipher` or `InvCipher` of `textbook.primitives.aes` returns. `caption` names it for a reader who
    does not see it. Left and right arrow move by one operation, page up and page down by one round, home and end to
    the ends. Raises InvalidParameter for the trace of anything else.
    """
    frames = tuple(_frames(trace))
    rounds = frames[-1].round
    return AesStepper(
        frames, caption or f"AES-{128 + 32 * (rounds - 10)}, one block, {rounds} rounds"
    )


def _frames(trace: Trace[bytes]) -> Iterator[Frame]:
    state, key, key_round = b"", b"", 0
    for step in trace:
        number, label = _parsed(step)
        if label in ("k_sch", "ik_sch"):
            key, key_round = step.value, number
            continue
        if not state:
            operation, sentence = _INPUT
        elif key:
            (operation, sentence), number = _ADD_ROUND_KEY, key_round
        elif label in _OPERATIONS:
            operation, sentence = _OPERATIONS[label]
            number -= (
                label == "istart"
            )  # InvMixColumns ends a round, and the standard names its result by the next
        elif label in ("output", "ioutput", "start", "ik_add"):
            continue  # already shown
        else:
            raise InvalidParameter(f"{step.name!r} is no step of one block of AES")
        tints = _ORIGINS.get(operation, ([], []))
        yield Frame(
            step.name, number, operation, sentence, state.hex(), key.hex(), step.value.hex(), tints
        )
        state, key = step.value, b""
    if not state:
        raise InvalidParameter(
            "the trace is empty: give the one that aes.encrypt_block or aes.decrypt_block returns"
        )


def _parsed(step: Step) -> tuple[int, str]:
    found = re.fullmatch(r"round\[ ?(\d+)\]\.(\w+)", step.name)
    if not found or not isinstance(step.value, bytes) or len(step.value) != 16:
        raise InvalidParameter(
            f"{step.name!r} is no step of one block of AES: give aes.encrypt_block's trace"
        )
    return int(found[1]), found[2]
