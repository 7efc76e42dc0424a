"""Paillier from the 1999 paper: one step a line, every intermediate value under the paper's name.

Pascal Paillier, "Public-Key Cryptosystems Based on Composite Degree Residuosity Classes", EUROCRYPT '99: the scheme of
§4 ("Scheme 1"), decryption by the Chinese remainder theorem of §7, and the additions of §8. Randomness is an argument,
toy keys are welcome, and nothing is constant-time: `lepton_lab.paillier` is what protects.
"""
# ruff: noqa: N802 - L is the paper's name for its function

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, MessageTooLarge
from lepton_lab.textbook.primitives import integer, numtheory
from lepton_lab.textbook.trace import Recorder, Trace


@dataclass(frozen=True)
class PublicKey:
    """The modulus n and the base g, whose order modulo n² is a multiple of n."""

    n: int
    g: int

    def __post_init__(self) -> None:
        integer("n", self.n, least=6)
        integer("g", self.g, 1, self.n**2, because="it is taken modulo n²")

    @property
    def n_square(self) -> int:
        """n², the modulus of the ciphertexts."""
        return self.n**2


@dataclass(frozen=True)
class PrivateKey:
    """The public key, the two primes, λ(n) as `lam`, and μ = L(g^λ mod n²)⁻¹ mod n as `mu`."""

    public: PublicKey
    p: int = field(repr=False)
    q: int = field(repr=False)
    lam: int = field(repr=False)
    mu: int = field(repr=False)


def L(u: int, n: int) -> int:
    """(u - 1)/n for u ≡ 1 (mod n): the logarithm to the base 1 + n, since (1 + n)^x = 1 + xn (mod n²) (paper, §3).

    Raises InvalidParameter for another u.
    """
    if integer("u", u, least=1) % integer("n", n, least=2) != 1:
        raise InvalidParameter("L(u) is there for u ≡ 1 (mod n) only")
    return (u - 1) // n


def key_from_primes(p: int, q: int, g: int | None = None) -> Trace[PrivateKey]:
    """The key of two given primes (paper, §4), with g = 1 + n unless another is given.

    `p`, `q`: different primes (checked with fixed bases, which stops mistakes, not malice), gcd(pq, (p-1)(q-1)) = 1, as
    two primes of the same length have it. `g`: in 1..n²-1. Raises InvalidKey.
    """
    for name, prime in (("p", p), ("q", q)):
        if not numtheory.miller_rabin(integer(name, prime, least=2), range(2, 40)).result:
            raise InvalidKey(
                f"{name} is not prime: then λ(n) is not lcm(p - 1, q - 1) and decryption goes wrong"
            )
    if p == q or math.gcd(p * q, (p - 1) * (q - 1)) != 1:
        raise InvalidKey(
            "n and φ(n) share a factor: r ↦ rⁿ is then no bijection, and decryption goes wrong"
        )
    seen = Recorder()
    n = seen("n", p * q, "p · q")
    lam = seen("λ", math.lcm(p - 1, q - 1), "lcm(p - 1, q - 1)")
    public = PublicKey(n, seen("g", 1 + n if g is None else g, "1 + n" if g is None else "given"))
    u = seen("g^λ mod n²", pow(public.g, lam, n**2))
    if u % n != 1 or math.gcd(L(u, n), n) != 1:
        raise InvalidKey(
            "n does not divide the order of g modulo n²: different messages would give one ciphertext"
        )
    mu = seen("μ", numtheory.inverse(seen("L(g^λ mod n²)", L(u, n)), n), "its inverse modulo n")
    return seen.trace(PrivateKey(public, p, q, lam, mu))


def encrypt(public: PublicKey, m: int, r: int) -> Trace[int]:
    """The ciphertext c = g^m · r^n mod n² (paper, §4).

    `m`: 0 <= m < n. `r`: 1 <= r < n with gcd(r, n) = 1, fresh and uniform for every message. Raises MessageTooLarge,
    InvalidParameter.
    """
    if integer("m", m, least=0) >= public.n:
        raise MessageTooLarge("m must be below n: only its rest modulo n comes back")
    seen = Recorder()
    message = seen(
        "g^m mod n²",
        pow(public.g, m, public.n_square),
        "(1 + n)^m = 1 + mn" * (public.g == 1 + public.n),
    )
    noise = seen.include("", noise_of(public, r))
    return seen.trace(seen("c", message * noise % public.n_square, "g^m · r^n mod n²"))


def noise_of(public: PublicKey, r: int) -> Trace[int]:
    """r^n mod n², a random n-th residue: all that hides the message. `r` as for `encrypt`. Raises InvalidParameter."""
    if math.gcd(integer("r", r, 1, public.n), public.n) != 1:
        raise InvalidParameter("r shares a factor with n: it would give the key away")
    seen = Recorder()
    seen("r", r)
    return seen.trace(seen("r^n mod n²", pow(r, public.n, public.n_square)))


def binomial(n: int, m: int) -> Trace[int]:
    """(1 + n)^m mod n², term by term of the binomial theorem: from n² on, every term vanishes, and 1 + mn is left.

    `n`: > 1. `m`: 0 <= m <= 64, since every term is shown.
    """
    integer("n", n, least=2)
    seen, total = Recorder(), 0
    for k in range(integer("m", m, 0, 65, because="every term is shown") + 1):
        term = math.comb(m, k) * n**k
        total += seen(f"C(m, {k}) · n^{k} mod n²", term % n**2, "a multiple of n²" if k > 1 else "")
    return seen.trace(seen("sum mod n²", total % n**2, "1 + mn mod n²"))


def decrypt(private: PrivateKey, c: int, *, crt: bool = False) -> Trace[int]:
    """The message m = L(c^λ mod n²) · μ mod n (paper, §4), or modulo p and q apart (§7) with crt=True.

    `c`: 0 < c < n² with gcd(c, n) = 1. Raises DecryptionError.
    """
    n, n_square = private.public.n, private.public.n_square
    if not isinstance(c, int) or not 0 < c < n_square or math.gcd(c, n) != 1:
        raise DecryptionError
    seen = Recorder()
    seen("c", c)
    if crt:
        m_p = seen.include("p: ", _modulo_prime(private.public.g, private.p, c))
        m_q = seen.include("q: ", _modulo_prime(private.public.g, private.q, c))
        m = numtheory.crt([m_p, m_q], [private.p, private.q])
        return seen.trace(seen("m", m, "the one m below n with m ≡ m_p (mod p), m ≡ m_q (mod q)"))
    u = seen("c^λ mod n²", pow(c, private.lam, n_square), "the noise is gone: r^(nλ) = 1 (mod n²)")
    logarithm = seen("L(c^λ mod n²)", L(u, n))
    return seen.trace(seen("m", logarithm * private.mu % n, "L(c^λ) · μ mod n"))


def _modulo_prime(g: int, p: int, c: int) -> Trace[int]:
    seen = Recorder()
    h = seen("h", numtheory.inverse(L(pow(g, p - 1, p**2), p), p), "L(g^(p-1) mod p²)⁻¹ mod p")
    u = seen("c^(p-1) mod p²", pow(c, p - 1, p**2), "exponent and modulus of half the length")
    return seen.trace(seen("m mod p", L(u, p) * h % p, "L(c^(p-1)) · h mod p"))


def add(public: PublicKey, c1: int, c2: int) -> Trace[int]:
    """A ciphertext of m₁ + m₂ mod n: the product of theirs (paper, §8). No key is needed, only n."""
    seen = Recorder()
    _ciphertext(public, seen("c₁", c1))
    _ciphertext(public, seen("c₂", c2))
    return seen.trace(seen("c₁ · c₂ mod n²", c1 * c2 % public.n_square, "g^(m₁+m₂) · (r₁r₂)^n"))


def add_plain(public: PublicKey, c: int, k: int) -> Trace[int]:
    """A ciphertext of m + k mod n (paper, §8). `k`: any integer. The noise stays what it was."""
    seen = Recorder()
    _ciphertext(public, seen("c", c))
    shift = seen("g^k mod n²", pow(public.g, integer("k", k), public.n_square))
    return seen.trace(seen("c · g^k mod n²", c * shift % public.n_square))


def multiply(public: PublicKey, c: int, k: int) -> Trace[int]:
    """A ciphertext of k·m mod n (paper, §8). `k`: any integer; whoever knows c and guesses k recognises the result."""
    seen = Recorder()
    _ciphertext(public, seen("c", c))
    return seen.trace(
        seen("c^k mod n²", pow(c, integer("k", k), public.n_square), "g^(km) · (r^k)^n")
    )


def blind(public: PublicKey, c: int, r: int) -> Trace[int]:
    """The same message under fresh noise, c · r^n mod n² (paper, §8, self-blinding). `r` as for `encrypt`."""
    seen = Recorder()
    _ciphertext(public, seen("c", c))
    noise = seen.include("", noise_of(public, r))
    return seen.trace(seen("c · r^n mod n²", c * noise % public.n_square))


def signed(public: PublicKey, m: int) -> int:
    """The integer that m stands for when the upper half of 0..n-1 is read as negative: m or m - n."""
    integer("m", m, 0, public.n)
    return m if 2 * m < public.n else m - public.n


def _ciphertext(public: PublicKey, c: int) -> None:
    if math.gcd(integer("c", c, 1, public.n_square), public.n) != 1:
        raise InvalidParameter("c shares a factor with n: it is no ciphertext")
