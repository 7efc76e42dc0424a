"""Tests lepton_lab.textbook.protocols.tls13.dissector on live handshakes of the openssl command.

Each suite, each kind of authentication, key updates. `openssl s_client -msg` prints what it sends
and receives, decrypted, and the dissector must find the same.
"""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lepton_lab import tls
from lepton_lab.capture import Capture, CapturedRecord
from lepton_lab.textbook.protocols import tls13

pytestmark = pytest.mark.skipif(
    not shutil.which("openssl"), reason="install the openssl command to have it as a client"
)

CA = tls.LabCA.create()
SERVER, ALICE = CA.issue("server.lab.example"), CA.issue("alice", client=True)
SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
PATIENCE = 30.0


class RecordedServer(threading.Thread):
    """Serves one connection and keeps its records in the order in which they crossed this end."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.port = self.listener.getsockname()[1]
        self.records: list[CapturedRecord] = []
        self.received = b""
        self._halves = {"client": b"", "server": b""}
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def run(self) -> None:
        connection, _ = self.listener.accept()
        with connection, self.listener:
            connection.settimeout(PATIENCE)
            self._until_done(connection, self._tls.do_handshake)
            while not self.received.endswith(b"bye\n"):
                said = self._until_done(connection, self._tls.read)
                self.received += said
                self._tls.write(b"you said " + said)
                self._send(connection)
            with suppress(ssl.SSLZeroReturnError):  # its close_notify
                self._until_done(connection, self._tls.read)
            with suppress(OSError):  # it does not wait for ours
                self._until_done(connection, self._tls.unwrap)

    def _until_done(self, connection: socket.socket, work: Callable[[], bytes | None]) -> bytes:
        while True:
            try:
                return work() or b""
            except ssl.SSLWantReadError:
                self._send(connection)
                data = connection.recv(1 << 16)
                self._keep("client", data)
                self._incoming.write(data) if data else self._incoming.write_eof()
            finally:
                self._send(connection)

    def _send(self, connection: socket.socket) -> None:
        data = self._outgoing.read()
        self._keep("server", data)
        connection.sendall(data)

    def _keep(self, sender: str, data: bytes) -> None:
        data = self._halves[sender] + data
        while len(data) >= 5 and len(data) >= (end := 5 + int.from_bytes(data[3:5], "big")):
            self.records.append(CapturedRecord(sender, data[:end]))
            data = data[end:]
        self._halves[sender] = data


def talk(
    context: ssl.SSLContext, folder: Path, *options: str, update: bool = False
) -> tuple[Capture, str]:
    """One conversation with s_client: the capture, and what s_client printed about it."""
    server = RecordedServer(context)
    server.start()
    log = folder / "secrets.log"
    (folder / "ca.pem").write_bytes(CA.certificate_pem)
    command = [
        *("openssl", "s_client", "-tls1_3", "-connect", f"127.0.0.1:{server.port}"),
        *("-servername", "server.lab.example", "-CAfile", str(folder / "ca.pem")),
        *("-verify_return_error", "-verify_hostname", "server.lab.example"),
        *("-keylogfile", str(log), "-msg", *options),
    ]
    output = folder / "said.txt"
    with (
        output.open("wb") as sink,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=sink, stderr=subprocess.STDOUT
        ) as client,
    ):
        assert client.stdin
        say(client.stdin, b"hello\n")
        wait_until(lambda: b"you said hello" in output.read_bytes(), client)
        if update:
            count = len(server.records)
            say(client.stdin, b"K\n")
            wait_until(lambda: len(server.records) > count, client)
        say(client.stdin, b"bye\n")
        wait_until(lambda: b"you said bye" in output.read_bytes(), client)
        say(client.stdin, b"Q\n")
        assert client.wait(PATIENCE) == 0, output.read_text()
    server.join(PATIENCE)
    assert not server.is_alive()
    lines = [line.split() for line in log.read_text().splitlines() if not line.startswith("#")]
    secrets = {label: bytes.fromhex(secret) for label, _, secret in lines}
    return Capture(tuple(server.records), secrets, "server.lab.example"), output.read_text()


def say(stdin, line: bytes) -> None:
    stdin.write(line)
    stdin.flush()


def wait_until(done: Callable[[], bool], client: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert client.poll() is None and time.monotonic() < end  # noqa: PT018 - either way it does not come
        time.sleep(0.01)


def printed(said: str, what: str) -> list[tuple[str, bytes]]:
    """(sender, bytes) of everything of a kind that s_client printed, the client's first."""
    found = re.findall(
        r"(?m)^(>>>|<<<) TLS 1\.[0-3], (\w+)[^\n]*\n((?: {4}(?:[0-9a-f]{2} ?)+\n)*)", said
    )
    sides = [
        ("client" if arrow == ">>>" else "server", bytes.fromhex(body))
        for arrow, kind, body in found
        if kind == what
    ]
    return sorted(sides, key=lambda side: side[0])


def assert_openssl_has_seen_the_same(said: str, dissection: tls13.Dissection) -> None:
    """All but the server's close_notify, for which s_client does not wait."""
    records = sorted(dissection.records[:-1], key=lambda record: record.sender)
    assert dissection.messages[-1].summary == "close_notify"
    kinds = {23: "application_data", 22: "handshake", 21: "alert"}
    assert printed(said, "RecordHeader") == [(each.sender, each.data[:5]) for each in records]
    inner = [(sender, kinds[data[0]]) for sender, data in printed(said, "InnerContent")]
    assert inner == [(each.sender, each.inner_type) for each in records if each.protected]
    messages = sorted(dissection.messages[:-1], key=lambda message: message.sender)
    others = ("ApplicationData", "ChangeCipherSpec", "Alert")
    handshake = [(each.sender, each.data) for each in messages if each.name not in others]
    assert printed(said, "Handshake") == handshake
    assert printed(said, "Alert") == [
        (each.sender, each.data) for each in messages if each.name == "Alert"
    ]


def assert_every_byte_is_explained(capture: Capture, dissection: tls13.Dissection) -> None:
    assert len(dissection.records) == len(capture.records)
    for sent, record in zip(capture.records, dissection.records, strict=True):
        assert (record.data, record.sender, len(record.opened)) == (
            sent.data,
            sent.sender,
            len(sent.data),
        )
        position = 0
        for field in record.fields:
            assert (field.offset, field.length, field.record) == (
                position,
                len(field.data),
                record.index,
            )
            assert field.data == record.opened[position : position + field.length]
            assert field.length > 0
            assert field.meaning
            position += field.length
        assert position == len(sent.data)
    assert sum(field.length for field in dissection.fields) == sum(
        len(record.data) for record in capture.records
    )
    for message in dissection.messages:
        assert b"".join(field.data for field in message.fields) == message.data


def context(*, mutual: bool) -> ssl.SSLContext:
    server = tls.server_context(SERVER, CA, require_client=mutual)
    server.num_tickets = 2  # the lab's servers issue none by default; here they are dissected
    return server


def identity(folder: Path) -> list[str]:
    files = ALICE.save(folder / "alice")
    return ["-cert", str(files.certificate), "-key", str(files.key)]


@pytest.mark.parametrize("mutual", [True, False], ids=["mutual", "server only"])
@pytest.mark.parametrize("suite", SUITES)
def test_every_byte_of_a_live_handshake_is_explained_as_openssl_saw_it(suite, mutual, tmp_path):
    options = ["-ciphersuites", suite, *(identity(tmp_path) if mutual else [])]
    capture, said = talk(context(mutual=mutual), tmp_path, *options)
    dissection = tls13.dissect(capture)
    assert_every_byte_is_explained(capture, dissection)
    assert dissection.suite == tls13.suite_named(suite)
    assert dissection.application_data("client") == b"hello\nbye\n"
    assert dissection.application_data("server") == b"you said hello\nyou said bye\n"
    assert len(dissection.verified) == (4 if mutual else 3)
    assert_openssl_has_seen_the_same(said, dissection)


def test_a_client_that_has_to_try_again_in_another_group(tmp_path):
    server = context(mutual=False)
    server.set_ecdh_curve("secp384r1")
    capture, said = talk(server, tmp_path, "-groups", "X25519:P-384")
    dissection = tls13.dissect(capture)
    assert_every_byte_is_explained(capture, dissection)
    assert_openssl_has_seen_the_same(said, dissection)
    names = [
        message.name
        for message in dissection.messages
        if message.name.endswith(("Hello", "Request"))
    ]
    assert names == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]
    assert dissection.group == "secp384r1"
    assert dissection.message("HelloRetryRequest").field("selected_group").value == "secp384r1"


def test_keys_that_are_updated_on_the_way(tmp_path):
    capture, said = talk(context(mutual=False), tmp_path, update=True)
    dissection = tls13.dissect(capture)
    assert_every_byte_is_explained(capture, dissection)
    assert_openssl_has_seen_the_same(said, dissection)
    updates = [
        (message.sender, message.summary)
        for message in dissection.messages
        if message.name == "KeyUpdate"
    ]
    assert updates == [("client", "update_requested"), ("server", "update_not_requested")]
    assert {
        "CLIENT_TRAFFIC_SECRET_1",
        "SERVER_TRAFFIC_SECRET_1",
    } <= dissection.secrets.keys() - capture.secrets.keys()
    assert dissection.records[-1].secret_label == "SERVER_TRAFFIC_SECRET_1"
    assert dissection.application_data("client") == b"hello\nbye\n"


def test_a_resumed_connection_and_the_psk_that_its_binder_is_made_with(tmp_path):
    server, session = context(mutual=False), str(tmp_path / "session")
    first, said = talk(server, tmp_path, "-sess_out", session)
    ticket = tls13.dissect(first).message("NewSessionTicket")
    capture, said_later = talk(server, tmp_path, "-sess_in", session)
    psks = [bytes.fromhex(psk) for psk in re.findall(r"Resumption PSK: ([0-9A-F]+)", said)]
    dissection = tls13.dissect(capture, psk=psks[-1])
    assert_every_byte_is_explained(capture, dissection)
    assert_openssl_has_seen_the_same(said_later, dissection)
    assert "Certificate" not in [message.name for message in dissection.messages]
    assert dissection.verified[0].startswith("PSK binder")
    assert dissection.message("ServerHello").field("selected_identity").value == 0
    assert (
        dissection.message("ClientHello").field("identities[0].identity").length
        == ticket.field(".ticket").length
    )
    with pytest.raises(tls13.WrongFinished, match="PSK binder"):
        tls13.dissect(capture, psk=psks[-1][::-1])


def test_the_exporter_gives_what_openssl_exports(tmp_path):
    options = [
        "-keymatexport",
        "EXPORTER-lepton",
        "-keymatexportlen",
        "40",
        "-ciphersuites",
        SUITES[1],
    ]
    capture, said = talk(context(mutual=False), tmp_path, *options)
    (exported,) = re.findall(r"Keying material: ([0-9A-F]+)", said)
    secret = capture.secrets["EXPORTER_SECRET"]
    assert tls13.exporter("sha384", secret, "EXPORTER-lepton", b"", 40).result == bytes.fromhex(
        exported
    )


def test_the_hybrid_group_that_resists_quantum_computers(tmp_path):
    groups = subprocess.run(
        ["openssl", "list", "-kem-algorithms"], capture_output=True, text=True, check=False
    ).stdout
    if "X25519MLKEM768" not in groups or ssl.OPENSSL_VERSION_INFO < (3, 5):
        pytest.skip(
            "optional peer: OpenSSL from 3.5 on, in Python and as a command, has X25519MLKEM768"
        )
    capture, _ = talk(context(mutual=False), tmp_path, "-groups", "X25519MLKEM768")
    dissection = tls13.dissect(capture)
    assert_every_byte_is_explained(capture, dissection)
    assert dissection.group == "X25519MLKEM768"
    assert dissection.message("ClientHello").field("key_exchange").length == 1184 + 32
    assert dissection.message("ServerHello").field("key_exchange").length == 1088 + 32
