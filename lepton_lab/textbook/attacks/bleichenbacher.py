"""Bleichenbacher's attack (1998) on the padding of PKCS #1 v1.5.

One question, *does it begin with 00 02?*, asked often enough, decrypts a message. The weak form: a
receiver that tells, by an error, a delay or a log, whether the padding of RFC 8017 §7.2 was right.
Let k be the length of n in bytes and B = 2^(8(k-2)): a padded message lies in [2B, 3B). RSA
multiplies: c·s^e hides m·s mod n, and whenever the receiver calls that well padded we learn 2B <=
m·s - r·n < 3B for some r, that is

    (2B + r·n)/s <= m < (3B + r·n)/s,

which cuts the interval of m to the union of a few thin slices. Find an s, cut; with one interval
left choose s and r so that each answer halves it. After about 8k good answers m stands alone. (A
random m·s is well padded with probability B/n at most, 2⁻¹⁶ to 2⁻⁸, times the chance that the rest
is right: hence 'the million message attack', and a small key here.)

The defence: OAEP in `lepton_lab.rsa.decrypt`, with one error for everything that can be wrong. The
attack returned in 1998, 2014, 2017 (ROBOT) and 2023 (Marvin): care does not save v1.5 decryption,
only abandoning it does.
"""
# ruff: noqa: N803, N806 - the paper's and the standard's names: M, B, EM

from __future__ import annotations

from collections.abc import Callable

from lepton_lab.errors import DecryptionError
from lepton_lab.textbook.attacks import AttackFailed, Counted
from lepton_lab.textbook.primitives.pkcs1v15 import RSAES_PKCS1_V1_5_DECRYPT
from lepton_lab.textbook.primitives.rsa import I2OSP, OS2IP, RSADP, PrivateKey, PublicKey
from lepton_lab.textbook.trace import Recorder, Trace

PaddingOracle = Callable[[bytes], bool]
Intervals = set[tuple[int, int]]


def receiver(private: PrivateKey, *, strict: bool = False) -> PaddingOracle:
    """Build the weak form: a function that tells whether a ciphertext begins with 00 02 inside.

    With `strict`, it tells whether all of the padding is right.
    """
    k = private.public.k

    def well_padded(ciphertext: bytes) -> bool:
        if not strict:
            return RSADP(private, OS2IP(ciphertext)).result >> 8 * (k - 2) == 2
        try:
            RSAES_PKCS1_V1_5_DECRYPT(private, ciphertext)
        except DecryptionError:
            return False
        return True

    return well_padded


def decrypt(
    public: PublicKey, ciphertext: bytes, oracle: PaddingOracle, limit: int = 200_000
) -> Trace[bytes]:
    """Decrypt a v1.5 ciphertext from the answers of `oracle(ciphertext)` alone.

    These are the paper's steps 2 to 4. `limit`: the most queries to make. Raises AttackFailed when
    the oracle does not even accept the ciphertext itself, or after `limit` queries.
    """
    n = public.n
    k = public.k
    c = OS2IP(ciphertext)
    B = 1 << 8 * (k - 2)
    ask = Counted(oracle, limit)
    seen = Recorder()

    def good(s: int) -> bool:
        return ask(I2OSP(c * pow(s, public.e, n) % n, k))

    if not good(1):
        raise AttackFailed(
            "the oracle does not accept a good ciphertext: "
            "it does not tell right padding from wrong"
        )
    M: Intervals = {(2 * B, 3 * B - 1)}
    s = 0
    width = B
    while width:
        s = _next_s(M, s, n, B, good)
        M = _narrowed(M, s, n, B)
        if not M:
            raise AttackFailed(
                "the answers contradict each other: "
                "the oracle does not tell right padding from wrong"
            )
        width = max(b for _, b in M) - min(a for a, _ in M)
        seen("s", s, f"{ask.asked} queries so far; m known but for {width.bit_length()} bits")
    ((m, _),) = M
    EM = seen("EM", I2OSP(m, k), "00 ‖ 02 ‖ PS ‖ 00 ‖ M")
    seen("queries", ask.asked)
    _, _, message = EM[2:].partition(b"\0")
    return seen.trace(message)


def _next_s(M: Intervals, s: int, n: int, B: int, good: Callable[[int], bool]) -> int:
    """Find the next s with a well padded m·s (the paper's step 2)."""
    # with several intervals left (steps 2.a and 2.b) try one s after another
    if len(M) > 1 or s == 0:
        s = max(s + 1, _divided_up(n, 3 * B))  # a smaller s leaves m·s below n, and above 3B
        while not good(s):
            s += 1
        return s
    # with one interval left (step 2.c) only those s that would halve it are worth a query
    ((a, b),) = M
    r = _divided_up(2 * (b * s - 2 * B), n)
    while True:
        lowest = _divided_up(2 * B + r * n, b)
        highest = (3 * B - 1 + r * n) // a
        for candidate in range(lowest, highest + 1):
            if good(candidate):
                return candidate
        r += 1


def _narrowed(M: Intervals, s: int, n: int, B: int) -> Intervals:
    """Keep the parts of the intervals in which m·s is well padded (the paper's step 3)."""
    parts = set()
    for a, b in M:
        lowest_r = _divided_up(a * s - 3 * B + 1, n)
        highest_r = (b * s - 2 * B) // n
        for r in range(lowest_r, highest_r + 1):
            low = max(a, _divided_up(2 * B + r * n, s))
            high = min(b, (3 * B - 1 + r * n) // s)
            if low <= high:
                parts.add((low, high))
    return parts


def _divided_up(numerator: int, denominator: int) -> int:
    """Divide and round up."""
    return -(-numerator // denominator)
