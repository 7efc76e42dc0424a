"""Shamir's secret sharing: any `threshold` of the shares give the secret, fewer say nothing of it.

Every byte of a payload is the constant term of a polynomial over GF(2⁸) of degree threshold − 1
(Shamir, 1979). Its other coefficients are uniform (the highest may be 0: forbidding that would
leak); share x holds the values at x, from 1. The field is that of AES, x⁸+x⁴+x³+x+1 (0x11b).

Shamir's scheme alone believes whatever it is given: one forged share among exactly enough moves the
secret at the forger's will (Tompa and Woll, 1988). So what is shared is not the secret S but

    S ‖ r(32) ‖ HMAC-SHA256(r, framed(domain, set id, threshold, shares, S))

with r random and the tag inside the sharing: fewer than `threshold` cheaters are found out (Cramer,
Dodis, Fehr, Padró and Wichs, 2008, in spirit; here computationally), while fewer than `threshold`
shares still say nothing of S, which a hash of S beside them would not allow. Not covered: as many
cheaters as the threshold, or a dealer who cheats.

A share, to carry or to print:

    offset  size  field
    0       1     format, 1
    1       16    set id, random: shares of two splittings do not mix
    17      1     threshold
    18      1     shares that were made
    19      1     index x, from 1
    20      …     values, one for each byte of the payload (the secret and 64 more)
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate
from typing import Self

from lepton_lab.buffers import BytesLike, framed, view_of, whole_number, whole_or_none
from lepton_lab.errors import IntegrityError, InvalidParameter, NotEnoughShards

SECRET_LIMIT = 1 << 16  # bytes

_FORMAT = 1
_HEADER = 20
_SET_ID = 16
_ADDED = 64  # r and its tag
_MOST = 255  # shares: the elements of the field but 0


@dataclass(frozen=True)
class Share:
    """One custodian's share, taken at x = `index`; `threshold` shares of one set give the secret.

    Raises InvalidParameter for values of other types, IntegrityError for values that `split` never
    writes.
    """

    set_id: bytes
    threshold: int
    shares: int
    index: int
    values: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.set_id, bytes) or not isinstance(self.values, bytes):
            raise InvalidParameter("a share's set id and values are bytes")
        for name in ("threshold", "shares", "index"):
            number = whole_or_none(getattr(self, name))
            if number is None:
                raise InvalidParameter(f"a share's {name} is a whole number")
            object.__setattr__(self, name, number)
        secret_size = len(self.values) - _ADDED
        if len(self.set_id) != _SET_ID or not 1 <= secret_size <= SECRET_LIMIT:
            raise IntegrityError("this is not a share that split writes")
        in_range = 1 <= self.threshold <= self.shares <= _MOST and 1 <= self.index <= self.shares
        if not in_range:
            raise IntegrityError("this is not a share that split writes")

    def to_bytes(self) -> bytes:
        """The bytes of the table above, for a custodian to keep."""
        return bytes((_FORMAT, *self.set_id, self.threshold, self.shares, self.index)) + self.values

    @classmethod
    def from_bytes(cls, data: BytesLike) -> Self:
        """Read a share.

        Raises IntegrityError for what `split` never writes, InvalidParameter for what is not bytes.
        """
        share = bytes(view_of(data))
        if len(share) <= _HEADER or share[0] != _FORMAT:
            raise IntegrityError("this is not a share that split writes")
        threshold, shares, index = share[17:_HEADER]
        return cls(share[1:17], threshold, shares, index, share[_HEADER:])


def split(secret: BytesLike, threshold: int, shares: int) -> list[Share]:
    """Share a secret of 1 to 65,536 bytes so that any `threshold` of the `shares` give it back.

    1 ≤ threshold ≤ shares ≤ 255; a threshold of 1 gives everyone the secret. Raises
    InvalidParameter otherwise.
    """
    hidden = bytes(view_of(secret))
    if not 1 <= len(hidden) <= SECRET_LIMIT:
        raise InvalidParameter(f"a secret is 1 to {SECRET_LIMIT} bytes")
    count = whole_number(shares, "the number of shares", 1, _MOST)
    needed = whole_number(threshold, "the threshold", 1, count)
    set_id = secrets.token_bytes(_SET_ID)
    r = secrets.token_bytes(32)
    payload = hidden + r + _tag(r, set_id, needed, count, hidden)
    made = enumerate(_shares_of(payload, needed, count), 1)
    return [Share(set_id, needed, count, x, values) for x, values in made]


def combine(shares: Iterable[Share]) -> bytes:
    """Give the secret back from `threshold` shares or more; all that are given must agree.

    Raises NotEnoughShards with fewer; IntegrityError for shares of two sets, one index twice with
    other values, or a forged or altered share among them (trying others is the only way to tell
    which); InvalidParameter for what is not a share.
    """
    by_index = _of_one_set(shares)
    first = next(iter(by_index.values()))
    if len(by_index) < first.threshold:
        raise NotEnoughShards("shares", found=len(by_index), needed=first.threshold)
    chosen = sorted(by_index)[: first.threshold]
    surplus = [x for x in by_index if x not in chosen]
    values = {x: by_index[x].values for x in chosen}
    payload, *expected = _interpolated(values, [0, *surplus])
    hidden = payload[:-_ADDED]
    r = payload[-_ADDED:-32]
    tag = payload[-32:]
    honest = hmac.compare_digest(tag, _tag(r, first.set_id, first.threshold, first.shares, hidden))
    given = b"".join(by_index[x].values for x in surplus)
    agree = hmac.compare_digest(b"".join(expected), given)
    # One message for both: which share is forged, nobody can tell from here.
    if not (honest and agree):
        raise IntegrityError("at least one share is forged or altered")
    return hidden


def _of_one_set(shares: Iterable[Share]) -> dict[int, Share]:
    """Shares by their index, checked to be of one splitting. Raises as `combine` does."""
    given = list(shares) if isinstance(shares, Iterable) else [shares]
    if not all(isinstance(share, Share) for share in given):
        raise InvalidParameter(
            "combine takes shares, as split made them or Share.from_bytes read them"
        )
    if not given:
        raise NotEnoughShards("shares", found=0, needed=1)
    sets = {(share.set_id, share.threshold, share.shares, len(share.values)) for share in given}
    by_index = {share.index: share for share in given}
    repeated_otherwise = any(by_index[share.index] != share for share in given)
    if len(sets) != 1 or repeated_otherwise:
        raise IntegrityError("these shares do not belong together")
    return by_index


def _tag(r: bytes, set_id: bytes, threshold: int, shares: int, secret: bytes) -> bytes:
    message = framed(b"lepton_lab shamir v1", set_id, bytes((threshold, shares)), secret)
    return hmac.digest(r, message, "sha256")


# --- GF(2⁸) --------------------------------------------------------------------------------------
# A payload is one integer whose bytes are elements of the field; addition is XOR. It is only ever
# multiplied by public constants, made of indices, so no secret chooses a branch or a table entry.
# (Python's integers promise no more.)


def _times(payload: int, constant: int, ones: int) -> int:
    """Every byte times `constant`.

    For each bit of the constant the payload is doubled that often (FIPS 197 §4.2, xTimes). ones: 1
    in each byte. A byte is doubled by a shift, and reduced by 0x11b where its top bit was set.
    """
    product = 0
    while constant:
        if constant & 1:
            product ^= payload
        top = (payload >> 7) & ones
        payload = ((payload ^ (top << 7)) << 1) ^ (top * 0x1B)
        constant >>= 1
    return product


def _product(elements: Iterable[int]) -> int:
    return reduce(lambda a, b: _times(a, b, 1), elements, 1)


# 3 generates the group, and 3²⁵⁵ = 1: the inverse of 3ⁱ is 3²⁵⁵⁻ⁱ.
_POWERS = list(accumulate(range(254), lambda power, _: _times(power, 3, 1), initial=1))
_INVERSE = {power: _POWERS[-exponent] for exponent, power in enumerate(_POWERS)}


def _shares_of(payload: bytes, threshold: int, shares: int) -> list[bytes]:
    """The values at 1 … shares of uniform polynomials whose constant terms are the payload."""
    size = len(payload)
    ones = _ones(size)
    coefficients = [_integer(payload)]
    for _ in range(threshold - 1):
        coefficients.append(_integer(secrets.token_bytes(size)))
    made = []
    for x in range(1, shares + 1):
        value = 0
        for coefficient in reversed(coefficients):  # Horner's rule
            value = _times(value, x, ones) ^ coefficient
        made.append(value.to_bytes(size, "big"))
    return made


def _interpolated(values: dict[int, bytes], wanted: Iterable[int]) -> list[bytes]:
    """The values at other points (Lagrange).

    They are Σ values(xᵢ) · Π (x − xⱼ)/(xᵢ − xⱼ) over j ≠ i; minus is XOR here.
    """
    size = len(next(iter(values.values())))
    ones = _ones(size)
    integers = {x: _integer(data) for x, data in values.items()}
    weights = {x: _INVERSE[_product(x ^ other for other in values if other != x)] for x in values}
    found = []
    for at in wanted:
        all_factors = _product(at ^ x for x in values)
        total = 0
        for x, integer in integers.items():
            weight = _product((all_factors, _INVERSE[at ^ x], weights[x]))
            total ^= _times(integer, weight, ones)
        found.append(total.to_bytes(size, "big"))
    return found


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _ones(size: int) -> int:
    return _integer(b"\x01" * size)
