"""Ballots: a Paillier ciphertext with a public proof that it holds 0 or 1, but not which.

Without the proof a ballot may hold 1000, and a party that only adds up would not see it. Modulo
n², c encrypts 0 when it is an n-th power (an n-th residue), and 1 when c/(1+n) is one. So with u₀
= c and u₁ = c·(1+n)⁻¹ the claim is: *u₀ or u₁ is an n-th residue*. To prove that u = rⁿ is one
(Damgård and Jurik, 2001, §4.2) takes three moves:

    prover → verifier    a = ωⁿ mod n², for a random ω                the commitment
    verifier → prover    e, a random number of 256 bits               the challenge
    prover → verifier    z = ω·rᵉ mod n                               the response

The response is right if zⁿ = a·uᵉ (mod n²). Anyone who knows e beforehand needs no r: draw z, and
let a = zⁿ·u⁻ᵉ. From this comes the *or* (Cramer, Damgård and Schoenmakers, 1994). The prover makes
up the false branch with a challenge of its own choice and commits to both. The true branch then
has to answer what remains of the verifier's challenge, e₀ + e₁ = e (mod 2²⁵⁶). The verifier cannot
tell which branch was made up. Without a verifier, e is SHA-256 of the whole statement (Fiat and
Shamir, 1986), including the ciphertext, the voter and the election. A hash of the commitments
alone can be cheated (Bernhard, Pereira and Warinschi, 2012).

What holds:

- *Complete*: an honest ballot is accepted.
- *Sound*: if neither u is a residue, each commitment can answer one challenge at most. (Two of them
  would give zⁿ = uᵈ with 0 < |d| < 2²⁵⁶, prime to n, so that u would be a residue.) Hence each
  call of the hash succeeds with probability 2⁻²⁵⁶, even for a prover that knows p and q. This
  needs both primes to be above 2²⁵⁶, which cannot be seen from n: authenticate the key.
- *Zero knowledge*: `simulate` makes transcripts like a real prover's, without vote or r.

    ballot            size    field
    0                 4       "LPB" and the format, 1
    4                 16      key id: SHA-256 of n, its first 16 bytes
    20                2s      ciphertext c; s is the length of n in bytes
    20 + 2s           32      e₀
    52 + 2s           32      e₁
    84 + 2s           s       z₀
    84 + 3s           s       z₁

Integers are big-endian and unsigned. a₀ and a₁ do not travel: they follow from the other fields,
and are units when those are.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

import gmpy2
import numpy as np
from gmpy2 import invert, mpz, powmod

from lepton_lab.buffers import framed
from lepton_lab.errors import DecryptionError, IntegrityError, InvalidParameter
from lepton_lab.paillier.noise import random_unit
from lepton_lab.paillier.public import EncryptedNumber, PublicKey
from lepton_lab.paillier.serial import FieldReader

CHALLENGES = 1 << 256  # how many there are; fewer than the smallest prime factor of n
_DOMAIN = b"lepton_lab Paillier ballot 1"
_MAX_NAME_BYTES = 1024

T = TypeVar("T")
Pair = tuple[int, int]


class InvalidBallot(IntegrityError):
    """Not a ballot of this voter in this election: malformed, altered, copied, or a false proof."""


@dataclass(frozen=True)
class BallotContext:
    """Which voter answers which question in which election.

    It is public, and part of what is proved, so a ballot cannot be used for another voter,
    question or election. `election`, `voter`, `question`: each 1 to 1024 bytes of UTF-8. They are
    compared byte by byte: where names have accents, normalise them, or one voter becomes two.
    Raises InvalidParameter.
    """

    election: str
    voter: str
    question: str = "yes or no"

    def __post_init__(self) -> None:
        for name in (self.election, self.voter, self.question):
            if not _is_name(name):
                raise InvalidParameter(
                    "election, voter and question are each 1 to 1024 bytes of UTF-8"
                )

    def to_bytes(self) -> bytes:
        """Return the three names, each behind its length."""
        return framed(self.election.encode(), self.voter.encode(), self.question.encode())


def _is_name(name: object) -> bool:
    if not isinstance(name, str):
        return False
    try:
        return 1 <= len(name.encode()) <= _MAX_NAME_BYTES
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8
        return False


@dataclass(frozen=True)
class ProofTranscript:
    """The three moves of a proof as its verifier sees them, of branch 0 and branch 1.

    `commitments`: a₀ and a₁. `challenges`: e₀ and e₁. `responses`: z₀ and z₁.
    """

    commitments: Pair
    challenges: Pair
    responses: Pair


# --- voting --------------------------------------------------------------------------------------


def cast(public_key: PublicKey, vote: int, context: BallotContext) -> bytes:
    """Return a ballot with its proof: 84 bytes plus four times the length of n, whatever the vote.

    `vote`: 0, 1 or a bool. The random numbers are forgotten, because a voter who kept them could
    prove the vote, or sell it. Not constant-time. Raises InvalidParameter for another vote, key or
    context.
    """
    _check_kinds(public_key, context)
    if not isinstance(vote, (int, np.integer, np.bool_)) or vote not in (0, 1):
        raise InvalidParameter("a vote is 0 or 1")
    vote = int(vote)
    n = public_key.modulus
    n_square = public_key.n_square
    r = random_unit(n)
    omega = random_unit(n)
    c = (1 + vote * n) * powmod(r, n, n_square) % n_square
    a_true = powmod(omega, n, n_square)
    # The false branch is made up: its challenge is the prover's own choice.
    e_false = secrets.randbelow(CHALLENGES)
    z_false = random_unit(n)
    u_false = _statements(public_key, c)[1 - vote]
    a_false = _commitment(public_key, u_false, e_false, z_false)
    # The true branch answers what remains of the hash's challenge.
    challenge = _challenge(public_key, context, c, _in_order(vote, a_true, a_false))
    e_true = (challenge - e_false) % CHALLENGES
    z_true = omega * powmod(r, e_true, n) % n
    fields = (c, *_in_order(vote, e_true, e_false), *_in_order(vote, z_true, z_false))
    sizes = _sizes(public_key)
    body = [int(field).to_bytes(size, "big") for field, size in zip(fields, sizes, strict=True)]
    return _head(public_key) + b"".join(body)


def _in_order(vote: int, of_true: T, of_false: T) -> tuple[T, T]:
    """Return what belongs to branch 0 and branch 1, when `vote` is the true branch."""
    return (of_false, of_true) if vote else (of_true, of_false)


def verify(public_key: PublicKey, ballot: bytes, context: BallotContext) -> EncryptedNumber:
    """Return the vote, still encrypted, if its proof holds for this key and context.

    The number has exponent 0 and bound 1. `tally` detects copies; this does not. Raises
    InvalidBallot, InvalidParameter.
    """
    _check_kinds(public_key, context)
    # Nothing here is secret. Without the interpreter's lock, threads verify side by side.
    with gmpy2.context(gmpy2.get_context(), allow_release_gil=True):
        c, transcript = _read(public_key, ballot)
        expected = _challenge(public_key, context, c, transcript.commitments)
        if sum(transcript.challenges) % CHALLENGES != expected:
            raise InvalidBallot(
                "the proof does not hold: altered, forged, or made for another voter, question or "
                "election"
            )
    return EncryptedNumber.unchecked(public_key, c, 0, 1, is_blinded=True)


def tally(
    public_key: PublicKey,
    election: str,
    ballots: Iterable[tuple[str, bytes]],
    question: str = "yes or no",
    executor: Executor | None = None,
) -> EncryptedNumber:
    """Return the sum of the votes, still encrypted, if each ballot is valid and no voter has two.

    `ballots`: (voter, ballot), at least one. The result's `ciphertext()` is the plain product of
    theirs modulo n², so that everybody who has the ballots finds the same. One bad ballot stops
    the count: `verify` each when it is handed in. `executor`: where to verify; threads serve.
    Raises InvalidBallot, which names the voter, for a proof that does not hold, a second ballot of
    a voter or a ciphertext seen before; InvalidParameter if there are none.
    """
    box = [(BallotContext(election, voter, question), ballot) for voter, ballot in ballots]
    if not box:
        raise InvalidParameter("there is no ballot to count")
    work = (_VerifyTask(public_key, context, ballot) for context, ballot in box)
    votes = list(map(_verified, work) if executor is None else executor.map(_verified, work))
    voters: set[str] = set()
    seen: set[mpz] = set()
    product = mpz(1)
    for (context, _), vote in zip(box, votes, strict=True):
        if context.voter in voters:
            raise InvalidBallot(f"voter {context.voter!r} has two ballots")
        # A proof is bound to its voter, so only voters who share their randomness can do this.
        if vote.raw_ciphertext in seen:
            raise InvalidBallot(f"the ballot of voter {context.voter!r} is a copy")
        voters.add(context.voter)
        seen.add(vote.raw_ciphertext)
        product = product * vote.raw_ciphertext % public_key.n_square
    bound = public_key.within_range(len(votes))
    # Declared as blinded, so that it stays as it is: the product of published ballots hides
    # nothing, and the public has to find the same.
    return EncryptedNumber.unchecked(public_key, product, 0, bound, is_blinded=True)


@dataclass(frozen=True)
class _VerifyTask:
    key: PublicKey
    context: BallotContext
    ballot: bytes


def _verified(task: _VerifyTask) -> EncryptedNumber:
    try:
        return verify(task.key, task.ballot, task.context)
    except InvalidBallot as error:
        raise InvalidBallot(f"voter {task.context.voter!r}: {error}") from None


# --- the proof in three moves, one at a time -----------------------------------------------------


def check(
    public_key: PublicKey, ciphertext: int, transcript: ProofTranscript, challenge: int
) -> None:
    """Check a transcript as a verifier does that has drawn `challenge` itself, from 0 to 2²⁵⁶ − 1.

    Raises InvalidBallot unless e₀ + e₁ = challenge (mod 2²⁵⁶) and zᵢⁿ = aᵢ·uᵢ^eᵢ (mod n²), with
    every number in its range and prime to n; InvalidParameter.
    """
    if not isinstance(transcript, ProofTranscript) or not _is_challenge(challenge):
        raise InvalidParameter("a ProofTranscript is checked against a challenge below 2²⁵⁶")
    c, e, z = _units(public_key, ciphertext, transcript.challenges, transcript.responses)
    expected = _commitments(public_key, c, e, z)
    if sum(e) % CHALLENGES != challenge or transcript.commitments != expected:
        raise InvalidBallot("the transcript does not answer this challenge")


def simulate(public_key: PublicKey, ciphertext: int, challenge: int) -> ProofTranscript:
    """Return a transcript that `check` accepts, made backwards from the challenge.

    It needs neither vote nor r, and works for any ciphertext. For a ciphertext of 0 or 1 it is
    distributed exactly as a real prover's, which is why that one tells nothing. Without the
    challenge beforehand it cannot be made. Raises InvalidBallot for what is not a ciphertext,
    InvalidParameter.
    """
    if not _is_challenge(challenge):
        raise InvalidParameter("a challenge is an integer from 0 to 2²⁵⁶ − 1")
    e_0 = secrets.randbelow(CHALLENGES)
    e_1 = (challenge - e_0) % CHALLENGES
    z_0 = int(random_unit(public_key.modulus))
    z_1 = int(random_unit(public_key.modulus))
    c, e, z = _units(public_key, ciphertext, (e_0, e_1), (z_0, z_1))
    return ProofTranscript(_commitments(public_key, c, e, z), e, z)


def _is_challenge(challenge: object) -> bool:
    return isinstance(challenge, int) and 0 <= challenge < CHALLENGES


# --- the parts they share ------------------------------------------------------------------------


def _statements(key: PublicKey, c: mpz) -> tuple[mpz, mpz]:
    """Return u₀ and u₁, one of which is an n-th residue. (1+n)⁻¹ = 1 − n (mod n²)."""
    return c, c * (1 - key.modulus) % key.n_square


def _commitment(key: PublicKey, u: mpz, e: int, z: mpz | int) -> mpz:
    """Return the one a for which zⁿ = a·uᵉ (mod n²)."""
    z_to_the_n = powmod(z, key.modulus, key.n_square)
    u_to_the_minus_e = powmod(invert(u, key.n_square), e, key.n_square)
    return z_to_the_n * u_to_the_minus_e % key.n_square


def _commitments(key: PublicKey, c: mpz, e: Pair, z: Pair) -> Pair:
    u_0, u_1 = _statements(key, c)
    return int(_commitment(key, u_0, e[0], z[0])), int(_commitment(key, u_1, e[1], z[1]))


def _challenge(
    key: PublicKey, context: BallotContext, c: mpz, a: tuple[int | mpz, int | mpz]
) -> int:
    """Return SHA-256 over everything that is claimed, every part behind its length."""
    n = key.n.to_bytes(key.size, "big")
    numbers = [int(number).to_bytes(2 * key.size, "big") for number in (c, *a)]
    hashed = hashlib.sha256(framed(_DOMAIN, n, context.to_bytes(), *numbers))
    return int.from_bytes(hashed.digest(), "big")


def _read(key: PublicKey, ballot: bytes) -> tuple[mpz, ProofTranscript]:
    """Return the ciphertext and the transcript of a ballot. Raises InvalidBallot."""
    try:
        reader = FieldReader(ballot)
        reader.expect(_head(key))
        c, e_0, e_1, z_0, z_1 = (reader.integer(size) for size in _sizes(key))
        reader.finish()
    except DecryptionError:
        raise InvalidBallot("these bytes are not a ballot under this key") from None
    unit, e, z = _units(key, c, (e_0, e_1), (z_0, z_1))
    return unit, ProofTranscript(_commitments(key, unit, e, z), e, z)


def _units(key: PublicKey, ciphertext: object, e: Pair, z: Pair) -> tuple[mpz, Pair, Pair]:
    """Return the numbers themselves, if each is in its range and, except e, prime to n.

    The range gives each number one form only. A proof in a second form would be a copy that does
    not look like one. A response that shares a factor with n would make aᵢ what the prover likes.
    Raises InvalidBallot.
    """
    try:
        c = key.checked_ciphertext(ciphertext)
    except DecryptionError:
        raise InvalidBallot("the ciphertext is not a unit modulo n²") from None
    for challenge in e:
        if not _is_challenge(challenge):
            raise InvalidBallot("a challenge passes its range")
    for response in z:
        if not isinstance(response, int) or not 0 < response < key.n:
            raise InvalidBallot("a response is not a unit modulo n")
        if gmpy2.gcd(response, key.n) != 1:
            raise InvalidBallot("a response is not a unit modulo n")
    return c, e, z


def _head(key: PublicKey) -> bytes:
    return b"LPB\1" + key.key_id


def _sizes(key: PublicKey) -> tuple[int, ...]:
    """Return the lengths of c, e₀, e₁, z₀ and z₁ in bytes."""
    return 2 * key.size, 32, 32, key.size, key.size


def _check_kinds(public_key: object, context: object) -> None:
    if not isinstance(public_key, PublicKey) or not isinstance(context, BallotContext):
        raise InvalidParameter("a ballot belongs to a PublicKey and a BallotContext")
