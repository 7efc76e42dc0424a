"""One encrypted number, with phe's arithmetic and without its traps.

Beside the ciphertext travel two public numbers that do not depend on the data: `exponent` (see `encoding`), and
`bound`, the largest absolute integer that the ciphertext can hold if everybody kept to the declared limits. A sum has
the sum of the bounds, a product that of the bound and the factor's *declared* limit: not of the factor itself, which
would leak. When a bound would pass the key's range, n/3 as in phe, the operation raises PlaintextOverflow.
"""

from __future__ import annotations

from typing import Any

from gmpy2 import invert, mpz, powmod

from lepton_lab.errors import DecryptionError, InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import keys
from lepton_lab.paillier import serial as wire
from lepton_lab.paillier.encoding import (
    EXPONENT,
    FACTOR_LIMIT,
    LIMIT,
    checked_bound,
    checked_exponent,
    encode_within,
    encoded_limit,
    plain,
)


class EncryptedNumber(wire.Travels):
    """A number under `public_key`: made by `PublicKey.encrypt`, `from_phe` or `from_bytes`.

    `+`, `-` and `*` take ints, floats and numpy scalars (|number| <= 2¹²⁸, |factor| <= 2⁶⁴), `+` and `-` other numbers
    of an equal key too; `sum()` works. An int factor keeps the exponent, a float factor deepens it by 32.

    A result is not blinded: whoever knows the terms recognises it. Fresh noise is applied on every way out
    (`ciphertext`, `to_bytes`, `to_json`, `to_phe`, pickling).
    """

    __slots__ = ("_blinded", "_c", "bound", "exponent", "public_key")

    def __init__(
        self,
        public_key: keys.PublicKey,
        ciphertext: int,
        exponent: int = EXPONENT,
        bound: int = 2**64,
    ) -> None:
        """Take in a raw ciphertext. `bound`: the largest absolute encoded integer.

        Raises DecryptionError unless 0 < ciphertext < n² and gcd(ciphertext, n) = 1; PlaintextOverflow for a bound
        beyond the key's range; InvalidParameter.
        """
        if not isinstance(public_key, keys.PublicKey):
            raise InvalidParameter("an EncryptedNumber needs a PublicKey")
        self.public_key, self._c = public_key, public_key.checked_ciphertext(ciphertext)
        self.exponent = checked_exponent(exponent)
        self.bound = public_key.within_range(checked_bound(bound))
        self._blinded = False

    @classmethod
    def _made(
        cls, key: keys.PublicKey, c: mpz, exponent: int, bound: int, *, blinded: bool = False
    ) -> EncryptedNumber:
        made = object.__new__(cls)
        made.public_key, made._c, made.exponent, made.bound, made._blinded = (
            key,
            c,
            exponent,
            bound,
            blinded,
        )
        return made

    def ciphertext(self) -> int:
        """The raw ciphertext, an integer below n², blinded with fresh noise if it came out of arithmetic."""
        if not self._blinded:
            self._c, self._blinded = (
                self._c * self.public_key.noise.mask(0) % self.public_key.n_square,
                True,
            )
        return int(self._c)

    def __add__(self, other: object) -> EncryptedNumber:
        if not isinstance(other, EncryptedNumber):
            return self._add_plain(other)
        if other.public_key != self.public_key:
            raise InvalidParameter("the two numbers are encrypted under different keys")
        if other.exponent != self.exponent:
            deeper = min(self.exponent, other.exponent)
            return self.deepened(deeper) + other.deepened(deeper)
        bound = self.public_key.within_range(self.bound + other.bound)
        return self._made(
            self.public_key, self._c * other._c % self.public_key.n_square, self.exponent, bound
        )

    def __radd__(self, other: object) -> EncryptedNumber:
        if isinstance(other, int) and other == 0:
            return self  # where sum() starts
        return self + other

    def _add_plain(self, other: object) -> EncryptedNumber:
        number, key = plain(other), self.public_key
        number_exponent = EXPONENT if isinstance(number, float) else 0
        if number_exponent < self.exponent:
            return self.deepened(number_exponent)._add_plain(number)
        encoded = encode_within(number, self.exponent, LIMIT)
        bound = key.within_range(self.bound + encoded_limit(LIMIT, self.exponent))
        c = self._c * (1 + encoded % key.modulus * key.modulus) % key.n_square
        return self._made(key, c, self.exponent, bound)

    def __neg__(self) -> EncryptedNumber:
        c = invert(self._c, self.public_key.n_square)
        return self._made(self.public_key, c, self.exponent, self.bound)

    def __sub__(self, other: object) -> EncryptedNumber:
        return self + (-other if isinstance(other, EncryptedNumber) else -plain(other))

    def __rsub__(self, other: object) -> EncryptedNumber:
        return -self + other

    def __mul__(self, factor: object) -> EncryptedNumber:
        return self.times(factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor: object) -> EncryptedNumber:
        if not (number := plain(divisor)):
            raise InvalidParameter("division by zero")
        return self.times(1 / number)

    def times(
        self, factor: object, limit: int = FACTOR_LIMIT, exponent: int | None = None
    ) -> EncryptedNumber:
        """The product with a public number, |factor| <= `limit`, which is declared for every factor of this kind.

        `exponent`: the place of the factor's last digit, 0 for an int and EXPONENT for a float unless given. -16 keeps
        64 bits behind the point and takes half the time. Raises PlaintextOverflow, NumberTooLarge; InvalidParameter,
        also for two encrypted numbers, which cannot be multiplied.
        """
        if isinstance(factor, EncryptedNumber):
            raise InvalidParameter(
                "Paillier adds encrypted numbers; it cannot multiply two of them"
            )
        number, key = plain(factor), self.public_key
        place = (
            (EXPONENT if isinstance(number, float) else 0)
            if exponent is None
            else checked_exponent(exponent)
        )
        encoded = encode_within(number, place, checked_bound(limit))
        bound = key.within_range(self.bound * encoded_limit(limit, place))
        c = powmod(self._c, encoded, key.n_square)
        return self._made(key, c, checked_exponent(self.exponent + place), bound)

    def deepened(self, exponent: int) -> EncryptedNumber:
        """The same number at a deeper exponent (or its own). Raises PlaintextOverflow."""
        if exponent == self.exponent:
            return self
        scale, key = 16 ** (self.exponent - exponent), self.public_key
        bound = key.within_range(self.bound * scale)
        return self._made(key, powmod(self._c, scale, key.n_square), exponent, bound)

    def to_bytes(self) -> bytes:
        """The number as bytes (see `wire`), blinded."""
        key, bound = self.public_key, self.bound.to_bytes((self.bound.bit_length() + 7) // 8, "big")
        head = (
            b"LPN\1"
            + key.key_id
            + self.exponent.to_bytes(4, "big", signed=True)
            + len(bound).to_bytes(2, "big")
        )
        return head + bound + self.ciphertext().to_bytes(2 * key.size, "big")

    @classmethod
    def from_bytes(cls, data: bytes, public_key: keys.PublicKey) -> EncryptedNumber:
        """Read what `to_bytes` wrote under this key. Raises DecryptionError: another key, damaged, malformed."""
        read = wire.Reader(data)
        read.expect(b"LPN\1" + public_key.key_id)
        exponent, size = read.integer(4, signed=True), read.integer(2)
        bound = read.integer(size)
        if (bound.bit_length() + 7) // 8 != size:
            raise DecryptionError  # a number has one form: no zeros before its bound
        ciphertext = read.integer(2 * public_key.size)
        read.finish()
        try:
            number = cls(public_key, ciphertext, exponent, bound)
        except (InvalidParameter, PlaintextOverflow):
            raise DecryptionError from None
        number._blinded = True  # as it came, and its sender knows it
        return number

    def _header(self) -> dict[str, Any]:
        key_id = self.public_key.key_id.hex()
        form = "lepton_lab Paillier number, format 1"
        return {
            "what": form,
            "key_id": key_id,
            "exponent": self.exponent,
            "bound": f"{self.bound:x}",
        }

    def _context(self) -> tuple[Any, ...]:
        return (self.public_key,)

    def to_phe(self) -> Any:
        """The same as a `phe.EncryptedNumber`, blinded. phe reads a number with a negative exponent as a float."""
        import phe  # noqa: PLC0415 - GPL-3.0: loaded only by who asks for it

        return phe.EncryptedNumber(self.public_key.to_phe(), self.ciphertext(), self.exponent)

    @classmethod
    def from_phe(
        cls, number: Any, bound: int = 2**64, public_key: keys.PublicKey | None = None
    ) -> EncryptedNumber:
        """A `phe.EncryptedNumber` as ours. `bound`: the largest absolute *encoded* integer it may hold.

        phe encodes an int as itself and a float as an integer below 2⁵⁷: 2⁶⁴ serves all floats. `public_key`: the
        key to hold it under, by default `PublicKey.from_phe` of its own. Raises InvalidParameter for anything but
        phe's, InvalidKey, DecryptionError for a malformed ciphertext, PlaintextOverflow for a bound beyond the key.
        """
        import phe  # noqa: PLC0415 - GPL-3.0: loaded only by who asks for it

        if not isinstance(number, phe.EncryptedNumber):
            raise InvalidParameter("from_phe takes a phe.EncryptedNumber")
        key = keys.PublicKey.from_phe(number.public_key) if public_key is None else public_key
        if key.n != number.public_key.n:
            raise InvalidParameter("the number is encrypted under another key")
        return cls(key, number.ciphertext(be_secure=False), number.exponent, bound)
