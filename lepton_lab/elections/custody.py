"""Custodians open one total so that everybody can check it, and never put the private key together.

Modulo n², c = (1+n)^M·Rⁿ for one plaintext M and one unit R modulo n. Anyone who knows R can read
M, and a false R is always detected: c·R⁻ⁿ = 1 + Mn (mod n²) is 1 modulo n for the right one alone.
So R is published with the total. It opens this one ciphertext and no other. (Modulo n, c = Rⁿ: an
RSA ciphertext of R with n as its public exponent. Paillier, 1999.)

R is found as cᵈ mod n with d = n⁻¹ mod φ(n), which is worth the private key. So d is not kept but
shared (Ito, Saito and Nishizeki, 1987; sums of exponents for RSA: Boyd, 1989). d is a sum of
random parts modulo φ(n), one part for every set of threshold − 1 custodians, given to all who are
*not* in that set. So any `threshold` of them hold every part, and any fewer miss one, without
which d is uniform. Each custodian raises c to its parts, and the product of these powers is R. A
custodian that contributes a false power spoils the result. That shows, but not which custodian it
was.

R belongs to one ciphertext, so all must mean the same one. A number is opened in the form in which
it leaves the process: what came in by `from_bytes`, and what `ballot.tally` returns, is opened as
it is. A result of other arithmetic gets fresh noise first, and keeps it (see
`EncryptedNumber.ciphertext`), so send its bytes to the custodians. If each of them adds it up by
itself, each opens another one.

What it does not give: the party that shares d out knows it, and must forget it. `threshold`
custodians together can open any ciphertext, so each has to make sure what it raises: a total that
`ballot.tally` added up on its own machine, from the published ballots.

    custodian         size    field
    0                 4       "LPC" and the format, 1
    4                 16      key id: SHA-256 of n, its first 16 bytes
    20                1       index, from 1
    21                1       threshold
    22                1       custodians
    23                s each  the parts that this custodian holds; s is the length of n in bytes
    last 16                   SHA-256 of all before, its first 16 bytes

Integers are big-endian and unsigned. The parts stand in the order of the sets that name them: sets
of threshold − 1 indices without this custodian's own, in lexicographic order. The last field shows
damage; it does not show forgery.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import NoReturn

import gmpy2
from gmpy2 import invert, mpz, powmod

from lepton_lab.errors import (
    DecryptionError,
    IntegrityError,
    InvalidParameter,
    PlaintextOverflow,
)
from lepton_lab.paillier.encoding import whole_number
from lepton_lab.paillier.private import PrivateKey
from lepton_lab.paillier.public import EncryptedNumber, PublicKey
from lepton_lab.paillier.secret_power import SecretPower
from lepton_lab.paillier.serial import FieldReader

MAX_CUSTODIANS = 10  # 252 parts at most
_CUSTODIAN = b"LPC\1"
_CHECKSUM_BYTES = 16
Absent = frozenset[int]  # the custodians who do not hold a part; it names the part


@dataclass(frozen=True)
class Custodian:
    """One of the custodians 1 … `custodians`, with the parts of d that it holds. Secret.

    `parts`: each under the set of the custodians who do not hold it. It is never pickled or copied;
    to hand it over, seal `to_bytes()`.
    """

    index: int
    threshold: int
    custodians: int
    public_key: PublicKey
    parts: Mapping[Absent, mpz] = field(repr=False, hash=False)

    def contribute(self, number: EncryptedNumber, present: Iterable[int]) -> int:
        """Return this custodian's factor of R for one number.

        `number`: what all custodians present open, as it came by `from_bytes` or from
        `ballot.tally`. `present`: the custodians who open it together, this one among them. Of
        custodians who hold the same part the first one present raises it. The exponentiation is
        constant-time (see `secret_power`). Look at what you open: any number of this key can be
        opened like this. Raises InvalidParameter.
        """
        group = frozenset(present)
        everybody = frozenset(range(1, self.custodians + 1))
        if not group <= everybody or self.index not in group:
            raise InvalidParameter("present are the indices of custodians, this one among them")
        if len(group) < self.threshold:
            raise InvalidParameter(
                f"{self.threshold} custodians are needed; {len(group)} are present"
            )
        n = self.public_key.modulus
        c = _ciphertext(self.public_key, number) % n
        factor = mpz(1)
        for absent, part in self.parts.items():
            # Every part must enter the product exactly once.
            if min(group - absent) == self.index:
                factor = factor * SecretPower(part, n)(c) % n
        return int(factor)

    def to_bytes(self) -> bytes:
        """Return the custodian as bytes (see the table above). Secret: seal them before storing."""
        numbers = bytes([self.index, self.threshold, self.custodians])
        size = self.public_key.size
        names = _held_by(self.index, self.threshold, self.custodians)
        parts = b"".join(int(self.parts[absent]).to_bytes(size, "big") for absent in names)
        body = _CUSTODIAN + self.public_key.key_id + numbers + parts
        return body + _checksum(body)

    @classmethod
    def from_bytes(cls, data: bytes, public_key: PublicKey) -> Custodian:
        """Read what `to_bytes` wrote under this key.

        Raises IntegrityError for another key or damaged bytes, InvalidParameter for what is not a
        PublicKey.
        """
        _check_key(public_key)
        try:
            return cls._read(data, public_key)
        except (DecryptionError, InvalidParameter):
            raise IntegrityError(
                "these bytes are not a custodian under this key, or are damaged: restore them from "
                "a copy"
            ) from None

    @classmethod
    def _read(cls, data: bytes, public_key: PublicKey) -> Custodian:
        reader = FieldReader(data)
        reader.expect(_CUSTODIAN + public_key.key_id)
        index = reader.integer(1)
        threshold = reader.integer(1)
        custodians = reader.integer(1)
        _check_numbers(threshold, custodians)
        whole_number(index, "index", 1, custodians)
        parts = {}
        for absent in _held_by(index, threshold, custodians):
            part = mpz(reader.integer(public_key.size))
            if not 0 < part < public_key.modulus:
                raise DecryptionError
            parts[absent] = part
        reader.expect(_checksum(data[:-_CHECKSUM_BYTES]))
        reader.finish()
        return cls(index, threshold, custodians, public_key, parts)

    def __reduce__(self) -> NoReturn:
        # Executors, caches and debuggers pickle and copy what they are handed without asking.
        raise InvalidParameter(
            "a custodian cannot be pickled or copied, so that its parts never travel unnoticed: "
            "to hand it over, seal custodian.to_bytes()"
        )


def _held_by(index: int, threshold: int, custodians: int) -> Iterator[Absent]:
    """Yield the names of the parts that one custodian holds, in their order in its bytes."""
    for absent in combinations(range(1, custodians + 1), threshold - 1):
        if index not in absent:
            yield frozenset(absent)


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_CHECKSUM_BYTES]


def share(private_key: PrivateKey, threshold: int, custodians: int) -> list[Custodian]:
    """Share out what opens this key's ciphertexts. Then forget the private key.

    1 ≤ threshold ≤ custodians ≤ 10. Raises InvalidParameter.
    """
    if not isinstance(private_key, PrivateKey):
        raise InvalidParameter("share takes a PrivateKey")
    threshold, custodians = _check_numbers(threshold, custodians)
    key = private_key.public_key
    phi = mpz(private_key.p - 1) * (private_key.q - 1)
    everybody = range(1, custodians + 1)
    first, *others = (frozenset(absent) for absent in combinations(everybody, threshold - 1))
    parts = {absent: mpz(secrets.randbelow(int(phi))) for absent in others}
    # The first part makes the sum right. It is as random modulo φ(n) as the others.
    parts[first] = (invert(key.modulus, phi) - sum(parts.values())) % phi
    made = []
    for index in everybody:
        held = {absent: parts[absent] for absent in _held_by(index, threshold, custodians)}
        made.append(Custodian(index, threshold, custodians, key, held))
    return made


def _check_numbers(threshold: object, custodians: object) -> tuple[int, int]:
    """Return the two as ints. Raises InvalidParameter unless 1 ≤ threshold ≤ custodians ≤ 10."""
    most = whole_number(custodians, "custodians", 1, MAX_CUSTODIANS)
    return whole_number(threshold, "threshold", 1, most), most


def combine(public_key: PublicKey, contributions: Iterable[int]) -> int:
    """Return R, the product of what the custodians present contributed.

    `open_number` tells whether it is right. Raises InvalidParameter.
    """
    _check_key(public_key)
    root = mpz(1)
    for factor in contributions:
        if not isinstance(factor, int) or not 0 < factor < public_key.n:
            raise InvalidParameter("a contribution is an integer from 1 to n − 1")
        root = root * factor % public_key.modulus
    return int(root)


def root(private_key: PrivateKey, number: EncryptedNumber) -> int:
    """Return R of one number, from the whole private key. Raises InvalidParameter."""
    (alone,) = share(private_key, 1, 1)
    return alone.contribute(number, [1])


def open_number(public_key: PublicKey, number: EncryptedNumber, root: int) -> int:
    """Return the plaintext M within ±n/2 by its published R; no secret is needed.

    M is encoded as the number's exponent says. Raises IntegrityError unless R is this number's,
    PlaintextOverflow when M passes the bound that the number declares; InvalidParameter.
    """
    c = _ciphertext(public_key, number)
    n = public_key.modulus
    n_square = public_key.n_square
    if not isinstance(root, int) or not 0 < root < public_key.n:
        raise InvalidParameter("R is an integer from 1 to n − 1")
    if gmpy2.gcd(root, n) != 1:
        raise IntegrityError("this R does not open this number")
    m, one = divmod(c * powmod(invert(root, n_square), n, n_square) % n_square, n)
    if one != 1:
        raise IntegrityError(
            "this R does not open this number: a contribution is false, or was made for another "
            "ciphertext"
        )
    # All that M is computed from is public, so there is nothing to hide from the clock.
    plaintext = int(m if 2 * m < n else m - n)
    if abs(plaintext) > number.bound:
        raise PlaintextOverflow("the number passes the bound that was declared for it")
    return plaintext


def _ciphertext(key: PublicKey, number: object) -> mpz:
    """Return the ciphertext in the form that leaves the process: R belongs to this form."""
    _check_key(key)
    if not isinstance(number, EncryptedNumber) or number.public_key != key:
        raise InvalidParameter("an EncryptedNumber of this key is needed")
    return mpz(number.ciphertext())


def _check_key(key: object) -> None:
    if not isinstance(key, PublicKey):
        raise InvalidParameter("a PublicKey is needed")
