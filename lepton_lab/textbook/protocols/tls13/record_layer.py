"""Record protection: content and its type in, an opaque record out (RFC 8446 §5.2 to §5.4).

TLSCiphertext
 0   1   opaque_type: 23, application_data, whatever is inside
 1   2   legacy_record_version: 0x0303
 3   2   length of what follows: that of TLSInnerPlaintext and of the tag, at most 2¹⁴ + 256
 5   n   encrypted_record: TLSInnerPlaintext, each byte in its place, and the tag

TLSInnerPlaintext
 0   c   content, at most 2¹⁴ bytes
 c   1   type: what it really is
c+1  z   zeros: padding, any number
"""

from __future__ import annotations

import struct

from cryptography.exceptions import InvalidTag

from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.textbook.primitives import as_bytes, integer
from lepton_lab.textbook.protocols.tls13.code_points import CONTENT_TYPES
from lepton_lab.textbook.protocols.tls13.key_schedule import traffic_keys
from lepton_lab.textbook.protocols.tls13.suites import CipherSuite
from lepton_lab.textbook.trace import Recorder, Trace

LONGEST_PLAINTEXT = 2**14
LONGEST_CIPHERTEXT = 2**14 + 256


def nonce(write_iv: bytes, sequence_number: int) -> Trace[bytes]:
    """The nonce of a record: its sequence number, padded to iv_length, xor the write_iv (§5.3).

    Both sides count their records from 0 under each key, so the nonce is never sent and never
    repeats. Raises InvalidParameter.
    """
    seen = Recorder()
    why = "every AEAD of TLS 1.3 takes a nonce of 12"
    write_iv = as_bytes("write_iv", write_iv, 12, because=why)
    number = integer("sequence_number", sequence_number, 0, 2**64).to_bytes(8, "big")
    padded = seen("padded to iv_length", bytes(4) + seen("64-bit sequence number", number))
    seen("write_iv", write_iv)
    mixed = bytes(a ^ b for a, b in zip(padded, write_iv, strict=True))
    return seen.trace(seen("nonce", mixed, "padded sequence number xor write_iv"))


def seal(
    suite: CipherSuite,
    secret: bytes,
    sequence_number: int,
    content: bytes,
    content_type: str,
    *,
    padding: int = 0,
) -> Trace[bytes]:
    """Make a whole protected record.

    secret: the traffic secret. content_type: "handshake", "application_data" or "alert". padding:
    how many zeros follow the type. Raises InvalidParameter, also when the record gets too long.
    """
    types = {name: number for number, name in CONTENT_TYPES.items() if name != "change_cipher_spec"}
    if content_type not in types:
        raise InvalidParameter(f"content_type is one of {', '.join(types)}, not {content_type!r}")
    zeros = bytes(integer("padding", padding, 0, 2**14 + 1))
    inner = as_bytes("content", content) + bytes([types[content_type]]) + zeros
    if len(inner) > LONGEST_PLAINTEXT + 1:
        raise InvalidParameter(
            f"content and padding are at most {LONGEST_PLAINTEXT} bytes together"
        )
    header = struct.pack(">BHH", 23, 0x0303, len(inner) + suite.tag_length)
    seen, key, record_nonce = _prepare(suite, secret, sequence_number, header)
    seen("TLSInnerPlaintext", inner)
    sealed = seen("AEADEncrypted", suite.cipher(key).encrypt(record_nonce, inner, header))
    return seen.trace(seen("TLSCiphertext", header + sealed))


def open_record(
    suite: CipherSuite, secret: bytes, sequence_number: int, record: bytes, sender: str = ""
) -> Trace[bytes]:
    """Open a protected record; the result is its TLSInnerPlaintext.

    The last byte of the result that is not 0 is the type of the content. sender: with "client" or
    "server" the steps name the keys as §7.3 does, client_write_key.

    Raises DecryptionError when it was not sealed under this secret with this number, or is not a
    protected record; InvalidParameter.
    """
    record = as_bytes("record", record)
    header = record[:5]
    sealed = record[5:]
    right_header = struct.pack(">BHH", 23, 0x0303, len(sealed) & 0xFFFF)
    if len(sealed) <= suite.tag_length or header != right_header:
        raise DecryptionError
    prefix = f"{sender}_" if sender else ""
    seen, key, record_nonce = _prepare(suite, secret, sequence_number, header, prefix)
    seen("AEADEncrypted", sealed)
    try:
        inner = suite.cipher(key).decrypt(record_nonce, sealed, header)
    except InvalidTag:
        raise DecryptionError from None
    return seen.trace(seen("TLSInnerPlaintext", inner))


def _prepare(
    suite: CipherSuite, secret: bytes, sequence: int, header: bytes, prefix: str = ""
) -> tuple[Recorder, bytes, bytes]:
    """The steps that sealing and opening share. Returns the recorder, the key and the nonce."""
    seen = Recorder()
    secret = seen("traffic secret", as_bytes("secret", secret, suite.hash_length))
    key, iv = traffic_keys(suite, secret).result
    seen(f"{prefix}write_key", key, 'HKDF-Expand-Label(Secret, "key", "", key_length)')
    seen(f"{prefix}write_iv", iv, 'HKDF-Expand-Label(Secret, "iv", "", iv_length)')
    seen("sequence number", sequence)
    record_nonce = seen("nonce", nonce(iv, sequence).result, "sequence number xor write_iv")
    seen("additional_data", header, "the record's header")
    return seen, key, record_nonce
