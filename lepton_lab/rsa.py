"""RSA as it is safe to use: OAEP to encrypt a key-sized message, PSS to sign (RFC 8017 §7.1, §8.1).

Keys are the RSA objects of `cryptography`, 2048 bits and up; in PEM they are PKCS#8 and SubjectPublicKeyInfo.
Ciphertexts and signatures are what `openssl pkeyutl` and `openssl dgst` read. Padding without OAEP fell to
Bleichenbacher (1998), OAEP with a chatty decryption to Manger (2001): so a failed decryption is one error, whatever was
wrong. The exponentiations are OpenSSL's, blinded and constant-time.
"""

from __future__ import annotations

import base64
import re
import secrets

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.exceptions import InvalidSignature as _Mismatch
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as _generate
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from lepton_lab.buffers import BytesLike, view_of
from lepton_lab.errors import (
    DecryptionError,
    InvalidKey,
    InvalidParameter,
    InvalidSignature,
    MessageTooLarge,
)

SMALLEST, LARGEST = 2048, 16384  # bits; OpenSSL takes no more
_PSS = padding.PSS(padding.MGF1(SHA256()), 32)


def generate_private_key(bits: int = 3072) -> RSAPrivateKey:
    """A fresh key of `bits` bits (2048 to 16384) with e = 65537. Raises InvalidKey for another size."""
    if type(bits) is not int or not SMALLEST <= bits <= LARGEST:
        raise InvalidKey(f"an RSA key here has {SMALLEST} to {LARGEST} bits")
    return _generate(65537, bits)


def public_key(private: RSAPrivateKey) -> RSAPublicKey:
    """The public half. Raises InvalidKey for what is no RSA private key of 2048 bits or more."""
    return _checked_private(private).public_key()


def to_pem(key: RSAPrivateKey | RSAPublicKey, passphrase: str | None = None) -> bytes:
    """A private key as PKCS#8, a public one as SubjectPublicKeyInfo, in PEM.

    With a passphrase (a non-empty str, taken as its UTF-8; for a private key only) it is encrypted by PBES2 with
    scrypt, N = 2¹⁴, r = 8, p = 5, and AES-256-CBC (RFC 8018, RFC 7914). Raises InvalidKey, InvalidParameter.
    """
    if isinstance(key, RSAPublicKey):
        if passphrase is not None:
            raise InvalidParameter("a public key needs no passphrase")
        return _checked(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = _checked_private(key)
    if passphrase is None:
        return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _pem("ENCRYPTED PRIVATE KEY", _pbes2(der, _password(passphrase)))


def from_pem(pem: BytesLike, passphrase: str | None = None) -> RSAPrivateKey | RSAPublicKey:
    """Read the first key in a PEM file: private (PKCS#8, encrypted or not, or PKCS#1) or public.

    Raises InvalidKey for what is no RSA key of 2048 bits or more with an odd e ≥ 65537, for an encrypted one without
    its passphrase, and for one whose KDF would cost more than 512 MiB or about ten seconds; DecryptionError, the same
    for a wrong passphrase and an altered encrypted key; InvalidParameter for a passphrase that is none, or that the key
    does not have: whoever replaced an encrypted key by their own is noticed.
    """
    block = _PEM.search(bytes(view_of(pem)))
    if block is None:
        raise InvalidKey("this is no key in PEM")
    password = None if passphrase is None else _password(passphrase)
    encrypted = b"ENCRYPTED" in block["kind"] or b"\nProc-Type: 4,ENCRYPTED" in block["text"]
    if password is not None and not encrypted:
        raise InvalidParameter("this key is not encrypted: it has no passphrase")
    if password is None and encrypted:
        raise InvalidKey("this key is encrypted: its passphrase is needed")
    if block["kind"] == b"ENCRYPTED PRIVATE KEY":
        _refuse_costly(block["text"])
    try:
        if block["kind"].endswith(b"PUBLIC KEY"):
            return _checked(load_pem_public_key(block[0]))
        return _checked_private(load_pem_private_key(block[0], password))
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
        if encrypted:
            raise DecryptionError from None
        raise InvalidKey("this is not a usable RSA key in PEM") from None


def encrypt(public_key: RSAPublicKey, plaintext: BytesLike, label: bytes = b"") -> bytes:
    """RSAES-OAEP with SHA-256 and MGF1-SHA-256 (RFC 8017 §7.1.1); the ciphertext is as long as the modulus.

    plaintext: at most modulus − 66 bytes, 318 under 3072 bits: enough for a key, which then encrypts the rest. label
    is bound to the ciphertext, not sent. Raises MessageTooLarge, InvalidKey, InvalidParameter.
    """
    message, key = bytes(view_of(plaintext)), _checked(public_key)
    limit = (key.key_size + 7) // 8 - 2 * SHA256.digest_size - 2
    if len(message) > limit:
        raise MessageTooLarge(
            f"OAEP under {key.key_size} bits takes {limit} bytes: encrypt a key, and data with it"
        )
    return key.encrypt(message, _oaep(label))


def decrypt(private_key: RSAPrivateKey, ciphertext: BytesLike, label: bytes = b"") -> bytes:
    """RSAES-OAEP decryption (RFC 8017 §7.1.2).

    Raises DecryptionError, the same for a wrong key, label or length, a ciphertext at or above the modulus, or an
    altered one; InvalidKey, InvalidParameter.
    """
    sealed, key, oaep = bytes(view_of(ciphertext)), _checked_private(private_key), _oaep(label)
    try:
        return key.decrypt(sealed, oaep)
    except ValueError:
        raise DecryptionError from None


def sign(private_key: RSAPrivateKey, message: BytesLike) -> bytes:
    """RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes (RFC 8017 §8.1.1). Raises InvalidKey."""
    return _checked_private(private_key).sign(bytes(view_of(message)), _PSS, SHA256())


def verify(public_key: RSAPublicKey, message: BytesLike, signature: BytesLike) -> None:
    """Return when the signature is this key's of this message (RFC 8017 §8.1.2), raise InvalidSignature when not."""
    key, signed, text = _checked(public_key), bytes(view_of(signature)), bytes(view_of(message))
    try:
        key.verify(signed, text, _PSS, SHA256())
    except _Mismatch:
        raise InvalidSignature(
            "the signature is not this key's signature of this message"
        ) from None


def _checked(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey):
        raise InvalidKey(f"an RSA public key is needed, not {type(key).__name__}")
    n, e = key.public_numbers().n, key.public_numbers().e
    if not SMALLEST <= key.key_size <= LARGEST or n % 2 == 0:
        raise InvalidKey(f"an RSA key needs an odd modulus of {SMALLEST} to {LARGEST} bits")
    if not 65537 <= e < 1 << 256 or e % 2 == 0:  # FIPS 186-5 §A.1.1
        raise InvalidKey("an RSA key needs an odd public exponent of 65537 or more, below 2^256")
    return key


def _checked_private(key: object) -> RSAPrivateKey:
    if not isinstance(key, RSAPrivateKey):
        raise InvalidKey(f"an RSA private key is needed, not {type(key).__name__}")
    _checked(key.public_key())
    return key


def _oaep(label: BytesLike) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(SHA256()), SHA256(), bytes(view_of(label)) or None)


def _password(passphrase: str) -> bytes:
    if not isinstance(passphrase, str) or not passphrase:
        raise InvalidParameter("a passphrase is a non-empty str")
    try:
        return passphrase.encode()
    except UnicodeEncodeError:
        raise InvalidParameter("a passphrase must be valid Unicode") from None


# --- PBES2 (RFC 8018 §6.2): `cryptography` reads it with any KDF at any cost, and writes it only with a weak one ------
#
#   EncryptedPrivateKeyInfo ::= SEQUENCE { algorithm SEQUENCE { pbes2, SEQUENCE { kdf, cipher } }, sealed OCTET STRING }
#   kdf ::= SEQUENCE { scrypt, SEQUENCE { salt OCTET STRING, N INTEGER, r INTEGER, p INTEGER } }     RFC 7914 §7
#   kdf ::= SEQUENCE { pbkdf2, SEQUENCE { salt OCTET STRING, iterations INTEGER, … } }               RFC 8018 §A.2
#   cipher ::= SEQUENCE { aes256-CBC, iv OCTET STRING }

_PEM = re.compile(
    rb"-----BEGIN (?P<kind>[A-Z0-9 ]{1,40})-----(?P<text>.*?)-----END (?P=kind)-----", re.DOTALL
)
_PBES2 = bytes.fromhex("06092a864886f70d01050d")  # 1.2.840.113549.1.5.13
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")  # 1.2.840.113549.1.5.12
_SCRYPT = bytes.fromhex("06092b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
_AES256_CBC = bytes.fromhex("060960864801650304012a")  # 2.16.840.1.101.3.4.1.42
_SEQUENCE, _INTEGER, _OCTET_STRING = 0x30, 0x02, 0x04
_MEMORY, _BLOCKS, _ITERATIONS = (
    1 << 29,
    1 << 23,
    10_000_000,
)  # the most that a file may ask: bytes, N·r·p, PBKDF2's


def _pbes2(der: bytes, passphrase: bytes) -> bytes:
    """EncryptedPrivateKeyInfo (RFC 5958 §3) around a PKCS#8 key."""
    n, r, p = (
        1 << 14,
        8,
        5,
    )  # openssl refuses an N·r that takes more than 32 MiB; p makes up for it in time
    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    key = Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase)
    padder, encryptor = PKCS7(128).padder(), Cipher(AES256(key), CBC(iv)).encryptor()
    sealed = encryptor.update(padder.update(der) + padder.finalize()) + encryptor.finalize()
    costs = b"".join(
        _tlv(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in (n, r, p)
    )
    kdf = _tlv(_SEQUENCE, _SCRYPT + _tlv(_SEQUENCE, _tlv(_OCTET_STRING, salt) + costs))
    cipher = _tlv(_SEQUENCE, _AES256_CBC + _tlv(_OCTET_STRING, iv))
    algorithm = _tlv(_SEQUENCE, _PBES2 + _tlv(_SEQUENCE, kdf + cipher))
    return _tlv(_SEQUENCE, algorithm + _tlv(_OCTET_STRING, sealed))


def _tlv(tag: int, content: bytes) -> bytes:
    """Tag, length, value in DER (X.690 §8.1)."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    data = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(data))) + data + content


def _refuse_costly(base64_text: bytes) -> None:
    """Raise InvalidKey when an encrypted key asks for a KDF that nobody sane writes, or for one that is not PBES2's."""
    try:
        ((_, outer),) = _parts(base64.b64decode(b"".join(base64_text.split()), validate=True))
        (_, algorithm), (_, _sealed) = _parts(outer)
        scheme, (_, parameters) = _parts(algorithm)
        (_, kdf), _cipher = _parts(parameters)
        name, (_, settings) = _parts(kdf)
        costs = [
            int.from_bytes(content, "big", signed=True)
            for tag, content in _parts(settings)
            if tag == _INTEGER
        ]
        bearable = _tlv(*scheme) == _PBES2 and _bearable(_tlv(*name), costs)
    except ValueError:
        bearable = False
    if not bearable:
        raise InvalidKey(
            "this encrypted key is malformed, too costly, or not of PBES2 with scrypt or PBKDF2"
        )


def _bearable(kdf: bytes, costs: list[int]) -> bool:
    if kdf == _SCRYPT:
        n, r, p, *_ = costs
        powers = n > 1 and n & (n - 1) == 0 and min(r, p) > 0
        return powers and 128 * n * r <= _MEMORY and n * r * p <= _BLOCKS
    return kdf == _PBKDF2 and bool(costs) and 1 <= costs[0] <= _ITERATIONS


def _parts(der: bytes) -> list[tuple[int, bytes]]:
    """The (tag, content) of what stands side by side in DER. Raises ValueError when it does not end where it should."""
    parts, position = [], 0
    while position < len(der):
        header = der[position : position + 6]
        more = header[1] & 0x7F if len(header) > 1 and header[1] & 0x80 else 0
        if len(header) < 2 + more or more > 4:
            raise ValueError
        size = int.from_bytes(header[2 : 2 + more], "big") if more else header[1]
        start = position + 2 + more
        position = start + size
        if position > len(der):
            raise ValueError
        parts.append((header[0], der[start:position]))
    return parts


def _pem(kind: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""]).encode()
