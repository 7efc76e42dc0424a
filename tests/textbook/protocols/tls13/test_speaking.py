"""Tests lepton_lab.textbook.protocols.tls13.speaking against OpenSSL's server, in each suite."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import tls
from lepton_lab.capture import Capture
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.protocols import tls13
from lepton_lab.textbook.protocols.tls13.messages import read_handshake
from lepton_lab.textbook.trace import Trace

CA = tls.LabCA.create()
SERVER = CA.issue("server.lab.example")
SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
Exchange = Callable[[bytes], bytes]


class Server:
    """OpenSSL's end, in memory: answers what it hears, with `alter` between it and the client."""

    def __init__(
        self, *, mutual: bool = False, alter: Callable[[int, bytes], bytes] = lambda turn, raw: raw
    ) -> None:
        self.context = tls.server_context(SERVER, CA, require_client=mutual)
        self.alter, self.turn, self.heard = alter, 0, b""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.connection: ssl.SSLObject | None = None

    def __call__(self, raw: bytes) -> bytes:
        if self.connection is None:
            self.connection = self.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.incoming.write(raw)
        try:
            self.connection.do_handshake()
            self.answer(self.connection.read())
        except ssl.SSLWantReadError:
            pass
        self.turn += 1
        return self.alter(self.turn, self.outgoing.read())

    def answer(self, said: bytes) -> None:
        """Nothing is said only with a close_notify."""
        self.heard += said
        self.connection.write(b"I heard " + said) if said else self.connection.unwrap()


def spoken(server: Exchange, **changes: object) -> Trace[Capture]:
    options = {"private_key": secrets.token_bytes(32), "random": secrets.token_bytes(32), **changes}
    return tls13.speak(server, "server.lab.example", b"hello", **options)


@pytest.mark.parametrize("suite", SUITES)
def test_openssl_takes_our_finished_and_our_data_and_every_byte_is_explained(suite, tmp_path):
    server = Server()
    server.context.keylog_filename = str(tmp_path / "secrets.log")
    trace = spoken(server, suite=suite)
    assert server.heard == b"hello"
    assert server.connection.cipher()[0] == suite
    lines = [
        line.split()
        for line in (tmp_path / "secrets.log").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert {label: secret for label, _, secret in lines} == {
        label: s.hex() for label, s in trace.result.secrets.items()
    }
    without_key_log = Capture(trace.result.records, {}, "server.lab.example")
    dissection = tls13.dissect(without_key_log, shared_secret=trace["(EC)DHE"])
    assert sum(field.length for field in dissection.fields) == sum(
        len(each.data) for each in trace.result.records
    )
    assert (dissection.suite.name, dissection.group) == (suite, "x25519")
    assert dissection.application_data("server") == b"I heard hello"
    assert dissection.key_schedule["resumption_master_secret"] == trace["resumption_master_secret"]
    assert tls13.dissect(trace.result).messages == dissection.messages


def test_its_steps_are_the_messages_and_the_secrets():
    trace = spoken(Server())
    assert trace.names()[:4] == ["ClientHello", "(EC)DHE", "verified", "Finished"]
    assert [step.value.split(":")[0] for step in trace.named("verified")] == [
        "server CertificateVerify",
        "server Finished",
    ]
    assert trace.names()[-2:] == ["resumption_master_secret", "response"]
    assert trace["response"] == b"I heard hello"


def test_our_hello_is_what_its_fields_say():
    trace = tls13.client_hello(
        tls13.suite_named(SUITES[2]), "server.lab.example", bytes(32), bytes(range(32))
    )
    name, fields = read_handshake(trace.result)
    values = {field.path.rpartition("].")[2]: field.value for field in fields}
    assert name == "ClientHello"
    assert values["ClientHello.cipher_suites[0]"] == SUITES[2]
    assert values["HostName"] == "server.lab.example"
    assert values["key_exchange"] == bytes(range(32))


def test_a_server_with_another_group_is_not_understood():
    server = Server()
    server.context.set_ecdh_curve("secp384r1")
    with pytest.raises(ssl.SSLError):  # we do not offer it, so there is nothing to retry
        spoken(server)


def test_a_server_that_wants_a_certificate_is_told_that_there_is_none():
    with pytest.raises(tls13.MalformedCapture, match="certificate"):
        spoken(Server(mutual=True))


@given(st.data())
@settings(max_examples=30)
def test_an_altered_answer_is_noticed_before_a_word_is_said(data):
    """A change to the hello, certificate or Finished is noticed, and the request is not sent."""

    position = data.draw(st.integers(0, 20_000))

    def alter(turn: int, raw: bytes) -> bytes:
        bit = position % (8 * len(raw))  # how long the signature is changes from run to run
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        return bytes(flipped)

    server = Server(alter=lambda turn, raw: alter(turn, raw) if turn == 1 else raw)
    with pytest.raises(tls13.DissectionError):
        spoken(server)
    assert server.turn == 1
    assert server.heard == b""
    with pytest.raises(tls13.DissectionError):
        spoken(Server(alter=lambda turn, raw: alter(turn, raw) if turn > 1 else raw))


@pytest.mark.parametrize(
    "answer", [b"", b"\x16", b"\x15\3\3\0\2\2\x28", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
def test_what_is_no_answer_is_refused(answer):
    with pytest.raises(tls13.DissectionError):
        spoken(lambda raw: answer)


def test_a_public_key_of_small_order_is_refused():
    """Nothing but zeros would come of it (RFC 7748 §6.1)."""
    capture = spoken(Server()).result
    hello = capture.records[1].data
    key = tls13.dissect(capture).message("ServerHello").field("server_share.key_exchange").data
    with pytest.raises(tls13.MalformedCapture, match="not a usable public key"):
        spoken(lambda raw: hello.replace(key, bytes(32)))


REFUSED = {
    "a short key": {"private_key": bytes(31)},
    "a short random": {"random": bytes(31)},
    "a suite": {"suite": "TLS_NULL"},
}


@pytest.mark.parametrize("what", REFUSED)
def test_arguments_that_make_no_sense_are_refused(what):
    with pytest.raises(InvalidParameter):
        spoken(Server(), **REFUSED[what])


@pytest.mark.parametrize("name", ["", "x" * 256, "bücher.example", b"bytes"])
def test_names_that_cannot_be_are_refused(name):
    with pytest.raises(InvalidParameter):
        tls13.client_hello(tls13.SUITES[0x1301], name, bytes(32), bytes(32))
