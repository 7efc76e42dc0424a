"""Tests lepton_lab.tls.record and lepton_lab.capture: a capture holds all that is needed."""

from __future__ import annotations

import hashlib
import hmac
import os
import ssl
import stat
import struct
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

import lepton_lab.tls.record as record_module
from lepton_lab import tls
from lepton_lab.capture import Capture
from lepton_lab.errors import CertificateError, InvalidParameter, NodeError

CA = tls.LabCA.create()
SERVER_IDENTITY = CA.issue("server.lab.example")
ALICE_IDENTITY = CA.issue("alice", client=True)
LABELS = {
    f"{end}_{name}"
    for end in ("CLIENT", "SERVER")
    for name in ("HANDSHAKE_TRAFFIC_SECRET", "TRAFFIC_SECRET_0")
}
HANDSHAKE, ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC = 22, 21, 23, 20


def contexts(*, mutual: bool = True) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = tls.server_context(SERVER_IDENTITY, CA, require_client=mutual)
    return server, tls.client_context(CA, ALICE_IDENTITY if mutual else None)


def record(**says: bytes) -> Capture:
    return tls.record_handshake(*contexts(), "server.lab.example", **says)


class Opener:
    """One direction of TLS 1.3's record protection (RFC 8446 §5.2, §7.3), with AES-256-GCM."""

    def __init__(self, secret: bytes) -> None:
        self.aead = AESGCM(expand(secret, b"key", 32))
        self.iv = expand(secret, b"iv", 12)
        self.sequence = 0

    def open(self, raw: bytes) -> tuple[int, bytes]:
        nonce = (int.from_bytes(self.iv, "big") ^ self.sequence).to_bytes(12, "big")
        self.sequence += 1
        inner = self.aead.decrypt(nonce, raw[5:], raw[:5]).rstrip(b"\0")
        return inner[-1], inner[:-1]


def expand(secret: bytes, label: bytes, length: int) -> bytes:
    info = struct.pack(">HB", length, len(label) + 6) + b"tls13 " + label + b"\0"
    return HKDFExpand(hashes.SHA384(), length, info).derive(secret)


def opened(capture: Capture, sender: str) -> Iterator[tuple[int, bytes]]:
    """Every protected message of one side: the type inside, and the content."""
    handshake = Opener(capture.secrets[f"{sender.upper()}_HANDSHAKE_TRAFFIC_SECRET"])
    traffic = Opener(capture.secrets[f"{sender.upper()}_TRAFFIC_SECRET_0"])
    is_finished = False
    for each in capture.records:
        if each.sender == sender and each.data[0] == APPLICATION_DATA:
            kind, content = (traffic if is_finished else handshake).open(each.data)
            is_finished = is_finished or (kind == HANDSHAKE and content[0] == 20)
            yield kind, content


def test_records_are_whole_in_order_and_begin_with_the_two_hellos():
    capture = record()
    for each in capture.records:
        assert len(each.data) == 5 + int.from_bytes(each.data[3:5], "big")
    first, second = capture.records[:2]
    assert (first.sender, first.data[0], first.data[5]) == ("client", HANDSHAKE, 1)
    assert (second.sender, second.data[0], second.data[5]) == ("server", HANDSHAKE, 2)
    assert capture.server_name == "server.lab.example"
    assert b"server.lab.example" in first.data


def test_the_secrets_are_this_connections_and_have_their_key_log_labels():
    capture = record()
    assert set(capture.secrets) >= LABELS
    assert {len(secret) for secret in capture.secrets.values()} == {48}
    assert len(set(capture.secrets.values())) == len(capture.secrets)


@pytest.mark.parametrize(
    "says", [{}, {"request": b"", "response": b""}, {"request": b"q" * 40_000, "response": b"r"}]
)
def test_the_secrets_open_every_record_and_the_data_is_in_them(says):
    capture = record(**says)
    for sender, expected in (("client", says.get("request")), ("server", says.get("response"))):
        messages = list(opened(capture, sender))
        data = b"".join(content for kind, content in messages if kind == APPLICATION_DATA)
        assert data == expected or (expected is None and data)
        assert messages[-1] == (ALERT, bytes([1, 0]))  # close_notify


def test_certificates_and_signatures_in_it_verify():
    """The server's Certificate, CertificateVerify and Finished, and the client's certificate."""
    capture = record()
    transcript = b"".join(each.data[5:] for each in capture.records[:2])
    finished_key = expand(capture.secrets["SERVER_HANDSHAKE_TRAFFIC_SECRET"], b"finished", 48)
    seen = {}
    for kind, message in opened(capture, "server"):
        if kind == HANDSHAKE and 20 not in seen:
            seen[message[0]] = message, hashlib.sha384(transcript).digest()
            transcript += message
    assert list(seen) == [8, 13, 11, 15, 20]
    certificate = certificate_in(seen[11][0])
    assert certificate == SERVER_IDENTITY.certificate
    verify, digest = seen[15]
    signed = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + digest
    certificate.public_key().verify(verify[8:], signed, ec.ECDSA(hashes.SHA256()))
    finished, digest = seen[20]
    assert hmac.compare_digest(hmac.digest(finished_key, digest, "sha384"), finished[4:])
    (message,) = (
        message
        for kind, message in opened(capture, "client")
        if kind == HANDSHAKE and message[0] == 11
    )
    assert certificate_in(message) == ALICE_IDENTITY.certificate


def certificate_in(message: bytes) -> x509.Certificate:
    start = 4 + 1 + message[4] + 3 + 3
    return x509.load_der_x509_certificate(
        message[start : start + int.from_bytes(message[start - 3 : start], "big")]
    )


def test_a_key_log_may_hold_other_connections_and_remarks():
    log = f"# a remark\nLABEL {'aa' * 32} 01\nLABEL {'bb' * 32} 02\nOTHER {'aa' * 32} 03\n"
    assert record_module.secrets_in(log.encode(), b"\xaa" * 32) == {"LABEL": b"\1", "OTHER": b"\3"}


@pytest.mark.parametrize(
    "line",
    ["LABEL", "LABEL 00 01", f"LABEL {'aa' * 32}", f"LABEL {'aa' * 32} 0", "é a b", "a b c d"],
)
def test_a_key_log_of_another_form_is_a_typed_error(line):
    with pytest.raises(InvalidParameter, match="a line of the key log"):
        record_module.secrets_in(line.encode(), b"\xaa" * 32)


def test_one_sided_connections_can_be_recorded_too():
    capture = tls.record_handshake(*contexts(mutual=False), "server.lab.example")
    assert 13 not in [
        message[0] for kind, message in opened(capture, "server") if kind == HANDSHAKE
    ]


def test_the_key_log_is_for_our_eyes_only_and_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    previous = os.umask(0)  # the mode must not depend on it
    seen = []
    original = record_module.secrets_in

    def spy(log: str, client_random: bytes) -> dict[str, bytes]:
        (path,) = tmp_path.rglob("*.log")
        seen.extend([stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)])
        return original(log, client_random)

    monkeypatch.setattr(record_module, "secrets_in", spy)
    try:
        record()
    finally:
        os.umask(previous)
    assert seen == [0o600, 0o700]
    assert list(tmp_path.iterdir()) == []


def test_neither_context_logs_keys_afterwards_whatever_it_did_before(tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    server, client = contexts()
    assert (server.keylog_filename, client.keylog_filename) == (None, None)
    client.keylog_filename = str(log)
    before = log.read_bytes()
    tls.record_handshake(server, client, "server.lab.example")
    assert (server.keylog_filename, client.keylog_filename) == (None, None)
    with tls.Receiver("127.0.0.1", 0, server) as receiver:
        tls.send(b"x", "127.0.0.1", receiver.port, client, "server.lab.example")
    assert log.read_bytes() == before


def test_nothing_secret_shows_when_a_capture_is_printed():
    capture = record()
    text = repr(capture)
    for secret in capture.secrets.values():
        assert secret.hex() not in text
        assert repr(secret) not in text


def test_the_same_contexts_can_be_recorded_again_and_are_never_the_same():
    both = contexts()
    one, other = (tls.record_handshake(*both, "server.lab.example") for _ in range(2))
    assert not set(one.secrets.values()) & set(other.secrets.values())
    assert one.records[0].data != other.records[0].data


def test_what_fails_to_connect_fails_with_a_typed_error_and_leaves_no_key_log(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server, client = contexts()
    stranger = tls.LabCA.create()
    old = tls.client_context(CA, ALICE_IDENTITY)
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    for ends, kind, why in (
        ((server, client, "other.lab.example"), CertificateError, "another host name"),
        (
            (server, tls.client_context(CA), "server.lab.example"),
            CertificateError,
            "no certificate",
        ),
        (
            (server, tls.client_context(stranger), "server.lab.example"),
            CertificateError,
            "not trusted",
        ),
        (
            (tls.server_context(CA.issue("a.test", days=0), CA), client, "a.test"),
            CertificateError,
            "expired",
        ),
        ((server, old, "server.lab.example"), NodeError, r"TLS 1\.3"),
    ):
        with pytest.raises(kind, match=why):
            tls.record_handshake(*ends)
        assert ends[1].keylog_filename is None
    assert list(tmp_path.iterdir()) == []


def test_contexts_in_the_wrong_place_and_unverified_ones_are_refused():
    server, client = contexts()
    unverified = tls.client_context(CA)
    unverified.check_hostname = False
    for ends in (
        (client, server),
        (server, server),
        (client, client),
        (None, client),
        (server, None),
    ):
        with pytest.raises(InvalidParameter):
            tls.record_handshake(*ends, "server.lab.example")
    with pytest.raises(InvalidParameter):
        tls.record_handshake(server, unverified, "server.lab.example")
    with pytest.raises(InvalidParameter):
        tls.record_handshake(server, client, "server.lab.example", request="text")
