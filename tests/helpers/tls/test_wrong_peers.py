"""Tests lepton_lab.tls.inspect, lepton_lab.tls.errors and lepton_lab.tls.send: wrong peers.

Every peer that must be refused, by name, against our own code and against OpenSSL's command line.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lepton_lab import tls
from lepton_lab.errors import CertificateError, InvalidParameter, LabError, NodeError
from lepton_lab.textbook.attacks.man_in_the_middle import TappedLine

openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="install the openssl command to run this"
)

CA = tls.LabCA.create()
NAMESAKE = tls.LabCA.create()  # another authority of the same name: only its key tells them apart
TOMORROW = datetime.now(UTC) + timedelta(days=1)
SERVER = CA.issue("localhost", also=["127.0.0.1"])
ALICE = CA.issue("alice", client=True)


def handmade(names: list[str], issuer: tls.LabCA | None = None) -> tls.Identity:
    """What no LabCA would issue: self-signed, or for names outside its authority's constraints."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "handmade")])
    signer = issuer._key if issuer else key
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(TOMORROW)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([tls.names.general_name(each) for each in names]),
            critical=False,
        )
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    return tls.Identity(certificate, (certificate,), key)


@contextmanager
def serving(answer: Callable[[socket.socket], None], host: str = "127.0.0.1") -> Iterator[int]:
    """A server that answers one connection in a thread of its own, on a port that is yielded."""
    with socket.create_server((host, 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    def answer(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)
        except OSError:
            return

    with serving(answer) as port:
        yield port


def context_of(identity: tls.Identity, **changes: object) -> ssl.SSLContext:
    context = tls.server_context(identity, CA)
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def only_tls_1_2() -> ssl.SSLContext:
    version = ssl.TLSVersion.TLSv1_2
    context = context_of(SERVER, minimum_version=version)
    context.maximum_version = version
    return context


def first_failure(receiver: tls.Receiver) -> LabError:
    """The refused client may know a moment before the receiver has noted why."""
    for _ in range(1000):
        if receiver.failures:
            return receiver.failures[0]
        time.sleep(0.01)
    pytest.fail("no failure was noted")


both_ways = pytest.mark.parametrize(
    "connect",
    [
        pytest.param(
            lambda port, context, host="localhost": tls.send(b"secret", host, port, context),
            id="send",
        ),
        pytest.param(
            lambda port, context, host="localhost": tls.inspect(host, port, context), id="inspect"
        ),
    ],
)

WRONG_SERVERS = {
    "expired": (CA.issue("localhost", days=-1), "localhost", "expired"),
    "not yet valid": (CA.issue("localhost", starts=TOMORROW, days=1), "localhost", "not valid yet"),
    "wrong host name": (CA.issue("receiver.test"), "localhost", "another host name"),
    "wrong address": (CA.issue("127.0.0.2", also=["localhost"]), "127.0.0.1", "another address"),
    "address given, name certified": (CA.issue("localhost"), "127.0.0.1", "another address"),
    "name given, address certified": (CA.issue("127.0.0.1"), "localhost", "another host name"),
    "unknown authority": (NAMESAKE.issue("localhost"), "localhost", "not trusted"),
    "self-signed": (handmade(["localhost"]), "localhost", "self-signed"),
    "a client's certificate": (
        CA.issue("localhost.test", client=True, also=["localhost"]),
        "localhost",
        "purpose",
    ),
    "name outside the constraints": (
        handmade(["localhost", "www.google.com"], CA),
        "localhost",
        "may not certify",
    ),
    "address outside the constraints": (
        handmade(["localhost", "8.8.8.8"], CA),
        "localhost",
        "may not certify",
    ),
}


@both_ways
@pytest.mark.parametrize("wrong", WRONG_SERVERS)
def test_a_wrong_server_is_refused_and_the_error_says_why(wrong, connect):
    identity, host, why = WRONG_SERVERS[wrong]
    with tls_server(context_of(identity)) as port, pytest.raises(CertificateError, match=why):
        connect(port, tls.client_context(CA, ALICE), host)


@both_ways
def test_a_server_that_speaks_only_tls_1_2_is_refused(connect):
    with (
        tls_server(only_tls_1_2()) as port,
        pytest.raises(NodeError, match=r"does not speak TLS 1\.3"),
    ):
        connect(port, tls.client_context(CA, ALICE))


@both_ways
def test_a_server_that_speaks_in_the_clear_is_refused(connect):
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(answer) as port, pytest.raises(NodeError, match="does not speak TLS"):
        connect(port, tls.client_context(CA, ALICE))


@both_ways
def test_a_server_that_hangs_up_is_a_typed_error(connect):
    with serving(lambda connection: None) as port, pytest.raises(NodeError, match="broke off"):
        connect(port, tls.client_context(CA, ALICE))


@pytest.mark.parametrize(
    "connect",
    [lambda *to: tls.send(b"", *to, timeout=1.0), lambda *to: tls.inspect(*to, timeout=1.0)],
)
def test_a_server_that_says_nothing_is_a_typed_error(connect):
    done = threading.Event()
    with serving(lambda connection: bool(done.wait(10))) as port:
        with pytest.raises(NodeError, match="no answer in time"):
            connect("127.0.0.1", port, tls.client_context(CA, ALICE))
        done.set()


def test_inspect_does_not_take_silence_for_consent():
    """A server that neither speaks nor answers close_notify may be about to refuse."""
    done = threading.Event()
    context = context_of(SERVER, num_tickets=0)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True):
            done.wait(10)

    with serving(answer) as port:
        with pytest.raises(NodeError, match="no answer in time"):
            tls.inspect("127.0.0.1", port, tls.client_context(CA, ALICE), timeout=1.5)
        done.set()


@both_ways
def test_nobody_listening_is_a_typed_error(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NodeError, match="refused"):
        connect(port, tls.client_context(CA, ALICE))


WRONG_CLIENTS = {
    "no certificate": (None, "none", "shown no certificate"),
    "certificate of another authority": (
        NAMESAKE.issue("alice", client=True),
        "not trust",
        "not trusted",
    ),
    "self-signed": (handmade(["alice.test"]), "not trust", "self-signed"),
    "a server's certificate": (CA.issue("localhost"), "purpose", "purpose"),
    "expired": (CA.issue("alice", client=True, days=-1), "expired", "expired"),
    "not yet valid": (
        CA.issue("alice", client=True, starts=TOMORROW, days=1),
        "not valid",
        "not valid yet",
    ),
    "outside the constraints": (
        handmade(["a.google.com"], CA),
        "not acceptable",
        "may not certify",
    ),
}


@both_ways
@pytest.mark.parametrize("wrong", WRONG_CLIENTS)
def test_a_wrong_client_learns_why_and_the_receiver_notes_why_and_lives_on(wrong, connect):
    identity, told, noted = WRONG_CLIENTS[wrong]
    with tls.Receiver("127.0.0.1", 0, tls.server_context(SERVER, CA)) as receiver:
        with pytest.raises(CertificateError, match=told):
            connect(receiver.port, tls.client_context(CA, identity))
        tls.send(b"from alice", "localhost", receiver.port, tls.client_context(CA, ALICE))
        assert receiver.receive() == b"from alice"
        failure = first_failure(receiver)
        assert noted in str(failure)
        assert isinstance(failure, CertificateError)
        with pytest.raises(NodeError):
            receiver.receive(0.01)


def test_a_client_that_writes_before_it_is_refused_still_learns_why():
    """Were the connection reset under its bytes, the alert could be lost (RFC 8446 §4.4.4)."""
    with tls.Receiver("127.0.0.1", 0, tls.server_context(SERVER, CA)) as receiver:
        for _ in range(10):
            with (
                socket.create_connection(("127.0.0.1", receiver.port), 10) as plain,
                tls.client_context(CA).wrap_socket(
                    plain, server_hostname="localhost"
                ) as connection,
            ):
                for _ in range(5):
                    connection.sendall(bytes(10_000))
                    time.sleep(0.002)
                with pytest.raises(ssl.SSLError, match="certificate required"):
                    connection.recv(1)


def test_a_connection_that_is_cut_is_no_orderly_end():
    """Early Pythons of the 3.11 series tell OpenSSL to take the one for the other."""

    def answer(connection: socket.socket) -> None:
        secured = tls.server_context(SERVER, CA).wrap_socket(connection, server_side=True)
        secured.sendall(b"a part")
        secured.close()  # without close_notify

    with (
        serving(answer) as port,
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        tls.client_context(CA, ALICE).wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False
        ) as connection,
    ):
        assert connection.recv(100) == b"a part"
        with pytest.raises(ssl.SSLEOFError):
            connection.recv(100)


def test_a_client_that_speaks_only_tls_1_2_is_refused():
    context = tls.client_context(CA, ALICE)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    with tls.Receiver("127.0.0.1", 0, tls.server_context(SERVER, CA)) as receiver:
        with pytest.raises(NodeError, match=r"does not speak TLS 1\.3"):
            tls.send(b"", "localhost", receiver.port, context)
        assert r"does not speak TLS 1.3" in str(first_failure(receiver))


def test_two_ends_that_would_both_take_tls_1_2_agree_on_it_and_are_still_refused():
    context = tls.client_context(CA, ALICE)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tls_server(only_tls_1_2()) as port, pytest.raises(NodeError, match=r"not TLS 1\.3"):
        tls.send(b"", "localhost", port, context)


def test_being_certified_is_not_being_allowed():
    bob = tls.client_context(CA, CA.issue("bob", client=True))
    with tls.Receiver(
        "127.0.0.1", 0, tls.server_context(SERVER, CA), allowed=["alice"]
    ) as receiver:
        with pytest.raises(CertificateError, match="does not allow"):
            tls.send(b"from bob", "localhost", receiver.port, bob)
        tls.send(b"from alice", "localhost", receiver.port, tls.client_context(CA, ALICE))
        assert receiver.receive() == b"from alice"
        assert "bob" in str(first_failure(receiver))


def test_one_sided_only_when_both_ends_ask_for_it():
    open_door = tls.server_context(SERVER, CA, require_client=False)
    with tls.Receiver("127.0.0.1", 0, open_door) as receiver:
        tls.send(b"from anybody", "localhost", receiver.port, tls.client_context(CA))
        assert receiver.receive() == b"from anybody"
    with pytest.raises(InvalidParameter):
        tls.Receiver("127.0.0.1", 0, open_door, allowed=["alice"])


def unverified(**changes: object) -> ssl.SSLContext:
    context = tls.client_context(CA, ALICE)
    for name, value in changes.items():
        setattr(context, name, value)
    return context


@both_ways
@pytest.mark.parametrize(
    "context",
    [
        unverified(check_hostname=False),
        unverified(check_hostname=False, verify_mode=ssl.CERT_NONE),
        unverified(check_hostname=False, verify_mode=ssl.CERT_OPTIONAL),
        tls.server_context(SERVER, CA),
        None,
        "context",
    ],
)
def test_a_context_that_does_not_verify_the_server_is_refused_before_anything_is_sent(
    context, connect
):
    with pytest.raises(InvalidParameter):
        connect(1, context)


@pytest.mark.parametrize(
    "name", ["", ".test", "a b", "localhost\0.evil.org", "*.test", 7, b"localhost"]
)
def test_a_server_name_that_cannot_be_checked_is_refused(name):
    context = tls.client_context(CA, ALICE)
    with tls.Receiver("127.0.0.1", 0, tls.server_context(SERVER, CA)) as receiver:
        for connect in (lambda *to: tls.send(b"", *to), tls.inspect):
            with pytest.raises(InvalidParameter):
                connect("127.0.0.1", receiver.port, context, name)
    with pytest.raises(InvalidParameter):
        tls.record_handshake(tls.server_context(SERVER, CA), context, name)


@both_ways
@pytest.mark.parametrize("host", ["", "a\0b", "x" * 300, ".", "a..b", 7, None, b"localhost"])
def test_hosts_that_are_none_are_refused(host, connect):
    with pytest.raises(LabError):
        connect(1, tls.client_context(CA), host)


@both_ways
@pytest.mark.parametrize("port", [0, -1, 65536, "443", None, True, 4.5])
def test_ports_that_are_none_are_refused(port, connect):
    with pytest.raises(InvalidParameter):
        connect(port, tls.client_context(CA))


def test_the_name_may_differ_from_the_host_when_it_is_given():
    identity = CA.issue("receiver.test")
    with tls.Receiver("127.0.0.1", 0, tls.server_context(identity, CA)) as receiver:
        context = tls.client_context(CA, ALICE)
        assert (
            tls.send(b"x", "127.0.0.1", receiver.port, context, "receiver.test").peer
            == "receiver.test"
        )
        assert tls.inspect("127.0.0.1", receiver.port, context, "receiver.test").names == (
            "receiver.test",
        )
        with pytest.raises(CertificateError, match="another address"):
            tls.send(b"x", "127.0.0.1", receiver.port, context)


def test_a_certificate_that_ends_is_revoked_by_its_lifetime():
    """The same certificate and contexts: accepted, and a moment later refused, without any list."""
    brief = tls.server_context(
        CA.issue("localhost", days=4.5 / 86_400), CA
    )  # certificates count in whole seconds
    client = tls.client_context(CA, ALICE)
    with tls.Receiver("127.0.0.1", 0, brief) as receiver:
        tls.send(b"in time", "localhost", receiver.port, client)
        assert receiver.receive() == b"in time"
        time.sleep(5)
        with pytest.raises(CertificateError, match="expired"):
            tls.send(b"too late", "localhost", receiver.port, client)
    alice = tls.client_context(CA, CA.issue("alice", client=True, days=4.5 / 86_400))
    with tls.Receiver("127.0.0.1", 0, tls.server_context(SERVER, CA)) as receiver:
        tls.send(b"in time", "localhost", receiver.port, alice)
        time.sleep(5)
        with pytest.raises(CertificateError, match="expired"):
            tls.send(b"too late", "localhost", receiver.port, alice)


# --- OpenSSL's own programs at the other end ---


@contextmanager
def s_server(identity: tls.Identity, folder: object, *options: str) -> Iterator[int]:
    files = identity.save(folder)
    command = [
        "openssl",
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-cert",
        files.certificate,
        "-key",
        files.key,
    ]
    process = subprocess.Popen(
        [*command, "-CAfile", folder / "authority.pem", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        line = next(line for line in process.stdout if line.startswith(b"ACCEPT"))
        yield int(line.rsplit(b":", 1)[1])
    finally:
        process.terminate()
        process.communicate()


@openssl
@pytest.mark.parametrize("tickets", ["0", "2"])
def test_inspect_reads_an_openssl_server_with_and_without_tickets(tmp_path, tickets):
    with s_server(
        SERVER, tmp_path, "-tls1_3", "-Verify", "1", "-verify_return_error", "-num_tickets", tickets
    ) as port:
        seen = tls.inspect("127.0.0.1", port, tls.client_context(CA, ALICE))
    assert (seen.version, seen.group) == ("TLSv1.3", "x25519")
    assert seen.chain == SERVER.chain


@openssl
@pytest.mark.parametrize("group", ["P-256", "P-384", "X448", "ffdhe2048"])
def test_inspect_names_the_group_also_after_a_hello_retry(tmp_path, group):
    with s_server(SERVER, tmp_path, "-tls1_3", "-groups", group) as port:
        seen = tls.inspect("localhost", port, tls.client_context(CA, ALICE))
    expected = {
        "P-256": "secp256r1",
        "P-384": "secp384r1",
        "X448": "x448",
        "ffdhe2048": "ffdhe2048",
    }
    assert seen.group == expected[group]


@openssl
@both_ways
@pytest.mark.parametrize("tickets", ["0", "2"])
def test_an_openssl_servers_refusal_shows(tmp_path, tickets, connect):
    mutual = ("-tls1_3", "-Verify", "1", "-verify_return_error", "-num_tickets", tickets)
    expired = CA.issue("alice", client=True, days=-1)
    for identity, why in (
        (None, "none"),
        (NAMESAKE.issue("eve", client=True), "trust"),
        (SERVER, "purpose"),
        (expired, "expired"),
    ):
        with (
            s_server(SERVER, tmp_path, *mutual) as port,
            pytest.raises(CertificateError, match=why),
        ):
            connect(port, tls.client_context(CA, identity))


@openssl
@both_ways
def test_wrong_openssl_servers_are_refused(tmp_path, connect):
    for wrong, (identity, host, why) in WRONG_SERVERS.items():
        with (
            s_server(identity, tmp_path / wrong, "-tls1_3") as port,
            pytest.raises(CertificateError, match=why),
        ):
            connect(port, tls.client_context(CA, ALICE), host)
    with (
        s_server(SERVER, tmp_path / "old", "-tls1_2") as port,
        pytest.raises(NodeError, match=r"TLS 1\.3"),
    ):
        connect(port, tls.client_context(CA, ALICE))


def s_client(
    port: int, identity: tls.Identity | None, folder: object, *options: str, data: bytes = b""
) -> bytes:
    folder.mkdir(exist_ok=True)
    (folder / "ca.pem").write_bytes(CA.certificate_pem)
    command = [
        "openssl",
        "s_client",
        "-connect",
        f"127.0.0.1:{port}",
        "-CAfile",
        folder / "ca.pem",
        "-quiet",
    ]
    command += ["-verify_return_error", "-verify_hostname", "localhost", *options]
    if identity is not None:
        files = identity.save(folder)
        command += ["-cert", files.certificate, "-key", files.key]
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=20).stdout


MESSAGE = (
    b"lepton\0\1" + (5).to_bytes(4, "big") + b"hello" + bytes(4)
)  # the byte table of tls.protocol, by hand


@openssl
def test_an_openssl_client_that_knows_the_byte_table_delivers_a_message(tmp_path):
    with tls.Receiver("127.0.0.1", 0, tls.server_context(SERVER, CA), max_bytes=1000) as receiver:
        answer = s_client(receiver.port, ALICE, tmp_path, data=MESSAGE)
        assert receiver.receive() == b"hello"
    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"hello")
    greeting = b"lepton\0\1" + b"\0" + (1000).to_bytes(8, "big")
    assert answer == greeting + (5).to_bytes(8, "big") + digest.finalize()


@openssl
@pytest.mark.parametrize("harm", ["altered", "replayed", "left out"])
def test_openssl_too_refuses_a_record_that_is_not_the_senders(tmp_path, harm):
    """Our records on their way to `openssl s_server` (RFC 8446 §5.2)."""

    def change(number: int, record: bytes) -> bytes:
        if (
            number != 5
        ):  # ClientHello, ChangeCipherSpec, Certificate, CertificateVerify, Finished; then the data
            return record
        return {
            "altered": record[:-1] + bytes([record[-1] ^ 1]),
            "replayed": record * 2,
            "left out": b"",
        }[harm]

    server = s_server(SERVER, tmp_path, "-tls1_3", "-Verify", "1", "-verify_return_error", "-rev")
    with server as port, TappedLine(port, change=change) as line:
        context = tls.client_context(CA, ALICE)
        with socket.create_connection(("127.0.0.1", line.port), 10) as plain:
            connection = context.wrap_socket(
                plain, server_hostname="localhost", suppress_ragged_eofs=False
            )
            with connection:
                connection.sendall(b"abc\n")
                connection.sendall(b"def\n")
                with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac"):
                    b"".join(iter(lambda: connection.recv(100), b""))


@openssl
@pytest.mark.parametrize("wrong", WRONG_CLIENTS)
def test_wrong_openssl_clients_are_refused(tmp_path, wrong):
    identity, _, noted = WRONG_CLIENTS[wrong]
    with tls.Receiver("127.0.0.1", 0, tls.server_context(SERVER, CA)) as receiver:
        assert s_client(receiver.port, identity, tmp_path, data=MESSAGE) == b""
        with pytest.raises(NodeError):
            receiver.receive(0.01)
        assert noted in str(first_failure(receiver))


@openssl
def test_an_openssl_client_refuses_our_server_when_it_is_wrong(tmp_path):
    for identity in (
        identity for identity, host, _ in WRONG_SERVERS.values() if host == "localhost"
    ):
        with tls.Receiver("127.0.0.1", 0, tls.server_context(identity, CA)) as receiver:
            assert s_client(receiver.port, ALICE, tmp_path, data=MESSAGE) == b""
    with tls.Receiver("127.0.0.1", 0, tls.server_context(SERVER, CA)) as receiver:
        assert s_client(receiver.port, ALICE, tmp_path, "-tls1_2", data=MESSAGE) == b""
