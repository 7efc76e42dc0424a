"""Tests lepton_lab.textbook.attacks.stolen_rsa_key and, as its victim,
lepton_lab.workshop.experiments.nb06_old_tls: the stolen key opens TLS 1.2's old key exchange.

It opens nothing that `lepton_lab.tls` has ever sent.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from lepton_lab import rsa, tls
from lepton_lab.capture import CapturedRecord
from lepton_lab.errors import NodeError
from lepton_lab.textbook.attacks import AttackFailed, stolen_rsa_key
from lepton_lab.textbook.attacks.man_in_the_middle import TappedBytes, TappedLine
from lepton_lab.workshop.experiments import nb06_old_tls as old_tls

KEY = rsa.generate_private_key(2048)
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old.test")])
NOW = datetime.now(UTC)
BUILDER = x509.CertificateBuilder(
    NAME, NAME, rsa.public_key(KEY), 1, NOW - timedelta(hours=1), NOW + timedelta(days=1)
)
CERTIFICATE = BUILDER.sign(KEY, hashes.SHA256())
REQUEST, RESPONSE = b"patient 17: malignant", b"noted " * 5000


def recorded() -> list[CapturedRecord]:
    try:
        return old_tls.record_rsa_key_exchange(CERTIFICATE, KEY, REQUEST, RESPONSE)
    except NodeError:
        pytest.skip("optional peer: an OpenSSL that still has TLS 1.2's RSA key exchange")


def test_the_stolen_key_opens_what_both_sides_said():
    trace = stolen_rsa_key.open_recording(recorded(), KEY)
    assert trace.result == {"client": REQUEST, "server": RESPONSE}
    assert trace["pre_master_secret"][:2] == b"\3\3"
    assert len(trace["master_secret"]) == 48


def test_it_opens_connections_without_the_extended_master_secret_too(monkeypatch):
    original = old_tls._record

    def without(server: ssl.SSLContext, client: ssl.SSLContext, *said: bytes) -> object:
        client.options |= 1  # OpenSSL 3's SSL_OP_NO_EXTENDED_MASTER_SECRET
        return original(server, client, *said)

    monkeypatch.setattr(old_tls, "_record", without)
    trace = stolen_rsa_key.open_recording(recorded(), KEY)
    assert trace.result["client"] == REQUEST
    assert "'master secret'" in next(step.note for step in trace if step.name == "master_secret")


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="install the openssl command to run this"
)
@pytest.mark.parametrize("suite", ["AES128-GCM-SHA256", "AES256-GCM-SHA384"])
def test_it_opens_what_openssls_own_programs_say_to_each_other(tmp_path, suite):
    pem = tmp_path / "server.pem"
    pem.write_bytes(CERTIFICATE.public_bytes(old_tls.Encoding.PEM) + rsa.to_pem(KEY))
    old = ["-tls1_2", "-cipher", suite]
    serve = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", pem, "-key", pem, *old]
    with piped([*serve, "-rev"]) as server:  # it answers every line with the line reversed
        try:
            line = next(line for line in server.stdout if line.startswith(b"ACCEPT"))
            _, _, port = line.rpartition(b":")
            with TappedLine(int(port)) as tap:
                connect = ["openssl", "s_client", "-connect", f"127.0.0.1:{tap.port}", *old]
                with piped([*connect, "-quiet"]) as client:
                    client.stdin.write(b"malignant\n")
                    client.stdin.flush()
                    answer = client.stdout.readline()
                    client.terminate()
                    client.communicate()
                if not answer:
                    pytest.skip(
                        "optional peer: an openssl that still has TLS 1.2's RSA key exchange"
                    )
                seen = tap.seen
        finally:
            server.terminate()
            server.communicate()
    opened = stolen_rsa_key.open_recording(list(in_order(seen)), KEY).result
    assert opened == {"client": b"malignant\n", "server": b"tnangilam\n"}


def piped(command: list[object]) -> subprocess.Popen[bytes]:
    """A program that is spoken to through pipes."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)


def in_order(seen: Iterable[TappedBytes]) -> Iterator[CapturedRecord]:
    """The records of both sides, each where its last byte arrived."""
    waiting = {"client": b"", "server": b""}
    for each in seen:
        stream = waiting[each.sender] + each.data
        while len(stream) >= 5:
            end = 5 + int.from_bytes(stream[3:5], "big")
            if len(stream) < end:
                break
            yield CapturedRecord(each.sender, stream[:end])
            stream = stream[end:]
        waiting[each.sender] = stream


def test_another_key_opens_nothing():
    with pytest.raises(AttackFailed):
        stolen_rsa_key.open_recording(recorded(), rsa.generate_private_key(2048))


def test_an_altered_recording_opens_no_further():
    records = recorded()
    last = records[-1]
    records[-1] = replace(last, data=last.data[:-1] + bytes([last.data[-1] ^ 1]))
    with pytest.raises(AttackFailed):
        stolen_rsa_key.open_recording(records, KEY)


def test_nothing_in_tls_1_3_is_encrypted_to_the_servers_key():
    ca = tls.LabCA.create()
    server = tls.server_context(ca.issue("server.test"), ca)
    capture = tls.record_handshake(
        server, tls.client_context(ca, ca.issue("alice", client=True)), "server.test"
    )
    with pytest.raises(AttackFailed, match="nothing"):
        stolen_rsa_key.open_recording(capture.records, KEY)


def test_the_prf_matches_a_published_vector():
    """The vector of TLS 1.2's PRF with SHA-256 that was posted to the IETF's TLS list."""
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    data = stolen_rsa_key.prf("sha256", secret, b"test label", seed, 100)
    assert data.hex().startswith("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a")
