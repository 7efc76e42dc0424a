"""The exercise `paillier.outbid`: one more than a bid that nobody has opened."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from lepton_lab.workshop.engine import (
    Exercise,
    WrongAnswer,
    expect,
    expect_kind,
    kind_of,
    name_of,
    same,
    written,
)
from lepton_lab.workshop.exercises.paillier_scheme import decrypt, encrypt
from lepton_lab.workshop.real_keys import draw_primes, power


class _SealedBid(NamedTuple):
    """A bid's ciphertext, the primes that open it, and noise for a new ciphertext."""

    c: int
    p: int
    q: int
    r: int

    @property
    def n(self) -> int:
        return self.p * self.q


def _outbid(c: int, n: int, r: int) -> int:
    return c * (1 + n) * power(r, n, n * n) % (n * n)


_OUTBIDDING_WRONGLY: tuple[tuple[Callable[[int, int, int], int], str], ...] = (
    (
        lambda c, n, r: (c + 1) % (n * n),
        "adding to a message is multiplying its ciphertext: by what power?",
    ),
    (
        lambda c, n, r: c * (1 + n) % (n * n),
        "right message, old noise: anyone who sees both bids divides them and finds 1 + n",
    ),
    (
        lambda c, n, r: c * (1 + n) * r % (n * n),
        "noise is rⁿ, not r: only an n-th power disappears in decryption",
    ),
    (
        lambda c, n, r: c * power(r, n, n * n) % (n * n),
        "the noise is fresh and the bid unchanged: where is the plus 1?",
    ),
    (
        lambda c, n, r: c * (1 + n) * power(r, n, n) % n,
        "ciphertexts live modulo n²; modulo n the message is gone",
    ),
)
_BIDS = (
    _SealedBid(88, 5, 7, 3),
    _SealedBid(88, 5, 7, 11),
    _SealedBid(18, 5, 7, 11),
    _SealedBid(10135, 11, 13, 3),
)


def _draw_bids() -> list[_SealedBid]:
    p, q = draw_primes()
    n = p * q
    bids = []
    # The bid n − 1 has no number above it: the next message is 0, and the formula is the same.
    for m in (n - 1, secrets.randbelow(n)):
        c = encrypt(m, n, 1 + secrets.randbelow(n - 1))
        bids.append(_SealedBid(c, p, q, 2 + secrets.randbelow(n - 2)))
    return bids


def _judge_outbid(answer: Any) -> None:
    """Any ciphertext of the message plus 1 is right whose noise is another one and comes from r."""
    expect(callable(answer), f"a function is needed here, not {kind_of(answer)}")
    for bids in (_BIDS, _draw_bids()):
        returned = [answer(bid.c, bid.n, bid.r) for bid in bids]
        for typical, hint in _OUTBIDDING_WRONGLY:
            found = [typical(bid.c, bid.n, bid.r) for bid in bids]
            expect(not same(returned, found), hint)
        for bid, result in zip(bids, returned, strict=True):
            _expect_higher_bid(bid, result, name_of(answer))
        _expect_noise_from_r(answer, bids[0], returned[0])


def _expect_higher_bid(bid: _SealedBid, result: Any, name: str) -> None:
    expect_kind(result, 0, "your function should return")
    result = int(result)
    call = f"{name}({written(bid.c)}, {written(bid.n)}, {written(bid.r)})"
    m = decrypt(bid.c, bid.p, bid.q)
    expect(
        0 <= result < bid.n**2 or decrypt(result, bid.p, bid.q) != (m + 1) % bid.n,
        "right, but not reduced: a ciphertext is below n², so take it modulo n² at the end",
    )
    is_ciphertext = 0 < result < bid.n**2 and math.gcd(result, bid.n) == 1
    expect(
        is_ciphertext and decrypt(result, bid.p, bid.q) == (m + 1) % bid.n,
        f"{call} should decrypt to {written((m + 1) % bid.n)}, one more than c does; "
        "yours does not",
    )
    old_noise = bid.c * (1 + bid.n) % bid.n**2
    expect(result != old_noise, _OUTBIDDING_WRONGLY[1][1])


def _expect_noise_from_r(answer: Any, bid: _SealedBid, result: Any) -> None:
    """Another r, also invertible, gives another ciphertext."""
    other_r = bid.r * bid.r % bid.n
    expect(
        answer(bid.c, bid.n, other_r) != result,
        "another r should give another ciphertext: the noise is rⁿ",
    )


OUTBID = Exercise(
    "paillier.outbid",
    "Outbid without looking",
    "Write outbid(c, n, r): a ciphertext, below n², of the message of c plus 1, under fresh noise "
    "from r.",
    _judge_outbid,
    _outbid,
    tuple(WrongAnswer(typical, hint) for typical, hint in _OUTBIDDING_WRONGLY),
    seconds=10.0,
)
