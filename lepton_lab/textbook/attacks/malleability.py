"""RSA multiplies: from a ciphertext of m anyone makes one of s·m, and a decryption service that helps is undone.

The weak form: raw RSA. c·s^e = (m·s)^e modulo n, the key is not needed. A service that decrypts all but c itself is
asked for c·s^e, which looks like another message; its answer m·s, divided by s, is m (Davida 1982). With signatures the
same is called blinding: sign m·s^e, divide by s, and have a signature of m that nobody wanted to give.

The defence beside it: under OAEP the product of a ciphertext and s^e decrypts to a number whose padding is wrong;
`lepton_lab.rsa.decrypt` refuses it, with the one error it has. PSS does the same for signatures.
"""

from __future__ import annotations

from collections.abc import Callable

from lepton_lab.errors import LabError
from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives.numtheory import inverse
from lepton_lab.textbook.primitives.rsa import RSADP, PrivateKey, PublicKey
from lepton_lab.textbook.trace import Recorder, Trace


def service(private: PrivateKey, forbidden: int) -> Callable[[int], int]:
    """The weak form: decrypts every ciphertext but the one it was told to keep secret."""

    def decrypt(c: int) -> int:
        if c == forbidden:
            raise LabError("that one is secret")
        return RSADP(private, c).result

    return decrypt


def scale(public: PublicKey, c: int, s: int) -> int:
    """A ciphertext of m·s mod n from a ciphertext of m."""
    return c * pow(s, public.e, public.n) % public.n


def decrypt(public: PublicKey, c: int, oracle: Callable[[int], int], s: int = 2) -> Trace[int]:
    """The m under c, from one query about another ciphertext. Raises AttackFailed when the oracle refuses it.

    `oracle(c')`: the number under c'. `s`: coprime to n.
    """
    seen = Recorder()
    blinded = seen("c'", scale(public, c, s), "c · s^e mod n")
    try:
        product = seen("m'", oracle(blinded), "m · s mod n, as the oracle says")
    except LabError:
        raise AttackFailed(
            "the oracle refused: what it decrypts is checked for its padding"
        ) from None
    m = seen("m", product * inverse(s, public.n) % public.n, "m' · s^-1 mod n")
    if pow(m, public.e, public.n) != c:
        raise AttackFailed("the oracle's answer is not m · s")
    return seen.trace(m)
