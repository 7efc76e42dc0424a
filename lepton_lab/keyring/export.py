"""A data key outside the ring: wrapped to lie beside the data, or exported to a recipient.

The wrapped form:

    offset  size  field
    0       1     format, 1
    1       16    data key id
    17      40    the data key by AES key wrap (RFC 3394) under HKDF-SHA256(the ring's secret for
                  this id, info = framed("lepton_lab data key", context, id)): key wrap itself takes
                  no associated data

The exported form:

    offset  size  field
    0       4     "LKX", format 1
    4       7     scheme 1, RSAES-OAEP with SHA-256 (RFC 8017), and six zeros; or scheme 2, HPKE's
                  base mode (RFC 9180), with its KEM, KDF and AEAD: 0x647A 0x0001 0x0002, which are
                  MLKEM768-X25519, HKDF-SHA256, AES-256-GCM
    11      16    data key id
    27      …     the scheme's ciphertext; OAEP's label and HPKE's info are
                  framed("lepton_lab data key export", id, context)

MLKEM768-X25519 follows the IETF draft draft-ietf-hpke-pq, hence the suite in the form. Neither
scheme says who sent it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from lepton_lab import aes, rsa
from lepton_lab.buffers import BytesLike, framed, view_of
from lepton_lab.errors import DecryptionError, InvalidKey

BY_RSA = 1
BY_HPKE = 2

_WRAPPED_FORMAT = 1
_WRAPPED_SIZE = 57

_MAGIC = b"LKX\x01"
_HEAD = len(_MAGIC) + 7
_ID_END = _HEAD + 16
_HEADS = {
    BY_RSA: _MAGIC + bytes((BY_RSA, 0, 0, 0, 0, 0, 0)),
    BY_HPKE: _MAGIC + bytes((BY_HPKE, 0x64, 0x7A, 0x00, 0x01, 0x00, 0x02)),
}
_SCHEMES = {head: scheme for scheme, head in _HEADS.items()}
_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

Recipient = RSAPublicKey | MLKEM768X25519PublicKey
RecipientPrivate = RSAPrivateKey | MLKEM768X25519PrivateKey


@dataclass(frozen=True)
class DataKey:
    """A fresh data key.

    `id` names it (32 hexadecimal digits), `key` is 32 bytes, `wrapped` is what to store.
    """

    id: str
    key: bytes = field(repr=False)
    wrapped: bytes


# --- wrapped, beside the data --------------------------------------------------------------------


def wrap(secret: bytes, data_key_id: bytes, context: bytes, key: bytes) -> bytes:
    """The wrapped form of a data key of 32 bytes."""
    wrapped_key = aes_key_wrap(_wrapping_key(secret, data_key_id, context), key)
    return bytes((_WRAPPED_FORMAT,)) + data_key_id + wrapped_key


def id_of(wrapped: BytesLike) -> bytes:
    """The data key id in a wrapped form. Raises DecryptionError for anything else."""
    data = bytes(view_of(wrapped))
    if len(data) != _WRAPPED_SIZE or data[0] != _WRAPPED_FORMAT:
        raise DecryptionError
    return data[1:17]


def unwrap(secret: bytes, wrapped: BytesLike, context: bytes) -> bytes:
    """The data key in a wrapped form. Raises DecryptionError, whatever is wrong."""
    data_key_id = id_of(wrapped)
    wrapped_key = bytes(view_of(wrapped))[17:]
    try:
        return aes_key_unwrap(_wrapping_key(secret, data_key_id, context), wrapped_key)
    except InvalidUnwrap:
        raise DecryptionError from None


def _wrapping_key(secret: bytes, data_key_id: bytes, context: bytes) -> bytes:
    info = framed(b"lepton_lab data key", context, data_key_id)
    return HKDF(SHA256(), 32, None, info).derive(secret)


# --- exported, to a recipient --------------------------------------------------------------------


def scheme_for(public_key: Recipient) -> int:
    """The scheme for a recipient's public key. Raises InvalidKey for other kinds of keys."""
    if isinstance(public_key, RSAPublicKey):
        return BY_RSA
    if isinstance(public_key, MLKEM768X25519PublicKey):
        return BY_HPKE
    raise InvalidKey(
        f"a recipient's key is RSA or MLKEM768-X25519, not {type(public_key).__name__}"
    )


def seal_for(public_key: Recipient, data_key_id: bytes, context: bytes, key: bytes) -> bytes:
    """The exported form of a data key. Raises InvalidKey for a key that no scheme takes."""
    head = _HEADS[scheme_for(public_key)] + data_key_id
    bound = _bound(data_key_id, context)
    if isinstance(public_key, RSAPublicKey):
        return head + rsa.encrypt(public_key, key, bound)
    return head + _SUITE.encrypt(key, public_key, bound)


def open_for(private_key: RecipientPrivate, blob: BytesLike, context: BytesLike) -> bytes:
    """Open what `KeyRing.wrap_for` exported for this recipient: the data key, 32 bytes.

    private_key: an RSA key, or `hpke.MLKEM768X25519PrivateKey(mlkem.MLKEM768PrivateKey.generate(),
    x25519.X25519PrivateKey.generate())` of `cryptography`. context: as it was given to `wrap_for`.
    Neither scheme authenticates the sender: anyone may have sealed this key, so hold it against
    something that you can verify.

    Raises DecryptionError, the same for another key, context or scheme and an altered or truncated
    blob; InvalidKey for other kinds of keys; InvalidParameter for what is not bytes. RFC 8017 §7.1,
    RFC 9180 §5.
    """
    data = bytes(view_of(blob))
    bound_to = bytes(view_of(context))
    if not isinstance(private_key, RSAPrivateKey | MLKEM768X25519PrivateKey):
        raise InvalidKey(
            f"a recipient's key is RSA or MLKEM768-X25519, not {type(private_key).__name__}"
        )
    scheme = _SCHEMES.get(data[:_HEAD])
    data_key_id = data[_HEAD:_ID_END]
    sealed = data[_ID_END:]
    bound = _bound(data_key_id, bound_to)
    if scheme == BY_RSA and isinstance(private_key, RSAPrivateKey):
        key = rsa.decrypt(private_key, sealed, bound)
    elif scheme == BY_HPKE and isinstance(private_key, MLKEM768X25519PrivateKey):
        key = _hpke_open(private_key, sealed, bound)
    else:
        raise DecryptionError
    # Anyone may have sealed something else for this recipient.
    if len(key) != aes.KEY_SIZE:
        raise DecryptionError
    return key


def _hpke_open(private_key: MLKEM768X25519PrivateKey, sealed: bytes, bound: bytes) -> bytes:
    try:
        return _SUITE.decrypt(sealed, private_key, bound)
    except (InvalidTag, ValueError):
        raise DecryptionError from None


def _bound(data_key_id: bytes, context: bytes) -> bytes:
    return framed(b"lepton_lab data key export", data_key_id, context)
