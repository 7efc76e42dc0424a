"""Paillier from the 1999 paper: one step per line, every intermediate value under the paper's name.

Pascal Paillier, "Public-Key Cryptosystems Based on Composite Degree Residuosity Classes", EUROCRYPT
'99: the scheme of §4 ("Scheme 1"), decryption by the Chinese remainder theorem of §7, and the
additions of §8. Randomness is an argument, toy keys are welcome, and nothing is constant-time:
`lepton_lab.paillier` is the helper that protects data.
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
    """Compute (u - 1)/n for u ≡ 1 (mod n): the paper's function L (§3).

    It is the logarithm to the base 1 + n, because (1 + n)^x = 1 + xn (mod n²). Raises
    InvalidParameter for any other u.
    """
    if integer("u", u, least=1) % integer("n", n, least=2) != 1:
        raise InvalidParameter("L(u) exists only for u ≡ 1 (mod n)")
    return (u - 1) // n


def key_from_primes(p: int, q: int, g: int | None = None) -> Trace[PrivateKey]:
    """Make the key of two given primes (paper, §4), with g = 1 + n unless another is given.

    `p`, `q`: different primes with gcd(pq, (p-1)(q-1)) = 1, which two primes of the same length
    always have. They are tested with fixed bases, which stops mistakes, not malice. `g`: in
    1..n²-1. Raises InvalidKey, InvalidParameter.
    """
    for name, prime in (("p", p), ("q", q)):
        integer(name, prime, least=2)
        if not numtheory.miller_rabin(prime, range(2, 40)).result:
            raise InvalidKey(
                f"{name} is not prime: then λ(n) is not lcm(p - 1, q - 1) and decryption goes wrong"
            )
    if p == q or math.gcd(p * q, (p - 1) * (q - 1)) != 1:
        raise InvalidKey(
            "n and φ(n) share a factor: r ↦ rⁿ is then not a bijection, and decryption goes wrong"
        )
    seen = Recorder()
    n = seen("n", p * q, "p · q")
    lam = seen("λ", math.lcm(p - 1, q - 1), "lcm(p - 1, q - 1)")
    if g is None:
        g = seen("g", 1 + n, "1 + n")
    else:
        seen("g", g, "given")
    public = PublicKey(n, g)
    u = seen("g^λ mod n²", pow(public.g, lam, n**2))
    if u % n != 1 or math.gcd(L(u, n), n) != 1:
        raise InvalidKey(
            "n does not divide the order of g modulo n²: "
            "different messages would give one ciphertext"
        )
    logarithm = seen("L(g^λ mod n²)", L(u, n))
    mu = seen("μ", numtheory.inverse(logarithm, n), "its inverse modulo n")
    return seen.trace(PrivateKey(public, p, q, lam, mu))


def encrypt(public: PublicKey, m: int, r: int) -> Trace[int]:
    """Encrypt a message: c = g^m · r^n mod n² (paper, §4).

    `m`: 0 <= m < n. `r`: 1 <= r < n with gcd(r, n) = 1, fresh and uniform for every message. Raises
    MessageTooLarge, InvalidParameter.
    """
    if integer("m", m, least=0) >= public.n:
        raise MessageTooLarge("m must be below n: only its remainder modulo n comes back")
    seen = Recorder()
    short_cut = "(1 + n)^m = 1 + mn" if public.g == 1 + public.n else ""
    message = seen("g^m mod n²", pow(public.g, m, public.n_square), short_cut)
    noise = seen.include("", noise_of(public, r))
    return seen.trace(seen("c", message * noise % public.n_square, "g^m · r^n mod n²"))


def noise_of(public: PublicKey, r: int) -> Trace[int]:
    """Compute r^n mod n², a random n-th residue: nothing else hides the message.

    `r` as for `encrypt`. Raises InvalidParameter.
    """
    if math.gcd(integer("r", r, 1, public.n), public.n) != 1:
        raise InvalidParameter("r shares a factor with n: it would give the key away")
    seen = Recorder()
    seen("r", r)
    return seen.trace(seen("r^n mod n²", pow(r, public.n, public.n_square)))


def binomial(n: int, m: int) -> Trace[int]:
    """Expand (1 + n)^m mod n² term by term of the binomial theorem.

    From n² on every term vanishes, and 1 + mn is left. `n`: > 1. `m`: 0 <= m <= 64, because every
    term is shown. Raises InvalidParameter.
    """
    integer("n", n, least=2)
    integer("m", m, 0, 65, because="every term is shown")
    seen = Recorder()
    total = 0
    for k in range(m + 1):
        term = math.comb(m, k) * n**k % n**2
        total += seen(f"C(m, {k}) · n^{k} mod n²", term, "a multiple of n²" if k > 1 else "")
    return seen.trace(seen("sum mod n²", total % n**2, "1 + mn mod n²"))


def decrypt(private: PrivateKey, c: int, *, crt: bool = False) -> Trace[int]:
    """Decrypt a ciphertext: m = L(c^λ mod n²) · μ mod n (paper, §4).

    With crt=True it computes modulo p and modulo q separately (§7). `c`: 0 < c < n² with
    gcd(c, n) = 1. Raises DecryptionError for anything else.
    """
    n = private.public.n
    n_square = private.public.n_square
    if not isinstance(c, int) or not 0 < c < n_square or math.gcd(c, n) != 1:
        raise DecryptionError
    seen = Recorder()
    seen("c", c)
    if crt:
        m_p = seen.include("p: ", modulo_prime(private.public.g, private.p, c))
        m_q = seen.include("q: ", modulo_prime(private.public.g, private.q, c))
        m = numtheory.crt([m_p, m_q], [private.p, private.q])
        return seen.trace(seen("m", m, "the one m below n with m ≡ m_p (mod p), m ≡ m_q (mod q)"))
    u = seen("c^λ mod n²", pow(c, private.lam, n_square), "the noise is gone: r^(nλ) = 1 (mod n²)")
    logarithm = seen("L(c^λ mod n²)", L(u, n))
    return seen.trace(seen("m", logarithm * private.mu % n, "L(c^λ) · μ mod n"))


def modulo_prime(g: int, p: int, c: int) -> Trace[int]:
    """Compute the message modulo one of the primes (paper, §7).

    `g`: the public base. `p`: a prime factor of n. `c`: a ciphertext. A message below p comes out
    whole, at about a quarter of the work.
    """
    seen = Recorder()
    logarithm_of_g = L(pow(g, p - 1, p**2), p)
    h = seen("h", numtheory.inverse(logarithm_of_g, p), "L(g^(p-1) mod p²)⁻¹ mod p")
    u = seen("c^(p-1) mod p²", pow(c, p - 1, p**2), "exponent and modulus of half the length")
    return seen.trace(seen("m mod p", L(u, p) * h % p, "L(c^(p-1)) · h mod p"))


def add(public: PublicKey, c1: int, c2: int) -> Trace[int]:
    """Add two encrypted messages: the product of the ciphertexts hides m₁ + m₂ mod n (paper, §8).

    No key is needed, only n. Raises InvalidParameter.
    """
    seen = Recorder()
    _require_ciphertext(public, seen("c₁", c1))
    _require_ciphertext(public, seen("c₂", c2))
    return seen.trace(seen("c₁ · c₂ mod n²", c1 * c2 % public.n_square, "g^(m₁+m₂) · (r₁r₂)^n"))


def add_plain(public: PublicKey, c: int, k: int) -> Trace[int]:
    """Add a number to an encrypted message: the result hides m + k mod n (paper, §8).

    `k`: any integer. The noise stays what it was. Raises InvalidParameter.
    """
    seen = Recorder()
    _require_ciphertext(public, seen("c", c))
    shift = seen("g^k mod n²", pow(public.g, integer("k", k), public.n_square))
    return seen.trace(seen("c · g^k mod n²", c * shift % public.n_square))


def multiply(public: PublicKey, c: int, k: int) -> Trace[int]:
    """Multiply an encrypted message by a number: the result hides k·m mod n (paper, §8).

    `k`: any integer. There is no fresh noise: anyone who knows c and guesses k recognises the
    result. Raises InvalidParameter.
    """
    seen = Recorder()
    _require_ciphertext(public, seen("c", c))
    power = pow(c, integer("k", k), public.n_square)
    return seen.trace(seen("c^k mod n²", power, "g^(km) · (r^k)^n"))


def blind(public: PublicKey, c: int, r: int) -> Trace[int]:
    """Put the same message under fresh noise: c · r^n mod n² (paper, §8, self-blinding).

    `r` as for `encrypt`. Raises InvalidParameter.
    """
    seen = Recorder()
    _require_ciphertext(public, seen("c", c))
    noise = seen.include("", noise_of(public, r))
    return seen.trace(seen("c · r^n mod n²", c * noise % public.n_square))


def signed(public: PublicKey, m: int) -> int:
    """Read the upper half of 0..n-1 as negative numbers: m, or m - n. Raises InvalidParameter."""
    integer("m", m, 0, public.n)
    return m if 2 * m < public.n else m - public.n


def _require_ciphertext(public: PublicKey, c: int) -> None:
    if math.gcd(integer("c", c, 1, public.n_square), public.n) != 1:
        raise InvalidParameter("c shares a factor with n: it is not a ciphertext")
