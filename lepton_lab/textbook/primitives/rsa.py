"""RSA from RFC 8017 (PKCS #1 v2.2): keys, the raw operations, OAEP and PSS, every intermediate value under its name.

Randomness is an argument everywhere: seeds and salts as bytes, prime candidates from a function such as
`secrets.token_bytes`, so that published vectors can be replayed. Nothing here is constant-time and tiny keys are
welcome: `lepton_lab.rsa` is what protects. The older padding, PKCS #1 v1.5, stands in pkcs1v15.py.
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
        """The length of n in bytes: of every ciphertext and signature too."""
        return -(-self.n.bit_length() // 8)


@dataclass(frozen=True)
class PrivateKey:
    """n, e, d and the two primes (RFC 8017 §3.2); the CRT's dP, dQ and qInv follow from them."""

    n: int
    e: int
    d: int = field(repr=False)
    p: int = field(repr=False)
    q: int = field(repr=False)

    def __post_init__(self) -> None:
        if integer("p", self.p, least=2) * integer("q", self.q, least=2) != self.n:
            raise InvalidKey("p · q is not n")

    @property
    def public(self) -> PublicKey:
        """The half that everybody may see."""
        return PublicKey(self.n, self.e)

    @cached_property
    def crt(self) -> tuple[int, int, int]:
        """(dP, dQ, qInv): d modulo p - 1, d modulo q - 1, and the inverse of q modulo p."""
        return self.d % (self.p - 1), self.d % (self.q - 1), numtheory.inverse(self.q, self.p)


def key_from_primes(p: int, q: int, e: int = 65537) -> Trace[PrivateKey]:
    """The key of two given primes (RFC 8017 §3): e·d ≡ 1 modulo λ(n) = lcm(p - 1, q - 1).

    `p`, `q`: different primes (checked with fixed bases, which stops mistakes, not malice). `e`: odd, >= 3, coprime to
    λ(n). Raises InvalidKey.
    """
    for name, prime in (("p", p), ("q", q)):
        if not numtheory.miller_rabin(integer(name, prime, least=2), range(2, 40)).result:
            raise InvalidKey(
                f"{name} is not prime: then λ(n) is not lcm(p - 1, q - 1) and decryption goes wrong"
            )
    if p == q:
        raise InvalidKey("p and q are equal: a square root of n would be the whole secret")
    if integer("e", e, least=3) % 2 == 0 or math.gcd(e, (p - 1) * (q - 1)) != 1:
        raise InvalidKey(
            "e shares a factor with p - 1 or q - 1: different messages would give one ciphertext"
        )
    seen = Recorder()
    seen("n", p * q, "p · q")
    order = seen("λ(n)", math.lcm(p - 1, q - 1), "lcm(p - 1, q - 1)")
    d = seen("d", numtheory.inverse(e, order), "the inverse of e modulo λ(n)")
    key = PrivateKey(p * q, e, d, p, q)
    for name, value in zip(("dP", "dQ", "qInv"), key.crt, strict=True):
        seen(name, value)
    return seen.trace(key)


def generate_key(bits: int, randbytes: RandomBytes, e: int = 65537) -> Trace[PrivateKey]:
    """A key of exactly `bits` bits from given randomness (after FIPS 186-5 A.1.3); the steps show every candidate.

    `bits`: 16 to 4096; below 2048 it is a toy. `randbytes(count)` returns that many random bytes: pass
    `secrets.token_bytes`, or a fixed sequence to replay. Both primes have their top two bits set, so that n has full
    length. Raises InvalidKey, InvalidParameter.
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
    size, seen = -(-bits // 8), Recorder()
    for _ in range(
        100 * bits
    ):  # one odd number in 0.35·bits is prime: this many misses mean broken randomness
        candidate = int.from_bytes(as_bytes("randbytes(…)", randbytes(size), size), "big") % (
            1 << bits
        )
        candidate |= 0b11 << bits - 2 | 1
        if math.gcd(candidate - 1, e) != 1:
            seen("candidate", candidate, "its p - 1 shares a factor with e")
        elif not numtheory.miller_rabin(candidate, [2]).result:
            seen("candidate", candidate, "composite")
        else:
            bases = (int.from_bytes(randbytes(size), "big") for _ in range(MILLER_RABIN_ROUNDS))
            if numtheory.miller_rabin(candidate, bases).result:
                return seen.trace(seen("prime", candidate, f"passed {MILLER_RABIN_ROUNDS} bases"))
    raise InvalidParameter(_NOT_RANDOM)


def I2OSP(x: int, xLen: int) -> bytes:
    """The integer x >= 0 as xLen bytes, big-endian (RFC 8017 §4.1). Raises InvalidParameter: integer too large."""
    if integer("x", x, least=0) >= 256 ** integer("xLen", xLen, least=0):
        raise InvalidParameter(f"integer too large for {xLen} bytes")
    return x.to_bytes(xLen, "big")


def OS2IP(X: bytes) -> int:
    """The bytes X as an integer, big-endian (RFC 8017 §4.2)."""
    return int.from_bytes(as_bytes("X", X), "big")


def RSAEP(public: PublicKey, m: int) -> Trace[int]:
    """The encryption primitive, c = m^e mod n (RFC 8017 §5.1.1), 0 <= m < n. Alone: deterministic and malleable."""
    return _public_operation(
        public, m, "m", "c", "message representative out of range: only its rest modulo n is kept"
    )


def RSADP(private: PrivateKey, c: int, *, crt: bool = True) -> Trace[int]:
    """The decryption primitive, m = c^d mod n (RFC 8017 §5.1.2): modulo p and q apart, or in one with crt=False."""
    return _private_operation(private, c, "c", "m", crt)


def RSASP1(private: PrivateKey, m: int, *, crt: bool = True) -> Trace[int]:
    """The signature primitive, s = m^d mod n (RFC 8017 §5.2.1): the same operation as RSADP, for signing."""
    return _private_operation(private, m, "m", "s", crt)


def RSAVP1(public: PublicKey, s: int) -> Trace[int]:
    """The verification primitive, m = s^e mod n (RFC 8017 §5.2.2): the same operation as RSAEP, for verifying."""
    return _public_operation(
        public, s, "s", "m", "signature representative out of range: it must be below n"
    )


def _public_operation(
    public: PublicKey, x: int, name: str, result: str, because: str
) -> Trace[int]:
    seen = Recorder()
    seen(name, integer(name, x, 0, public.n, because))
    return seen.trace(seen(result, pow(x, public.e, public.n), f"{name}^e mod n"))


def _private_operation(K: PrivateKey, x: int, name: str, result: str, crt: bool) -> Trace[int]:
    seen = Recorder()
    seen(name, integer(name, x, 0, K.n, because="representative out of range"))
    if not crt:
        return seen.trace(seen(result, pow(x, K.d, K.n), f"{name}^d mod n"))
    dP, dQ, qInv = K.crt
    first = seen(
        f"{result}_1",
        pow(x, dP, K.p),
        f"{name}^dP mod p: half the length, so an eighth of the work",
    )
    second = seen(f"{result}_2", pow(x, dQ, K.q), f"{name}^dQ mod q")
    h = seen("h", (first - second) * qInv % K.p, f"({result}_1 - {result}_2) · qInv mod p")
    return seen.trace(seen(result, second + K.q * h, f"{result}_2 + q · h"))


def digest(hash_name: str, data: bytes) -> bytes:
    """Hash(data) for a name that `hashlib` knows ("sha256", "sha1", …). Raises InvalidParameter."""
    if hash_name not in HASHES:
        raise InvalidParameter(f"{hash_name!r} is not one of {', '.join(HASHES)}")
    return hashlib.new(hash_name, as_bytes("data", data), usedforsecurity=False).digest()


def MGF1(mgfSeed: bytes, maskLen: int, hash_name: str = "sha256") -> bytes:
    """Hash(seed ‖ 0) ‖ Hash(seed ‖ 1) ‖ …, counters of 4 bytes, cut to maskLen bytes (RFC 8017 B.2.1)."""
    mask, hLen = b"", len(digest(hash_name, as_bytes("mgfSeed", mgfSeed)))
    for counter in range(-(-integer("maskLen", maskLen, 0, 2**20) // hLen)):
        mask += digest(hash_name, mgfSeed + I2OSP(counter, 4))
    return mask[:maskLen]


def RSAES_OAEP_ENCRYPT(
    public: PublicKey, M: bytes, L: bytes = b"", *, seed: bytes, hash_name: str = "sha256"
) -> Trace[bytes]:
    """RSAES-OAEP encryption (RFC 8017 §7.1.1): a two-round Feistel network mixes M with the seed before RSAEP.

    `M`: at most k - 2·hLen - 2 bytes. `L`: the label. `seed`: hLen bytes, fresh and random for every message.
    Raises MessageTooLarge, InvalidParameter.
    """
    seen, hLen = Recorder(), len(digest(hash_name, b""))
    if len(as_bytes("M", M)) > public.k - 2 * hLen - 2:
        raise MessageTooLarge(
            f"M may have {max(public.k - 2 * hLen - 2, 0)} bytes: k - 2·hLen - 2, the rest is padding"
        )
    as_bytes("seed", seed, hLen, because="it is as long as the hash")
    lHash = seen("lHash", digest(hash_name, L))
    PS = seen("PS", bytes(public.k - len(M) - 2 * hLen - 2))
    DB = seen("DB", lHash + PS + b"\1" + M, "lHash ‖ PS ‖ 01 ‖ M")
    dbMask = seen("dbMask", MGF1(seen("seed", seed), public.k - hLen - 1, hash_name), "MGF1(seed)")
    maskedDB = seen("maskedDB", xor_bytes(DB, dbMask), "DB xor dbMask")
    seedMask = seen("seedMask", MGF1(maskedDB, hLen, hash_name), "MGF1(maskedDB)")
    maskedSeed = seen("maskedSeed", xor_bytes(seed, seedMask), "seed xor seedMask")
    EM = seen("EM", b"\0" + maskedSeed + maskedDB, "00 ‖ maskedSeed ‖ maskedDB")
    c = seen.include("", RSAEP(public, OS2IP(EM)))
    return seen.trace(seen("C", I2OSP(c, public.k)))


def RSAES_OAEP_DECRYPT(
    private: PrivateKey, C: bytes, L: bytes = b"", *, hash_name: str = "sha256"
) -> Trace[bytes]:
    """RSAES-OAEP decryption (RFC 8017 §7.1.2). Raises DecryptionError, whatever was wrong: Manger (2001) needs less.

    `C`: k bytes. `L`: the label given when encrypting.
    """
    seen, hLen, k = Recorder(), len(digest(hash_name, b"")), private.public.k
    c = OS2IP(C)
    if len(C) != k or k < 2 * hLen + 2 or c >= private.n:
        raise DecryptionError
    EM = seen("EM", I2OSP(seen.include("", RSADP(private, c)), k), "00 ‖ maskedSeed ‖ maskedDB")
    maskedSeed, maskedDB = seen("maskedSeed", EM[1 : hLen + 1]), seen("maskedDB", EM[hLen + 1 :])
    seed = seen(
        "seed",
        xor_bytes(maskedSeed, MGF1(maskedDB, hLen, hash_name)),
        "maskedSeed xor MGF1(maskedDB)",
    )
    DB = seen(
        "DB", xor_bytes(maskedDB, MGF1(seed, k - hLen - 1, hash_name)), "maskedDB xor MGF1(seed)"
    )
    PS, one, M = DB[hLen:].partition(b"\1")
    right_label = hmac.compare_digest(DB[:hLen], digest(hash_name, L))
    if EM[0] or any(PS) or not one or not right_label:
        raise DecryptionError
    return seen.trace(seen("M", M))


def EMSA_PSS_ENCODE(
    M: bytes, emBits: int, *, salt: bytes, hash_name: str = "sha256"
) -> Trace[bytes]:
    """EMSA-PSS encoding (RFC 8017 §9.1.1): EM = maskedDB ‖ H ‖ bc, with H = Hash(00×8 ‖ mHash ‖ salt).

    `emBits`: the length of the modulus in bits, less 1. `salt`: any length that fits, random or empty. Raises
    MessageTooLarge, which the standard calls encoding error.
    """
    seen, hLen, emLen = (
        Recorder(),
        len(digest(hash_name, b"")),
        -(-integer("emBits", emBits, least=1) // 8),
    )
    if emLen < hLen + len(as_bytes("salt", salt)) + 2:
        raise MessageTooLarge("the modulus has no room for this hash and this salt: encoding error")
    mHash = seen("mHash", digest(hash_name, M))
    M_prime = seen("M'", bytes(8) + mHash + seen("salt", salt), "00×8 ‖ mHash ‖ salt")
    H = seen("H", digest(hash_name, M_prime))
    DB = seen("DB", bytes(emLen - len(salt) - hLen - 2) + b"\1" + salt, "PS ‖ 01 ‖ salt")
    dbMask = seen("dbMask", MGF1(H, emLen - hLen - 1, hash_name), "MGF1(H)")
    maskedDB = xor_bytes(DB, dbMask)
    maskedDB = seen(
        "maskedDB", _clear_top(maskedDB, 8 * emLen - emBits), "DB xor dbMask, top bits cleared"
    )
    return seen.trace(seen("EM", maskedDB + H + b"\xbc", "maskedDB ‖ H ‖ bc"))


def EMSA_PSS_VERIFY(
    M: bytes, EM: bytes, emBits: int, *, sLen: int = 32, hash_name: str = "sha256"
) -> Trace[str]:
    """EMSA-PSS verification (RFC 8017 §9.1.2): the result is "consistent"; InvalidSignature is raised otherwise.

    `emBits` as in encoding; `sLen`: the length that the salt must have, in bytes.
    """
    seen, hLen, emLen = (
        Recorder(),
        len(digest(hash_name, b"")),
        -(-integer("emBits", emBits, least=1) // 8),
    )
    inconsistent = InvalidSignature("inconsistent: this encoded message is not one of this message")
    if (
        emLen < hLen + integer("sLen", sLen, least=0) + 2
        or len(as_bytes("EM", EM)) != emLen
        or EM[-1] != 0xBC
    ):
        raise inconsistent
    mHash = seen("mHash", digest(hash_name, M))
    maskedDB, H = seen("maskedDB", EM[: emLen - hLen - 1]), seen("H", EM[emLen - hLen - 1 : -1])
    spare = 8 * emLen - emBits
    if _clear_top(maskedDB, spare) != maskedDB:
        raise inconsistent
    DB = _clear_top(xor_bytes(maskedDB, MGF1(H, emLen - hLen - 1, hash_name)), spare)
    seen("DB", DB, "maskedDB xor MGF1(H), top bits cleared")
    salt = seen("salt", DB[len(DB) - sLen :])
    H_prime = seen("H'", digest(hash_name, bytes(8) + mHash + salt), "Hash(00×8 ‖ mHash ‖ salt)")
    if bytes(emLen - hLen - sLen - 2) + b"\1" + salt != DB or not hmac.compare_digest(H, H_prime):
        raise inconsistent
    return seen.trace("consistent")


def _clear_top(data: bytes, bits: int) -> bytes:
    return bytes([data[0] & 0xFF >> bits]) + data[1:]


def RSASSA_PSS_SIGN(
    private: PrivateKey, M: bytes, *, salt: bytes, hash_name: str = "sha256"
) -> Trace[bytes]:
    """RSASSA-PSS signature (RFC 8017 §8.1.1). `salt`: as long as the hash, random. Raises MessageTooLarge."""
    seen = Recorder()
    EM = seen.include(
        "", EMSA_PSS_ENCODE(M, private.n.bit_length() - 1, salt=salt, hash_name=hash_name)
    )
    s = seen.include("", RSASP1(private, OS2IP(EM)))
    return seen.trace(seen("S", I2OSP(s, private.public.k)))


def RSASSA_PSS_VERIFY(
    public: PublicKey, M: bytes, S: bytes, *, sLen: int = 32, hash_name: str = "sha256"
) -> Trace[str]:
    """RSASSA-PSS verification (RFC 8017 §8.1.2). Raises InvalidSignature unless S signs M, its salt sLen bytes."""
    emBits, seen = public.n.bit_length() - 1, Recorder()
    if len(as_bytes("S", S)) != public.k or OS2IP(S) >= public.n:
        raise InvalidSignature("a signature has k bytes and is below n")
    m = seen.include("", RSAVP1(public, OS2IP(S)))
    if m.bit_length() > 8 * -(-emBits // 8):
        raise InvalidSignature("the number under the signature is too long for an encoded message")
    EM = seen("EM", I2OSP(m, -(-emBits // 8)))
    return seen.trace(
        seen.include("", EMSA_PSS_VERIFY(M, EM, emBits, sLen=sLen, hash_name=hash_name))
    )
