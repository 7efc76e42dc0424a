"""Ballots: a Paillier ciphertext, with a proof for everybody that it holds 0 or 1 and none of which of the two.

Without the proof a ballot may hold 1000, and nobody who only adds would see it. Modulo n², c encrypts 0 when it is an
n-th power (an n-th residue), and 1 when c/(1+n) is. So with u₀ = c and u₁ = c·(1+n)⁻¹ the claim is: *u₀ or u₁ is an
n-th residue*. To prove that u = rⁿ is one (Damgård and Jurik, 2001, §4.2), in three moves:

    prover → verifier    a = ωⁿ mod n², for a random ω                the commitment
    verifier → prover    e, a random number of 256 bits               the challenge
    prover → verifier    z = ω·rᵉ mod n                               the response; it is right if zⁿ = a·uᵉ (mod n²)

Who knows e beforehand needs no r: draw z, and let a = zⁿ·u⁻ᵉ. From this comes the *or* (Cramer, Damgård and
Schoenmakers, 1994): the prover makes up the false branch with a challenge of its own choice, commits to both, and the
true branch has to answer the rest of the verifier's challenge, e₀ + e₁ = e (mod 2²⁵⁶). The verifier cannot tell which
was which. Without a verifier, e is SHA-256 of the whole statement (Fiat and Shamir, 1986), the ciphertext and who votes
where included: a hash of the commitments alone can be cheated (Bernhard, Pereira and Warinschi, 2012).

What holds. *Complete*: an honest ballot is accepted. *Sound*: were neither u a residue, each commitment could answer
one challenge at most (two of them would give zⁿ = uᵈ with 0 < |d| < 2²⁵⁶, prime to n, so that u were a residue); hence
each call of the hash succeeds with probability 2⁻²⁵⁶, for who knows p and q too. This needs both primes above 2²⁵⁶,
which cannot be seen from n: authenticate the key. *Zero knowledge*: `simulated` makes transcripts like a real prover's,
without vote or r.

    ballot            size    field
    0                 4       "LPB" and the format, 1
    4                 16      key id: SHA-256 of n, its first 16 bytes
    20                2s      ciphertext c; s is the length of n in bytes
    20 + 2s           32      e₀
    52 + 2s           32      e₁
    84 + 2s           s       z₀
    84 + 3s           s       z₁

Integers are big-endian and unsigned. a₀ and a₁ do not travel: they follow from the rest, and are units when that is.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

import gmpy2
from gmpy2 import invert, mpz, powmod

from lepton_lab.buffers import framed
from lepton_lab.errors import DecryptionError, IntegrityError, InvalidParameter
from lepton_lab.paillier.keys import PublicKey
from lepton_lab.paillier.noise import random_unit
from lepton_lab.paillier.numbers import EncryptedNumber
from lepton_lab.paillier.serial import Reader

CHALLENGES = 1 << 256  # how many there are; below the smallest prime factor of n
_DOMAIN = b"lepton_lab Paillier ballot 1"
_LONGEST = 1024  # bytes of a name

Pair = tuple[int, int]


class InvalidBallot(IntegrityError):
    """No ballot of this voter in this election: malformed, altered, copied, or its proof does not hold."""


@dataclass(frozen=True)
class Context:
    """Who answers what, where: public, and part of what is proved, so that a ballot serves nobody and nothing else.

    `election`, `voter`, `question`: each 1 to 1024 bytes of UTF-8, and compared as such: where names have accents,
    normalise them, or one voter is two. Raises InvalidParameter.
    """

    election: str
    voter: str
    question: str = "yes or no"

    def __post_init__(self) -> None:
        for name in (self.election, self.voter, self.question):
            try:
                fits = isinstance(name, str) and 1 <= len(name.encode()) <= _LONGEST
            except UnicodeEncodeError:
                fits = False
            if not fits:
                raise InvalidParameter(
                    "election, voter and question are each 1 to 1024 bytes of UTF-8"
                )

    def to_bytes(self) -> bytes:
        """The three, each behind its length."""
        return framed(self.election.encode(), self.voter.encode(), self.question.encode())


@dataclass(frozen=True)
class Transcript:
    """The proof as the verifier saw it go by: commitments a, challenges e and responses z, of branch 0 and branch 1."""

    commitments: Pair
    challenges: Pair
    responses: Pair


# --- voting ------------------------------------------------------------------------------------------------------


def cast(public_key: PublicKey, vote: int, context: Context) -> bytes:
    """A ballot with its proof: 84 bytes and four times the length of n, whatever the vote.

    `vote`: 0, 1 or a truth value. The random numbers are forgotten: whoever kept them could prove, or sell, the vote.
    Not constant-time. Raises InvalidParameter for another vote, or what is no key or no Context.
    """
    _check_kinds(public_key, context)
    if not isinstance(vote, int) or vote not in (0, 1):
        raise InvalidParameter("a vote is 0 or 1")
    n, n_square, true, false = public_key.modulus, public_key.n_square, int(vote), 1 - int(vote)
    r, omega = random_unit(n), random_unit(n)
    c = (1 + true * n) * powmod(r, n, n_square) % n_square
    # the false branch is made up, with a challenge of our own choice
    e, z = [secrets.randbelow(CHALLENGES)] * 2, [random_unit(n)] * 2
    a = [powmod(omega, n, n_square)] * 2
    a[false] = _commitment(public_key, _statements(public_key, c)[false], e[false], z[false])
    # the true one answers what the hash leaves to it
    e[true] = (_challenge(public_key, context, c, (a[0], a[1])) - e[false]) % CHALLENGES
    z[true] = omega * powmod(r, e[true], n) % n
    return _head(public_key) + b"".join(
        int(number).to_bytes(size, "big")
        for number, size in zip((c, *e, *z), _sizes(public_key), strict=True)
    )


def verify(public_key: PublicKey, ballot: bytes, context: Context) -> EncryptedNumber:
    """The vote, still encrypted, once its proof holds for this key and context; exponent 0, bound 1.

    Copies are not seen here but by `tally`. Raises InvalidBallot, InvalidParameter.
    """
    _check_kinds(public_key, context)
    with gmpy2.context(
        gmpy2.get_context(), allow_release_gil=True
    ):  # nothing here is secret; threads run side by side
        c, transcript = _read(public_key, ballot)
        if sum(transcript.challenges) % CHALLENGES != _challenge(
            public_key, context, c, transcript.commitments
        ):
            raise InvalidBallot(
                "the proof does not hold: altered, forged, or of another voter, question or election"
            )
    return EncryptedNumber._made(public_key, c, 0, 1, blinded=True)


def tally(
    public_key: PublicKey,
    election: str,
    ballots: Iterable[tuple[str, bytes]],
    question: str = "yes or no",
    executor: Executor | None = None,
) -> EncryptedNumber:
    """The sum of the votes, still encrypted, when every ballot is its voter's own and no voter has two.

    `ballots`: (voter, ballot), at least one. The result's `ciphertext()` is the plain product of theirs modulo n², so
    that everybody who has the ballots finds the same. One bad ballot stops the count: `verify` each when it is handed
    in. `executor`: where to verify; threads serve. Raises InvalidBallot, which names the voter, for a proof that does
    not hold, a second ballot of a voter, a ciphertext seen before; InvalidParameter for none.
    """
    box = [(Context(election, voter, question), ballot) for voter, ballot in ballots]
    if not box:
        raise InvalidParameter("there is no ballot to count")
    work = (_Work(public_key, context, ballot) for context, ballot in box)
    votes = list(map(_verified, work) if executor is None else executor.map(_verified, work))
    voters: set[str] = set()
    seen: set[mpz] = set()
    product = mpz(1)
    for (context, _), vote in zip(box, votes, strict=True):
        if context.voter in voters:
            raise InvalidBallot(f"voter {context.voter!r} has two ballots")
        if vote._c in seen:
            raise InvalidBallot(f"the ballot of voter {context.voter!r} is a copy")
        voters.add(context.voter)
        seen.add(vote._c)
        product = product * vote._c % public_key.n_square
    # not to be blinded: the product of published ballots hides nothing, and the public has to find it again
    return EncryptedNumber._made(
        public_key, product, 0, public_key.within_range(len(votes)), blinded=True
    )


@dataclass(frozen=True)
class _Work:
    key: PublicKey
    context: Context
    ballot: bytes


def _verified(work: _Work) -> EncryptedNumber:
    try:
        return verify(work.key, work.ballot, work.context)
    except InvalidBallot as error:
        raise InvalidBallot(f"voter {work.context.voter!r}: {error}") from None


# --- the proof in three moves, for who wants to see it go by -----------------------------------------------------


def check(public_key: PublicKey, ciphertext: int, transcript: Transcript, challenge: int) -> None:
    """What a verifier checks who has drawn `challenge` himself, from 0 to 2²⁵⁶ − 1.

    Raises InvalidBallot unless e₀ + e₁ = challenge (mod 2²⁵⁶) and zᵢⁿ = aᵢ·uᵢ^eᵢ (mod n²), everything in its range and
    prime to n; InvalidParameter.
    """
    if (
        not isinstance(transcript, Transcript)
        or not isinstance(challenge, int)
        or not 0 <= challenge < CHALLENGES
    ):
        raise InvalidParameter("a Transcript is checked against a challenge below 2²⁵⁶")
    c, e, z = _units(public_key, ciphertext, transcript.challenges, transcript.responses)
    expected = _commitments(public_key, c, e, z)
    if sum(e) % CHALLENGES != challenge or transcript.commitments != expected:
        raise InvalidBallot("the transcript does not answer this challenge")


def simulated(public_key: PublicKey, ciphertext: int, challenge: int) -> Transcript:
    """A transcript that `check` accepts, made from the challenge backwards: no vote, no r, for any ciphertext at all.

    For a ciphertext of 0 or 1 it is distributed exactly as a real prover's, which is why that one tells nothing.
    Without the challenge beforehand it cannot be made. Raises InvalidBallot for no ciphertext, InvalidParameter.
    """
    if not isinstance(challenge, int) or not 0 <= challenge < CHALLENGES:
        raise InvalidParameter("a challenge is an integer from 0 to 2²⁵⁶ − 1")
    e_0 = secrets.randbelow(CHALLENGES)
    e = e_0, (challenge - e_0) % CHALLENGES
    z = int(random_unit(public_key.modulus)), int(random_unit(public_key.modulus))
    c, *_ = _units(public_key, ciphertext, e, z)
    return Transcript(_commitments(public_key, c, e, z), e, z)


# --- the parts they share ----------------------------------------------------------------------------------------


def _statements(key: PublicKey, c: mpz) -> tuple[mpz, mpz]:
    """u₀ and u₁: one of them is an n-th residue. (1+n)⁻¹ = 1 − n (mod n²)."""
    return c, c * (1 - key.modulus) % key.n_square


def _commitment(key: PublicKey, u: mpz, e: int, z: mpz | int) -> mpz:
    """The one a for which zⁿ = a·uᵉ (mod n²)."""
    return (
        powmod(z, key.modulus, key.n_square)
        * powmod(invert(u, key.n_square), e, key.n_square)
        % key.n_square
    )


def _commitments(key: PublicKey, c: mpz, e: Pair, z: Pair) -> Pair:
    a_0, a_1 = map(_commitment, (key, key), _statements(key, c), e, z)
    return int(a_0), int(a_1)


def _challenge(key: PublicKey, context: Context, c: mpz, a: tuple[int | mpz, int | mpz]) -> int:
    """SHA-256 over everything that is claimed, every part behind its length."""
    numbers = [int(number).to_bytes(2 * key.size, "big") for number in (c, *a)]
    hashed = hashlib.sha256(
        framed(_DOMAIN, key.n.to_bytes(key.size, "big"), context.to_bytes(), *numbers)
    )
    return int.from_bytes(hashed.digest(), "big")


def _read(key: PublicKey, ballot: bytes) -> tuple[mpz, Transcript]:
    try:
        read = Reader(ballot)
        read.expect(_head(key))
        c, e_0, e_1, z_0, z_1 = (read.integer(size) for size in _sizes(key))
        read.finish()
    except DecryptionError:
        raise InvalidBallot("these bytes are no ballot under this key") from None
    unit, e, z = _units(key, c, (e_0, e_1), (z_0, z_1))
    return unit, Transcript(_commitments(key, unit, e, z), e, z)


def _units(key: PublicKey, ciphertext: object, e: Pair, z: Pair) -> tuple[mpz, Pair, Pair]:
    """The numbers themselves, in the one form that each has. A proof in a second form would be another's, copied."""
    try:
        c = key.checked_ciphertext(ciphertext)
    except DecryptionError:
        raise InvalidBallot("the ciphertext is no unit modulo n²") from None
    for challenge in e:
        if not isinstance(challenge, int) or not 0 <= challenge < CHALLENGES:
            raise InvalidBallot("a challenge passes its range")
    for response in z:
        if (
            not isinstance(response, int)
            or not 0 < response < key.n
            or gmpy2.gcd(response, key.n) != 1
        ):
            raise InvalidBallot("a response is no unit modulo n")
    return c, e, z


def _head(key: PublicKey) -> bytes:
    return b"LPB\1" + key.key_id


def _sizes(key: PublicKey) -> tuple[int, ...]:
    return 2 * key.size, 32, 32, key.size, key.size


def _check_kinds(public_key: object, context: object) -> None:
    if not isinstance(public_key, PublicKey) or not isinstance(context, Context):
        raise InvalidParameter("a ballot belongs to a PublicKey and a Context")
