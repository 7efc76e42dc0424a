"""One fault in CRT signing gives the private key away (Boneh, DeMillo and Lipton 1997; Lenstra 1996).

The weak form: s_1 = m^dP mod p and s_2 = m^dQ mod q, put together; a flipped bit spoils s_1, and nobody verifies the
result before it leaves. The faulty S is right modulo q and wrong modulo p: q divides S^e - m and p does not, so

    gcd(S^e - m, n) = q.

The encoded message m must be known: it is in PKCS #1 v1.5, which has no salt.

The defence beside it: `lepton_lab.rsa.sign` uses OpenSSL, which verifies a CRT result before it returns it, and PSS,
whose random salt leaves m unknown when the signature is faulty.
"""

from __future__ import annotations

import math

from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives.pkcs1v15 import EMSA_PKCS1_V1_5_ENCODE
from lepton_lab.textbook.primitives.rsa import I2OSP, OS2IP, PrivateKey, PublicKey
from lepton_lab.textbook.trace import Recorder, Trace


def faulty_sign(private: PrivateKey, M: bytes, flipped_bit: int = 0) -> bytes:  # noqa: N803 - the standard's names
    """The weak form: a v1.5 signature by the CRT in which one bit of s_1 was flipped, and no check at the end."""
    m = OS2IP(EMSA_PKCS1_V1_5_ENCODE(M, private.public.k).result)
    dP, dQ, qInv = private.crt  # noqa: N806
    s_1, s_2 = pow(m, dP, private.p) ^ 1 << flipped_bit, pow(m, dQ, private.q)
    return I2OSP(s_2 + private.q * ((s_1 - s_2) * qInv % private.p), private.public.k)


def factor(public: PublicKey, M: bytes, S: bytes) -> Trace[tuple[int, int]]:  # noqa: N803 - the standard's names
    """The primes (p, q), p < q, from one faulty v1.5 signature of a known message.

    Raises AttackFailed when it is right, or wrong modulo both primes.
    """
    seen = Recorder()
    m = seen(
        "m",
        OS2IP(EMSA_PKCS1_V1_5_ENCODE(M, public.k).result),
        "the encoded message, known to everybody",
    )
    difference = seen("S^e - m", (pow(OS2IP(S), public.e, public.n) - m) % public.n)
    q = seen("gcd", math.gcd(difference, public.n))
    if not 1 < q < public.n:
        why = (
            "the signature is right"
            if q == public.n
            else "the signature is wrong modulo both primes, or has a salt"
        )
        raise AttackFailed(f"nothing leaks: {why}")
    return seen.trace((min(q, public.n // q), max(q, public.n // q)))
