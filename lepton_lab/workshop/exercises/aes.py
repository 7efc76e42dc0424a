"""The exercises of notebook `01_aes`."""
# ruff: noqa: N803 - the standard's names for the standard's things: H, the hash subkey

from __future__ import annotations

import secrets
from collections.abc import Callable

from lepton_lab.textbook.primitives.aes import InvShiftRows, ShiftRows
from lepton_lab.textbook.primitives.modes import ghash, ghash_input, xor_bytes
from lepton_lab.workshop.engine import Exercise, Probe, WrongAnswer, function, in_hex, value
from lepton_lab.workshop.exercises.aes_padding_oracle import DECRYPTED_BLOCK

_IV = bytes(range(16))
_NEXT_IV = bytes(range(100, 116))
_BLOCK = 16  # bytes

# Multiply by x ------------------------------------------------------------------------------------


def _xtime(b: int) -> int:
    return (b << 1) ^ (0x11B if b & 0x80 else 0)


_XTIME = function(
    "aes.xtime",
    "Multiply by x",
    "Write xtime(b): the product of b, 0 to 255, with x in the field of AES (FIPS 197, section "
    "4.2).",
    solution=_xtime,
    probes=[(0x57,), (0xAE,), (0x47,), (0x8E,), (0x80,), (0x00,)],
    draw=lambda: [(b,) for b in range(256)],
    notation=in_hex,
    wrong=[
        WrongAnswer(
            lambda b: b << 1,
            "the product must fit into a byte again: what is subtracted when bit 7 was set?",
        ),
        WrongAnswer(
            lambda b: b << 1 & 0xFF,
            "cutting off bit 8 is not reducing: subtract the whole polynomial, 0x11b",
        ),
        WrongAnswer(
            lambda b: b << 1 ^ 0x11B,
            "reduce only when there is something to reduce: when bit 7 of b was set",
        ),
        WrongAnswer(
            lambda b: (b << 1) ^ (0x1B if b & 0x80 else 0),
            "bit 8 is still there: subtract 0x11b, or cut the product to a byte as well",
        ),
    ],
)

# How long is the ciphertext? ----------------------------------------------------------------------

_PADDED = value(
    "aes.padded",
    "How long is the ciphertext?",
    "AES-CBC with PKCS #7 padding encrypts 32 bytes. How many bytes does the ciphertext have, not "
    "counting its 16-byte IV?",
    solution=48,
    otherwise="count whole blocks of 16 bytes: those of the message, and what the padding adds",
    wrong=[
        WrongAnswer(
            32,
            "padding is never empty: the receiver always takes some off, so there must be some",
        ),
        WrongAnswer(33, "a block cipher gives whole blocks of 16 bytes"),
        WrongAnswer(64, "leave the IV out of the count"),
    ],
)

# Undo ShiftRows -----------------------------------------------------------------------------------


def _rotate_columns(state: bytes) -> bytes:
    return bytes(state[4 * (i // 4) + (i % 4 - i // 4) % 4] for i in range(16))


def _rotate_every_row_by_one(state: bytes) -> bytes:
    return bytes(state[(i - 4) % 16] for i in range(16))


_INV_SHIFT_ROWS = function(
    "aes.inv_shift_rows",
    "Undo ShiftRows",
    "Write inv_shift_rows(state): 16 bytes in, 16 bytes out, with row r rotated right by r "
    "(FIPS 197, §5.3.1).",
    solution=InvShiftRows,
    probes=[(bytes(range(16)),), (bytes(range(200, 216)),)],
    draw=lambda: [(secrets.token_bytes(_BLOCK),) for _ in range(10)],
    wrong=[
        WrongAnswer(ShiftRows, "that rotates to the left, which is ShiftRows itself"),
        WrongAnswer(
            _rotate_columns,
            "you rotate the columns: byte i stands in row i % 4 and column i // 4",
        ),
        WrongAnswer(_rotate_every_row_by_one, "row r moves by r: row 0 stays"),
        WrongAnswer(lambda state: state, "nothing has moved"),
    ],
)

# Turn known bytes into others ---------------------------------------------------------------------


def _replace(message: bytes, at: int, data: bytes) -> bytes:
    return message[:at] + data + message[at + len(data) :]


def _flip(message: bytes, at: int, known: bytes, wanted: bytes) -> bytes:
    place = message[at : at + len(known)]
    difference = xor_bytes(known, wanted)
    return _replace(message, at, xor_bytes(place, difference))


def _draw_flips() -> list[Probe]:
    """Messages of two to eight blocks. `known` stands anywhere in one block of the plaintext."""
    probes: list[Probe] = []
    for blocks in range(2, 9):
        message = secrets.token_bytes(_BLOCK * blocks)
        # The first block of the message is the IV. Once, the place is always far from the start.
        last = blocks - 2
        block = last if blocks == 8 else secrets.randbelow(last + 1)
        start = secrets.randbelow(_BLOCK)
        length = 1 + secrets.randbelow(_BLOCK - start)
        known = secrets.token_bytes(length)
        probes.append((message, _BLOCK * block + start, known, secrets.token_bytes(length)))
    whole_block = secrets.token_bytes(_BLOCK)
    probes.append((secrets.token_bytes(32), 0, whole_block, secrets.token_bytes(_BLOCK)))
    return probes


_FLIP = function(
    "aes.flip",
    "Turn known bytes into others",
    "Write flip(message, at, known, wanted): the IV ‖ ciphertext whose plaintext has wanted where "
    "known was.",
    solution=_flip,
    probes=[(bytes(range(48)), 3, b"guest", b"admin"), (bytes(range(64)), 26, b"100", b"999")],
    draw=_draw_flips,
    wrong=[
        WrongAnswer(
            lambda message, at, known, wanted: _flip(message, at + 16, known, wanted),
            "that garbles the block itself: which block is XORed into P_j? (The IV stands in "
            "front, 16 bytes.)",
        ),
        WrongAnswer(
            lambda message, at, known, wanted: _replace(message, at, wanted),
            "the plaintext is not in the message: change it by a difference, do not write into it",
        ),
        WrongAnswer(
            lambda message, at, known, wanted: _replace(message, at, xor_bytes(known, wanted)),
            "XOR the difference with the bytes that are there; do not put it in their place",
        ),
        WrongAnswer(
            lambda message, at, known, wanted: _flip(message, at, bytes(len(known)), wanted),
            "then the plaintext reads known ⊕ wanted: which difference turns known into wanted?",
        ),
    ],
)

# Check a guess through a predictable IV -----------------------------------------------------------


def _query(guess: bytes, iv: bytes, next_iv: bytes) -> bytes:
    return xor_bytes(xor_bytes(guess, iv), next_iv)


def _draw_queries() -> list[Probe]:
    blocks = [[secrets.token_bytes(_BLOCK) for _ in range(3)] for _ in range(8)]
    return [(guess, iv, next_iv) for guess, iv, next_iv in blocks]


_QUERY = function(
    "aes.query",
    "Check a guess through a predictable IV",
    "Write query(guess, iv, next_iv): the block to have encrypted next, so that the answer is C_1 "
    "if the guess is P_1.",
    solution=_query,
    probes=[(b"PIN of alice: 73", _IV, _NEXT_IV), (b"PIN of alice: 74", _NEXT_IV, _IV[::-1])],
    draw=_draw_queries,
    wrong=[
        WrongAnswer(
            lambda guess, iv, next_iv: guess,
            "then AES is given guess ⊕ next_iv: cancel the next IV first",
        ),
        WrongAnswer(
            lambda guess, iv, next_iv: xor_bytes(guess, iv),
            "the server XORs the next IV in: put it in as well, so that it cancels",
        ),
        WrongAnswer(
            lambda guess, iv, next_iv: xor_bytes(guess, next_iv),
            "then AES is given the bare guess, but the first time it was given P_1 ⊕ iv",
        ),
    ],
)

# Forge with the authentication key ----------------------------------------------------------------


def _ghash_of(H: bytes, ciphertext: bytes) -> bytes:
    return ghash(H, ghash_input(b"", ciphertext)).result


def _forge(H: bytes, message: bytes, difference: bytes) -> bytes:
    nonce = message[:12]
    ciphertext = message[12:-16]
    tag = message[-16:]
    altered = xor_bytes(ciphertext, difference)
    mask = xor_bytes(tag, _ghash_of(H, ciphertext))
    return nonce + altered + xor_bytes(mask, _ghash_of(H, altered))


def _forge_with(
    tag_of: Callable[[bytes, bytes, bytes], bytes],
) -> Callable[[bytes, bytes, bytes], bytes]:
    """A forgery with a wrong tag, `tag_of(H, altered ciphertext, old tag)`, and all else right."""

    def forge(H: bytes, message: bytes, difference: bytes) -> bytes:
        altered = xor_bytes(message[12:-16], difference)
        return message[:12] + altered + tag_of(H, altered, message[-16:])

    return forge


def _without_lengths(H: bytes, ciphertext: bytes, tag: bytes) -> bytes:
    padded = ciphertext + bytes(-len(ciphertext) % 16)
    return xor_bytes(tag, ghash(H, padded).result)


def _draw_forgeries() -> list[Probe]:
    probes: list[Probe] = []
    for length in (1, 15, 16, 17, 100):
        message = secrets.token_bytes(12 + length + 16)
        probes.append((secrets.token_bytes(16), message, secrets.token_bytes(length)))
    return probes


_FORGE = function(
    "aes.forge",
    "Forge with the authentication key",
    "Write forge(H, message, difference): the message with difference XORed into its ciphertext "
    "and with the right tag.",
    solution=_forge,
    probes=[
        (
            bytes(range(1, 17)),
            bytes(12) + bytes(range(32)) + bytes(range(50, 66)),
            b"\x01" + bytes(31),
        ),
        (
            bytes(range(7, 23)),
            bytes(12) + bytes(range(21)) + bytes(range(80, 96)),
            bytes(20) + b"\x80",
        ),
    ],
    draw=_draw_forgeries,
    wrong=[
        WrongAnswer(_forge_with(lambda H, altered, tag: tag), "the tag is still the old message's"),
        WrongAnswer(
            _forge_with(lambda H, altered, tag: _ghash_of(H, altered)),
            "that is GHASH alone: a tag is GHASH under a mask, E_K(J_0), which the old tag still "
            "holds",
        ),
        WrongAnswer(
            _forge_with(lambda H, altered, tag: xor_bytes(tag, _ghash_of(H, altered))),
            "the old GHASH is still in your tag: XOR it out as the new one comes in",
        ),
        WrongAnswer(
            _forge_with(_without_lengths),
            "GHASH covers more than the ciphertext: ghash_input adds the lengths; and the old "
            "GHASH must go",
        ),
    ],
)

EXERCISES: tuple[Exercise, ...] = (
    _PADDED,
    _XTIME,
    _INV_SHIFT_ROWS,
    _FLIP,
    _QUERY,
    _FORGE,
    DECRYPTED_BLOCK,
)
