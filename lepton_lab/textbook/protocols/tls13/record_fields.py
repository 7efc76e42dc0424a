"""The fields of a record outside its content: header, inner type, padding and tag.

TLSPlaintext, RFC 8446 §5.1
 0   1   type: 20 change_cipher_spec, 21 alert, 22 handshake; 23, application_data, is always
         protected and therefore a TLSCiphertext
 1   2   legacy_record_version: 0x0303; 0x0301 is allowed around the first ClientHello
 3   2   length of the fragment, at most 2¹⁴
 5   n   fragment

TLSCiphertext, §5.2, has the same header; see record_layer.py.
"""

from __future__ import annotations

from lepton_lab.textbook.protocols.tls13 import code_points
from lepton_lab.textbook.protocols.tls13.dissection_errors import MalformedCapture
from lepton_lab.textbook.protocols.tls13.fields import WireField, WireFieldReader
from lepton_lab.textbook.protocols.tls13.record_layer import LONGEST_CIPHERTEXT, LONGEST_PLAINTEXT

HEADER_LENGTH = 5


def read_header(data: bytes, fields: list[WireField], *, is_first: bool) -> str:
    """Read the header of a record and check it against the record; return the type that it states.

    is_first: the record holds the first ClientHello. Raises MalformedCapture.
    """
    is_protected = data[:1] == b"\x17"
    path = "TLSCiphertext" if is_protected else "TLSPlaintext"
    with WireFieldReader(data, path, fields) as reader:
        type_name = "opaque_type" if is_protected else "type"
        meaning = "what the fragment holds (§5.1)"
        if is_protected:
            meaning = "23, whatever is inside: the real type is encrypted (§5.2)"
        kind = reader.number(type_name, 1, "type", meaning, code_points.CONTENT_TYPES)
        meaning = "always TLS 1.2, or 1.0 around the first ClientHello (§5.1)"
        name = "legacy_record_version"
        version = reader.number(name, 2, "version", meaning, code_points.VERSIONS)
        length = reader.number("length", 2, "length", "how many bytes follow")
        if kind not in code_points.CONTENT_TYPES:
            raise MalformedCapture("record", f"there is no content type {kind}")
        if version != 0x0303 and not (is_first and version == 0x0301):
            raise MalformedCapture("record", f"its legacy_record_version is 0x{version:04x}")
        longest = LONGEST_CIPHERTEXT if is_protected else LONGEST_PLAINTEXT
        if length != reader.left or length > longest:
            raise MalformedCapture(
                "record", f"its header says {length} bytes, and {reader.left} follow"
            )
        # The fragment is read elsewhere, as messages or as a protected record.
        reader.position = reader.end
    return code_points.CONTENT_TYPES[kind]


def inner_fields(opened: bytes, content_length: int, padding: int) -> list[WireField]:
    """Return the fields around the content of a protected record: real type, zeros, and tag.

    opened: header ‖ TLSInnerPlaintext ‖ tag.
    """
    fields: list[WireField] = []
    start = HEADER_LENGTH + content_length
    reader = WireFieldReader(opened, "TLSInnerPlaintext", fields, start)
    meaning = "what the content really is (§5.2)"
    reader.number("type", 1, "type", meaning, code_points.CONTENT_TYPES)
    meaning = "zeros that hide how long the content is (§5.4)"
    reader.take("zeros", padding, "padding", meaning)
    reader.path = "TLSCiphertext"
    meaning = "the AEAD's tag: no byte of the record or its header was altered (§5.2)"
    reader.take("tag", reader.left, "mac", meaning)
    return fields
