"""Tests lepton_lab.elections.ballot: honest ballots are accepted and forged ones are not.

A proof tells nothing that could not be said without knowing the vote.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import paillier
from lepton_lab.elections import ballot
from lepton_lab.elections.ballot import CHALLENGES, BallotContext, InvalidBallot, ProofTranscript
from lepton_lab.errors import IntegrityError, InvalidParameter
from lepton_lab.paillier import PublicKey

public, private = paillier.generate_keypair(2048)
stranger, _ = paillier.generate_keypair(2048)
n = public.n
n_square = public.n**2
size = public.size
ADA = BallotContext("mayor 2026", "ada", "Shall there be a mayor?")
BALLOTS = {vote: ballot.cast(public, vote, ADA) for vote in (0, 1)}


def unit(modulus: int = n) -> int:
    return secrets.randbelow(modulus - 1) + 1


def fields(data: bytes) -> list[int]:
    """c, e₀, e₁, z₀, z₁."""
    numbers = []
    start = 20
    for width in (2 * size, 32, 32, size, size):
        numbers.append(int.from_bytes(data[start : start + width], "big"))
        start += width
    assert start == len(data)
    return numbers


def bytes_of(c: int, e: tuple[int, int], z: tuple[int, int], key: PublicKey = public) -> bytes:
    widths = (2 * size, 32, 32, size, size)
    numbers = zip((c, *e, *z), widths, strict=True)
    return (
        b"LPB\1" + key.key_id + b"".join(number.to_bytes(width, "big") for number, width in numbers)
    )


def hashed(c: int, a: tuple[int, int], context: BallotContext = ADA) -> int:
    """The challenge, put together here a second time from the words of the module."""
    names = b"".join(
        len(name.encode()).to_bytes(8, "big") + name.encode()
        for name in (context.election, context.voter, context.question)
    )
    parts = [b"lepton_lab Paillier ballot 1", n.to_bytes(size, "big"), names]
    parts += [number.to_bytes(2 * size, "big") for number in (c, *a)]
    digest = hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts))
    return int.from_bytes(digest.digest(), "big")


def statements(c: int) -> tuple[int, int]:
    return c, c * pow(1 + n, -1, n_square) % n_square


def committed(c: int, e: tuple[int, int], z: tuple[int, int]) -> tuple[int, int]:
    u_0, u_1 = statements(c)
    return (
        pow(z[0], n, n_square) * pow(u_0, -e[0], n_square) % n_square,
        pow(z[1], n, n_square) * pow(u_1, -e[1], n_square) % n_square,
    )


def forged(
    message: int, branch: int = 1, context: BallotContext = ADA, response: int | None = None
) -> bytes:
    """The honest prover's own steps, perhaps on a ciphertext for which its claim is false.

    `response`: of the branch that is made up.
    """
    r = unit()
    omega = unit()
    other = 1 - branch
    c = (1 + message * n) * pow(r, n, n_square) % n_square
    e = [secrets.randbelow(CHALLENGES)] * 2
    z = [response or unit()] * 2
    a = [pow(omega, n, n_square)] * 2
    a[other] = committed(c, (e[0], e[1]), (z[0], z[1]))[other]
    e[branch] = (hashed(c, (a[0], a[1]), context) - e[other]) % CHALLENGES
    z[branch] = omega * pow(r, e[branch], n) % n
    return bytes_of(c, (e[0], e[1]), (z[0], z[1]))


# Complete


@settings(max_examples=8)
@given(st.integers(0, 1) | st.booleans(), *[st.text(min_size=1, max_size=40)] * 3)
def test_every_honest_ballot_is_accepted_and_holds_its_vote(vote, election, voter, question):
    context = BallotContext(election, voter, question)
    verified = ballot.verify(public, ballot.cast(public, vote, context), context)
    assert private.decrypt(verified) == int(vote)
    assert (verified.exponent, verified.bound) == (0, 1)


def test_a_second_verifier_written_from_the_paper_agrees():
    for data in (BALLOTS[0], forged(1, 1)):
        c, *rest = fields(data)
        e = (rest[0], rest[1])
        z = (rest[2], rest[3])
        assert (e[0] + e[1]) % CHALLENGES == hashed(c, committed(c, e, z))
        ballot.verify(public, data, ADA)


@settings(max_examples=3)
@given(st.lists(st.integers(0, 1), min_size=1, max_size=5))
def test_a_tally_is_the_number_of_ones(votes):
    box = [
        (f"voter {i}", ballot.cast(public, vote, BallotContext("e", f"voter {i}")))
        for i, vote in enumerate(votes)
    ]
    total = ballot.tally(public, "e", box)
    assert private.decrypt(total) == sum(votes)
    assert total.bound == len(votes)
    assert total.ciphertext() == math.prod(fields(data)[0] for _, data in box) % n_square
    with ThreadPoolExecutor(2) as threads:
        assert ballot.tally(public, "e", box, executor=threads).ciphertext() == total.ciphertext()


def test_ballots_are_of_one_length_and_never_the_same():
    assert {len(data) for data in BALLOTS.values()} == {84 + 4 * size}
    assert ballot.cast(public, 1, ADA) != BALLOTS[1]


def test_a_longer_key_serves_too():
    longer, its_private = paillier.generate_keypair(3072)
    total = ballot.tally(longer, "e", [("a", ballot.cast(longer, 1, BallotContext("e", "a")))])
    assert its_private.decrypt(total) == 1


# Sound


@pytest.mark.parametrize("message", [2, -1, 1000, n // 2], ids=["2", "-1", "1000", "n/2"])
@pytest.mark.parametrize("branch", [0, 1])
def test_no_other_vote_gets_a_proof(message, branch):
    with pytest.raises(InvalidBallot):
        ballot.verify(public, forged(message, branch), ADA)


@pytest.mark.parametrize(("message", "branch"), [(1, 0), (0, 1)])
def test_a_true_ballot_is_not_proved_by_its_false_branch(message, branch):
    with pytest.raises(InvalidBallot):
        ballot.verify(public, forged(message, branch), ADA)


def test_who_knows_the_primes_cannot_forge_either():
    """With p and q one can divide out the n-th residue; a stuffed ballot stays stuffed."""
    c = (1 + 2 * n) * pow(unit(), n, n_square) % n_square
    order = (private.p - 1) * (private.q - 1)
    e = (secrets.randbelow(CHALLENGES), 0)
    a = pow(unit(), n, n_square), pow(unit(), n, n_square)
    e = e[0], (hashed(c, a) - e[0]) % CHALLENGES
    z = tuple(
        pow(commitment * pow(u, challenge, n_square) % n, pow(n, -1, order), n)
        for commitment, u, challenge in zip(a, statements(c), e, strict=True)
    )
    with pytest.raises(InvalidBallot):
        ballot.verify(public, bytes_of(c, e, z), ADA)


def test_a_transcript_made_backwards_misses_the_hash():
    c = (1 + 1000 * n) * pow(unit(), n, n_square) % n_square
    made = ballot.simulate(public, c, secrets.randbelow(CHALLENGES))
    with pytest.raises(InvalidBallot):
        ballot.verify(public, bytes_of(c, made.challenges, made.responses), ADA)


@pytest.mark.parametrize(
    "other",
    [
        BallotContext("mayor 2026", "ben", "Shall there be a mayor?"),
        BallotContext("mayor 2030", "ada", "Shall there be a mayor?"),
        BallotContext("mayor 2026", "ada", "Shall there be none?"),
        BallotContext("mayor 2026a", "da", "Shall there be a mayor?"),
        BallotContext("mayor 2026", "ada\0", "Shall there be a mayor?"),
    ],
)
def test_a_ballot_serves_no_other_voter_election_or_question(other):
    with pytest.raises(InvalidBallot):
        ballot.verify(public, BALLOTS[1], other)


PROOF = 20 + 2 * size  # where e₀ begins
EDGES = [
    0,
    3,
    4,
    19,
    20,
    20 + size,
    PROOF - 1,
    PROOF,
    PROOF + 31,
    PROOF + 32,
    PROOF + 63,
    PROOF + 64,
    PROOF + 63 + size,
]
EDGES += [PROOF + 64 + size, PROOF + 63 + 2 * size]


@pytest.mark.parametrize("where", EDGES)
def test_an_altered_byte_is_refused(where):
    altered = bytearray(BALLOTS[1])
    altered[where] ^= 1
    with pytest.raises(InvalidBallot):
        ballot.verify(public, bytes(altered), ADA)


def test_swapped_branches_are_refused():
    c, e_0, e_1, z_0, z_1 = fields(BALLOTS[1])
    for e, z in (((e_1, e_0), (z_0, z_1)), ((e_0, e_1), (z_1, z_0)), ((e_1, e_0), (z_1, z_0))):
        with pytest.raises(InvalidBallot):
            ballot.verify(public, bytes_of(c, e, z), ADA)


def test_a_ciphertext_with_anothers_proof_is_refused():
    c, *_ = fields(BALLOTS[0])
    _, e_0, e_1, z_0, z_1 = fields(BALLOTS[1])
    with pytest.raises(InvalidBallot):
        ballot.verify(public, bytes_of(c, (e_0, e_1), (z_0, z_1)), ADA)


def test_an_inverted_or_blinded_ballot_is_refused():
    """Malleability: 1 − vote, and the same vote with fresh noise, made without knowing the vote."""
    c, e_0, e_1, z_0, z_1 = fields(BALLOTS[1])
    inverted = (1 + n) * pow(c, -1, n_square) % n_square
    swapped = pow(z_1, -1, n), pow(z_0, -1, n)
    s = unit()
    blinded = c * pow(s, n, n_square) % n_square
    moved = z_0 * pow(s, e_0, n) % n, z_1 * pow(s, e_1, n) % n
    for attempt in (bytes_of(inverted, (e_1, e_0), swapped), bytes_of(blinded, (e_0, e_1), moved)):
        with pytest.raises(InvalidBallot):
            ballot.verify(public, attempt, ADA)


@pytest.mark.parametrize("where", ["c", "z_0", "z_1"])
@pytest.mark.parametrize("number", ["0", "p", "n", "-p"])
def test_what_is_no_unit_is_refused(where, number):
    c, e_0, e_1, z_0, z_1 = fields(BALLOTS[1])
    wrong = {"0": 0, "p": private.p, "n": n, "-p": n - private.p}[number]
    c, z_0, z_1 = (
        wrong if where == name else right for name, right in (("c", c), ("z_0", z_0), ("z_1", z_1))
    )
    with pytest.raises(InvalidBallot):
        ballot.verify(public, bytes_of(c, (e_0, e_1), (z_0, z_1)), ADA)


def test_a_response_that_shares_a_factor_with_n_is_refused_although_all_else_fits():
    for response in (private.p, n - private.q):
        with pytest.raises(InvalidBallot, match="unit"):
            ballot.verify(public, forged(1, 1, ADA, response), ADA)


def test_a_number_has_one_form_only():
    """z + n is z modulo n: were it taken, a copy would not look like one."""
    c = fields(BALLOTS[1])[0]
    small = 1 << 2040
    e_0 = secrets.randbelow(CHALLENGES)
    made = ProofTranscript(committed(c, (e_0, 5), (small, 7)), (e_0, 5), (small, 7))
    ballot.check(public, c, made, (e_0 + 5) % CHALLENGES)
    for e, z in (
        ((e_0, 5), (small + n, 7)),
        ((e_0, 5), (small - n, 7)),
        ((e_0 + CHALLENGES, 5), (small, 7)),
        ((e_0, 5 - CHALLENGES), (small, 7)),
    ):
        with pytest.raises(InvalidBallot):
            ballot.check(
                public, c, ProofTranscript(committed(c, e, z), e, z), (e_0 + 5) % CHALLENGES
            )


def test_another_key_takes_nothing_of_it():
    relabelled = b"LPB\1" + stranger.key_id + BALLOTS[1][20:]
    for data in (BALLOTS[1], relabelled):
        with pytest.raises(InvalidBallot):
            ballot.verify(stranger, data, ADA)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"LPB\1",
        BALLOTS[1][:-1],
        BALLOTS[1] + b"\0",
        BALLOTS[1][1:],
        b"\xff" * 1108,
        "text",
        None,
        5,
    ],
)
def test_what_is_no_ballot_is_refused(data):
    with pytest.raises(InvalidBallot):
        ballot.verify(public, data, ADA)


@settings(max_examples=15)
@given(st.binary(max_size=84 + 4 * 256))
def test_no_bytes_make_the_verifier_say_anything_else(data):
    for attempt in (data, BALLOTS[0][: -len(data)] + data if data else BALLOTS[0] + b"\0"):
        with pytest.raises(InvalidBallot):
            ballot.verify(public, attempt, ADA)


def test_a_tally_names_who_stuffed_who_voted_twice_and_who_copied():
    ada = ballot.cast(public, 1, BallotContext("e", "ada"))
    ben = ballot.cast(public, 0, BallotContext("e", "ben"))
    for box, said in (
        ([("ada", ada), ("ben", forged(2, 1, BallotContext("e", "ben")))], "'ben'"),
        ([("ada", ada), ("ada", ada)], "two ballots"),
        ([("ada", ada), ("ada", ballot.cast(public, 1, BallotContext("e", "ada")))], "two ballots"),
        ([("ada", ada), ("ben", ben), ("cem", ada)], "'cem'"),
    ):
        with pytest.raises(InvalidBallot, match=said):
            ballot.tally(public, "e", box)


def test_a_ciphertext_cast_twice_is_a_copy(monkeypatch):
    """Two voters who share r could do it: the second is refused although its proof holds."""
    real = ballot.random_unit
    draws = iter([7, None, None, 7, None, None])
    monkeypatch.setattr(ballot, "random_unit", lambda modulus: next(draws) or real(modulus))
    box = [
        (name, ballot.cast(public, 1, BallotContext("e", name, "yes or no")))
        for name in ("ada", "ben")
    ]
    assert fields(box[0][1])[0] == fields(box[1][1])[0]
    with pytest.raises(InvalidBallot, match="copy"):
        ballot.tally(public, "e", box)


def test_every_forgery_is_an_integrity_error():
    assert issubclass(InvalidBallot, IntegrityError)


# Zero knowledge


@pytest.mark.parametrize(
    ("message", "challenge"), [(0, 0), (1, 1), (2, CHALLENGES - 1), (-1, 0xC0FFEE << 200)]
)
def test_the_simulator_answers_any_challenge_for_any_ciphertext_without_its_secrets(
    message, challenge
):
    c = public.encrypt(message, exponent=0).ciphertext()
    made = ballot.simulate(public, c, challenge)
    ballot.check(public, c, made, challenge)
    assert committed(c, made.challenges, made.responses) == made.commitments
    with pytest.raises(InvalidBallot):
        ballot.check(public, c, made, (challenge + 1) % CHALLENGES)


def test_a_simulated_transcript_is_bound_to_its_parts():
    c = public.encrypt(1, exponent=0).ciphertext()
    made = ballot.simulate(public, c, 99)
    a = made.commitments
    e = made.challenges
    z = made.responses
    for other in (
        ProofTranscript((a[1], a[0]), e, z),
        ProofTranscript((a[0] + n_square, a[1]), e, z),
        ProofTranscript(a, (e[1], e[0]), z),
        ProofTranscript(a, e, (z[0], z[0])),
    ):
        with pytest.raises(InvalidBallot):
            ballot.check(public, c, other, 99)
    with pytest.raises(InvalidBallot):
        ballot.check(public, public.encrypt(1, exponent=0).ciphertext(), made, 99)


def test_real_and_simulated_transcripts_have_one_distribution_exactly():
    """Counts all transcripts for a toy key (5·7) whose challenges, 0 to 3, lie below its primes.

    The equations are the module's own.
    """
    toy = 35
    toy_square = 35**2
    challenges = 4
    units = [x for x in range(1, toy) if math.gcd(x, toy) == 1]

    def commitment(u: int, e: int, z: int) -> int:
        return pow(z, toy, toy_square) * pow(u, -e, toy_square) % toy_square

    for vote, r, challenge in product((0, 1), (2, 11), range(challenges)):
        c = (1 + vote * toy) * pow(r, toy, toy_square) % toy_square
        u = c, c * (1 - toy) % toy_square
        real = Counter()
        made = Counter()
        for omega, e_false, z_false in product(units, range(challenges), units):
            e = [e_false] * 2
            z = [z_false] * 2
            a = [pow(omega, toy, toy_square)] * 2
            a[1 - vote] = commitment(u[1 - vote], e_false, z_false)
            e[vote] = (challenge - e_false) % challenges
            z[vote] = omega * pow(r, e[vote], toy) % toy
            real[tuple(a + e + z)] += 1
        for e_0, z_0, z_1 in product(range(challenges), units, units):
            e_1 = (challenge - e_0) % challenges
            made[commitment(u[0], e_0, z_0), commitment(u[1], e_1, z_1), e_0, e_1, z_0, z_1] += 1
        assert real == made


def test_nothing_in_a_proof_leans_towards_the_vote():
    """The bits of e₀, e₁, z₀, z₁ are 1 as often as 0: for vote 0, for vote 1, and for no vote.

    The limit is six standard deviations.
    """
    rounds = 16
    challenge = CHALLENGES // 3
    c = public.encrypt(1, exponent=0).ciphertext()
    proofs = {
        vote: [fields(ballot.cast(public, vote, ADA))[1:] for _ in range(rounds)] for vote in (0, 1)
    }
    made = [ballot.simulate(public, c, challenge) for _ in range(rounds)]
    proofs[None] = [[*one.challenges, *one.responses] for one in made]
    for found in proofs.values():
        for place, bits in enumerate((256, 256, 2000, 2000)):
            ones = sum((proof[place] & (1 << bits) - 1).bit_count() for proof in found)
            assert abs(ones - bits * rounds / 2) < 6 * math.sqrt(bits * rounds / 4)
            assert len({proof[place] for proof in found}) == rounds


# Wrong use


@pytest.mark.parametrize("vote", [2, -1, 0.5, 1.0, "1", None])
def test_nobody_casts_another_vote(vote):
    with pytest.raises(InvalidParameter):
        ballot.cast(public, vote, ADA)


WRONG_NAMES = {
    "no election": ("", "v", "q"),
    "no voter": ("e", "", "q"),
    "no question": ("e", "v", ""),
    "too long": ("é" * 513, "v", "q"),
    "bytes": (b"e", "v", "q"),
    "none": ("e", None, "q"),
    "no Unicode": ("e", "\ud800", "q"),
}


@pytest.mark.parametrize("names", WRONG_NAMES.values(), ids=WRONG_NAMES)
def test_names_that_cannot_be_are_refused(names):
    with pytest.raises(InvalidParameter):
        BallotContext(*names)


def test_other_kinds_are_refused():
    for key, context in ((private, ADA), (None, ADA), (public, "ada"), (public, None)):
        with pytest.raises(InvalidParameter):
            ballot.cast(key, 1, context)
        with pytest.raises(InvalidParameter):
            ballot.verify(key, BALLOTS[1], context)
    with pytest.raises(InvalidParameter):
        ballot.tally(public, "e", [])
    with pytest.raises(InvalidBallot):
        ballot.simulate(public, 0, 5)
    c = fields(BALLOTS[1])[0]
    made = ballot.simulate(public, c, 5)
    for challenge in (-1, CHALLENGES, 0.5, None):
        with pytest.raises(InvalidParameter):
            ballot.simulate(public, c, challenge)
        with pytest.raises(InvalidParameter):
            ballot.check(public, c, made, challenge)
    with pytest.raises(InvalidParameter):
        ballot.check(public, c, None, 5)
    for odd in (
        ProofTranscript((1, 1), (0.5, 1), (1, 1)),
        ProofTranscript((1, 1), (1, 1), (None, 1)),
    ):
        with pytest.raises(InvalidBallot):
            ballot.check(public, c, odd, 5)


@pytest.mark.parametrize("vote", [np.int64(1), np.uint8(0), np.bool_(True), True])
def test_votes_of_numpys_kinds_are_taken(vote):
    verified = ballot.verify(public, ballot.cast(public, vote, ADA), ADA)
    assert private.decrypt(verified) == int(vote)
