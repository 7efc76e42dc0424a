"""Opening one total so that everybody can check it, and without ever putting the private key together.

Modulo n², c = (1+n)^M·Rⁿ for one plaintext M and one unit R modulo n. Whoever knows R reads M, and nobody can be told a
false R: c·R⁻ⁿ = 1 + Mn (mod n²) is 1 modulo n for the right one alone. So R is published with the total; it opens this
one ciphertext and no other. (Modulo n, c = Rⁿ: an RSA ciphertext of R with n as its public exponent. Paillier, 1999.)

To find it, R = cᵈ mod n with d = n⁻¹ mod φ(n), which is worth the private key. It is not kept, but shared (Ito, Saito
and Nishizeki, 1987; sums of exponents for RSA: Boyd, 1989): d is a sum of random parts modulo φ(n), one part for every
set of threshold − 1 custodians, given to all who are *not* in that set. So any `threshold` of them hold every part, and
any fewer miss one, without which d is uniform. Each raises c to its parts; the product is R. A custodian that
contributes a false power spoils the result, which shows, but not who it was.

What it does not give: whoever shares d out knows it, and must forget it; `threshold` custodians together can open any
ciphertext, so each has to make sure what it raises (a total, added up by itself from the published ballots).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import gmpy2
from gmpy2 import invert, mpz, powmod

from lepton_lab.errors import IntegrityError, InvalidParameter, PlaintextOverflow
from lepton_lab.paillier.keys import PrivateKey, PublicKey
from lepton_lab.paillier.numbers import EncryptedNumber
from lepton_lab.paillier.secret_power import SecretPower

MOST = 10  # custodians: 252 parts at most
Absent = frozenset[int]


@dataclass(frozen=True)
class Custodian:
    """One of 1 … `custodians`, with the parts of d that it holds, named by the set of those who do not. Secret."""

    index: int
    threshold: int
    custodians: int
    public_key: PublicKey
    _parts: Mapping[Absent, mpz] = field(repr=False)

    def contribute(self, number: EncryptedNumber, present: Iterable[int]) -> int:
        """A custodian's factor of R for one number, when those in `present` open it together, itself among them.

        Of custodians who hold the same part the first one present raises it; the exponentiation is constant-time (see
        `modexp`). Look at what you open: any number of this key is opened alike. Raises InvalidParameter.
        """
        group = frozenset(present)
        if not group <= frozenset(range(1, self.custodians + 1)) or self.index not in group:
            raise InvalidParameter("present are the indices of custodians, this one among them")
        if len(group) < self.threshold:
            raise InvalidParameter(
                f"{self.threshold} custodians are needed; {len(group)} are present"
            )
        c, factor, n = (
            _ciphertext(self.public_key, number) % self.public_key.modulus,
            mpz(1),
            self.public_key.modulus,
        )
        for absent, part in self._parts.items():
            if min(group - absent) == self.index:
                factor = factor * SecretPower(part, n)(c) % n
        return int(factor)


def share(private_key: PrivateKey, threshold: int, custodians: int) -> list[Custodian]:
    """Share out what opens this key's ciphertexts; 1 ≤ threshold ≤ custodians ≤ 10. Then forget the private key.

    Raises InvalidParameter.
    """
    if not isinstance(private_key, PrivateKey):
        raise InvalidParameter("share takes a PrivateKey")
    if (
        type(threshold) is not int
        or type(custodians) is not int
        or not 1 <= threshold <= custodians <= MOST
    ):
        raise InvalidParameter(f"1 ≤ threshold ≤ custodians ≤ {MOST} must hold")
    p, q, key = mpz(private_key.p), mpz(private_key.q), private_key.public_key
    phi, everybody = (p - 1) * (q - 1), range(1, custodians + 1)
    first, *others = (frozenset(absent) for absent in combinations(everybody, threshold - 1))
    parts = {absent: mpz(secrets.randbelow(int(phi))) for absent in others}
    # it makes the sum right, and is as random modulo φ(n) as the others
    parts[first] = (invert(key.modulus, phi) - sum(parts.values())) % phi
    return [
        Custodian(
            i,
            threshold,
            custodians,
            key,
            {absent: part for absent, part in parts.items() if i not in absent},
        )
        for i in everybody
    ]


def joined(public_key: PublicKey, contributions: Iterable[int]) -> int:
    """R from what the custodians present contributed. `opened` tells whether it is right. Raises InvalidParameter."""
    _check_key(public_key)
    root = mpz(1)
    for factor in contributions:
        if not isinstance(factor, int) or not 0 < factor < public_key.n:
            raise InvalidParameter("a contribution is an integer from 1 to n − 1")
        root = root * factor % public_key.modulus
    return int(root)


def root(private_key: PrivateKey, number: EncryptedNumber) -> int:
    """R of one number, from the private key itself: for who holds it whole. Raises InvalidParameter."""
    (alone,) = share(private_key, 1, 1)
    return alone.contribute(number, [1])


def opened(public_key: PublicKey, number: EncryptedNumber, root: int) -> int:
    """The plaintext M within ±n/2, encoded as the number's exponent says, by its published R; no secret is needed.

    Raises IntegrityError unless R is this number's, PlaintextOverflow when M passes the bound that the number declares;
    InvalidParameter.
    """
    c, n, n_square = _ciphertext(public_key, number), public_key.modulus, public_key.n_square
    if not isinstance(root, int) or not 0 < root < public_key.n:
        raise InvalidParameter("R is an integer from 1 to n − 1")
    if gmpy2.gcd(root, n) == 1:
        m, one = divmod(c * powmod(invert(root, n_square), n, n_square) % n_square, n)
        if one == 1:
            return _within(int(m if 2 * m < n else m - n), number)
    raise IntegrityError("this R does not open this number")


def _within(plaintext: int, number: EncryptedNumber) -> int:
    if abs(plaintext) > number.bound:
        raise PlaintextOverflow("the number passes the bound that was declared for it")
    return plaintext


def _ciphertext(key: PublicKey, number: object) -> mpz:
    """The ciphertext as it stands, without fresh noise: R belongs to this very one."""
    _check_key(key)
    if not isinstance(number, EncryptedNumber) or number.public_key != key:
        raise InvalidParameter("an EncryptedNumber of this key is needed")
    return mpz(number.ciphertext())


def _check_key(key: object) -> None:
    if not isinstance(key, PublicKey):
        raise InvalidParameter("a PublicKey is needed")
