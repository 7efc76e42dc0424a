"""RSA as it is safe to use: OAEP to encrypt a key-sized message, PSS to sign.

RFC 8017 §7.1 and §8.1. Keys are the RSA objects of `cryptography`, 2048 to 16384 bits; in PEM they
are PKCS#8 and SubjectPublicKeyInfo. Ciphertexts and signatures are what `openssl pkeyutl` and
`openssl dgst` read. Padding without OAEP fell to Bleichenbacher (1998), OAEP with a chatty
decryption to Manger (2001): so a failed decryption is one error, whatever was wrong. The
exponentiations are OpenSSL's, blinded and constant-time.

Every public key is checked before its first use, as far as one can without the private key (partial
validation, SP 800-89 §5.3.3; SP 800-56B §6.4.2): the modulus is odd, is not a prime, not a power,
has no factor below 752, is not of ROCA's form, and its primes are not next to each other. Whether
it is the product of two good primes, or whose key it is, no check can tell.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd, prod

import gmpy2
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.exceptions import InvalidSignature as _Mismatch
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as _generate
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from lepton_lab.buffers import BytesLike, view_of, whole_or_none
from lepton_lab.errors import (
    DecryptionError,
    InvalidKey,
    InvalidParameter,
    InvalidSignature,
    MessageTooLarge,
)
from lepton_lab.pem import encrypted_pem, first_key, refuse_costly

SMALLEST = 2048  # bits
LARGEST = 16384  # bits; OpenSSL takes no more

_PSS = padding.PSS(padding.MGF1(SHA256()), 32)


# --- keys ----------------------------------------------------------------------------------------


def generate_private_key(bits: int = 3072) -> RSAPrivateKey:
    """Make a key of `bits` bits (2048 to 16384) with e = 65537.

    Raises InvalidKey for another size, InvalidParameter for what is not a whole number.
    """
    size = whole_or_none(bits)
    if size is None:
        raise InvalidParameter(f"a number of bits is a whole number, not {bits!r}")
    if not SMALLEST <= size <= LARGEST:
        raise InvalidKey(f"an RSA key here has {SMALLEST} to {LARGEST} bits")
    return _generate(65537, size)


def public_key(private: RSAPrivateKey) -> RSAPublicKey:
    """The public half.

    Raises InvalidKey for anything but an RSA private key of 2048 bits or more.
    """
    return _checked_private(private).public_key()


def to_pem(key: RSAPrivateKey | RSAPublicKey, passphrase: str | None = None) -> bytes:
    """A private key as PKCS#8, a public one as SubjectPublicKeyInfo, in PEM.

    With a passphrase (a non-empty str, taken as its UTF-8; for a private key only) it is encrypted
    by PBES2 with scrypt, N = 2¹⁴, r = 8, p = 5, and AES-256-CBC (RFC 8018, RFC 7914). Raises
    InvalidKey, InvalidParameter.
    """
    if isinstance(key, RSAPublicKey):
        if passphrase is not None:
            raise InvalidParameter("a public key needs no passphrase")
        return _checked(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = _checked_private(key)
    if passphrase is None:
        return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return encrypted_pem(der, _password(passphrase))


def from_pem(pem: BytesLike, passphrase: str | None = None) -> RSAPrivateKey | RSAPublicKey:
    """Read the first key in a PEM file: private (PKCS#8, encrypted or not, or PKCS#1) or public.

    Certificates, parameters and text before it are passed over. All sizes are looked at before
    anything costly is done with the key. Then OpenSSL tests a private key's primes, which takes it
    0.04 seconds with 2048 bits, 4 with 8192, about a minute with 16384.

    Raises InvalidKey for anything but an RSA key of 2048 to 16384 bits with an odd e ≥ 65537, for a
    weak one (see above), for an encrypted one without its passphrase, and for one whose KDF would
    cost more than 512 MiB or about ten seconds; DecryptionError, the same for a wrong passphrase
    and an altered encrypted key; InvalidParameter for a passphrase that is not one, or that the key
    does not have: so a key in place of the encrypted one is noticed.
    """
    block = first_key(bytes(view_of(pem)))
    if block is None:
        raise InvalidKey("there is no key in PEM here")
    password = None if passphrase is None else _password(passphrase)
    if password is not None and not block.is_encrypted:
        raise InvalidParameter("this key is not encrypted: it has no passphrase")
    if password is None and block.is_encrypted:
        raise InvalidKey("this key is encrypted: its passphrase is needed")
    refuse_costly(block)
    try:
        if block.is_public:
            return _checked(load_pem_public_key(block.data))
        return _private_from(block.data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
        # Once a passphrase was used, nothing tells why it failed.
        if block.is_encrypted:
            raise DecryptionError from None
        raise InvalidKey("this is not a usable RSA key in PEM") from None


def _private_from(pem: bytes, password: bytes | None) -> RSAPrivateKey:
    """Load a private key: first its numbers alone, then, if their sizes are sane, with all checks.

    Raises InvalidKey for sizes out of bounds, ValueError as `cryptography` does.
    """
    # "unsafe" is what is not tested yet. Tested at once, numbers of 50,000 bits would take minutes.
    unproven = load_pem_private_key(pem, password, unsafe_skip_rsa_key_validation=True)
    if not isinstance(unproven, RSAPrivateKey):
        return _checked_private(unproven)  # raises, and says what it is
    numbers = unproven.private_numbers()
    n = numbers.public_numbers.n
    _check_sizes(n, numbers.public_numbers.e)
    others = (numbers.d, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    if numbers.p * numbers.q != n or max(others).bit_length() > LARGEST:
        raise ValueError("these numbers are not those of one key")
    return _checked_private(numbers.private_key())


def _password(passphrase: str) -> bytes:
    if not isinstance(passphrase, str) or not passphrase:
        raise InvalidParameter("a passphrase is a non-empty str")
    try:
        return passphrase.encode()
    except UnicodeEncodeError:
        raise InvalidParameter("a passphrase must be valid Unicode") from None


# --- encryption ----------------------------------------------------------------------------------


def encrypt(public_key: RSAPublicKey, plaintext: BytesLike, label: bytes = b"") -> bytes:
    """RSAES-OAEP with SHA-256 and MGF1-SHA-256 (RFC 8017 §7.1.1).

    The ciphertext is as long as the modulus. plaintext: at most modulus − 66 bytes, 318 under 3072
    bits: enough for a key, which then encrypts the data. label: bound to the ciphertext, not sent.
    Raises MessageTooLarge, InvalidKey, InvalidParameter.
    """
    message = bytes(view_of(plaintext))
    key = _checked(public_key)
    limit = (key.key_size + 7) // 8 - 2 * SHA256.digest_size - 2
    if len(message) > limit:
        raise MessageTooLarge(
            f"OAEP under {key.key_size} bits takes {limit} bytes: encrypt a key, and data with it"
        )
    return key.encrypt(message, _oaep(label))


def decrypt(private_key: RSAPrivateKey, ciphertext: BytesLike, label: bytes = b"") -> bytes:
    """RSAES-OAEP decryption (RFC 8017 §7.1.2).

    Raises DecryptionError, the same for a wrong key, label or length, a ciphertext at or above the
    modulus, or an altered one; InvalidKey, InvalidParameter.
    """
    sealed = bytes(view_of(ciphertext))
    key = _checked_private(private_key)
    oaep = _oaep(label)
    try:
        return key.decrypt(sealed, oaep)
    except ValueError:
        raise DecryptionError from None


def _oaep(label: BytesLike) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(SHA256()), SHA256(), bytes(view_of(label)) or None)


# --- signatures ----------------------------------------------------------------------------------


def sign(private_key: RSAPrivateKey, message: BytesLike) -> bytes:
    """RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes (RFC 8017 §8.1.1).

    Raises InvalidKey, InvalidParameter.
    """
    return _checked_private(private_key).sign(bytes(view_of(message)), _PSS, SHA256())


def verify(public_key: RSAPublicKey, message: BytesLike, signature: BytesLike) -> None:
    """Return when the signature is this key's signature of this message (RFC 8017 §8.1.2).

    Raises InvalidSignature when it is not; InvalidKey, InvalidParameter.
    """
    key = _checked(public_key)
    signed = bytes(view_of(signature))
    text = bytes(view_of(message))
    try:
        key.verify(signed, text, _PSS, SHA256())
    except _Mismatch:
        raise InvalidSignature(
            "the signature is not this key's signature of this message"
        ) from None


# --- what makes a key unusable -------------------------------------------------------------------


def _checked(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey):
        raise InvalidKey(f"an RSA public key is needed, not {type(key).__name__}")
    numbers = key.public_numbers()
    _check_sizes(numbers.n, numbers.e)
    _refuse_weak(numbers.n)
    return key


def _checked_private(key: object) -> RSAPrivateKey:
    if not isinstance(key, RSAPrivateKey):
        raise InvalidKey(f"an RSA private key is needed, not {type(key).__name__}")
    _checked(key.public_key())
    return key


def _check_sizes(n: int, e: int) -> None:
    if not SMALLEST <= n.bit_length() <= LARGEST or n % 2 == 0:
        raise InvalidKey(f"an RSA key needs an odd modulus of {SMALLEST} to {LARGEST} bits")
    # FIPS 186-5 §A.1.1
    if not 65537 <= e < 1 << 256 or e % 2 == 0:
        raise InvalidKey("an RSA key needs an odd public exponent of 65537 or more, below 2^256")


def _is_small_prime(number: int) -> bool:
    return all(number % divisor for divisor in range(2, int(number**0.5) + 1))


_SMALL_PRIMES = [number for number in range(2, 752) if _is_small_prime(number)]
_SMALL_PRODUCT = prod(_SMALL_PRIMES)

# ROCA (Nemec, Sys, Svenda, Klinec and Matyas, 2017; CVE-2017-15361): a chip's primes were powers
# of 65537 modulo a product of small primes. So its moduli are too, modulo each of these; of other
# moduli one in 10⁸.
_ROCA_RESIDUES = [
    (prime, {pow(65537, exponent, prime) for exponent in range(prime)})
    for prime in _SMALL_PRIMES[1:39]
]

_FERMAT_STEPS = 100


@lru_cache(maxsize=256)
def _refuse_weak(n: int) -> None:
    """Raise InvalidKey for an odd modulus that anyone can factor.

    It takes milliseconds (0.3 seconds with 16384 bits), once per modulus: those that passed are
    remembered.
    """
    common = gcd(n, _SMALL_PRODUCT)
    if common != 1:
        factor = next(prime for prime in _SMALL_PRIMES if common % prime == 0)
        raise InvalidKey(f"this RSA modulus is weak: {factor} divides it")
    if all(n % prime in residues for prime, residues in _ROCA_RESIDUES):
        raise InvalidKey("this RSA modulus is weak: it has ROCA's form (CVE-2017-15361)")
    modulus = gmpy2.mpz(n)
    if gmpy2.is_power(modulus):
        raise InvalidKey("this RSA modulus is weak: it is a power")
    # No product of two large primes is known to pass this, and it proves the others composite.
    if gmpy2.is_strong_prp(modulus, 2):
        raise InvalidKey("this RSA modulus is weak: it is a prime")
    # Fermat: n = a² − b² with a just above the root of n, when p and q are close to each other.
    a = gmpy2.isqrt(modulus) + 1
    for _ in range(_FERMAT_STEPS):
        if gmpy2.is_square(a * a - modulus):
            raise InvalidKey("this RSA modulus is weak: its primes are next to each other")
        a += 1
