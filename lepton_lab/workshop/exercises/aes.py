"""Exercises of `01_aes`."""
# ruff: noqa: N803 - the standard's names for the standard's things: H, the hash subkey

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lepton_lab.textbook.attacks import padding_oracle, weak
from lepton_lab.textbook.primitives.aes import InvShiftRows, ShiftRows
from lepton_lab.textbook.primitives.modes import ghash, ghash_input, xor_bytes
from lepton_lab.workshop.engine import (
    Exercise,
    WrongAnswer,
    expect,
    function,
    in_hex,
    value,
    written,
)

Ask = Callable[[bytes], bool]

_KEY = bytes(range(16))
_IV, _NEXT_IV = bytes(range(16)), bytes(range(100, 116))


def _xtime(b: int) -> int:
    return (b << 1) ^ (0x11B if b & 0x80 else 0)


def _replaced(message: bytes, at: int, data: bytes) -> bytes:
    return message[:at] + data + message[at + len(data) :]


def _flip(message: bytes, at: int, known: bytes, wanted: bytes) -> bytes:
    place = message[at : at + len(known)]
    return _replaced(message, at, xor_bytes(place, xor_bytes(known, wanted)))


def _query(guess: bytes, iv: bytes, next_iv: bytes) -> bytes:
    return xor_bytes(xor_bytes(guess, iv), next_iv)


def _forge(H: bytes, message: bytes, difference: bytes) -> bytes:
    nonce, body, tag = message[:12], message[12:-16], message[-16:]
    altered = xor_bytes(body, difference)
    change = xor_bytes(
        ghash(H, ghash_input(b"", body)).result, ghash(H, ghash_input(b"", altered)).result
    )
    return nonce + altered + xor_bytes(tag, change)


def _forge_with(
    tag_of: Callable[[bytes, bytes, bytes], bytes],
) -> Callable[[bytes, bytes, bytes], bytes]:
    """A wrong forgery: all as it should be, but for the tag, which is `tag_of(H, altered ciphertext, old tag)`."""
    return lambda H, message, difference: (
        message[:12]
        + (altered := xor_bytes(message[12:-16], difference))
        + tag_of(H, altered, message[-16:])
    )


def _search(
    block: bytes,
    ask: Ask,
    *,
    found: Callable[[int, int], int] = lambda guess, n: guess ^ n,
    tail: Callable[[bytes, int], bytes] = lambda known, n: xor_bytes(known, bytes([n]) * 16),
    checked: bool = True,
) -> bytes:
    """The attack on one block; the arguments by name are where it typically goes wrong."""
    output = bytearray(16)
    for n in range(1, 17):
        for guess in range(256):
            before = bytes(16 - n) + bytes([guess]) + tail(bytes(output[17 - n :]), n)
            lucky = n == 1 and checked and not ask(bytes(14) + bytes([1, guess]) + block)
            if not lucky and ask(before + block):
                output[16 - n] = found(guess, n)
                break
    return bytes(output)


def _unchecked(block: bytes, ask: Ask) -> bytes:
    return _search(block, ask, checked=False)


def _guesses_kept(block: bytes, ask: Ask) -> bytes:
    return _search(block, ask, found=lambda guess, n: guess)


def _tail_kept(block: bytes, ask: Ask) -> bytes:
    return _search(block, ask, tail=lambda known, n: xor_bytes(known, bytes(range(n - 1, 0, -1))))


def _tail_unmasked(block: bytes, ask: Ask) -> bytes:
    return _search(block, ask, tail=lambda known, n: known)


def _backwards(block: bytes, ask: Ask) -> bytes:
    return _search(block, ask)[::-1]


def _closed(output: bytes) -> tuple[bytes, Ask]:
    """A block whose decryption is `output`, and the receiver that answers for its key."""
    receiver = padding_oracle.receiver(_KEY)

    def ask(message: bytes) -> bool:
        expect(
            len(message) == 32, f"ask takes R + block, twice 16 bytes; yours were {len(message)}"
        )
        return receiver(bytes(message))

    return weak.ecb_encrypt(_KEY, output), ask


def _bytes_or_ask(answer: Any) -> str:
    return "ask" if callable(answer) else written(answer)


EXERCISES: tuple[Exercise, ...] = (
    value(
        "aes.padded",
        "How long is the ciphertext?",
        "AES-CBC with PKCS #7 padding encrypts 32 bytes. How many bytes has the result, its 16-byte IV not counted?",
        solution=48,
        otherwise="count whole blocks of 16 bytes: those of the message, and what the padding adds",
        wrong=[
            WrongAnswer(
                32,
                "padding is never empty: the receiver takes it off unasked, so there must always be some",
            ),
            WrongAnswer(33, "a block cipher gives whole blocks of 16 bytes"),
            WrongAnswer(64, "leave the IV out of the count"),
        ],
    ),
    function(
        "aes.xtime",
        "Multiply by x",
        "Write xtime(b): the product of b, 0 to 255, with x in the field of AES (FIPS 197, section 4.2).",
        solution=_xtime,
        probes=[(0x57,), (0xAE,), (0x47,), (0x8E,), (0x80,), (0x00,)],
        notation=in_hex,
        wrong=[
            WrongAnswer(
                lambda b: b << 1,
                "the product must fit a byte again: what is subtracted when bit 7 was set?",
            ),
            WrongAnswer(
                lambda b: b << 1 & 0xFF,
                "cutting off bit 8 is not reducing: subtract the whole polynomial, 0x11b",
            ),
            WrongAnswer(
                lambda b: b << 1 ^ 0x11B,
                "only reduce when there is something to reduce: when bit 7 of b was set",
            ),
            WrongAnswer(
                lambda b: (b << 1) ^ (0x1B if b & 0x80 else 0),
                "bit 8 is still there: subtract 0x11b, or cut the product to a byte as well",
            ),
        ],
    ),
    function(
        "aes.inv_shift_rows",
        "Undo ShiftRows",
        "Write inv_shift_rows(state): 16 bytes in, 16 bytes out, with row r rotated right by r (FIPS 197, §5.3.1).",
        solution=InvShiftRows,
        probes=[(bytes(range(16)),), (bytes(range(200, 216)),)],
        wrong=[
            WrongAnswer(ShiftRows, "that rotates to the left, which is ShiftRows itself"),
            WrongAnswer(
                lambda state: bytes(state[4 * (i // 4) + (i % 4 - i // 4) % 4] for i in range(16)),
                "you rotate the columns: byte i stands in row i % 4 and column i // 4",
            ),
            WrongAnswer(
                lambda state: bytes(state[(i - 4) % 16] for i in range(16)),
                "row r moves by r: row 0 stays",
            ),
            WrongAnswer(lambda state: state, "nothing has moved"),
        ],
    ),
    function(
        "aes.flip",
        "Turn known bytes into others",
        "Write flip(message, at, known, wanted): the IV ‖ ciphertext whose plaintext has wanted where known was.",
        solution=_flip,
        probes=[(bytes(range(48)), 3, b"guest", b"admin"), (bytes(range(64)), 26, b"100", b"999")],
        wrong=[
            WrongAnswer(
                lambda message, at, known, wanted: _flip(message, at + 16, known, wanted),
                "that garbles the block itself: which block is XORed into P_j? (The IV stands in front, 16 bytes.)",
            ),
            WrongAnswer(
                lambda message, at, known, wanted: _replaced(message, at, wanted),
                "the plaintext is not in the message: change it by a difference, do not write into it",
            ),
            WrongAnswer(
                lambda message, at, known, wanted: _replaced(message, at, xor_bytes(known, wanted)),
                "XOR the difference with the bytes that are there; do not put it in their place",
            ),
            WrongAnswer(
                lambda message, at, known, wanted: _flip(message, at, bytes(len(known)), wanted),
                "then the plaintext reads known ⊕ wanted: which difference turns known into wanted?",
            ),
        ],
    ),
    function(
        "aes.query",
        "Check a guess through a predictable IV",
        "Write query(guess, iv, next_iv): the block to have encrypted next, so that it gives C_1 if the guess is P_1.",
        solution=_query,
        probes=[(b"PIN of alice: 73", _IV, _NEXT_IV), (b"PIN of alice: 74", _NEXT_IV, _IV[::-1])],
        wrong=[
            WrongAnswer(
                lambda guess, iv, next_iv: guess,
                "then AES is given guess ⊕ next_iv: cancel the next IV first",
            ),
            WrongAnswer(
                lambda guess, iv, next_iv: xor_bytes(guess, iv),
                "the next IV is XORed in by the server: put it in as well, so that it cancels",
            ),
            WrongAnswer(
                lambda guess, iv, next_iv: xor_bytes(guess, next_iv),
                "then AES is given the bare guess, but the first time it was given P_1 ⊕ iv",
            ),
        ],
    ),
    function(
        "aes.forge",
        "Forge with the authentication key",
        "Write forge(H, message, difference): message, difference XORed into its ciphertext, under a right tag.",
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
        wrong=[
            WrongAnswer(
                _forge_with(lambda H, body, tag: tag), "the tag is still the old message's"
            ),
            WrongAnswer(
                _forge_with(lambda H, body, tag: ghash(H, ghash_input(b"", body)).result),
                "that is GHASH alone: a tag is GHASH under a mask, E_K(J_0), which the old tag still holds",
            ),
            WrongAnswer(
                _forge_with(
                    lambda H, body, tag: xor_bytes(tag, ghash(H, ghash_input(b"", body)).result)
                ),
                "the old GHASH is still in your tag: XOR it out as the new one comes in",
            ),
            WrongAnswer(
                _forge_with(
                    lambda H, body, tag: xor_bytes(
                        tag, ghash(H, body + bytes(-len(body) % 16)).result
                    )
                ),
                "GHASH covers more than the ciphertext: ghash_input adds the lengths; and the old one must go",
            ),
        ],
    ),
    function(
        "aes.decrypted_block",
        "The padding oracle, one block",
        "Write decrypted_block(block, ask): D_K(block), 16 bytes, where ask(R + block) says if padding is right.",
        solution=_search,
        probes=[
            _closed(b"sixteen letters."),
            _closed(
                b"a lucky guess \x02\x03"[:14] + b"\x02\x03"
            ),  # going up, 02 02 comes before 01
            _closed(b"a lucky guess \x02\x00"[:14] + b"\x02\x00"),  # going down, it does
            _closed(bytes(range(240, 256))),
        ],
        seconds=30.0,
        notation=_bytes_or_ask,
        wrong=[
            WrongAnswer(
                _unchecked,
                "right for most blocks; but 02 02 is right padding too: change the byte before and ask again",
            ),
            WrongAnswer(
                _guesses_kept,
                "what you keep is R's byte; the one of D_K(block) is R's byte ⊕ the padding's value",
            ),
            WrongAnswer(
                _tail_kept,
                "for padding n the bytes behind must read n too: set them anew, known byte ⊕ n, in every step",
            ),
            WrongAnswer(
                _tail_unmasked, "the bytes behind become 0 that way, not n: send the known byte ⊕ n"
            ),
            WrongAnswer(
                _backwards,
                "the bytes are right and their order is not: the last one is found first",
            ),
        ],
    ),
)
