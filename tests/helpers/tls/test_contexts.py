"""Tests lepton_lab.tls.contexts: what a context accepts, shows, and leaves behind."""

from __future__ import annotations

import ssl
import stat
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lepton_lab import tls
from lepton_lab.errors import CertificateError, InvalidKey, InvalidParameter
from lepton_lab.tls import contexts
from lepton_lab.tls.contexts import MemoryEndpoint
from tests.support.tls_peers import ALICE, CA, SERVER

Shake = Callable[[ssl.SSLSession | None], ssl.SSLObject]


@pytest.fixture(scope="module")
def ca() -> tls.LabCA:
    return tls.LabCA.create()


@pytest.mark.parametrize("platform", sorted({sys.platform, "another"}))
def test_contexts_leave_no_file_behind_and_write_the_key_only_encrypted(
    ca, tmp_path, monkeypatch, platform
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(contexts, "sys", SimpleNamespace(platform=platform))
    seen, in_folder = [], []
    original = ssl.SSLContext.load_cert_chain

    def spy(self, certfile, *args, **kwargs):
        seen.append(
            (certfile.read_bytes(), certfile.stat().st_mode, certfile.parent.stat().st_mode)
        )
        in_folder.extend(tmp_path.iterdir())
        return original(self, certfile, *args, **kwargs)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
    tls.server_context(ca.issue("localhost"), ca)
    ((data, file_mode, folder_mode),) = seen
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in data
    assert b"BEGIN PRIVATE KEY" not in data
    if platform == "linux":
        assert in_folder == []  # it is in memory, and has no name
    else:
        assert (stat.S_IMODE(file_mode), stat.S_IMODE(folder_mode)) == (0o600, 0o700)
    assert list(tmp_path.iterdir()) == []


def test_contexts_are_tls_1_3_only_verify_and_keep_no_key_log(ca, tmp_path, monkeypatch):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "log"))
    server, client = tls.server_context(ca.issue("localhost"), ca), tls.client_context(ca)
    for context in (server, client):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.keylog_filename is None
        assert [int(each["serialNumber"], 16) for each in context.get_ca_certs()] == [
            ca.certificate.serial_number
        ]
    assert client.check_hostname
    assert (
        tls.server_context(ca.issue("localhost"), ca, require_client=False).verify_mode
        == ssl.CERT_NONE
    )
    assert not (tmp_path / "log").exists()


def test_a_context_needs_only_the_authoritys_certificate(ca):
    tls.server_context(ca.issue("localhost"), ca.certificate)
    tls.client_context(ca.certificate)


@pytest.mark.parametrize("bad", [None, "ca.pem", b"", 7])
def test_contexts_refuse_what_is_no_authority_and_no_identity(ca, bad):
    for make in (
        lambda: tls.client_context(bad),
        lambda: tls.server_context(ca.issue("localhost"), bad),
        lambda: tls.server_context(bad, ca),
        lambda: tls.client_context(ca, bad or "nobody"),
    ):
        with pytest.raises(InvalidParameter):
            make()


# --- resumption ---


def shake(
    server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> ssl.SSLObject:
    """A handshake in memory, and a byte each way; the client's end."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(outgoing, incoming, server_side=True)
    here = client.wrap_bio(incoming, outgoing, server_hostname="localhost", session=session)
    for step in (here, there, here, there):
        try:
            step.do_handshake()
        except ssl.SSLWantReadError:
            continue
    there.write(b"!")
    assert here.read(1) == b"!"
    return here


def test_a_server_issues_no_ticket_so_that_no_client_can_resume():
    """A resumed client's certificate would not be looked at again, and might have expired."""
    first = shake(SERVER, ALICE)
    assert SERVER.num_tickets == 0
    assert first.session is None or not first.session.has_ticket
    again = shake(SERVER, ALICE, first.session)
    assert not again.session_reused


def test_with_tickets_an_expired_client_gets_in_which_is_why_there_are_none():
    """The attack, on a context that was told to issue tickets: what the default prevents."""
    lasting = timedelta(seconds=3)
    server = tls.server_context(CA.issue("localhost"), CA)
    days = lasting / timedelta(days=1)
    brief = tls.client_context(CA, CA.issue("alice", client=True, days=days))
    server.num_tickets = 2
    session = shake(server, brief).session
    server_without = tls.server_context(CA.issue("localhost"), CA)
    session_without = shake(server_without, brief).session
    time.sleep(lasting.total_seconds() + 1)
    assert shake(server, brief, session).session_reused
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake(server_without, brief, session_without)


# --- names (RFC 9525) ---


def certificate(common_name: str, *names: x509.GeneralName, key: object = None) -> tls.Identity:
    """A server's certificate that no LabCA would issue, signed with the authority's own key."""
    its_key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(CA.certificate.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .issuer_name(CA.certificate.subject)
        .public_key(its_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(its_key.public_key()), critical=False
        )
        .add_extension(authority_key, critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = builder.sign(CA._key, hashes.SHA256())
    return tls.Identity(made, (made, CA.certificate), its_key)


COMMON_NAME_ONLY = {
    "no alternative name": (),
    "an alternative name of another kind": (x509.RFC822Name("a@b.test"),),
    "another host": (x509.DNSName("other.test"),),
}


@pytest.mark.parametrize("names", COMMON_NAME_ONLY)
def test_a_common_name_is_not_a_host_name(names):
    identity = certificate("localhost", *COMMON_NAME_ONLY[names])
    assert not ALICE.hostname_checks_common_name
    with pytest.raises(CertificateError):
        tls.record_handshake(tls.server_context(identity, CA), ALICE, "localhost")


def test_the_same_certificate_with_an_alternative_name_is_accepted():
    identity = certificate("anything", x509.DNSName("localhost"))
    tls.record_handshake(tls.server_context(identity, CA), ALICE, "localhost")


# --- keys and certificates that OpenSSL refuses ---


@pytest.mark.parametrize("other", [ec.SECP256R1(), ec.SECP384R1(), None])
def test_a_key_of_another_certificate_is_a_typed_error(other):
    identity = CA.issue("localhost")
    key = ec.generate_private_key(other) if other else rsa.generate_private_key(65537, 2048)
    mismatched = tls.Identity(identity.certificate, identity.chain, key)
    for make in (tls.server_context, lambda its, ca: tls.client_context(ca, its)):
        with pytest.raises(InvalidKey, match="does not belong"):
            make(mismatched, CA)


def test_a_certificate_that_openssl_refuses_is_a_typed_error():
    weak = certificate("x", x509.DNSName("localhost"), key=rsa.generate_private_key(65537, 1024))
    with pytest.raises(
        CertificateError, match="OpenSSL refuses this certificate: ee key too small"
    ):
        tls.server_context(weak, CA)


# --- an endpoint in memory ---


def test_an_endpoint_in_memory_says_what_it_needs_and_what_has_come():
    client, server = MemoryEndpoint(ALICE, "localhost"), MemoryEndpoint(SERVER)
    assert not client.finishes(client.tls.do_handshake)
    server.take(client.sent())
    assert not server.finishes(server.tls.do_handshake)
    client.take(server.sent())
    assert client.finishes(client.tls.do_handshake)
    server.take(client.sent())
    assert server.finishes(server.tls.do_handshake)
    assert server.read() is None
    client.tls.write(b"hello")
    server.take(client.sent())
    assert server.read() == b"hello"
    client.finishes(client.tls.unwrap)
    server.take(client.sent())
    assert server.read() == b""


def test_an_endpoint_that_is_cut_off_says_so():
    client = MemoryEndpoint(ALICE, "localhost")
    client.finishes(client.tls.do_handshake)
    client.take(b"")
    with pytest.raises(ssl.SSLEOFError):
        client.finishes(client.tls.do_handshake)


@pytest.mark.parametrize("name", [None, "", 5])
def test_a_recording_needs_a_servers_name(name):
    with pytest.raises(InvalidParameter, match="server_name"):
        tls.record_handshake(SERVER, ALICE, name)
