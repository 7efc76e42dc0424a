"""A signature forged with a cube root: e = 3 and a verifier that does not look at the end.

Bleichenbacher 2006. The weak form: PKCS #1 v1.5 verification by parsing: 00 01, some FF, 00, the
DigestInfo and the hash, without a check that nothing follows. The forger writes the shortest
padding that passes and leaves the remaining bytes free, two thirds of them or more. Among the
numbers that begin like that there is a perfect cube, because the gap between cubes near x is about
3·x^(2/3). Its cube root is the signature; the private key was not needed.

The defence: compare all of the encoded message (`pkcs1v15.RSASSA_PKCS1_V1_5_VERIFY`). Better still,
take PSS with e = 65537: `lepton_lab.rsa.verify` accepts nothing else.
"""
# ruff: noqa: N803, N806 - the standard's names: M, S, EM

from __future__ import annotations

import re

from lepton_lab.errors import InvalidSignature
from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives.numtheory import integer_root
from lepton_lab.textbook.primitives.pkcs1v15 import DIGEST_INFO
from lepton_lab.textbook.primitives.rsa import I2OSP, OS2IP, RSAVP1, PublicKey, digest
from lepton_lab.textbook.trace import Recorder, Trace


def sloppy_verify(public: PublicKey, M: bytes, S: bytes) -> None:
    """The weak form: parses the padding, finds the hash, and stops. Raises InvalidSignature."""
    EM = I2OSP(RSAVP1(public, OS2IP(S)).result, public.k)
    expected = DIGEST_INFO["sha256"] + digest("sha256", M)
    if not re.match(rb"\x00\x01\xff+\x00" + re.escape(expected), EM):
        raise InvalidSignature("the hash under the signature is not this message's")


def forge(public: PublicKey, M: bytes) -> Trace[bytes]:
    """Make a signature of `M` that `sloppy_verify` accepts, from the public key alone.

    Raises AttackFailed when e is too large, or n too small, for an e-th power to begin like that.
    """
    no_room = AttackFailed(
        "no e-th power begins like this: e is too large for the room that is free"
    )
    seen = Recorder()
    T = DIGEST_INFO["sha256"] + digest("sha256", M)
    start = seen("start", b"\0\1" + b"\xff" * 8 + b"\0" + T)
    free = seen("free", public.k - len(start), "bytes that the verifier does not look at")
    if free <= 0:
        raise no_room
    least = OS2IP(start) << 8 * free
    root = integer_root(least - 1, public.e) + 1
    s = seen("s", root, "the smallest number whose e-th power is no less")
    power = s**public.e
    # the next e-th power may already be too far away to begin like that
    if power >> 8 * free != OS2IP(start):
        raise no_room
    seen("s^e", I2OSP(power, public.k), "begins as it should; the rest is garbage")
    return seen.trace(seen("S", I2OSP(s, public.k)))
