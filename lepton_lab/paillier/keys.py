"""Paillier keys (Paillier, 1999; g = 1 + n), and what each half can do.

What rests on what: with "uniform" noise, secrecy is the decisional composite residuosity assumption; keys from
`generate_keypair` use "short" noise by default, which rests on two more (see `noise`). Paillier is malleable and not
secure against chosen ciphertexts: never show a decryption, or that one overflowed, to whoever sends ciphertexts. Who
decrypts and who adds up should be two parties that do not collude. Where approximate results will do, or encrypted
numbers must be multiplied, CKKS (TenSEAL, say) is far faster; sharing what it decrypts can give away its key (Li and
Micciancio, 2021).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Self

import gmpy2
from gmpy2 import mpz
from numpy.typing import ArrayLike, NDArray

from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import executors as batch
from lepton_lab.paillier import primes
from lepton_lab.paillier.encoding import (
    EXPONENT,
    LIMIT,
    NumberTooLarge,
    checked_bound,
    checked_exponent,
    decode,
    encode_within,
    encoded_limit,
    plain,
)
from lepton_lab.paillier.noise import MANY, Kind, PublicNoise
from lepton_lab.paillier.numbers import EncryptedNumber
from lepton_lab.paillier.trapdoor import Trapdoor
from lepton_lab.paillier.vectors import Layout, PackedVector, pack


class PublicKey:
    """The modulus n. Encrypts, and computes on what is encrypted. Keys are equal when their n is.

    `n`: a product of two primes that its maker vouches for, 2048 to 16384 bits. `noise`: "uniform" for keys that others
    made; "long" for faster noise on tables, under one more assumption; "short" only for keys known to come from
    `generate_keypair` (see `noise`). Raises InvalidKey, InvalidParameter.
    """

    def __init__(self, n: int, noise: Kind = "uniform") -> None:
        primes.check_modulus(n)
        if noise not in ("uniform", "short", "long"):
            raise InvalidParameter('noise must be "uniform", "short" or "long"')
        self._set(n, noise)

    @classmethod
    def _trusted(cls, n: int, noise: Kind) -> Self:
        """Of an n whose primes are known to be good, without looking at it again."""
        key = cls.__new__(cls)
        key._set(n, noise)
        return key

    def _set(self, n: int, noise: Kind) -> None:
        self.n, self.modulus, self.n_square = int(n), mpz(n), mpz(n) ** 2
        self.bits, self.size = self.n.bit_length(), (self.n.bit_length() + 7) // 8
        self.max_int = self.n // 3 - 1  # phe's: beyond it lies the zone that shows an overflow
        self.key_id = hashlib.sha256(self.n.to_bytes(self.size, "big")).digest()[:16]
        self.noise = PublicNoise(self.modulus, noise)
        self._kind: Kind = noise

    def encrypt(
        self, number: object, limit: int = LIMIT, exponent: int = EXPONENT
    ) -> EncryptedNumber:
        """Encrypt an int, a float or a numpy scalar; a truth value counts as 0 or 1.

        `limit`: the largest absolute value that numbers of this protocol have, and `exponent`: the place of their
        last digit, 16^exponent (see `encoding` for the rounding); both are public, so choose them for all numbers
        alike. `exponent=0` with a large limit serves whole numbers. Raises NumberTooLarge, which is a MessageTooLarge
        and a PlaintextOverflow, past the limit or the key's range; InvalidParameter for NaN, infinities, other types.
        """
        return self._encrypted(self.noise.mask, number, limit, exponent)

    def _encrypted(
        self, mask: Callable[[int], mpz], number: object, limit: int, exponent: int
    ) -> EncryptedNumber:
        bound = encoded_limit(checked_bound(limit), checked_exponent(exponent))
        if bound > self.max_int:
            raise NumberTooLarge("this limit at this exponent passes the key's range")
        encoded = encode_within(plain(number), exponent, limit)
        return EncryptedNumber._made(self, mask(encoded), exponent, bound, blinded=True)

    def encrypt_vector(
        self, array: ArrayLike, layout: Layout, executor: Executor | None = None
    ) -> PackedVector:
        """Encrypt an array of any shape, many values to a ciphertext, as `layout` says.

        `array`: integers, truth values or floats of up to 64 bits, at least one; a value v is carried as the integer
        round(v·2^fraction_bits), ties to even. `executor`: where to do the work in pieces, such as a
        ProcessPoolExecutor or a Dask client's executor; its workers see the values. Raises NumberTooLarge when a value
        passes its slot, or a slot the key; InvalidParameter for NaN, infinities, other types, an empty array.
        """
        packed, shape = pack(array, layout, self.bits)
        work: Callable[[Sequence[int]], list[mpz]] = self._masked
        if batch.stays_here(executor):
            self.noise.prepare(len(packed))
        else:  # workers make the tables that this key would have
            work = partial(
                batch.mask_elsewhere, self.n, self._kind, self.noise.expected(len(packed))
            )
        cs = batch.spread(work, packed, min(256, -(-len(packed) // 8)), executor)
        return PackedVector(self, layout, shape, cs, spent=1, blinded=True)

    def _masked(self, messages: Sequence[int]) -> list[mpz]:
        return [self.noise.mask(message) for message in messages]

    def precompute(self, count: int = MANY) -> None:
        """Make the tables for about `count` encryptions now (0.3 s and 36 MB for 2048 bits) instead of along the way.

        Without it the first two encryptions use none, small tables come with the third, full ones some 32 later. They
        are kept with this object and dropped when it is pickled or the process forks. No effect on "uniform" noise.
        """
        self.noise.prepare(count)

    def checked_ciphertext(self, ciphertext: object) -> mpz:
        """A raw ciphertext that may stand under this key. Raises DecryptionError unless 0 < c < n², gcd(c, n) = 1."""
        if not isinstance(ciphertext, int) or not 0 < ciphertext < self.n_square:
            raise DecryptionError
        c = mpz(ciphertext)
        if gmpy2.gcd(c, self.modulus) != 1:
            raise DecryptionError
        return c

    def within_range(self, bound: int) -> int:
        """The bound itself, if plaintexts up to it stay apart modulo n. Raises PlaintextOverflow."""
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
        return PublicKey, (self.n, self._kind)  # without its tables

    def to_bytes(self) -> bytes:
        """The key as bytes (see `wire`)."""
        return b"LPK\1" + self.n.to_bytes(self.size, "big")

    @classmethod
    def from_bytes(cls, data: bytes, noise: Kind = "uniform") -> PublicKey:
        """Read what `to_bytes` wrote; authenticate it first: who swaps the key reads everything. Raises InvalidKey."""
        if not isinstance(data, bytes) or data[:4] != b"LPK\1" or data[4:5] in (b"", b"\0"):
            raise InvalidKey("these bytes are no Paillier public key")
        return cls(int.from_bytes(data[4:], "big"), noise)

    def to_phe(self) -> Any:
        """The same as a `phe.PaillierPublicKey`."""
        import phe  # noqa: PLC0415 - GPL-3.0: loaded only by who asks for it

        return phe.PaillierPublicKey(self.n)

    @classmethod
    def from_phe(cls, key: Any, noise: Kind = "uniform") -> PublicKey:
        """A `phe.PaillierPublicKey` as ours. Raises InvalidKey for a weak one, InvalidParameter for anything else."""
        import phe  # noqa: PLC0415 - GPL-3.0: loaded only by who asks for it

        if not isinstance(key, phe.PaillierPublicKey):
            raise InvalidParameter("from_phe takes a phe.PaillierPublicKey")
        return cls(key.n, noise)


class PrivateKey:
    """The primes. Decrypts. Never pickled: to keep it, seal p and q (see `keyring`).

    `p`, `q`: different primes of like size, n of 2048 bits or more. Raises InvalidKey. `public_key` uses "short" noise
    when the primes allow it. The exponentiations are constant-time (see `modexp`); the arithmetic around them is not.
    """

    def __init__(self, p: int, q: int) -> None:
        if not isinstance(p, (int, mpz)) or not isinstance(q, (int, mpz)) or min(p, q) < 3:
            raise InvalidKey("p and q must be odd primes")
        p, q = sorted((mpz(p), mpz(q)))
        primes.check_primes(p, q)
        self._set(p, q)

    @classmethod
    def _trusted(cls, p: mpz, q: mpz) -> Self:
        """Of primes p < q that `primes.blum_pair` has just found, without testing them again."""
        key = cls.__new__(cls)
        key._set(p, q)
        return key

    def _set(self, p: mpz, q: mpz) -> None:
        blum = p % 4 == q % 4 == 3 and gmpy2.gcd(p - 1, q - 1) == 2
        self.public_key = PublicKey._trusted(int(p * q), "short" if blum else "uniform")
        self._trapdoor = Trapdoor(p, q)

    @property
    def p(self) -> int:
        """The smaller prime; secret."""
        return int(self._trapdoor.p)

    @property
    def q(self) -> int:
        """The larger prime; secret."""
        return int(self._trapdoor.q)

    def encrypt(
        self, number: object, limit: int = LIMIT, exponent: int = EXPONENT
    ) -> EncryptedNumber:
        """`PublicKey.encrypt` with uniform noise, faster by the Chinese remainder theorem: for who holds the primes."""
        return self.public_key._encrypted(self._trapdoor.mask, number, limit, exponent)

    def decrypt(self, number: EncryptedNumber) -> int | float:
        """The number: an int when it is whole, else the nearest float (Paillier, 1999, §7).

        Raises DecryptionError for a number of another key; PlaintextOverflow when the sender broke the bound that it
        declared, or a fraction passes the largest float; InvalidParameter.
        """
        self._check(number)
        return self._decoded(self._trapdoor.decrypt(number._c, number.bound), number)

    def decrypt_many(
        self, numbers: Iterable[EncryptedNumber], bound: int, executor: Executor | None = None
    ) -> list[int | float]:
        """`decrypt` for many numbers, several times faster while their encoded integers are within ±`bound`.

        `bound`: the largest absolute encoded integer: a number times 16^-exponent. A number beyond it, or a sender that
        cheats, costs the speed of up to 1024 others, never their rightness (`Trapdoor.decrypt_together`). `executor`: a
        ThreadPoolExecutor for several cores. Raises as `decrypt`.
        """
        wanted = list(numbers)
        for number in wanted:
            self._check(number)
        opened = partial(self._trapdoor.decrypt_together, checked_bound(bound))
        plaintexts = batch.spread(
            opened, [number._c for number in wanted], 1024, batch.threads_only(executor)
        )
        return [self._decoded(m, number) for m, number in zip(plaintexts, wanted, strict=True)]

    def decrypt_vector(
        self, vector: PackedVector, executor: Executor | None = None
    ) -> NDArray[Any]:
        """The array: int64 without fraction bits (Python's integers when slots pass 64 bits), else the nearest float64.

        `executor`: a ThreadPoolExecutor for several cores. Raises DecryptionError for a vector of another key;
        PlaintextOverflow when a slot passes what its layout and budget allow, which only a cheating sender or a damaged
        ciphertext brings about; InvalidParameter.
        """
        if not isinstance(vector, PackedVector):
            raise InvalidParameter("decrypt_vector takes a PackedVector")
        if vector.public_key != self.public_key:
            raise DecryptionError
        packed = batch.spread(self._opened, vector._cs, 32, batch.threads_only(executor))
        return vector.unpacked(packed)

    def _opened(self, cs: Sequence[mpz]) -> list[int]:
        return [self._trapdoor.decrypt(c) for c in cs]

    def _check(self, number: EncryptedNumber) -> None:
        if not isinstance(number, EncryptedNumber):
            raise InvalidParameter(
                "only an EncryptedNumber can be decrypted; EncryptedNumber.from_phe makes one"
            )
        if number.public_key != self.public_key:
            raise DecryptionError

    def _decoded(self, encoded: int, number: EncryptedNumber) -> int | float:
        if abs(encoded) > number.bound:
            raise PlaintextOverflow("the number passes the bound that was declared for it")
        return decode(encoded, number.exponent)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateKey) and self.public_key == other.public_key

    def __hash__(self) -> int:
        return hash(self.public_key)

    def __repr__(self) -> str:
        return (
            f"<Paillier PrivateKey, {self.public_key.bits} bits, id {self.public_key.key_id.hex()}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        raise InvalidParameter(
            "a private key is not pickled or copied: it would travel where nobody sent it"
        )

    def to_phe(self) -> Any:
        """The same as a `phe.PaillierPrivateKey`."""
        import phe  # noqa: PLC0415 - GPL-3.0: loaded only by who asks for it

        return phe.PaillierPrivateKey(self.public_key.to_phe(), self.p, self.q)

    @classmethod
    def from_phe(cls, key: Any) -> PrivateKey:
        """A `phe.PaillierPrivateKey` as ours. Raises InvalidKey for a weak one, InvalidParameter for anything else."""
        import phe  # noqa: PLC0415 - GPL-3.0: loaded only by who asks for it

        if not isinstance(key, phe.PaillierPrivateKey):
            raise InvalidParameter("from_phe takes a phe.PaillierPrivateKey")
        return cls(key.p, key.q)


def generate_keypair(bits: int = 3072) -> tuple[PublicKey, PrivateKey]:
    """A new key: n of exactly `bits` (even, 2048 to 16384), of primes that allow "short" noise (`primes.blum_pair`).

    3072 bits are worth 128 bits of symmetric security, 2048 bits 112 (SP 800-57 part 1, §5.6.1). Raises
    InvalidParameter.
    """
    p, q = primes.blum_pair(bits)
    private_key = PrivateKey._trusted(p, q)
    return private_key.public_key, private_key
