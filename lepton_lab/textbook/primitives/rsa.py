"""RSA from RFC 8017 (PKCS #1 v2.2): keys, the raw operations, OAEP and PSS.

Every intermediate value has the standard's name. Randomness is an argument everywhere: seeds and
salts as bytes, prime candidates from a function such as `secrets.token_bytes`, so that published
vectors can be replayed. Nothing here is constant-time and tiny keys are welcome: `lepton_lab.rsa`
is the helper that protects data. The older padding, PKCS #1 v1.5, is in pkcs1v15.py.
"""
# ruff: noqa: N802, N803, N806 - the standard's names for the standard's things: RSAEP, EM, maskedDB

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from lepton_lab.errors import (
    DecryptionError,
    InvalidKey,
    InvalidParameter,
    InvalidSignature,
    MessageTooLarge,
)
from lepton_lab.textbook.primitives import as_bytes, integer, numtheory
from lepton_lab.textbook.primitives.modes import xor_bytes
from lepton_lab.textbook.trace import Recorder, Trace

RandomBytes = Callable[[int], bytes]

HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512")

MILLER_RABIN_ROUNDS = 50  # a composite passes with probability at most 4^-50 = 2^-100
_NOT_RANDOM = "no two primes in a very long run: randbytes does not return random bytes"
_OUT_OF_RANGE = "representative out of range"


@dataclass(frozen=True)
class PublicKey:
    """The modulus n and the public exponent e (RFC 8017 §3.1)."""

    n: int
    e: int

    def __post_init__(self) -> None:
        integer("n", self.n, least=6)
        integer("e", self.e, least=1)

    @property
    def k(self) -> int:
        """The length of n in bytes, and of every ciphertext and signature."""
        return -(-self.n.bit_length() // 8)


@dataclass(frozen=True)
class PrivateKey:
    """n, e, d and the two primes (RFC 8017 §3.2); dP, dQ and qInv of the CRT follow from them."""

    n: int
    e: int
    d: int = field(repr=False)
    p: int = field(repr=False)
    q: int = field(repr=False)

    def __post_init__(self) -> None:
        integer("p", self.p, least=2)
        integer("q", self.q, least=2)
        if self.p * self.q != self.n:
            raise InvalidKey("p · q is not n")

    @property
    def public(self) -> PublicKey:
        """The public half of the key."""
        return PublicKey(self.n, self.e)

    @cached_property
    def crt(self) -> tuple[int, int, int]:
        """(dP, dQ, qInv): d modulo p - 1, d modulo q - 1, and the inverse of q modulo p."""
        dP = self.d % (self.p - 1)
        dQ = self.d % (self.q - 1)
        qInv = numtheory.inverse(self.q, self.p)
        return dP, dQ, qInv


def key_from_primes(p: int, q: int, e: int = 65537) -> Trace[PrivateKey]:
    """Make the key of two given primes (RFC 8017 §3): e·d ≡ 1 modulo λ(n) = lcm(p - 1, q - 1).

    `p`, `q`: different primes; they are tested with fixed bases, which stops mistakes, not malice.
    `e`: odd, >= 3, coprime to λ(n). Raises InvalidKey, InvalidParameter.
    """
    for name, prime in (("p", p), ("q", q)):
        integer(name, prime, least=2)
        if not numtheory.miller_rabin(prime, range(2, 40)).result:
            raise InvalidKey(
                f"{name} is not prime: then λ(n) is not lcm(p - 1, q - 1) and decryption goes wrong"
            )
    if p == q:
        raise InvalidKey("p and q are equal: a square root of n would be the whole secret")
    integer("e", e, least=3)
    if e % 2 == 0 or math.gcd(e, (p - 1) * (q - 1)) != 1:
        raise InvalidKey(
            "e shares a factor with p - 1 or q - 1: different messages would give one ciphertext"
        )
    seen = Recorder()
    n = seen("n", p * q, "p · q")
    order = seen("λ(n)", math.lcm(p - 1, q - 1), "lcm(p - 1, q - 1)")
    d = seen("d", numtheory.inverse(e, order), "the inverse of e modulo λ(n)")
    key = PrivateKey(n, e, d, p, q)
    for name, value in zip(("dP", "dQ", "qInv"), key.crt, strict=True):
        seen(name, value)
    return seen.trace(key)


def generate_key(bits: int, randbytes: RandomBytes, e: int = 65537) -> Trace[PrivateKey]:
    """Generate a key of exactly `bits` bits from given randomness (after FIPS 186-5 A.1.3).

    The steps show every candidate. `bits`: 16 to 4096; below 2048 it is a toy. `randbytes(count)`
    returns that many random bytes: pass `secrets.token_bytes`, or a fixed sequence to replay. Both
    primes have their top two bits set, so that n has full length. Raises InvalidKey,
    InvalidParameter.
    """
    integer("bits", bits, 16, 4097, because="this is plain Python: larger keys take minutes")
    seen = Recorder()
    p = seen.include("p: ", _random_prime(bits - bits // 2, randbytes, e))
    # primes too close together fall to Fermat: FIPS 186-5 keeps them 2^(bits/2 - 100) apart
    apart = 1 << bits // 2 - 100 if bits > 200 else 0
    for _ in range(100):
        q = seen.include("q: ", _random_prime(bits // 2, randbytes, e))
        if abs(p - q) > apart:
            return seen.trace(seen.include("", key_from_primes(p, q, e)))
    raise InvalidParameter(_NOT_RANDOM)


def _random_prime(bits: int, randbytes: RandomBytes, e: int) -> Trace[int]:
    seen = Recorder()
    size = -(-bits // 8)
    # one odd number in 0.35·bits is prime: this many misses mean broken randomness
    for _ in range(100 * bits):
        drawn = int.from_bytes(as_bytes("randbytes(…)", randbytes(size), size), "big")
        # the lowest bit makes it odd, and the top two make n as long as it should be
        candidate = drawn % (1 << bits) | 0b11 << bits - 2 | 1
        if math.gcd(candidate - 1, e) != 1:
            seen("candidate", candidate, "its p - 1 shares a factor with e")
            continue
        # one base sorts almost all composites out, before the long test
        if not numtheory.miller_rabin(candidate, [2]).result:
            seen("candidate", candidate, "composite")
            continue
        bases = (int.from_bytes(randbytes(size), "big") for _ in range(MILLER_RABIN_ROUNDS))
        if numtheory.miller_rabin(candidate, bases).result:
            return seen.trace(seen("prime", candidate, f"passed {MILLER_RABIN_ROUNDS} bases"))
    raise InvalidParameter(_NOT_RANDOM)


def I2OSP(x: int, xLen: int) -> bytes:
    """Write x >= 0 as xLen bytes, big-endian (RFC 8017 §4.1). Raises InvalidParameter."""
    integer("x", x, least=0)
    integer("xLen", xLen, least=0)
    if x >= 256**xLen:
        raise InvalidParameter(f"integer too large for {xLen} bytes")
    return x.to_bytes(xLen, "big")


def OS2IP(X: bytes) -> int:
    """Read the bytes X as an integer, big-endian (RFC 8017 §4.2). Raises InvalidParameter."""
    return int.from_bytes(as_bytes("X", X), "big")


def RSAEP(public: PublicKey, m: int) -> Trace[int]:
    """Run the encryption primitive, c = m^e mod n (RFC 8017 §5.1.1), for 0 <= m < n.

    Alone it is deterministic and malleable. Raises InvalidParameter.
    """
    reason = f"message {_OUT_OF_RANGE}: only its remainder modulo n is kept"
    integer("m", m, 0, public.n, because=reason)
    return _public_operation(public, m, "m", "c")


def RSADP(private: PrivateKey, c: int, *, crt: bool = True) -> Trace[int]:
    """Run the decryption primitive, m = c^d mod n (RFC 8017 §5.1.2).

    It computes modulo p and modulo q separately, or modulo n at once with crt=False. Raises
    InvalidParameter.
    """
    return _private_operation(private, c, "c", "m", crt)


def RSASP1(private: PrivateKey, m: int, *, crt: bool = True) -> Trace[int]:
    """Run the signature primitive, s = m^d mod n (RFC 8017 §5.2.1): the same operation as RSADP."""
    return _private_operation(private, m, "m", "s", crt)


def RSAVP1(public: PublicKey, s: int) -> Trace[int]:
    """Run the verification primitive, m = s^e mod n (RFC 8017 §5.2.2): the same as RSAEP."""
    integer("s", s, 0, public.n, because=f"signature {_OUT_OF_RANGE}: it must be below n")
    return _public_operation(public, s, "s", "m")


def _public_operation(public: PublicKey, x: int, name: str, result: str) -> Trace[int]:
    seen = Recorder()
    seen(name, x)
    return seen.trace(seen(result, pow(x, public.e, public.n), f"{name}^e mod n"))


def _private_operation(K: PrivateKey, x: int, name: str, result: str, crt: bool) -> Trace[int]:
    seen = Recorder()
    seen(name, integer(name, x, 0, K.n, because=_OUT_OF_RANGE))
    if not crt:
        return seen.trace(seen(result, pow(x, K.d, K.n), f"{name}^d mod n"))
    dP, dQ, qInv = K.crt
    note = f"{name}^dP mod p: half the length, so an eighth of the work"
    first = seen(f"{result}_1", pow(x, dP, K.p), note)
    second = seen(f"{result}_2", pow(x, dQ, K.q), f"{name}^dQ mod q")
    h = seen("h", (first - second) * qInv % K.p, f"({result}_1 - {result}_2) · qInv mod p")
    return seen.trace(seen(result, second + K.q * h, f"{result}_2 + q · h"))


def digest(hash_name: str, data: bytes) -> bytes:
    """Hash `data` with one of HASHES ("sha256", "sha1", …). Raises InvalidParameter."""
    if hash_name not in HASHES:
        raise InvalidParameter(f"{hash_name!r} is not one of {', '.join(HASHES)}")
    return hashlib.new(hash_name, as_bytes("data", data), usedforsecurity=False).digest()


def MGF1(mgfSeed: bytes, maskLen: int, hash_name: str = "sha256") -> bytes:
    """Stretch a seed to maskLen bytes (RFC 8017 B.2.1): Hash(seed ‖ 0) ‖ Hash(seed ‖ 1) ‖ … .

    The counters have 4 bytes. `maskLen`: below 2^20. Raises InvalidParameter.
    """
    as_bytes("mgfSeed", mgfSeed)
    integer("maskLen", maskLen, 0, 2**20)
    mask = b""
    counter = 0
    while len(mask) < maskLen:
        mask += digest(hash_name, mgfSeed + I2OSP(counter, 4))
        counter += 1
    return mask[:maskLen]


def RSAES_OAEP_ENCRYPT(
    public: PublicKey, M: bytes, L: bytes = b"", *, seed: bytes, hash_name: str = "sha256"
) -> Trace[bytes]:
    """Encrypt with RSAES-OAEP (RFC 8017 §7.1.1).

    A Feistel network of two rounds mixes M with the seed before RSAEP. `M`: at most k - 2·hLen - 2
    bytes. `L`: the label. `seed`: hLen bytes, fresh and random for every message. Raises
    MessageTooLarge, InvalidParameter.
    """
    seen = Recorder()
    k = public.k
    hLen = len(digest(hash_name, b""))
    longest = k - 2 * hLen - 2
    if len(as_bytes("M", M)) > longest:
        raise MessageTooLarge(
            f"M may have {max(longest, 0)} bytes: k - 2·hLen - 2, the rest is padding"
        )
    as_bytes("seed", seed, hLen, because="it is as long as the hash")
    lHash = seen("lHash", digest(hash_name, L))
    PS = seen("PS", bytes(longest - len(M)))
    DB = seen("DB", lHash + PS + b"\1" + M, "lHash ‖ PS ‖ 01 ‖ M")
    seen("seed", seed)
    dbMask = seen("dbMask", MGF1(seed, k - hLen - 1, hash_name), "MGF1(seed)")
    maskedDB = seen("maskedDB", xor_bytes(DB, dbMask), "DB xor dbMask")
    seedMask = seen("seedMask", MGF1(maskedDB, hLen, hash_name), "MGF1(maskedDB)")
    maskedSeed = seen("maskedSeed", xor_bytes(seed, seedMask), "seed xor seedMask")
    EM = seen("EM", b"\0" + maskedSeed + maskedDB, "00 ‖ maskedSeed ‖ maskedDB")
    c = seen.include("", RSAEP(public, OS2IP(EM)))
    return seen.trace(seen("C", I2OSP(c, k)))


def RSAES_OAEP_DECRYPT(
    private: PrivateKey, C: bytes, L: bytes = b"", *, hash_name: str = "sha256"
) -> Trace[bytes]:
    """Decrypt with RSAES-OAEP (RFC 8017 §7.1.2).

    `C`: k bytes. `L`: the label given when encrypting. Raises DecryptionError with one message
    whatever was wrong: a single bit of difference is enough for the attack of Manger (2001).
    """
    seen = Recorder()
    k = private.public.k
    hLen = len(digest(hash_name, b""))
    c = OS2IP(C)
    if len(C) != k or k < 2 * hLen + 2 or c >= private.n:
        raise DecryptionError
    m = seen.include("", RSADP(private, c))
    EM = seen("EM", I2OSP(m, k), "00 ‖ maskedSeed ‖ maskedDB")
    maskedSeed = seen("maskedSeed", EM[1 : hLen + 1])
    maskedDB = seen("maskedDB", EM[hLen + 1 :])
    seedMask = MGF1(maskedDB, hLen, hash_name)
    seed = seen("seed", xor_bytes(maskedSeed, seedMask), "maskedSeed xor MGF1(maskedDB)")
    dbMask = MGF1(seed, k - hLen - 1, hash_name)
    DB = seen("DB", xor_bytes(maskedDB, dbMask), "maskedDB xor MGF1(seed)")
    PS, one, M = DB[hLen:].partition(b"\1")
    right_label = hmac.compare_digest(DB[:hLen], digest(hash_name, L))
    if EM[0] or any(PS) or not one or not right_label:
        raise DecryptionError
    return seen.trace(seen("M", M))


def EMSA_PSS_ENCODE(
    M: bytes, emBits: int, *, salt: bytes, hash_name: str = "sha256"
) -> Trace[bytes]:
    """Encode with EMSA-PSS (RFC 8017 §9.1.1): EM = maskedDB ‖ H ‖ bc.

    H is Hash(00×8 ‖ mHash ‖ salt). `emBits`: the length of the modulus in bits, less 1. `salt`: any
    length that fits, random or empty. Raises MessageTooLarge, which the standard calls encoding
    error; InvalidParameter.
    """
    seen = Recorder()
    hLen = len(digest(hash_name, b""))
    emLen = -(-integer("emBits", emBits, least=1) // 8)
    sLen = len(as_bytes("salt", salt))
    if emLen < hLen + sLen + 2:
        raise MessageTooLarge("the modulus has no room for this hash and this salt: encoding error")
    mHash = seen("mHash", digest(hash_name, M))
    seen("salt", salt)
    M_prime = seen("M'", bytes(8) + mHash + salt, "00×8 ‖ mHash ‖ salt")
    H = seen("H", digest(hash_name, M_prime))
    PS = bytes(emLen - sLen - hLen - 2)
    DB = seen("DB", PS + b"\1" + salt, "PS ‖ 01 ‖ salt")
    dbMask = seen("dbMask", MGF1(H, emLen - hLen - 1, hash_name), "MGF1(H)")
    # bits above emBits would make EM larger than the modulus
    maskedDB = _clear_top(xor_bytes(DB, dbMask), 8 * emLen - emBits)
    seen("maskedDB", maskedDB, "DB xor dbMask, top bits cleared")
    return seen.trace(seen("EM", maskedDB + H + b"\xbc", "maskedDB ‖ H ‖ bc"))


def EMSA_PSS_VERIFY(
    M: bytes, EM: bytes, emBits: int, *, sLen: int = 32, hash_name: str = "sha256"
) -> Trace[str]:
    """Verify an EMSA-PSS encoding (RFC 8017 §9.1.2); the result is "consistent".

    `emBits` as in encoding. `sLen`: the length that the salt must have, in bytes. Raises
    InvalidSignature when the encoding is not one of this message; InvalidParameter.
    """
    seen = Recorder()
    hLen = len(digest(hash_name, b""))
    emLen = -(-integer("emBits", emBits, least=1) // 8)
    integer("sLen", sLen, least=0)
    as_bytes("EM", EM)
    inconsistent = InvalidSignature("inconsistent: this encoded message is not one of this message")
    if emLen < hLen + sLen + 2 or len(EM) != emLen or EM[-1] != 0xBC:
        raise inconsistent
    mHash = seen("mHash", digest(hash_name, M))
    dbLen = emLen - hLen - 1
    maskedDB = seen("maskedDB", EM[:dbLen])
    H = seen("H", EM[dbLen:-1])
    spare = 8 * emLen - emBits
    if _clear_top(maskedDB, spare) != maskedDB:
        raise inconsistent
    DB = _clear_top(xor_bytes(maskedDB, MGF1(H, dbLen, hash_name)), spare)
    seen("DB", DB, "maskedDB xor MGF1(H), top bits cleared")
    salt = seen("salt", DB[dbLen - sLen :])
    H_prime = seen("H'", digest(hash_name, bytes(8) + mHash + salt), "Hash(00×8 ‖ mHash ‖ salt)")
    PS = bytes(dbLen - sLen - 1)
    if PS + b"\1" + salt != DB or not hmac.compare_digest(H, H_prime):
        raise inconsistent
    return seen.trace("consistent")


def _clear_top(data: bytes, bits: int) -> bytes:
    return bytes([data[0] & 0xFF >> bits]) + data[1:]


def RSASSA_PSS_SIGN(
    private: PrivateKey, M: bytes, *, salt: bytes, hash_name: str = "sha256"
) -> Trace[bytes]:
    """Sign with RSASSA-PSS (RFC 8017 §8.1.1).

    `salt`: random, as long as the hash. Raises MessageTooLarge, InvalidParameter.
    """
    seen = Recorder()
    emBits = private.n.bit_length() - 1
    EM = seen.include("", EMSA_PSS_ENCODE(M, emBits, salt=salt, hash_name=hash_name))
    s = seen.include("", RSASP1(private, OS2IP(EM)))
    return seen.trace(seen("S", I2OSP(s, private.public.k)))


def RSASSA_PSS_VERIFY(
    public: PublicKey, M: bytes, S: bytes, *, sLen: int = 32, hash_name: str = "sha256"
) -> Trace[str]:
    """Verify an RSASSA-PSS signature (RFC 8017 §8.1.2); the result is "consistent".

    `sLen`: the length that the salt must have, in bytes. Raises InvalidSignature, InvalidParameter.
    """
    seen = Recorder()
    if len(as_bytes("S", S)) != public.k or OS2IP(S) >= public.n:
        raise InvalidSignature("a signature has k bytes and is below n")
    m = seen.include("", RSAVP1(public, OS2IP(S)))
    emBits = public.n.bit_length() - 1
    emLen = -(-emBits // 8)
    # EM is a byte shorter than n when n has 8·x + 1 bits
    if m.bit_length() > 8 * emLen:
        raise InvalidSignature("the number under the signature is too long for an encoded message")
    EM = seen("EM", I2OSP(m, emLen))
    verdict = EMSA_PSS_VERIFY(M, EM, emBits, sLen=sLen, hash_name=hash_name)
    return seen.trace(seen.include("", verdict))
