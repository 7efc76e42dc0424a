"""Bleichenbacher's attack (1998): *does it begin with 00 02?*, asked often enough, decrypts PKCS #1 v1.5.

The weak form: a receiver that tells whether the padding of RFC 8017 §7.2 was right, by an error, a delay or a log. Let
k be the length of n in bytes and B = 2^(8(k-2)): a padded message lies in [2B, 3B). RSA multiplies: c·s^e hides m·s
mod n, and whenever the receiver calls that well padded we learn 2B <= m·s - r·n < 3B for some r, that is

    (2B + r·n)/s <= m < (3B + r·n)/s,

which cuts the interval of m to the union of a few thin slices. Find an s, cut; with one interval left choose s and r so
that each answer halves it; after about 8k good answers m stands alone. (A random m·s is well padded with probability
B/n at most, 2⁻¹⁶ to 2⁻⁸, times the chance of the rest: hence 'the million message attack', and a small key here.)

The defence beside it: OAEP in `lepton_lab.rsa.decrypt`, with one error for all that can be wrong. It returned in 1998,
2014, 2017 (ROBOT) and 2023 (Marvin): no care saves v1.5 decryption, only leaving it.
"""

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
    """The weak form: whether a ciphertext begins with 00 02 once decrypted; if `strict`, whether all of it is right."""
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
    """The message under a v1.5 ciphertext, from answers of `oracle(ciphertext)` alone (the paper's steps 2 to 4).

    Raises AttackFailed when the oracle does not even accept the ciphertext itself, or after `limit` queries.
    """
    n, k, c = public.n, public.k, OS2IP(ciphertext)
    B = 1 << 8 * (k - 2)  # noqa: N806 - the paper's name
    ask, seen = Counted(oracle, limit), Recorder()

    def good(s: int) -> bool:
        return ask(I2OSP(c * pow(s, public.e, n) % n, k))

    if not good(1):
        raise AttackFailed(
            "the oracle does not accept a good ciphertext: it does not tell right padding from wrong"
        )
    M: Intervals = {(2 * B, 3 * B - 1)}  # noqa: N806 - the paper's name
    s = 0
    while True:
        s = _next_s(M, s, n, B, good)
        M = _narrowed(M, s, n, B)  # noqa: N806
        if not M:
            raise AttackFailed(
                "the answers contradict each other: the oracle does not tell right padding from wrong"
            )
        width = max(b for _, b in M) - min(a for a, _ in M)
        seen("s", s, f"{ask.asked} queries so far; m known but for {width.bit_length()} bits")
        if not width:
            break
    EM = seen("EM", I2OSP(M.pop()[0], k), "00 ‖ 02 ‖ PS ‖ 00 ‖ M")  # noqa: N806 - the standard's name
    seen("queries", ask.asked)
    return seen.trace(EM[2:].partition(b"\0")[2])


def _next_s(M: Intervals, s: int, n: int, B: int, good: Callable[[int], bool]) -> int:  # noqa: N803
    """Step 2: the next s with a well padded m·s: the next of all, or with one interval left the next useful one."""
    if len(M) > 1 or s == 0:
        s = max(s + 1, -(-n // (3 * B)))  # a smaller s leaves m·s below n, and above 3B
        while not good(s):
            s += 1
        return s
    ((a, b),) = M
    r = -(-2 * (b * s - 2 * B) // n)
    while True:
        for candidate in range(-(-(2 * B + r * n) // b), (3 * B - 1 + r * n) // a + 1):
            if good(candidate):
                return candidate
        r += 1


def _narrowed(M: Intervals, s: int, n: int, B: int) -> Intervals:  # noqa: N803
    """Step 3: the parts of the intervals in which m·s is well padded."""
    parts = set()
    for a, b in M:
        for r in range(-(-(a * s - 3 * B + 1) // n), (b * s - 2 * B) // n + 1):
            low, high = max(a, -(-(2 * B + r * n) // s)), min(b, (3 * B - 1 + r * n) // s)
            if low <= high:
                parts.add((low, high))
    return parts
