"""The private half of Paillier: decryption by the two primes, and new keys.

Paillier is malleable and not secure against chosen ciphertexts. Never show a decryption, or the
news that one overflowed, to whoever sends ciphertexts or adds them up. The party that decrypts and
the party that adds up should be two that do not collude. Where approximate results will do, or
encrypted numbers must be multiplied, CKKS (TenSEAL, say) is far faster; sharing what it decrypts
can give away its key (Li and Micciancio, 2021).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Self

import gmpy2
from gmpy2 import mpz
from numpy.typing import NDArray

from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, PlaintextOverflow
from lepton_lab.paillier import executors, primes
from lepton_lab.paillier.crt import CrtArithmetic
from lepton_lab.paillier.encoding import (
    EXPONENT,
    LIMIT,
    checked_bound,
    decode,
    encode_declared,
    require_accepted,
    whole_number,
)
from lepton_lab.paillier.public import EncryptedNumber, PublicKey
from lepton_lab.paillier.vectors import PackedVector

# How many ciphertexts make one piece of work: enough to fold, few enough to spread over cores.
_NUMBERS_PER_PIECE = 1024
_VECTOR_CIPHERTEXTS_PER_PIECE = 32


class PrivateKey:
    """The two primes. It decrypts. It is never pickled: to keep it, seal p and q (see `keyring`).

    `p`, `q`: different primes of like size, with n of 2048 bits or more. Raises InvalidKey.
    `public_key` uses "short" noise when the primes allow it. The exponentiations are constant-time
    (see `secret_power`); the arithmetic around them is not.
    """

    def __init__(self, p: int, q: int) -> None:
        if not isinstance(p, (int, mpz)) or not isinstance(q, (int, mpz)) or min(p, q) < 3:
            raise InvalidKey("p and q must be odd primes")
        smaller = min(mpz(p), mpz(q))
        larger = max(mpz(p), mpz(q))
        primes.check_primes(smaller, larger)
        self._set(smaller, larger)

    @classmethod
    def unchecked(cls, p: mpz, q: mpz) -> Self:
        """Make a key from primes p < q that `primes.blum_pair` has found, without testing them."""
        key = cls.__new__(cls)
        key._set(p, q)
        return key

    def _set(self, p: mpz, q: mpz) -> None:
        # Without this condition −y² need not reach all residues, and "short" noise would not hide.
        is_blum_pair = p % 4 == 3 and q % 4 == 3 and gmpy2.gcd(p - 1, q - 1) == 2
        self.public_key = PublicKey.unchecked(int(p * q), "short" if is_blum_pair else "uniform")
        self._crt = CrtArithmetic(p, q)

    @property
    def p(self) -> int:
        """The smaller prime; secret."""
        return int(self._crt.p)

    @property
    def q(self) -> int:
        """The larger prime; secret."""
        return int(self._crt.q)

    def encrypt(
        self, number: object, limit: int = LIMIT, exponent: int = EXPONENT
    ) -> EncryptedNumber:
        """Encrypt as `PublicKey.encrypt` does, with uniform noise, faster thanks to the CRT.

        Only the holder of the primes can call it.
        """
        key = self.public_key
        encoded, exponent, bound = encode_declared(number, limit, exponent, key.max_int)
        c = self._crt.mask(encoded)
        return EncryptedNumber.unchecked(key, c, exponent, bound, is_blinded=True)

    def decrypt(self, number: EncryptedNumber, accept_bound: int | None = None) -> int | float:
        """Return the number: an int when it is whole, else the nearest float (Paillier, 1999, §7).

        `accept_bound`: the largest bound that a number may declare, as an encoded integer; a
        larger one is refused before anything is decrypted. Raises DecryptionError for a number of
        another key; PlaintextOverflow when the sender broke the bound that it declared, or
        declared one that is not accepted, or a number with a fraction passes the largest float;
        InvalidParameter.

        The exponentiations are the same whether the bound holds or not (`CrtArithmetic.decrypt`),
        so the clock does not tell. The error does: show neither it nor the number to whoever
        sends.
        """
        self._check(number)
        require_accepted(number.bound, accept_bound)
        return self._decoded(self._crt.decrypt(number.raw_ciphertext, number.bound), number)

    def decrypt_many(
        self, numbers: Iterable[EncryptedNumber], bound: int, executor: Executor | None = None
    ) -> list[int | float]:
        """Decrypt many numbers, several times faster while their encoded integers fit ±`bound`.

        `bound`: the largest absolute encoded integer, which is a number times 16^-exponent. A
        number beyond it, or a sender that cheats, costs the speed of up to 1024 others, never
        their correctness (see `CrtArithmetic.decrypt_together`). `executor`: a ThreadPoolExecutor
        for several cores. Raises what `decrypt` raises.

        The clock tells whether all numbers were within `bound`. So use it for numbers whose
        senders, and adders, cannot see how long the decryption takes; else call `decrypt` for
        each.
        """
        wanted = list(numbers)
        for number in wanted:
            self._check(number)
        work = partial(self._crt.decrypt_together, checked_bound(bound))
        cs = [(number.raw_ciphertext, number.bound) for number in wanted]
        threads = executors.require_threads(executor)
        plaintexts = executors.map_in_pieces(work, cs, _NUMBERS_PER_PIECE, threads)
        return [self._decoded(m, number) for m, number in zip(plaintexts, wanted, strict=True)]

    def decrypt_vector(
        self, vector: PackedVector, executor: Executor | None = None
    ) -> NDArray[Any]:
        """Return the array.

        It is int64 without fraction bits (Python's integers when slots are wider than 64 bits),
        else the nearest float64. `executor`: a ThreadPoolExecutor for several cores. Raises
        DecryptionError for a vector of another key; PlaintextOverflow when a slot passes what its
        layout and budget allow, which only a cheating sender or a damaged ciphertext brings about;
        InvalidParameter.
        """
        if not isinstance(vector, PackedVector):
            raise InvalidParameter("decrypt_vector takes a PackedVector")
        if vector.public_key != self.public_key:
            raise DecryptionError
        threads = executors.require_threads(executor)
        cs = vector.raw_ciphertexts
        packed = executors.map_in_pieces(
            self._decrypted, cs, _VECTOR_CIPHERTEXTS_PER_PIECE, threads
        )
        return vector.unpacked(packed)

    def _decrypted(self, cs: Sequence[mpz]) -> list[int]:
        return [self._crt.decrypt(c) for c in cs]

    def _check(self, number: EncryptedNumber) -> None:
        if not isinstance(number, EncryptedNumber):
            raise InvalidParameter(
                "only an EncryptedNumber can be decrypted; EncryptedNumber.from_phe makes one"
            )
        # Under another key the result would be a random number, not an error.
        if number.public_key != self.public_key:
            raise DecryptionError

    def _decoded(self, encoded: int, number: EncryptedNumber) -> int | float:
        if abs(encoded) > number.bound:
            raise PlaintextOverflow(
                "the number passes the bound that was declared for it: whoever sent it, or added "
                "it up, broke the limits of the protocol"
            )
        return decode(encoded, number.exponent)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateKey) and self.public_key == other.public_key

    def __hash__(self) -> int:
        return hash(self.public_key)

    def __repr__(self) -> str:
        key = self.public_key
        return f"<Paillier PrivateKey, {key.bits} bits, id {key.key_id.hex()}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Executors, caches and debuggers pickle and copy what they are handed without asking.
        raise InvalidParameter(
            "a private key cannot be pickled or copied, so that it never travels unnoticed: "
            "to store it, seal key.p and key.q"
        )

    def to_phe(self) -> Any:
        """Return the same key as a `phe.PaillierPrivateKey`."""
        import phe  # noqa: PLC0415 - GPL-3.0: imported only on request

        return phe.PaillierPrivateKey(self.public_key.to_phe(), self.p, self.q)

    @classmethod
    def from_phe(cls, key: Any) -> PrivateKey:
        """Make a key from a `phe.PaillierPrivateKey`. Raises InvalidKey for a weak one."""
        import phe  # noqa: PLC0415 - GPL-3.0: imported only on request

        if not isinstance(key, phe.PaillierPrivateKey):
            raise InvalidParameter("from_phe takes a phe.PaillierPrivateKey")
        return cls(key.p, key.q)


def generate_keypair(bits: int = 3072) -> tuple[PublicKey, PrivateKey]:
    """Make a new key pair, with primes that allow "short" noise (see `primes.blum_pair`).

    `bits`: the exact length of n; even, 2048 to 16384. 3072 bits are worth 128 bits of symmetric
    security, 2048 bits 112 (SP 800-57 part 1, §5.6.1). Raises InvalidParameter.
    """
    p, q = primes.blum_pair(whole_number(bits, "bits", primes.MIN_BITS, primes.MAX_BITS))
    private_key = PrivateKey.unchecked(p, q)
    return private_key.public_key, private_key
