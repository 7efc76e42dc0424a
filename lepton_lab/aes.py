"""AES-256-GCM: short messages in one call, and files of any length as a stream Tink reads too.

Two formats, and a key serves only one of them:

- `encrypt` / `decrypt`: one message under one random 96-bit nonce (FIPS 197, SP 800-38D).
- `encrypt_stream` / `decrypt_stream`: Tink's AES256_GCM_HKDF_1MB, byte for byte. This is the STREAM
  construction (Hoang, Reyhanitabar, Rogaway and Vizár, 2015): the nonce of every segment holds its
  number and whether it is the last, so a segment moved, repeated or left out, or an end cut off, is
  found. Each stream derives a key of its own.

Neither form commits to its key: anyone who picks two keys can make one ciphertext that opens under
both (Len, Grubbs and Ristenpart, 2021; Albertini et al., 2022). Where that matters, keep a
commitment to the key beside the ciphertext.
"""

from __future__ import annotations

import secrets
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lepton_lab.buffers import BytesLike, pieces_of, read_into, view_of, write_all
from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, MessageTooLarge

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16
SEGMENT_SIZE: Final = 2**20

_SALT_SIZE = 32
_PREFIX_SIZE = 7
_HEADER_SIZE = 1 + _SALT_SIZE + _PREFIX_SIZE
# Bytes. OpenSSL counts them in an int; SP 800-38D §5.2.1.1 would allow 2³⁶ − 32.
_ONE_CALL = 2**31 - 1
# The number fills four bytes of the nonce; one segment more would use a nonce twice.
_MOST_SEGMENTS = 2**32


def generate_key() -> bytes:
    """Make a key of 32 random bytes: for AES-256-GCM messages or for streams, never for both."""
    return secrets.token_bytes(KEY_SIZE)


# A message:
#
#   offset  bytes  field
#        0      12  nonce, random
#       12       n  ciphertext, as long as the plaintext
#   12 + n      16  tag


def encrypt(key: BytesLike, plaintext: BytesLike, associated_data: BytesLike = b"") -> bytes:
    """Encrypt and authenticate one message; the result is nonce(12) ‖ ciphertext ‖ tag(16).

    key: 32 bytes, for this format only and for at most 2³² messages. The nonce is random, and
    beyond that two messages may share one (SP 800-38D §8.3), which gives away the XOR of both and
    the key that authenticates (Joux, 2006). plaintext, associated_data: at most 2³¹ − 1 bytes each;
    the latter is authenticated, not sent. The result does not commit to the key.

    Raises InvalidKey for a key that is not 32 bytes, MessageTooLarge past 2³¹ − 1 bytes, and
    InvalidParameter for what is not bytes, bytearray or memoryview.
    """
    cipher = AESGCM(_checked_key(key))
    message = _checked(plaintext, _ONE_CALL)
    associated = _checked(associated_data, _ONE_CALL)
    nonce = secrets.token_bytes(NONCE_SIZE)
    return nonce + cipher.encrypt(nonce, message, associated)


def decrypt(key: BytesLike, ciphertext: BytesLike, associated_data: BytesLike = b"") -> bytes:
    """Open what `encrypt` made, under the same key and associated data (SP 800-38D §7.2).

    Raises DecryptionError, always with the same message, for a wrong key, other associated data,
    and a ciphertext that was altered, was cut or never was one. What anyone can see raises as in
    `encrypt`: InvalidKey, InvalidParameter, MessageTooLarge (a ciphertext longer than `encrypt` can
    make).
    """
    cipher = AESGCM(_checked_key(key))
    message = _checked(ciphertext, NONCE_SIZE + _ONE_CALL + TAG_SIZE)
    associated = _checked(associated_data, _ONE_CALL)
    if len(message) < NONCE_SIZE + TAG_SIZE:
        raise DecryptionError
    try:
        return cipher.decrypt(message[:NONCE_SIZE], message[NONCE_SIZE:], associated)
    except InvalidTag:
        raise DecryptionError from None


# A stream (Tink, "Streaming AEAD", AES-GCM-HKDF) is a header and then segments, each of them
# ciphertext ‖ tag (16):
#
#   offset     bytes       field
#        0     1            40, the length of this header
#        1     32           salt: the segments' key, 32 bytes, is
#                           HKDF-SHA256(key, salt, info = associated data)
#       33     7            prefix of every nonce, random
#       40     2²⁰ − 40     segment 0
#   i · 2²⁰    2²⁰          segment i; the last one, 0 included, may be shorter, but has at least
#                           16 bytes
#
# The nonce of a segment is not sent:
#
#   offset     bytes       field
#        0     7            prefix
#        7     4            number of the segment, big-endian
#       11     1            1 when it is the last, else 0


def encrypt_stream(
    key: BytesLike, source: BinaryIO, sink: BinaryIO, associated_data: BytesLike = b""
) -> int:
    """Encrypt one binary file into another as a stream that Tink opens too.

    Returns the number of bytes written. Constant memory (3 MiB). `source` is read to its end;
    neither file is flushed or closed. `sink.write` is given views of a buffer that is used again,
    so like every file of Python it copies what it keeps; it may take less than it is given.

    key: 32 bytes, for this format only; a random salt gives every stream a key of its own.
    associated_data: at most 2³¹ − 1 bytes, authenticated, not sent. The result does not commit to
    the key. A stream that broke off is begun again from its start, never resumed.

    Raises InvalidKey for a key that is not 32 bytes, MessageTooLarge past 2³² segments (2⁵² bytes)
    or for too long associated data, InvalidParameter for what is not bytes, for what is not a
    binary file or is one in non-blocking mode, and OSError as the files do.
    """
    associated = _checked(associated_data, _ONE_CALL)
    salt = secrets.token_bytes(_SALT_SIZE)
    prefix = secrets.token_bytes(_PREFIX_SIZE)
    cipher = _segment_cipher(_checked_key(key), salt, associated)
    _check_files(source, sink)
    write_all(sink, memoryview(bytes([_HEADER_SIZE]) + salt + prefix))
    written = _HEADER_SIZE
    sealed = memoryview(bytearray(SEGMENT_SIZE))
    pieces = pieces_of(source, SEGMENT_SIZE - _HEADER_SIZE - TAG_SIZE, SEGMENT_SIZE - TAG_SIZE)
    for number, (piece, last) in enumerate(pieces):
        if number == _MOST_SEGMENTS:
            raise MessageTooLarge(f"a stream has at most {_MOST_SEGMENTS} segments")
        segment = sealed[: len(piece) + TAG_SIZE]
        cipher.encrypt_into(_segment_nonce(prefix, number, last), piece, None, segment)
        write_all(sink, segment)
        written += len(segment)
    return written


def decrypt_stream(
    key: BytesLike, source: BinaryIO, sink: BinaryIO, associated_data: BytesLike = b""
) -> int:
    """Decrypt what `encrypt_stream`, or Tink, made; return the number of bytes written.

    The arguments are those of `encrypt_stream`; constant memory (3 MiB). Only authenticated
    segments reach `sink`. When this raises, `sink` holds an authentic *beginning* of the plaintext,
    and nothing says how much is missing: discard it. The safe way is to write to a file beside the
    target and to rename it once this has returned.

    Raises DecryptionError, always with the same message, for a wrong key, other associated data,
    and a stream that is empty, cut, altered, reordered, spliced or continued; InvalidKey,
    InvalidParameter, MessageTooLarge and OSError as `encrypt_stream` does.
    """
    main_key = _checked_key(key)
    associated = _checked(associated_data, _ONE_CALL)
    _check_files(source, sink)
    header = memoryview(bytearray(_HEADER_SIZE))
    if read_into(source, header) < _HEADER_SIZE or header[0] != _HEADER_SIZE:
        raise DecryptionError
    salt = bytes(header[1 : 1 + _SALT_SIZE])
    prefix = bytes(header[1 + _SALT_SIZE :])
    cipher = _segment_cipher(main_key, salt, associated)
    written = 0
    # A forged segment leaves its bytes in this buffer, and they go no further.
    opened = memoryview(bytearray(SEGMENT_SIZE - TAG_SIZE))
    segments = pieces_of(source, SEGMENT_SIZE - _HEADER_SIZE, SEGMENT_SIZE)
    for number, (segment, last) in enumerate(segments):
        if number == _MOST_SEGMENTS or len(segment) < TAG_SIZE:
            raise DecryptionError
        plaintext = opened[: len(segment) - TAG_SIZE]
        try:
            cipher.decrypt_into(_segment_nonce(prefix, number, last), segment, None, plaintext)
        except InvalidTag:
            raise DecryptionError from None
        write_all(sink, plaintext)
        written += len(plaintext)
    return written


def _segment_cipher(key: bytes, salt: bytes, associated_data: memoryview) -> AESGCM:
    return AESGCM(HKDF(SHA256(), KEY_SIZE, salt, bytes(associated_data)).derive(key))


def _segment_nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])


def _checked_key(key: BytesLike) -> bytes:
    # Checked here and not by `view_of`, whose error would be another than InvalidKey.
    data = bytes(view_of(key)) if isinstance(key, bytes | bytearray | memoryview) else b""
    if len(data) != KEY_SIZE:
        raise InvalidKey(f"an AES-256 key is {KEY_SIZE} bytes")
    return data


def _checked(data: BytesLike, most: int) -> memoryview:
    view = view_of(data)
    if len(view) > most:
        raise MessageTooLarge(
            f"{len(view)} bytes in one call of AES-GCM, which takes {most}; use a stream"
        )
    return view


def _check_files(source: BinaryIO, sink: BinaryIO) -> None:
    """Refuse paths, text files and raw bytes before anything is written."""
    readable = hasattr(source, "readinto") or hasattr(source, "read")
    # Text files have an encoding.
    if not readable or hasattr(source, "encoding"):
        raise InvalidParameter(f"the source must be a binary file, not {type(source).__name__}")
    if not hasattr(sink, "write") or hasattr(sink, "encoding"):
        raise InvalidParameter(f"the sink must be a binary file, not {type(sink).__name__}")
