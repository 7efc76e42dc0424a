"""Shamir's secret sharing: any `threshold` of the shares give the secret, fewer say nothing of it (Shamir, 1979).

Every byte of a payload is the constant term of a polynomial over GF(2⁸) of degree threshold − 1, its other
coefficients uniform (the highest may be 0: forbidding that would leak); share x holds the values at x, from 1. The
field is that of AES, x⁸+x⁴+x³+x+1 (0x11b).

Shamir's scheme alone believes whatever it is given: one forged share among exactly enough moves the secret at the
forger's will (Tompa and Woll, 1988). So what is shared is not the secret S but

    S ‖ r(32) ‖ HMAC-SHA256(r, framed(domain, set id, threshold, shares, S))

with r random and the tag inside the sharing: fewer than `threshold` cheaters are found out (Cramer, Dodis, Fehr, Padró
and Wichs, 2008, in spirit; here computationally), while fewer than `threshold` shares still say nothing of S, which a
hash of S beside them would not allow. Not covered: as many cheaters as the threshold, or a dealer who cheats.

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

from lepton_lab.buffers import BytesLike, framed, view_of
from lepton_lab.errors import IntegrityError, InvalidParameter, NotEnoughShards

_FORMAT = 1
_HEADER = 20
_SET_ID = 16
_ADDED = 64  # r and its tag
SECRET_LIMIT = 1 << 16


@dataclass(frozen=True)
class Share:
    """One custodian's share. `threshold` shares of one set give the secret; `index` is the x it was taken at."""

    set_id: bytes
    threshold: int
    shares: int
    index: int
    values: bytes = field(repr=False)

    def __post_init__(self) -> None:
        numbers = (self.threshold, self.shares, self.index)
        if not (
            all(isinstance(data, bytes) for data in (self.set_id, self.values)) and _whole(*numbers)
        ):
            raise InvalidParameter("a share holds bytes and whole numbers")
        sizes = len(self.set_id) == _SET_ID and _ADDED < len(self.values) <= _ADDED + SECRET_LIMIT
        if not (
            sizes and 1 <= self.threshold <= self.shares <= 255 and 1 <= self.index <= self.shares
        ):
            raise IntegrityError("this is no share that split writes")

    def to_bytes(self) -> bytes:
        """The bytes of the table above, for a custodian to keep."""
        return bytes((_FORMAT, *self.set_id, self.threshold, self.shares, self.index)) + self.values

    @classmethod
    def from_bytes(cls, data: BytesLike) -> Self:
        """Read a share. Raises IntegrityError for what no `split` wrote, InvalidParameter for what is not bytes."""
        share = bytes(view_of(data))
        if len(share) <= _HEADER or share[0] != _FORMAT:
            raise IntegrityError("this is no share that split writes")
        threshold, shares, index = share[17:_HEADER]
        return cls(share[1:17], threshold, shares, index, share[_HEADER:])


def split(secret: BytesLike, threshold: int, shares: int) -> list[Share]:
    """Share a secret of 1 to 65,536 bytes so that any `threshold` of the `shares` give it back.

    1 ≤ threshold ≤ shares ≤ 255; a threshold of 1 gives everyone the secret. Raises InvalidParameter otherwise.
    """
    hidden = bytes(view_of(secret))
    if not 1 <= len(hidden) <= SECRET_LIMIT:
        raise InvalidParameter(f"a secret is 1 to {SECRET_LIMIT} bytes")
    if not (_whole(threshold, shares) and 1 <= threshold <= shares <= 255):
        raise InvalidParameter(
            f"1 ≤ threshold ≤ shares ≤ 255 is needed, not {threshold} of {shares}"
        )
    set_id, r = secrets.token_bytes(_SET_ID), secrets.token_bytes(32)
    payload = hidden + r + _tag(r, set_id, threshold, shares, hidden)
    values = _shares_of(payload, threshold, shares)
    return [Share(set_id, threshold, shares, x, data) for x, data in enumerate(values, 1)]


def combine(shares: Iterable[Share]) -> bytes:
    """Give the secret back from `threshold` shares or more; all that are given must agree.

    Raises NotEnoughShards with fewer; IntegrityError for shares of two sets, one index twice with other values, or a
    forged or altered share among them (which one is only told by trying others); InvalidParameter for what is no share.
    """
    given = list(shares) if isinstance(shares, Iterable) else [shares]
    if not all(isinstance(share, Share) for share in given):
        raise InvalidParameter(
            "combine takes shares, as split made them or Share.from_bytes read them"
        )
    if not given:
        raise NotEnoughShards("shares", found=0, needed=1)
    first = given[0]
    set_of = {(share.set_id, share.threshold, share.shares, len(share.values)) for share in given}
    by_index = {share.index: share for share in given}
    if len(set_of) != 1 or any(by_index[share.index] != share for share in given):
        raise IntegrityError("these shares do not belong together")
    if len(by_index) < first.threshold:
        raise NotEnoughShards("shares", found=len(by_index), needed=first.threshold)
    chosen = sorted(by_index)[: first.threshold]
    surplus = [x for x in by_index if x not in chosen]
    payload, *expected = _interpolated({x: by_index[x].values for x in chosen}, [0, *surplus])
    hidden, r, tag = payload[:-_ADDED], payload[-_ADDED:-32], payload[-32:]
    honest = hmac.compare_digest(tag, _tag(r, first.set_id, first.threshold, first.shares, hidden))
    agree = hmac.compare_digest(b"".join(expected), b"".join(by_index[x].values for x in surplus))
    if not (honest and agree):
        raise IntegrityError("at least one share is forged or altered")
    return hidden


def _whole(*numbers: object) -> bool:
    return all(type(number) is int for number in numbers)


def _tag(r: bytes, set_id: bytes, threshold: int, shares: int, secret: bytes) -> bytes:
    message = framed(b"lepton_lab shamir v1", set_id, bytes((threshold, shares)), secret)
    return hmac.digest(r, message, "sha256")


# --- GF(2⁸) ---------------------------------------------------------------------------------------------------------
# A payload is one integer whose bytes are elements of the field; addition is XOR. It is only ever multiplied by public
# constants, made of indices, so no secret chooses a branch or a table entry. (Python's integers promise no more.)


def _times(payload: int, constant: int, ones: int) -> int:
    """Every byte times `constant`: for each of its bits, the payload doubled that often (FIPS 197 §4.2, xTimes).

    ones: 1 in each byte. A byte is doubled by a shift, and reduced by 0x11b where its top bit was set.
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


_POWERS = list(
    accumulate(range(254), lambda power, _: _times(power, 3, 1), initial=1)
)  # 3 generates the group
_INVERSE = {power: _POWERS[-exponent] for exponent, power in enumerate(_POWERS)}  # 3²⁵⁵ = 1


def _shares_of(payload: bytes, threshold: int, shares: int) -> list[bytes]:
    """The values at 1 … shares of uniform polynomials with the payload as constant terms, by Horner's rule."""
    size, ones = len(payload), _ones(len(payload))
    coefficients = [
        _integer(payload),
        *(_integer(secrets.token_bytes(size)) for _ in range(threshold - 1)),
    ]
    made = []
    for x in range(1, shares + 1):
        value = 0
        for coefficient in reversed(coefficients):
            value = _times(value, x, ones) ^ coefficient
        made.append(value.to_bytes(size, "big"))
    return made


def _interpolated(values: dict[int, bytes], wanted: Iterable[int]) -> list[bytes]:
    """The values at other points: Σ values(xᵢ) · Π (x − xⱼ)/(xᵢ − xⱼ) over j ≠ i (Lagrange); minus is XOR here."""
    size = len(next(iter(values.values())))
    ones, integers = _ones(size), {x: _integer(data) for x, data in values.items()}
    weights = {x: _INVERSE[_product(x ^ other for other in values if other != x)] for x in values}
    found = []
    for at in wanted:
        all_factors, total = _product(at ^ x for x in values), 0
        for x, integer in integers.items():
            total ^= _times(integer, _product((all_factors, _INVERSE[at ^ x], weights[x])), ones)
        found.append(total.to_bytes(size, "big"))
    return found


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _ones(size: int) -> int:
    return _integer(b"\x01" * size)
