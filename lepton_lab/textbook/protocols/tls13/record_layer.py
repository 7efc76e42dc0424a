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
from lepton_lab.textbook.protocols.tls13.key_schedule import traffic_keys
from lepton_lab.textbook.protocols.tls13.names import CONTENT_TYPES
from lepton_lab.textbook.protocols.tls13.suites import CipherSuite
from lepton_lab.textbook.trace import Recorder, Trace

LONGEST_PLAINTEXT, LONGEST_CIPHERTEXT = 2**14, 2**14 + 256


def nonce(write_iv: bytes, sequence_number: int) -> Trace[bytes]:
    """The per-record nonce (§5.3): the 64-bit sequence number, zeros before it, xor the write_iv.

    Both sides count their records from 0 under each key, so it is never sent and never repeats. InvalidParameter.
    """
    seen = Recorder()
    write_iv = as_bytes(
        "write_iv", write_iv, 12, because="every AEAD of TLS 1.3 takes a nonce of 12"
    )
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
    """A whole protected record. secret: the traffic secret; padding: how many zeros follow the type.

    content_type: "handshake", "application_data" or "alert". Raises InvalidParameter, also when it gets too long.
    """
    types = {name: number for number, name in CONTENT_TYPES.items() if name != "change_cipher_spec"}
    if content_type not in types:
        raise InvalidParameter(f"content_type is one of {', '.join(types)}, not {content_type!r}")
    inner = (
        as_bytes("content", content)
        + bytes([types[content_type]])
        + bytes(integer("padding", padding, 0, 2**14 + 1))
    )
    if len(inner) > LONGEST_PLAINTEXT + 1:
        raise InvalidParameter(
            f"content and padding are at most {LONGEST_PLAINTEXT} bytes together"
        )
    header = struct.pack(">BHH", 23, 0x0303, len(inner) + suite.tag_length)
    seen, key, each = _prepared(suite, secret, sequence_number, header)
    seen("TLSInnerPlaintext", inner)
    sealed = seen("AEADEncrypted", suite.cipher(key).encrypt(each, inner, header))
    return seen.trace(seen("TLSCiphertext", header + sealed))


def open_record(
    suite: CipherSuite, secret: bytes, sequence_number: int, record: bytes, sender: str = ""
) -> Trace[bytes]:
    """TLSInnerPlaintext out of a protected record; its type is the last byte that is not 0.

    sender: "client" or "server" has the steps name the keys as §7.3 does, client_write_key. Raises DecryptionError when
    it was not sealed under this secret with this number, or is no protected record at all; InvalidParameter.
    """
    record = as_bytes("record", record)
    header, sealed = record[:5], record[5:]
    if len(sealed) <= suite.tag_length or header != struct.pack(
        ">BHH", 23, 0x0303, len(sealed) & 0xFFFF
    ):
        raise DecryptionError
    seen, key, each = _prepared(
        suite, secret, sequence_number, header, f"{sender}_" if sender else ""
    )
    seen("AEADEncrypted", sealed)
    try:
        inner = suite.cipher(key).decrypt(each, sealed, header)
    except InvalidTag:
        raise DecryptionError from None
    return seen.trace(seen("TLSInnerPlaintext", inner))


def _prepared(
    suite: CipherSuite, secret: bytes, sequence: int, header: bytes, whose: str = ""
) -> tuple[Recorder, bytes, bytes]:
    """The steps that sealing and opening share: key, nonce and additional data."""
    seen = Recorder()
    secret = seen("traffic secret", as_bytes("secret", secret, suite.hash_length))
    key, iv = traffic_keys(suite, secret).result
    seen(f"{whose}write_key", key, 'HKDF-Expand-Label(Secret, "key", "", key_length)')
    seen(f"{whose}write_iv", iv, 'HKDF-Expand-Label(Secret, "iv", "", iv_length)')
    seen("sequence number", sequence)
    each = seen("nonce", nonce(iv, sequence).result, "sequence number xor write_iv")
    seen("additional_data", header, "the record's header")
    return seen, key, each
