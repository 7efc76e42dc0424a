"""Tests lepton_lab.tls.ca and lepton_lab.tls.names: what the authority issues and refuses."""

from __future__ import annotations

import os
import shutil
import ssl
import stat
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import tls
from lepton_lab.errors import CertificateError, InvalidKey, InvalidName, InvalidParameter, LabError
from lepton_lab.tls import ca as ca_module

openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="install the openssl command to run this"
)


@pytest.fixture(scope="module")
def ca() -> tls.LabCA:
    return tls.LabCA.create()


def extension(certificate: x509.Certificate, kind: type) -> x509.Extension:
    return certificate.extensions.get_extension_for_class(kind)


def purposes(identity: tls.Identity) -> set[x509.ObjectIdentifier]:
    return set(extension(identity.certificate, x509.ExtendedKeyUsage).value)


def test_the_authority_may_sign_leaves_and_nothing_else(ca):
    basic, usage = (
        extension(ca.certificate, x509.BasicConstraints),
        extension(ca.certificate, x509.KeyUsage),
    )
    assert basic.critical
    assert basic.value == x509.BasicConstraints(ca=True, path_length=0)
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.crl_sign, usage.value.digital_signature) == (
        True,
        True,
        False,
    )
    assert isinstance(ca.certificate.public_key().curve, ec.SECP256R1)


def test_the_authority_is_constrained_for_domains_and_for_addresses(ca):
    constraints = extension(ca.certificate, x509.NameConstraints)
    assert constraints.critical
    assert {type(each) for each in constraints.value.permitted_subtrees} == {
        x509.DNSName,
        x509.IPAddress,
    }


def test_a_server_certificate_has_what_rfc_5280_asks_for(ca):
    identity = ca.issue("server.lab.example")
    certificate = identity.certificate
    assert extension(certificate, x509.BasicConstraints).value == x509.BasicConstraints(
        ca=False, path_length=None
    )
    assert extension(certificate, x509.KeyUsage).value.digital_signature
    assert not extension(certificate, x509.KeyUsage).value.key_cert_sign
    assert purposes(identity) == {Purpose.SERVER_AUTH}
    authority_key = extension(certificate, x509.AuthorityKeyIdentifier).value.key_identifier
    assert authority_key == extension(ca.certificate, x509.SubjectKeyIdentifier).value.digest
    assert identity.names == ("server.lab.example",)
    assert identity.chain == (certificate, ca.certificate)


def test_every_certificate_has_its_own_key_and_serial_number(ca):
    one, other = ca.issue("localhost"), ca.issue("localhost")
    assert one.certificate.serial_number != other.certificate.serial_number
    assert one.private_key.private_numbers() != other.private_key.private_numbers()
    assert one.certificate.public_key() == one.private_key.public_key()


def test_purposes_follow_client_and_server(ca):
    assert purposes(ca.issue("alice", client=True)) == {Purpose.CLIENT_AUTH}
    assert purposes(ca.issue("127.0.0.1", client=True, server=True)) == {
        Purpose.SERVER_AUTH,
        Purpose.CLIENT_AUTH,
    }
    with pytest.raises(InvalidParameter):
        ca.issue("localhost", client=False, server=False)


def test_addresses_and_host_names_go_where_verifiers_look_for_them(ca):
    names = extension(
        ca.issue("127.0.0.1", also=["localhost", "::1"]).certificate, x509.SubjectAlternativeName
    ).value
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_a_plain_client_name_is_no_host_name(ca):
    identity = ca.issue("Alice in the lab", client=True)
    assert identity.names == ("Alice in the lab",)
    with pytest.raises(x509.ExtensionNotFound):
        extension(identity.certificate, x509.SubjectAlternativeName)


def test_a_plain_name_stands_alone(ca):
    with pytest.raises(InvalidParameter, match="alone"):
        ca.issue("alice", client=True, also=["alice.test"])
    assert ca.issue("alice.test", client=True, also=iter(["127.0.0.1"])).names == (
        "alice.test",
        "127.0.0.1",
    )


def test_lives_are_short_by_default_and_never_longer_than_the_authoritys(ca):
    life = ca.certificate.not_valid_after_utc - ca.certificate.not_valid_before_utc
    assert life < timedelta(days=91)
    leaf = ca.issue("localhost").certificate
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc < timedelta(days=8)
    with pytest.raises(InvalidParameter, match="itself ends"):
        ca.issue("localhost", days=365)


def test_an_authority_that_has_ended_issues_nothing(monkeypatch):
    authority = tls.LabCA.create(days=0.0001)
    later = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr("lepton_lab.tls.ca._now", lambda: later)
    with pytest.raises(CertificateError, match="ended on"):
        authority.issue("localhost")


@pytest.mark.parametrize("days", [0, -1, -0.5])
def test_days_of_zero_or_less_make_a_certificate_that_has_ended(ca, days):
    certificate = ca.issue("localhost", days=days).certificate
    assert certificate.not_valid_before_utc < certificate.not_valid_after_utc < datetime.now(UTC)


def test_a_certificate_can_start_later(ca):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    certificate = ca.issue("localhost", starts=tomorrow, days=2).certificate
    assert certificate.not_valid_before_utc == tomorrow.replace(microsecond=0)


@pytest.mark.parametrize("days", [float("nan"), float("inf"), 1e9, -1e9, "7", None, True])
def test_impossible_lives_are_refused(ca, days):
    with pytest.raises(InvalidParameter):
        ca.issue("localhost", days=days)
    with pytest.raises(InvalidParameter):
        tls.LabCA.create(days=days)


@pytest.mark.parametrize("starts", ["now", datetime(2026, 1, 1), datetime.max.replace(tzinfo=UTC)])
def test_impossible_starts_are_refused(ca, starts):
    with pytest.raises(InvalidParameter):
        ca.issue("localhost", starts=starts)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "www.google.com",
            "nottest",
            "test.com",
            "example.com.evil.org",
            "8.8.8.8",
            "10.0.0.1",
            "::2",
            "0.0.0.0",
        ),
        *(
            "",
            ".",
            ".test",
            "a..test",
            "a.test.",
            "-a.test",
            "a-.test",
            "*.test",
            "a_b.test",
            "a b.test",
            "a.test\0",
        ),
        *(
            "ä.test",
            "127.1",
            "127.0.0.256",
            "999.test.1",
            "::1%lo",
            "[::1]",
            "https://a.test",
            "x" * 64 + ".test",
        ),
        *(".".join(["a" * 60] * 5) + ".test", "a.test\n", None, 7, b"a.test"),
    ],
)
def test_names_outside_the_constraints_or_malformed_are_not_issued(ca, name):
    with pytest.raises(InvalidName):
        ca.issue(name)
    with pytest.raises(InvalidName):
        ca.issue("localhost", also=[name])


def test_also_is_a_list_of_names(ca):
    for also in ("a.test", b"a.test", None, 5):
        with pytest.raises(InvalidParameter):
            ca.issue("localhost", also=also)


@pytest.mark.parametrize(
    "name", ["alice.evil.org", "8.8.8.8", "", "a\0b", "x" * 65, " a", "a\n", None]
)
def test_a_client_cannot_get_a_name_that_a_server_could_not(ca, name):
    with pytest.raises(InvalidName):
        ca.issue(name, client=True)


def test_the_permitted_names_can_be_chosen():
    authority = tls.LabCA.create("ours", permitted=["lab", "10.0.0.0/8"])
    assert authority.issue("node-1.lab", also=["10.1.2.3", "LAB"]).names == (
        "node-1.lab",
        "10.1.2.3",
        "lab",
    )
    for name in ("localhost", "127.0.0.1", "node-1.notlab"):
        with pytest.raises(InvalidName, match="permitted"):
            authority.issue(name)


@pytest.mark.parametrize("permitted", [["lab"], ["10.0.0.0/8"], [], "lab", None, 5])
def test_domains_alone_would_permit_every_address_and_are_refused(permitted):
    with pytest.raises(InvalidParameter):
        tls.LabCA.create(permitted=permitted)


@pytest.mark.parametrize(
    "permitted", [["*.lab", "10.0.0.0/8"], ["lab", "10.0.0.1/8"], ["", "10.0.0.0/8"], [None]]
)
def test_malformed_constraints_are_refused(permitted):
    with pytest.raises(InvalidName):
        tls.LabCA.create(permitted=permitted)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"[a-z0-9.:*_%-]{0,20}", fullmatch=True))
def test_any_text_at_all_is_a_name_or_a_typed_error(name):
    for is_client in (True, False):
        try:
            identity = AUTHORITY.issue(name, client=is_client)
        except LabError:
            continue
        assert [each.lower() for each in identity.names] != []


AUTHORITY = tls.LabCA.create()


def test_an_independent_verifier_accepts_what_was_issued_and_only_under_its_name(ca):
    identity = ca.issue("receiver.test")
    policy = PolicyBuilder().store(Store([ca.certificate]))
    chain = policy.build_server_verifier(x509.DNSName("receiver.test")).verify(
        identity.certificate, []
    )
    assert chain == list(identity.chain)
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.DNSName("other.test")).verify(identity.certificate, [])


@openssl
def test_openssl_verifies_the_chain_strictly_and_enforces_the_purposes(ca, tmp_path):
    def verify(files: tls.IdentityFiles, purpose: str) -> int:
        command = [
            "openssl",
            "verify",
            "-x509_strict",
            "-purpose",
            purpose,
            "-CAfile",
            files.authority,
        ]
        return subprocess.run(
            [*command, files.certificate], check=False, capture_output=True
        ).returncode

    server = ca.issue("127.0.0.1", also=["localhost"]).save(tmp_path / "server")
    client = ca.issue("alice", client=True).save(tmp_path / "client")
    address_only = ca.issue("127.0.0.1").save(tmp_path / "address")
    assert verify(server, "sslserver") == 0
    assert (
        verify(address_only, "sslserver") == 0
    )  # as a common name the address would break the DNS constraints
    assert verify(server, "sslclient") != 0
    assert verify(client, "sslclient") == 0
    assert verify(client, "sslserver") != 0


def test_what_is_saved_comes_back_and_only_its_owner_can_read_it(ca, tmp_path):
    path = tmp_path / "authority.pem"
    ca.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = tls.LabCA.load(str(path))
    assert again.certificate == ca.certificate
    policy = PolicyBuilder().store(Store([ca.certificate]))
    policy.build_server_verifier(x509.DNSName("a.test")).verify(
        again.issue("a.test").certificate, []
    )
    with pytest.raises(InvalidName):
        again.issue("www.google.com")


def test_a_saved_identity_serves_programs_that_want_files(ca, tmp_path):
    identity = ca.issue("localhost")
    files = identity.save(tmp_path / "made" / "here")
    assert stat.S_IMODE(files.key.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)
    assert files.authority.read_bytes() == ca.certificate_pem


def test_files_that_hold_no_authority_are_refused(ca, tmp_path):
    def pem(key: object) -> bytes:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    leaf = ca.issue("localhost")
    whole = tmp_path / "whole.pem"
    ca.save(whole)
    certificate, marker, key = whole.read_bytes().partition(b"-----BEGIN PRIVATE")
    for data in (
        *(
            b"",
            b"nonsense",
            certificate,
            marker + key,
            whole.read_bytes()[:-60],
            leaf.certificate_pem + pem(leaf.private_key),
        ),
        certificate + pem(ec.generate_private_key(ec.SECP256R1())),
        certificate + pem(rsa.generate_private_key(65537, 2048)),
        certificate.replace(b"A", b"B") + marker + key,
    ):
        path = tmp_path / "other.pem"
        path.write_bytes(data)
        path.chmod(0o600)
        with pytest.raises(InvalidKey, match="not an authority"):
            tls.LabCA.load(path)
    with pytest.raises(FileNotFoundError):
        tls.LabCA.load(tmp_path / "absent.pem")


def test_nothing_shows_a_private_key(ca):
    identity = ca.issue("localhost")
    secret = identity.private_key.private_numbers().private_value
    for text in (repr(identity), str(identity), repr(ca), repr(identity.names)):
        assert "PRIVATE" not in text
        assert "private_key" not in text
        assert str(secret) not in text


# --- the file of an authority ---

on_posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


def saved(ca: tls.LabCA, folder: Path) -> tuple[Path, bytes, bytes]:
    """The path of an authority's file, the certificate in it, and the key."""
    path = folder / "authority.pem"
    ca.save(path)
    certificate, marker, key = path.read_bytes().partition(b"-----BEGIN PRIVATE")
    return path, certificate, marker + key


@on_posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o602, 0o610, 0o777])
def test_a_key_that_other_users_can_read_or_change_is_refused(ca, tmp_path, mode):
    path, _, _ = saved(ca, tmp_path)
    path.chmod(mode)
    with pytest.raises(InvalidKey, match="chmod 600"):
        tls.LabCA.load(path)
    path.chmod(0o400)
    assert tls.LabCA.load(path).certificate == ca.certificate


def test_where_there_are_no_file_modes_none_are_asked_for(ca, tmp_path, monkeypatch):
    path, _, _ = saved(ca, tmp_path)
    path.chmod(0o644)
    monkeypatch.setattr(ca_module, "os", SimpleNamespace(**{**vars(os), "name": "nt"}))
    assert tls.LabCA.load(path).certificate == ca.certificate


@pytest.mark.parametrize(
    "order", ["key first", "parameters first", "text first", "another certificate first"]
)
def test_the_key_and_its_certificate_are_found_wherever_they_stand(ca, tmp_path, order):
    path, certificate, key = saved(ca, tmp_path)
    # The OID of P-256 in DER, as `openssl ecparam -genkey` writes it before the key.
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    other = tls.LabCA.create().certificate_pem
    path.write_bytes(
        {
            "key first": key + certificate,
            "parameters first": parameters + key + certificate,
            "text first": b"Certificate:\n    Data: - of an authority\n" + certificate + key,
            "another certificate first": other + certificate + key,
        }[order]
    )
    assert tls.LabCA.load(path).certificate == ca.certificate


def test_a_traditional_ec_key_is_read_too(ca, tmp_path):
    path, certificate, key = saved(ca, tmp_path)
    loaded = load_pem_private_key(key, None)
    old = loaded.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert old.startswith(b"-----BEGIN EC PRIVATE KEY")
    path.write_bytes(certificate + old)
    assert tls.LabCA.load(path).issue("localhost").names == ("localhost",)


def test_an_encrypted_key_is_not_asked_for_its_passphrase(ca, tmp_path):
    path, certificate, key = saved(ca, tmp_path)
    loaded = load_pem_private_key(key, None)
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        secret = loaded.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"words"))
        path.write_bytes(certificate + secret)
        with pytest.raises(InvalidKey):
            tls.LabCA.load(path)


@pytest.mark.parametrize("size", [0, 1])
def test_a_file_longer_than_any_authority_is_refused_unread(ca, tmp_path, size):
    path, _, _ = saved(ca, tmp_path)
    with path.open("ab") as file:
        file.write(b"\n" * (ca_module.LONGEST_PEM - path.stat().st_size + size))
    if size:
        with pytest.raises(InvalidKey, match="at most 65536 bytes"):
            tls.LabCA.load(path)
    else:
        assert tls.LabCA.load(path).certificate == ca.certificate


@pytest.mark.parametrize("block", [b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN ", b"-"])
def test_a_file_full_of_beginnings_takes_no_time(tmp_path, block):
    path = tmp_path / "beginnings.pem"
    path.write_bytes((block * ca_module.LONGEST_PEM)[: ca_module.LONGEST_PEM])
    path.chmod(0o600)
    started = time.monotonic()
    with pytest.raises(InvalidKey):
        tls.LabCA.load(path)
    assert time.monotonic() - started < 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs are POSIX's")
def test_what_is_not_a_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(InvalidKey, match="is not a file"):
        tls.LabCA.load(tmp_path / "fifo")
    with pytest.raises((InvalidKey, OSError)):
        tls.LabCA.load(tmp_path)


@pytest.mark.parametrize("path", ["a\0b", Path("a\0b"), None, 5, b"bytes"])
def test_paths_that_cannot_be_are_typed_errors(ca, path):
    for use in (tls.LabCA.load, ca.save, ca.issue("localhost").save):
        with pytest.raises(InvalidParameter, match="a path"):
            use(path)


LONGEST = [f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{number:055d}x.test" for number in range(99)]


def test_as_many_names_as_a_certificate_may_have_go_through_file_and_handshake(tmp_path):
    """Whatever can be made can be read again: by `load`, and by the peer in a handshake."""
    assert {len(each) for each in LONGEST} == {253}
    authority = tls.LabCA.create(permitted=[*LONGEST, "127.0.0.0/8"])
    path, _, _ = saved(authority, tmp_path)
    assert tls.LabCA.load(path).certificate == authority.certificate
    identity = authority.issue("127.0.0.1", also=LONGEST)
    client = tls.client_context(authority, authority.issue("alice", client=True))
    server = tls.server_context(identity, authority)
    tls.record_handshake(server, client, LONGEST[-1])


def test_more_names_than_that_are_refused():
    with pytest.raises(InvalidParameter, match="at most 100 names"):
        tls.LabCA.create(permitted=[*LONGEST, "test", "127.0.0.0/8"])
    with pytest.raises(InvalidParameter, match="at most 100 names"):
        AUTHORITY.issue("127.0.0.1", also=["a.test"] * 100)
