"""Exercises of `01_aes`."""

from __future__ import annotations

from lepton_lab.workshop.answers import in_hex
from lepton_lab.workshop.exercise import Exercise, Wrong, function, value


def _xtime(b: int) -> int:
    return (b << 1) ^ (0x11B if b & 0x80 else 0)


EXERCISES: tuple[Exercise, ...] = (
    value(
        "aes.padded",
        "How long is the ciphertext?",
        "AES-CBC with PKCS #7 padding encrypts 32 octets. How many octets has the result, its 16-octet IV not counted?",
        solution=48,
        otherwise="count whole blocks of 16 octets: those of the message, and what the padding adds",
        wrong=[
            Wrong(32, "padding is never empty: the receiver takes it off unasked, so there must always be some"),
            Wrong(33, "a block cipher gives whole blocks of 16 octets"),
            Wrong(64, "leave the IV out of the count"),
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
            Wrong(lambda b: b << 1, "the product must fit an octet again: what is subtracted when bit 7 was set?"),
            Wrong(lambda b: b << 1 & 0xFF, "cutting off bit 8 is not reducing: subtract the whole polynomial, 0x11b"),
            Wrong(lambda b: b << 1 ^ 0x11B, "only reduce when there is something to reduce: when bit 7 of b was set"),
            Wrong(
                lambda b: (b << 1) ^ (0x1B if b & 0x80 else 0),
                "bit 8 is still there: subtract 0x11b, or cut the product to an octet as well",
            ),
        ],
    ),
)
