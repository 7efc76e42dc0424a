"""TLS 1.3 taken apart: key schedule, record layer, and a dissector for every byte (RFC 8446).

    dissection = tls13.dissect(capture)          # from lepton_lab.tls.record_handshake
    print(dissection)                            # one line per message
    for field in dissection.records[0].fields:   # every byte of the first record
        print(field)                             # offset, length, path, value, meaning
    print(tls13.key_schedule("sha256", messages, shared_secret=secret))

`key_schedule` derives every secret of §7.1 under its name there. `record_layer` seals and opens
records (§5). `messages` and `extensions` read what is in them (§4), and `certificates` adds what
X.509 says. `handshake` knows which message may come when, and what each one proves. `dissector`
puts them together. `speaking` is the smallest client that a real server answers, so that one
handshake is entirely the textbook's work.
"""

from __future__ import annotations

from lepton_lab.textbook.protocols.tls13.certificates import (
    CertificateSummary,
    certificate_verify_content,
)
from lepton_lab.textbook.protocols.tls13.code_points import (
    ALERTS,
    CONTENT_TYPES,
    EXTENSIONS,
    GROUPS,
    HANDSHAKE_TYPES,
    SIGNATURE_SCHEMES,
)
from lepton_lab.textbook.protocols.tls13.dissection import (
    DissectedMessage,
    DissectedRecord,
    Dissection,
)
from lepton_lab.textbook.protocols.tls13.dissection_errors import (
    DissectionError,
    MalformedCapture,
    RecordNotOpened,
    WrongFinished,
    WrongSecret,
    WrongSignature,
)
from lepton_lab.textbook.protocols.tls13.dissector import dissect
from lepton_lab.textbook.protocols.tls13.fields import WireField
from lepton_lab.textbook.protocols.tls13.key_schedule import (
    Derive_Secret,
    HKDF_Expand,
    HKDF_Expand_Label,
    HKDF_Extract,
    Secrets,
    Transcript_Hash,
    exporter,
    finished_key,
    key_schedule,
    next_traffic_secret,
    resumption_psk,
    traffic_keys,
    verify_data,
)
from lepton_lab.textbook.protocols.tls13.record_layer import nonce, open_record, seal
from lepton_lab.textbook.protocols.tls13.speaking import client_hello, speak
from lepton_lab.textbook.protocols.tls13.suites import SUITES, CipherSuite, suite_named

__all__ = [
    "ALERTS",
    "CONTENT_TYPES",
    "EXTENSIONS",
    "GROUPS",
    "HANDSHAKE_TYPES",
    "SIGNATURE_SCHEMES",
    "SUITES",
    "CertificateSummary",
    "CipherSuite",
    "Derive_Secret",
    "DissectedMessage",
    "DissectedRecord",
    "Dissection",
    "DissectionError",
    "HKDF_Expand",
    "HKDF_Expand_Label",
    "HKDF_Extract",
    "MalformedCapture",
    "RecordNotOpened",
    "Secrets",
    "Transcript_Hash",
    "WireField",
    "WrongFinished",
    "WrongSecret",
    "WrongSignature",
    "certificate_verify_content",
    "client_hello",
    "dissect",
    "exporter",
    "finished_key",
    "key_schedule",
    "next_traffic_secret",
    "nonce",
    "open_record",
    "resumption_psk",
    "seal",
    "speak",
    "suite_named",
    "traffic_keys",
    "verify_data",
]
