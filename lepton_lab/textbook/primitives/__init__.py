"""Textbook primitives: AES and its modes, RSA, Paillier, fields, codes and number theory, one standard a file.

Import them under a name that says what they are: `from lepton_lab.textbook.primitives import aes as tb_aes`.
"""

from __future__ import annotations

from lepton_lab.errors import InvalidParameter


def as_bytes(name: str, value: object, *sizes: int, because: str = "") -> bytes:
    """`value` as bytes; InvalidParameter when it is no octet string, or of none of the `sizes` where any are given."""
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise InvalidParameter(f"{name} must be bytes, not {type(value).__name__}")
    value = bytes(value)
    if sizes and len(value) not in sizes:
        wanted = " or ".join(str(size) for size in sizes)
        raise InvalidParameter(
            f"{name} must be {wanted} bytes, not {len(value)}" + (f": {because}" if because else "")
        )
    return value


def integer(
    name: str, value: object, least: int | None = None, below: int | None = None, because: str = ""
) -> int:
    """`value` if it is an integer with least <= value < below (where they are given), or InvalidParameter."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidParameter(f"{name} must be an integer, not {type(value).__name__}")
    if (least is not None and value < least) or (below is not None and value >= below):
        limits = f"{'' if least is None else f'at least {least}'}{' and ' if None not in (least, below) else ''}"
        limits += "" if below is None else f"below {below if below < 2**64 else 'the modulus'}"
        raise InvalidParameter(f"{name} must be {limits}" + (f": {because}" if because else ""))
    return value
