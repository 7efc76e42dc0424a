"""The public half of Paillier: the public key, and the numbers encrypted under it, with arithmetic.

(Paillier, 1999, with g = 1 + n.) With "uniform" noise, secrecy rests on the decisional composite
residuosity assumption. Keys from `generate_keypair` use "short" noise, which rests on two
assumptions more (see `noise`). Paillier is malleable and not secure against chosen ciphertexts:
see `private`.

Beside a ciphertext travel two public numbers that do not depend on the data: `exponent` (see
`encoding`), and `bound`, the largest absolute integer that the ciphertext can hold if all senders
kept to the declared limits. A sum has the sum of the bounds. A product has the bound times the
factor's *declared* limit; the factor itself would leak. An operation raises PlaintextOverflow when
the bound of its result would pass the key's range, n/3 as in phe.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import Executor
from typing import Any, Self

import gmpy2
from gmpy2 import invert, mpz, powmod
from numpy.typing import ArrayLike

from lepton_lab.errors import DecryptionError, InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import encoding, primes, serial
from lepton_lab.paillier.ciphertext import Ciphertext
from lepton_lab.paillier.noise import MANY, NoiseKind, PublicNoise
from lepton_lab.paillier.vectors import Layout, PackedVector, encrypt_vector


class PublicKey:
    """The modulus n. It encrypts, and computes on what is encrypted. Keys are equal if their n is.

    `n`: a product of two primes that its maker vouches for, 2048 to 16384 bits. `noise`: "uniform"
    for keys that others made; "long" for faster noise from tables, under one assumption more;
    "short" only for keys known to come from `generate_keypair` (see `noise`). Raises InvalidKey,
    InvalidParameter.
    """

    def __init__(self, n: int, noise: NoiseKind = "uniform") -> None:
        primes.check_modulus(n)
        if noise not in ("uniform", "short", "long"):
            raise InvalidParameter('noise must be "uniform", "short" or "long"')
        self._set(n, noise)

    @classmethod
    def unchecked(cls, n: int, noise: NoiseKind) -> Self:
        """Make a key from an n whose primes are known to be good, without testing it again."""
        key = cls.__new__(cls)
        key._set(n, noise)
        return key

    def _set(self, n: int, noise: NoiseKind) -> None:
        self.n = int(n)
        self.modulus = mpz(n)
        self.n_square = self.modulus**2
        self.bits = self.n.bit_length()
        self.size = (self.bits + 7) // 8  # in bytes
        # phe's limit. Between ±n/3 and ±n/2 lies the zone that shows an overflow to phe.
        self.max_int = self.n // 3 - 1
        self.key_id = hashlib.sha256(self.n.to_bytes(self.size, "big")).digest()[:16]
        self.noise_kind: NoiseKind = noise
        self.noise = PublicNoise(self.modulus, noise)

    def encrypt(
        self, number: object, limit: int = encoding.LIMIT, exponent: int = encoding.EXPONENT
    ) -> EncryptedNumber:
        """Encrypt an int, a float or a numpy scalar; a bool counts as 0 or 1.

        `limit`: the largest absolute value that numbers of this protocol have. `exponent`: the
        place of their last digit, 16^exponent (see `encoding` for the rounding). Both are public,
        so choose the same for all numbers. `exponent=0` with a large limit serves whole numbers.
        Raises NumberTooLarge, which is a MessageTooLarge and a PlaintextOverflow, past the limit
        or the key's range; InvalidParameter for NaN, infinities and other types.
        """
        encoded, exponent, bound = encoding.encode_declared(number, limit, exponent, self.max_int)
        c = self.noise.mask(encoded)
        return EncryptedNumber.unchecked(self, c, exponent, bound, is_blinded=True)

    def encrypt_vector(
        self, array: ArrayLike, layout: Layout, executor: Executor | None = None
    ) -> PackedVector:
        """Encrypt an array of any shape, many values to a ciphertext, as `layout` says.

        `array`: integers, bools or floats of up to 64 bits, or Python's ints of any size, at least
        one; not a masked array. A value v is carried as the integer round(v·2^fraction_bits), ties
        to even. `executor`: where to do the work in pieces, such as a ProcessPoolExecutor or a
        Dask client's executor; its workers see the values. Raises NumberTooLarge when a value
        passes its slot, or a slot the key; InvalidParameter for NaN, infinities, other types, an
        empty array.
        """
        return encrypt_vector(self, array, layout, executor)

    def precompute(self, count: int = MANY) -> None:
        """Build the tables for about `count` encryptions now (2048 bits: 0.3 s, 36 MB).

        Without it they are built along the way: none for the first two encryptions, small tables
        with the third, full ones some 32 later. They are kept with this object, and dropped when
        it is pickled or the process forks. No effect on "uniform" noise.
        """
        self.noise.prepare(encoding.whole_number(count, "count", 0, 1 << 63))

    def checked_ciphertext(self, ciphertext: object) -> mpz:
        """Return a raw ciphertext if it can be one of this key.

        Raises DecryptionError unless 0 < c < n² and gcd(c, n) = 1.
        """
        if not isinstance(ciphertext, int) or not 0 < ciphertext < self.n_square:
            raise DecryptionError
        c = mpz(ciphertext)
        # A c that shares a factor with n is not an encryption: it would decrypt to a random number.
        if gmpy2.gcd(c, self.modulus) != 1:
            raise DecryptionError
        return c

    def within_range(self, bound: int) -> int:
        """Return the bound, if it is within the key's range. Raises PlaintextOverflow."""
        if bound > self.max_int:
            raise PlaintextOverflow(
                "the result could pass the key's range: declare smaller limits, or decrypt before"
            )
        return bound

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.n == other.n

    def __hash__(self) -> int:
        return hash(self.n)

    def __repr__(self) -> str:
        return f"<Paillier PublicKey, {self.bits} bits, id {self.key_id.hex()}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the tables: whoever knows the base and the exponents can read what they hide.
        return PublicKey, (self.n, self.noise_kind)

    def to_bytes(self) -> bytes:
        """Return the key as bytes (see `serial`)."""
        return serial.write_public_key(self.n, self.size)

    @classmethod
    def from_bytes(cls, data: bytes, noise: NoiseKind = "uniform") -> PublicKey:
        """Read what `to_bytes` wrote. Raises InvalidKey.

        Authenticate the bytes first: anyone who swaps the key reads all that is encrypted under it.
        """
        return cls(serial.read_public_key(data), noise)

    def to_phe(self) -> Any:
        """Return the same key as a `phe.PaillierPublicKey`."""
        import phe  # noqa: PLC0415 - GPL-3.0: imported only on request

        return phe.PaillierPublicKey(self.n)

    @classmethod
    def from_phe(cls, key: Any, noise: NoiseKind = "uniform") -> PublicKey:
        """Make a key from a `phe.PaillierPublicKey`. Raises InvalidKey for a weak one."""
        import phe  # noqa: PLC0415 - GPL-3.0: imported only on request

        if not isinstance(key, phe.PaillierPublicKey):
            raise InvalidParameter("from_phe takes a phe.PaillierPublicKey")
        return cls(key.n, noise)


class EncryptedNumber(Ciphertext):
    """A number under `public_key`: made by `PublicKey.encrypt`, `from_phe` or `from_bytes`.

    `+`, `-` and `*` take ints, floats and numpy scalars (|number| <= 2¹²⁸, |factor| <= 2⁶⁴). `+`
    and `-` take other numbers of an equal key too; `sum()` works. An int factor keeps the
    exponent, a float factor deepens it by 32.

    A result is not blinded: anyone who knows the terms can recognise it. Fresh noise is applied on
    every way out of the process (`ciphertext`, `to_bytes`, `to_json`, `to_phe`, pickling).

    `raw_ciphertext`: the ciphertext as it stands, for computing within this process; never send
    it. `is_blinded`: whether it carries fresh noise already.
    """

    __slots__ = ("bound", "exponent", "is_blinded", "public_key", "raw_ciphertext")

    def __init__(
        self,
        public_key: PublicKey,
        ciphertext: int,
        exponent: int = encoding.EXPONENT,
        bound: int = 2**64,
    ) -> None:
        """Take in a raw ciphertext. `bound`: the largest absolute encoded integer.

        Raises DecryptionError unless 0 < ciphertext < n² and gcd(ciphertext, n) = 1;
        PlaintextOverflow for a bound beyond the key's range; InvalidParameter.
        """
        if not isinstance(public_key, PublicKey):
            raise InvalidParameter("an EncryptedNumber needs a PublicKey")
        self.public_key = public_key
        self.raw_ciphertext = public_key.checked_ciphertext(ciphertext)
        self.exponent = encoding.checked_exponent(exponent)
        self.bound = public_key.within_range(encoding.checked_bound(bound))
        self.is_blinded = False

    @classmethod
    def unchecked(
        cls,
        public_key: PublicKey,
        raw_ciphertext: mpz,
        exponent: int,
        bound: int,
        *,
        is_blinded: bool = False,
    ) -> EncryptedNumber:
        """Make a number from a ciphertext that this process computed itself, without any check."""
        number = object.__new__(cls)
        number.public_key = public_key
        number.raw_ciphertext = raw_ciphertext
        number.exponent = exponent
        number.bound = bound
        number.is_blinded = is_blinded
        return number

    def ciphertext(self) -> int:
        """Return the raw ciphertext, an integer below n², blinded if it came out of arithmetic."""
        if not self.is_blinded:
            fresh = self.public_key.noise.mask(0)
            self.raw_ciphertext = self.raw_ciphertext * fresh % self.public_key.n_square
            self.is_blinded = True
        return int(self.raw_ciphertext)

    def __add__(self, other: object) -> EncryptedNumber:
        if not isinstance(other, EncryptedNumber):
            return self._add_plain(other)
        key = self.public_key
        if other.public_key != key:
            raise InvalidParameter("the two numbers are encrypted under different keys")
        if other.exponent != self.exponent:
            deeper = min(self.exponent, other.exponent)
            return self.deepened(deeper) + other.deepened(deeper)
        bound = key.within_range(self.bound + other.bound)
        c = self.raw_ciphertext * other.raw_ciphertext % key.n_square
        return self.unchecked(key, c, self.exponent, bound)

    def __radd__(self, other: object) -> EncryptedNumber:
        if isinstance(other, int) and other == 0:
            return self  # where sum() starts
        return self + other

    def _add_plain(self, other: object) -> EncryptedNumber:
        number = encoding.python_number(other)
        key = self.public_key
        # A shallow number has no place for a float's digits, or for the units of an int.
        number_exponent = encoding.EXPONENT if isinstance(number, float) else 0
        if number_exponent < self.exponent:
            return self.deepened(number_exponent)._add_plain(number)
        encoded = encoding.encode_within(number, self.exponent, encoding.LIMIT)
        bound = key.within_range(self.bound + encoding.encoded_limit(encoding.LIMIT, self.exponent))
        c = self.raw_ciphertext * (1 + encoded % key.modulus * key.modulus) % key.n_square
        return self.unchecked(key, c, self.exponent, bound)

    def __neg__(self) -> EncryptedNumber:
        c = invert(self.raw_ciphertext, self.public_key.n_square)
        return self.unchecked(self.public_key, c, self.exponent, self.bound)

    def __sub__(self, other: object) -> EncryptedNumber:
        if isinstance(other, EncryptedNumber):
            return self + -other
        return self + -encoding.python_number(other)

    def __rsub__(self, other: object) -> EncryptedNumber:
        return -self + other

    def __mul__(self, factor: object) -> EncryptedNumber:
        return self.times(factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor: object) -> EncryptedNumber:
        number = encoding.python_number(divisor)
        if not number:
            raise InvalidParameter("an encrypted number cannot be divided by zero")
        return self.times(1 / number)

    def times(
        self, factor: object, limit: int = encoding.FACTOR_LIMIT, exponent: int | None = None
    ) -> EncryptedNumber:
        """Return the product with a public number, |factor| <= `limit`.

        `limit` is declared for every factor of this kind. `exponent`: the place of the factor's
        last digit, 0 for an int and EXPONENT for a float unless given; -16 keeps 64 bits behind
        the point and takes half the time. Raises PlaintextOverflow, NumberTooLarge;
        InvalidParameter, also for two encrypted numbers, which cannot be multiplied.
        """
        if isinstance(factor, EncryptedNumber):
            raise InvalidParameter(
                "Paillier adds encrypted numbers; it cannot multiply two of them"
            )
        number = encoding.python_number(factor)
        key = self.public_key
        if exponent is None:
            exponent = encoding.EXPONENT if isinstance(number, float) else 0
        place = encoding.checked_exponent(exponent)
        limit = encoding.checked_bound(limit)
        encoded = encoding.encode_within(number, place, limit)
        bound = key.within_range(self.bound * encoding.encoded_limit(limit, place))
        c = powmod(self.raw_ciphertext, encoded, key.n_square)
        return self.unchecked(key, c, encoding.checked_exponent(self.exponent + place), bound)

    def deepened(self, exponent: int) -> EncryptedNumber:
        """Return the same number at a deeper exponent (or its own). Raises PlaintextOverflow."""
        if exponent == self.exponent:
            return self
        scale = 16 ** (self.exponent - exponent)
        key = self.public_key
        bound = key.within_range(self.bound * scale)
        return self.unchecked(
            key, powmod(self.raw_ciphertext, scale, key.n_square), exponent, bound
        )

    def to_bytes(self) -> bytes:
        """Return the number as bytes (see `serial`), blinded."""
        key = self.public_key
        fields = serial.NumberFields(self.exponent, self.bound, self.ciphertext())
        return serial.write_number(key.key_id, key.size, fields)

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        public_key: PublicKey,
        accept_bound: int | None = None,
        accept_exponent: int | None = None,
    ) -> EncryptedNumber:
        """Read what `to_bytes` wrote under this key.

        Bound and exponent in the bytes are the sender's word. A sender that declares the widest
        bound of all, or an exponent of −500, makes every sum with its number raise. So state what
        your protocol has: `accept_bound`, the largest bound, as an encoded integer;
        `accept_exponent`, the one exponent. Raises DecryptionError: another key, damaged,
        malformed; PlaintextOverflow for a bound, InvalidParameter for an exponent that is not
        accepted.
        """
        fields = serial.read_number(data, public_key.key_id, public_key.size)
        try:
            number = cls(public_key, fields.ciphertext, fields.exponent, fields.bound)
        except (InvalidParameter, PlaintextOverflow):
            raise DecryptionError from None
        number.is_blinded = True  # its sender knows this form already; nothing is computed yet
        encoding.require_accepted(number.bound, accept_bound)
        encoding.require_accepted_exponent(number.exponent, accept_exponent)
        return number

    def _header(self) -> dict[str, Any]:
        return {
            "what": "lepton_lab Paillier number, format 1",
            "key_id": self.public_key.key_id.hex(),
            "exponent": self.exponent,
            "bound": f"{self.bound:x}",
        }

    def _context(self) -> tuple[Any, ...]:
        return (self.public_key,)

    def to_phe(self) -> Any:
        """Return the same number, blinded, as a `phe.EncryptedNumber`.

        phe reads a number with a negative exponent as a float.
        """
        import phe  # noqa: PLC0415 - GPL-3.0: imported only on request

        return phe.EncryptedNumber(self.public_key.to_phe(), self.ciphertext(), self.exponent)

    @classmethod
    def from_phe(
        cls, number: Any, bound: int = 2**64, public_key: PublicKey | None = None
    ) -> EncryptedNumber:
        """Make a number from a `phe.EncryptedNumber`.

        `bound`: the largest absolute *encoded* integer it may hold. phe encodes an int as itself
        and a float as an integer below 2⁵⁷, so 2⁶⁴ serves all floats. The bound is the receiver's
        own word; the exponent is the sender's, so check it before you add. `public_key`: the key
        to hold it under, by default `PublicKey.from_phe` of its own. Raises InvalidParameter for
        anything but phe's, InvalidKey, DecryptionError for a malformed ciphertext,
        PlaintextOverflow for a bound beyond the key.
        """
        import phe  # noqa: PLC0415 - GPL-3.0: imported only on request

        if not isinstance(number, phe.EncryptedNumber):
            raise InvalidParameter("from_phe takes a phe.EncryptedNumber")
        key = PublicKey.from_phe(number.public_key) if public_key is None else public_key
        if key.n != number.public_key.n:
            raise InvalidParameter("the number is encrypted under another key")
        return cls(key, number.ciphertext(be_secure=False), number.exponent, bound)
