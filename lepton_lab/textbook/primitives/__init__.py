"""Textbook primitives: AES and its modes, RSA, Paillier, fields, codes and number theory.

There is one standard per file. Import them under a name that says what they are:
`from lepton_lab.textbook.primitives import aes as tb_aes`.

This file holds the two checks of arguments that all of them use.
"""

from __future__ import annotations

from lepton_lab.errors import InvalidParameter


def as_bytes(name: str, value: object, *sizes: int, because: str = "") -> bytes:
    """Check that an argument is bytes, of an allowed size, and return it as `bytes`.

    `name`: what the error calls the argument. `sizes`: the allowed lengths in bytes; with none
    given every length is allowed. `because`: the reason for them, added to the error. Raises
    InvalidParameter for another type or size.
    """
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise InvalidParameter(f"{name} must be bytes, not {type(value).__name__}")
    value = bytes(value)
    if sizes and len(value) not in sizes:
        wanted = " or ".join(str(size) for size in sizes)
        message = f"{name} must be {wanted} bytes, not {len(value)}"
        raise InvalidParameter(f"{message}: {because}" if because else message)
    return value


def integer(
    name: str, value: object, least: int | None = None, below: int | None = None, because: str = ""
) -> int:
    """Check that an argument is an integer with least <= value < below, and return it.

    `name`: what the error calls the argument. `least`, `below`: the limits; None leaves that side
    open. `because`: the reason for them, added to the error. Raises InvalidParameter for another
    type (a bool is not taken for a number here) or a value outside the limits.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidParameter(f"{name} must be an integer, not {type(value).__name__}")
    too_small = least is not None and value < least
    too_large = below is not None and value >= below
    if too_small or too_large:
        message = f"{name} must be {_limits(least, below)}"
        raise InvalidParameter(f"{message}: {because}" if because else message)
    return value


def _limits(least: int | None, below: int | None) -> str:
    limits = []
    if least is not None:
        limits.append(f"at least {least}")
    if below is not None:
        # a modulus of hundreds of digits would drown the message
        limits.append(f"below {below}" if below < 2**64 else "below the modulus")
    return " and ".join(limits)
