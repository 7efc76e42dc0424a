"""RSA multiplies: from a ciphertext of m anyone makes one of s·m, and has that decrypted.

The weak form: raw RSA. c·s^e = (m·s)^e modulo n; the key is not needed. A service that decrypts
everything but c itself is asked for c·s^e, which looks like another message; its answer m·s,
divided by s, is m (Davida 1982). With signatures the same is called blinding: have m·s^e signed,
divide by s, and hold a signature of m that the signer never meant to give.

The defence: under OAEP the product of a ciphertext and s^e decrypts to a number with wrong padding;
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
    """The weak form: a service that decrypts every ciphertext but the `forbidden` one."""

    def decrypt(c: int) -> int:
        if c == forbidden:
            raise LabError("that one is secret")
        return RSADP(private, c).result

    return decrypt


def scale(public: PublicKey, c: int, s: int) -> int:
    """Turn a ciphertext of m into a ciphertext of m·s mod n."""
    return c * pow(s, public.e, public.n) % public.n


def decrypt(public: PublicKey, c: int, oracle: Callable[[int], int], s: int = 2) -> Trace[int]:
    """Find the m under c from one query about another ciphertext.

    `oracle(c')`: the number under c'. `s`: coprime to n. Raises AttackFailed when the oracle
    refuses it or answers something else than m · s.
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
