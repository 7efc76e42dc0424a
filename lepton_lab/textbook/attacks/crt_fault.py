"""One fault in CRT signing gives the private key away.

Boneh, DeMillo and Lipton 1997; Lenstra 1996. The weak form: s_1 = m^dP mod p and s_2 = m^dQ mod q
are put together; a flipped bit spoils s_1, and the signer does not verify the result before it
leaves. The faulty S is right modulo q and wrong modulo p: q divides S^e - m and p does not, so

    gcd(S^e - m, n) = q.

The attacker must know the encoded message m. In PKCS #1 v1.5 that is so, because it has no salt.

The defence: `lepton_lab.rsa.sign` uses OpenSSL, which verifies a CRT result before it returns it,
and PSS, whose random salt leaves m unknown when the signature is faulty.
"""
# ruff: noqa: N803, N806 - the standard's names: M, S, dP, qInv

from __future__ import annotations

import math

from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives.pkcs1v15 import EMSA_PKCS1_V1_5_ENCODE
from lepton_lab.textbook.primitives.rsa import I2OSP, OS2IP, PrivateKey, PublicKey
from lepton_lab.textbook.trace import Recorder, Trace


def faulty_sign(private: PrivateKey, M: bytes, flipped_bit: int = 0) -> bytes:
    """The weak form: a v1.5 signature by the CRT with one flipped bit in s_1, not checked."""
    m = OS2IP(EMSA_PKCS1_V1_5_ENCODE(M, private.public.k).result)
    dP, dQ, qInv = private.crt
    s_1 = pow(m, dP, private.p) ^ 1 << flipped_bit
    s_2 = pow(m, dQ, private.q)
    h = (s_1 - s_2) * qInv % private.p
    return I2OSP(s_2 + private.q * h, private.public.k)


def factor(public: PublicKey, M: bytes, S: bytes) -> Trace[tuple[int, int]]:
    """Find the primes (p, q), p < q, from one faulty v1.5 signature of a known message.

    Raises AttackFailed when the signature is right, or wrong modulo both primes.
    """
    n = public.n
    seen = Recorder()
    encoded = EMSA_PKCS1_V1_5_ENCODE(M, public.k).result
    m = seen("m", OS2IP(encoded), "the encoded message, known to everybody")
    difference = seen("S^e - m", (pow(OS2IP(S), public.e, n) - m) % n)
    q = seen("gcd", math.gcd(difference, n))
    if q == n:
        raise AttackFailed("nothing leaks: the signature is right")
    if q == 1:
        raise AttackFailed(
            "nothing leaks: the signature is wrong modulo both primes, or has a salt"
        )
    return seen.trace((min(q, n // q), max(q, n // q)))
