"""PKCS #1 v1.5, the padding of RSA before OAEP and PSS (RFC 8017 §7.2, §8.2).

It is still met in practice, and two attacks live on it. Encryption fell to Bleichenbacher (1998)
and keeps falling wherever a failed decryption can be told from a good one. The signature is sound
when it is verified as here, by encoding again and comparing all of it, and was forged where it was
parsed (Bleichenbacher 2006). New designs take OAEP and PSS: rsa.py, and `lepton_lab.rsa` to protect
data.
"""
# ruff: noqa: N802, N803, N806 - the standard's names for the standard's things: EM, PS, T

from __future__ import annotations

import hmac

from lepton_lab.errors import DecryptionError, InvalidParameter, InvalidSignature, MessageTooLarge
from lepton_lab.textbook.primitives import as_bytes, integer
from lepton_lab.textbook.primitives.rsa import (
    I2OSP,
    OS2IP,
    RSADP,
    RSAEP,
    RSASP1,
    RSAVP1,
    PrivateKey,
    PublicKey,
    digest,
)
from lepton_lab.textbook.trace import Recorder, Trace

# DigestInfo up to the hash, in DER (RFC 8017 §9.2, note 1)
DIGEST_INFO = {
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


def RSAES_PKCS1_V1_5_ENCRYPT(public: PublicKey, M: bytes, *, PS: bytes) -> Trace[bytes]:
    """Encrypt with RSAES-PKCS1-v1_5 (RFC 8017 §7.2.1): EM = 00 ‖ 02 ‖ PS ‖ 00 ‖ M.

    `M`: at most k - 11 bytes. `PS`: k - 3 - len(M) random bytes, none of them 0. Raises
    MessageTooLarge, InvalidParameter.
    """
    seen = Recorder()
    room = public.k - 3 - len(as_bytes("M", M))
    if room < 8:
        raise MessageTooLarge(f"M may have {max(public.k - 11, 0)} bytes: k - 11")
    if 0 in as_bytes("PS", PS, room, because="it fills EM up to k bytes"):
        raise InvalidParameter("PS must hold no 0: the first 0 ends it")
    EM = seen("EM", b"\0\2" + PS + b"\0" + M, "00 ‖ 02 ‖ PS ‖ 00 ‖ M")
    c = seen.include("", RSAEP(public, OS2IP(EM)))
    return seen.trace(seen("C", I2OSP(c, public.k)))


def RSAES_PKCS1_V1_5_DECRYPT(private: PrivateKey, C: bytes) -> Trace[bytes]:
    """Decrypt with RSAES-PKCS1-v1_5 (RFC 8017 §7.2.2). Raises DecryptionError.

    That this error can be told from success is the hole that Bleichenbacher's attack needs.
    """
    seen = Recorder()
    k = private.public.k
    if len(as_bytes("C", C)) != k or OS2IP(C) >= private.n:
        raise DecryptionError
    m = seen.include("", RSADP(private, OS2IP(C)))
    EM = seen("EM", I2OSP(m, k))
    PS, zero, M = EM[2:].partition(b"\0")
    if EM[:2] != b"\0\2" or len(PS) < 8 or not zero:
        raise DecryptionError
    return seen.trace(seen("M", M))


def EMSA_PKCS1_V1_5_ENCODE(M: bytes, emLen: int, hash_name: str = "sha256") -> Trace[bytes]:
    """Encode with EMSA-PKCS1-v1_5 (RFC 8017 §9.2): EM = 00 ‖ 01 ‖ FF…FF ‖ 00 ‖ T, without a salt.

    T = DigestInfo ‖ Hash(M). `emLen`: at least len(T) + 11 bytes. `hash_name`: a key of
    DIGEST_INFO. Raises MessageTooLarge, InvalidParameter.
    """
    if hash_name not in DIGEST_INFO:
        raise InvalidParameter(f"{hash_name!r} is not one of {', '.join(DIGEST_INFO)}")
    seen = Recorder()
    T = seen("T", DIGEST_INFO[hash_name] + digest(hash_name, M), "DigestInfo ‖ Hash(M)")
    if integer("emLen", emLen, least=0) < len(T) + 11:
        raise MessageTooLarge(
            f"intended encoded message length too short: {hash_name} needs {len(T) + 11} bytes"
        )
    PS = b"\xff" * (emLen - len(T) - 3)
    return seen.trace(seen("EM", b"\0\1" + PS + b"\0" + T, "00 ‖ 01 ‖ PS ‖ 00 ‖ T"))


def RSASSA_PKCS1_V1_5_SIGN(
    private: PrivateKey, M: bytes, *, hash_name: str = "sha256"
) -> Trace[bytes]:
    """Sign with RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.1): the same message gives the same signature.

    Raises MessageTooLarge, InvalidParameter.
    """
    seen = Recorder()
    k = private.public.k
    EM = seen.include("", EMSA_PKCS1_V1_5_ENCODE(M, k, hash_name))
    s = seen.include("", RSASP1(private, OS2IP(EM)))
    return seen.trace(seen("S", I2OSP(s, k)))


def RSASSA_PKCS1_V1_5_VERIFY(
    public: PublicKey, M: bytes, S: bytes, *, hash_name: str = "sha256"
) -> Trace[str]:
    """Verify an RSASSA-PKCS1-v1_5 signature (RFC 8017 §8.2.2); the result is "valid".

    It encodes M again and compares all of it, and so leaves a forger no byte to choose. Raises
    InvalidSignature, InvalidParameter.
    """
    seen = Recorder()
    if len(as_bytes("S", S)) != public.k or OS2IP(S) >= public.n:
        raise InvalidSignature("a signature has k bytes and is below n")
    m = seen.include("", RSAVP1(public, OS2IP(S)))
    EM = seen("EM", I2OSP(m, public.k))
    expected = seen.include("EM' ", EMSA_PKCS1_V1_5_ENCODE(M, public.k, hash_name))
    if not hmac.compare_digest(EM, expected):
        raise InvalidSignature("the encoded message under the signature is not this message's")
    return seen.trace("valid")
