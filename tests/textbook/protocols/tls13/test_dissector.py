"""Tests the textbook's dissector of TLS 1.3 on RFC 8448's traces and our own connections.

Every byte must be explained, and whatever is wrong must be refused. The modules:

lepton_lab.textbook.protocols.tls13.certificates
lepton_lab.textbook.protocols.tls13.code_points
lepton_lab.textbook.protocols.tls13.dissection
lepton_lab.textbook.protocols.tls13.dissection_errors
lepton_lab.textbook.protocols.tls13.dissector
lepton_lab.textbook.protocols.tls13.extensions
lepton_lab.textbook.protocols.tls13.fields
lepton_lab.textbook.protocols.tls13.handshake
lepton_lab.textbook.protocols.tls13.messages
lepton_lab.textbook.protocols.tls13.record_fields
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import tls
from lepton_lab.capture import Capture, CapturedRecord
from lepton_lab.errors import (
    DecryptionError,
    IntegrityError,
    InvalidParameter,
    InvalidSignature,
    LabError,
)
from lepton_lab.textbook.protocols import tls13
from lepton_lab.textbook.protocols.tls13.certificates import check_signature, summary_of
from lepton_lab.textbook.protocols.tls13.messages import read_handshake
from tests.support.paths import VECTORS

RFC8448 = json.loads((VECTORS / "rfc8448.json").read_text())["sections"]
OPENSSL = json.loads((VECTORS / "tls13_openssl.json").read_text())["captures"]
CA = tls.LabCA.create()
SERVER, ALICE = CA.issue("server.lab.example"), CA.issue("alice", client=True)


@cache
def live(mutual: bool = True) -> Capture:
    server = tls.server_context(SERVER, CA, require_client=mutual)
    server.num_tickets = 2  # the lab's servers issue none by default; here they are dissected
    client = tls.client_context(CA, ALICE if mutual else None)
    return tls.record_handshake(server, client, "server.lab.example")


@cache
def own() -> tls13.Dissection:
    return tls13.dissect(live())


@cache
def trace(section: str) -> tuple[Capture, bytes, bytes]:
    """A trace of RFC 8448: its capture, without secrets, the (EC)DHE secret, and the PSK."""
    steps = RFC8448[section]["steps"]
    sent = [
        (step["by"], bytes.fromhex(step["values"].get("complete record", ""))) for step in steps
    ]
    records = tuple(CapturedRecord(sender, raw) for sender, raw in sent if raw)
    ikm = {
        step["does"]: bytes.fromhex(step["values"]["IKM"])
        for step in reversed(steps)
        if "IKM" in step["values"]
    }
    psk = ikm['extract secret "early"'] if section == "4" else b""
    return Capture(records, {}, "server"), ikm['extract secret "handshake"'], psk


@cache
def dissected(section: str) -> tls13.Dissection:
    capture, shared_secret, psk = trace(section)
    return tls13.dissect(capture, shared_secret=shared_secret, psk=psk)


def assert_every_byte_is_explained(capture: Capture, dissection: tls13.Dissection) -> None:
    assert len(dissection.records) == len(capture.records)
    for sent, record in zip(capture.records, dissection.records, strict=True):
        assert (record.data, record.sender, len(record.opened)) == (
            sent.data,
            sent.sender,
            len(sent.data),
        )
        assert_fields_cover(record.fields, record.opened)
        assert {field.record for field in record.fields} == {record.index}
    assert sum(field.length for field in dissection.fields) == sum(
        len(record.data) for record in capture.records
    )
    content = sum(len(message.data) for message in dissection.messages)
    around = [
        f
        for f in dissection.fields
        if f.path.startswith(("TLSPlaintext", "TLSCiphertext", "TLSInnerPlaintext"))
    ]
    assert content + sum(field.length for field in around) == sum(
        len(record.data) for record in capture.records
    )
    for message in dissection.messages:
        assert_fields_cover(message.fields, message.data)
        assert message.index in dissection.records[message.records[0]].messages


def assert_fields_cover(fields: tuple[tls13.WireField, ...], raw: bytes) -> None:
    """In order, without gap or overlap, each with something to say."""
    position = 0
    for field in fields:
        assert (field.offset, field.length) == (position, len(field.data))
        assert field.data == raw[position : position + field.length] != b""
        assert field.meaning
        assert field.path.endswith(field.name)
        position += field.length
    assert position == len(raw)


# --- RFC 8448 ---

MESSAGES = {
    "3": "ClientHello ServerHello EncryptedExtensions Certificate CertificateVerify Finished "
    "Finished NewSessionTicket ApplicationData ApplicationData Alert Alert",
    "4": "ClientHello ApplicationData ServerHello EncryptedExtensions Finished EndOfEarlyData "
    "Finished ApplicationData ApplicationData Alert Alert",
    "5": "ClientHello HelloRetryRequest ClientHello ServerHello EncryptedExtensions Certificate "
    "CertificateVerify Finished Finished Alert Alert",
    "6": "ClientHello ServerHello EncryptedExtensions CertificateRequest Certificate "
    "CertificateVerify Finished Certificate CertificateVerify Finished Alert Alert",
    "7": "ClientHello ServerHello ChangeCipherSpec EncryptedExtensions Certificate "
    "CertificateVerify Finished ChangeCipherSpec Finished Alert Alert",
}


@pytest.mark.parametrize("section", MESSAGES)
def test_a_trace_of_rfc_8448_is_explained_from_its_wire_and_its_shared_secret_alone(section):
    dissection = dissected(section)
    assert_every_byte_is_explained(trace(section)[0], dissection)
    assert " ".join(message.name for message in dissection.messages) == MESSAGES[section]
    assert dissection.suite == tls13.suite_named("TLS_AES_128_GCM_SHA256")
    assert dissection.group == ("secp256r1" if section == "5" else "x25519")
    assert dissection.server_name == "server"
    verified = [sentence.split(":")[0] for sentence in dissection.verified]
    of_certificates = {"4": ["PSK binder"]}.get(section, ["server CertificateVerify"])
    of_client = ["client CertificateVerify"] if section == "6" else []
    assert verified == [*of_certificates, "server Finished", *of_client, "client Finished"]


@pytest.mark.parametrize("section", MESSAGES)
def test_both_finished_of_rfc_8448_are_what_it_prints(section):
    printed = [
        step["values"]["Finished"]
        for step in RFC8448[section]["steps"]
        if "Finished" in step["values"]
    ]
    found = [message for message in dissected(section).messages if message.name == "Finished"]
    assert [message.data.hex() for message in found] == printed
    for message in found:
        assert message.check.result == message.field("verify_data").data


@pytest.mark.parametrize("section", MESSAGES)
def test_every_message_that_rfc_8448_constructs_is_found(section):
    names = {
        "ServerHello",
        "EncryptedExtensions",
        "Certificate",
        "CertificateVerify",
        "CertificateRequest",
        "NewSessionTicket",
        "EndOfEarlyData",
        "Finished",
    }
    printed = [
        value
        for step in RFC8448[section]["steps"]
        for name, value in step["values"].items()
        if name in names
    ]
    others = ("ClientHello", "ApplicationData", "Alert", "ChangeCipherSpec")
    assert [
        each.data.hex() for each in dissected(section).messages if each.name not in others
    ] == printed


def test_the_derived_secrets_are_named_as_in_a_key_log_and_a_key_log_that_disagrees_is_refused():
    capture, shared_secret, _ = trace("3")
    secrets = dissected("3").secrets
    assert tls13.dissect(replace(capture, secrets=secrets)).verified == dissected("3").verified
    assert (
        tls13.dissect(replace(capture, secrets=secrets), shared_secret=shared_secret).secrets
        == secrets
    )
    for label in secrets:
        wrong = {**secrets, label: bytes(32)}
        with pytest.raises(tls13.WrongSecret, match=label):
            tls13.dissect(replace(capture, secrets=wrong), shared_secret=shared_secret)


def test_a_ticket_of_one_trace_opens_the_next():
    first = dissected("3")
    nonce = first.message("NewSessionTicket").field("ticket_nonce").data
    psk = tls13.resumption_psk(
        "sha256", first.key_schedule["resumption_master_secret"], nonce
    ).result
    capture, shared_secret, _ = trace("4")
    resumed = tls13.dissect(capture, shared_secret=shared_secret, psk=psk)
    ticket = first.message("NewSessionTicket").field(".ticket").data
    assert resumed.message("ClientHello").field("identities[0].identity").data == ticket
    assert resumed.application_data("client")[:6] == b"ABCDEF"
    assert resumed.records[1].secret_label == "CLIENT_EARLY_TRAFFIC_SECRET"


def test_fields_say_what_is_there():
    hello = dissected("3").message("ClientHello")
    assert hello.field("HostName").value == "server"
    assert hello.field("cipher_suites[2]").value == "TLS_AES_256_GCM_SHA384"
    share = hello.field("client_shares[0].key_exchange")
    assert share.data == hello.data[share.offset : share.offset + 32]
    assert share.path == "ClientHello.extensions[4].key_share.client_shares[0].key_exchange"
    assert (share.kind, share.name, share.record) == ("key", "key_exchange", 0)
    certificate = dissected("3").message("Certificate").field("cert_data").value
    assert (certificate.subject, certificate.public_key) == ("CN=rsa", "RSA 1024")
    assert dissected("3").certificates["server"] == (certificate,)
    padding = dissected("4").message("ClientHello").field("padding")
    assert (padding.length, padding.kind) == (87, "padding")
    with pytest.raises(InvalidParameter, match="no field 'HostName'"):
        dissected("3").message("ServerHello").field("HostName")
    with pytest.raises(InvalidParameter, match="'KeyUpdate' from client"):
        dissected("3").message("KeyUpdate", "client")


def test_protection_is_explained_step_by_step():
    record = dissected("3").records[2]
    steps = record.protection
    assert steps["server_write_key"].hex() == "3fce516009c21727d0f2e4e86ee403bc"
    assert steps["server_write_iv"].hex() == "5d313eb2671276ee13000b30"
    assert (steps["sequence number"], steps["additional_data"]) == (0, record.data[:5])
    assert steps["AEADEncrypted"] == record.data[5:]
    assert record.opened[5:-16] == steps.result
    assert (record.inner_type, record.content_type, record.padding) == (
        "handshake",
        "application_data",
        0,
    )
    assert dissected("3").records[8].protection["sequence number"] == 2


def test_a_dissection_prints_as_a_table_and_hides_its_secrets():
    lines = repr(dissected("3")).splitlines()
    assert len(lines) == 13
    assert lines[1].split() == ["0", "client", "ClientHello", "196", "server,", "x25519"]
    for secret in dissected("3").secrets.values():
        assert secret.hex() not in repr(dissected("3"))
    assert [message.index for message in dissected("3")] == list(range(12))
    assert repr(dissected("3").records[2]).startswith(
        "record 2: server, handshake, 679 bytes under SERVER_HANDSHAKE"
    )
    assert repr(dissected("3").messages[0]) == "client: ClientHello, 196 bytes: server, x25519"


# --- our own connections ---


@pytest.mark.parametrize("mutual", [True, False])
def test_every_byte_of_our_own_handshake_is_explained(mutual):
    capture = live(mutual)
    dissection = tls13.dissect(capture)
    assert_every_byte_is_explained(capture, dissection)
    assert dissection.application_data("client") == b"Is anybody there?"
    assert dissection.application_data("server") == b"Only those who can prove it."
    assert dissection.certificates["server"][0].names == ("server.lab.example",)
    assert set(dissection.certificates) == ({"server", "client"} if mutual else {"server"})
    assert dissection.server_name == capture.server_name


@pytest.mark.parametrize("request_size", [0, 1, 2**14, 2**14 + 1, 100_000])
def test_data_of_any_size_is_put_together_again(request_size):
    server, client = tls.server_context(SERVER, CA, require_client=False), tls.client_context(CA)
    capture = tls.record_handshake(
        server, client, "server.lab.example", request=b"q" * request_size, response=b""
    )
    dissection = tls13.dissect(capture)
    assert_every_byte_is_explained(capture, dissection)
    assert dissection.application_data("client") == b"q" * request_size


def recorded(case: dict[str, Any]) -> Capture:
    records = tuple(CapturedRecord(sender, bytes.fromhex(raw)) for sender, raw in case["records"])
    return Capture(
        records, {label: bytes.fromhex(secret) for label, secret in case["secrets"].items()}, ""
    )


@pytest.mark.parametrize("case", OPENSSL, ids=lambda case: case["what"])
def test_what_newer_libraries_negotiate_is_explained_too(case):
    """The hybrid key exchange, suites with CCM, signatures by Ed25519, RSA-PSS and ML-DSA."""
    capture = recorded(case)
    dissection = tls13.dissect(capture)
    assert_every_byte_is_explained(capture, dissection)
    assert (dissection.suite.name, dissection.group) == (case["suite"], case["group"])
    assert (
        dissection.message("ClientHello").field("[0].key_exchange").length == 1184 + 32
    )  # FIPS 203, RFC 7748
    assert dissection.message("ServerHello").field("key_exchange").length == 1088 + 32
    verify = dissection.message("CertificateVerify")
    assert verify.summary == case["scheme"]
    all_of_it = contents(dissection)
    index = verify.records[0]
    *start, content = all_of_it[index]
    for altered in (
        content[:-1] + bytes([content[-1] ^ 1]),
        content[:20] + bytes([content[20] ^ 1]) + content[21:],
    ):
        all_of_it[index] = (*start, altered)
        with pytest.raises(tls13.WrongSignature):
            tls13.dissect(sealed(all_of_it, dissection))


# --- what has been tampered with, sealed again under the right keys ---

Content = tuple[str, str, str, bytes]  # sender, secret label, type, content


def contents(dissection: tls13.Dissection) -> list[Content]:
    """What each record holds."""
    return [
        (each.sender, each.secret_label, each.inner_type, content_of(each, dissection))
        for each in dissection.records
    ]


def content_of(record: tls13.DissectedRecord, dissection: tls13.Dissection) -> bytes:
    end = len(record.opened) - (
        dissection.suite.tag_length + 1 + record.padding if record.protected else 0
    )
    return record.opened[5:end]


def sealed(contents: list[Content], dissection: tls13.Dissection, padding: int = 0) -> Capture:
    """Those contents in records again, whoever should have sealed them."""
    sequence: dict[str, int] = {}
    records = []
    for index, (sender, label, kind, content) in enumerate(contents):
        if label:
            number = sequence[label] = sequence.get(label, -1) + 1
            secret = dissection.secrets[label]
            raw = tls13.seal(
                dissection.suite, secret, number, content, kind, padding=padding
            ).result
        else:
            code = {"handshake": 22, "alert": 21, "change_cipher_spec": 20}[kind]
            raw = bytes([code, 3, 3 if index else 1]) + len(content).to_bytes(2, "big") + content
        records.append(CapturedRecord(sender, raw))
    return Capture(tuple(records), dissection.secrets, dissection.server_name)


def edited(name: str, sender: str, edit: Callable[[bytearray], object]) -> Capture:
    """Our own mutual handshake with one message changed by someone who has all the keys."""
    dissection = own()
    all_of_it = contents(dissection)
    message = dissection.message(name, sender)
    index = message.records[0]
    start = message.start - 5
    at, label, kind, content = all_of_it[index]
    raw = bytearray(content[start : start + len(message.data)])
    edit(raw)
    all_of_it[index] = (
        at,
        label,
        kind,
        content[:start] + bytes(raw) + content[start + len(message.data) :],
    )
    return sealed(all_of_it, dissection)


def writing(start: int, new: bytes, end: int | None = None) -> Callable[[bytearray], object]:
    """An edit that puts `new` in place of as many bytes, or of those up to `end`."""
    return lambda raw: raw.__setitem__(slice(start, start + len(new) if end is None else end), new)


def flip_last(raw: bytearray) -> None:
    raw[-1] ^= 1


@pytest.mark.parametrize("sender", ["server", "client"])
def test_an_altered_finished_is_named(sender):
    with pytest.raises(tls13.WrongFinished, match=f"^{sender} Finished \\(record") as caught:
        tls13.dissect(edited("Finished", sender, flip_last))
    assert (caught.value.what, caught.value.record) == (
        f"{sender} Finished",
        {"server": 7, "client": 11}[sender],
    )
    assert isinstance(caught.value, IntegrityError)


@pytest.mark.parametrize("sender", ["server", "client"])
def test_a_wrong_signature_is_named(sender):
    with pytest.raises(tls13.WrongSignature, match=f"^{sender} CertificateVerify") as caught:
        tls13.dissect(edited("CertificateVerify", sender, flip_last))
    assert isinstance(caught.value, InvalidSignature)


def test_a_signature_under_a_scheme_that_does_not_fit_the_key_is_refused():
    for scheme in (b"\x08\x04", b"\x08\x07", b"\x05\x03", b"\x02\x03", b"\x09\x04", b"\xff\xff"):
        capture = edited("CertificateVerify", "server", writing(4, scheme))
        with pytest.raises(tls13.WrongSignature, match="does not fit"):
            tls13.dissect(capture)


def test_another_certificate_is_found_by_the_signature():
    """Alice's certificate in the server's place: the signature is not by her key."""
    alices = own().message("Certificate", "client").data
    with pytest.raises(tls13.WrongSignature, match="server CertificateVerify"):
        tls13.dissect(edited("Certificate", "server", writing(0, alices, 10_000)))


def test_a_certificate_that_is_none_is_refused():
    with pytest.raises(tls13.MalformedCapture, match="not an X\\.509 certificate"):
        tls13.dissect(edited("Certificate", "server", writing(11, bytes(29))))


def test_an_altered_hello_is_found_by_the_signature():
    with pytest.raises(tls13.WrongSignature, match="server CertificateVerify"):
        tls13.dissect(edited("ClientHello", "client", lambda raw: raw.__setitem__(10, raw[10] ^ 1)))


NOT_OFFERED = {
    "a suite": (writing(71, b"\x13\x04"), "cipher_suite that the client did not offer"),
    "an older suite": (writing(71, b"\xc0\x2b"), "not one of TLS 1.3's"),
    "a version": (writing(80, b"\x03\x03"), "does not choose TLS 1.3"),
    "a group": (writing(86, b"\x00\x17"), "group that the client did not offer"),
    "a session id": (writing(40, b"another"), "legacy_session_id"),
}


@pytest.mark.parametrize("what", NOT_OFFERED)
def test_a_server_chooses_from_what_it_was_offered(what):
    edit, reason = NOT_OFFERED[what]
    hello = own().message("ServerHello")
    offsets = [
        hello.field(end).offset for end in ("cipher_suite", "selected_version", "share.group")
    ]
    assert offsets == [71, 80, 86]
    with pytest.raises(tls13.MalformedCapture, match=reason):
        tls13.dissect(edited("ServerHello", "server", edit))


def test_a_client_is_sent_back_once_and_in_the_same_suite():
    dissection = dissected("5")
    first, retry, second, *rest = contents(dissection)
    twice = sealed([first, retry, second, retry, second, *rest], dissection)
    with pytest.raises(tls13.MalformedCapture, match="server ServerHello was expected"):
        tls13.dissect(twice)
    suite = retry[3].index(b"\x13\x01")
    another = (*retry[:3], retry[3][:suite] + b"\x13\x03" + retry[3][suite + 2 :])
    with pytest.raises(tls13.MalformedCapture, match="or has changed"):
        tls13.dissect(sealed([first, another, second, *rest], dissection))


def test_early_data_is_not_offered_again_after_a_retry():
    dissection = dissected("5")
    first, retry, second, *rest = contents(dissection)
    padding = second[3].rindex(
        b"\x00\x15\x00\xaf"
    )  # the last extension; early_data takes 4 bytes of it
    hello = second[3][:padding] + b"\x00\x2a\x00\x00\x00\x15\x00\xab" + bytes(0xAB)
    with pytest.raises(tls13.MalformedCapture, match="a second time"):
        tls13.dissect(sealed([first, retry, (*second[:3], hello), *rest], dissection))


def test_early_data_that_the_server_does_not_take():
    """It leaves out early_data; the client goes on with its handshake keys."""
    dissection = dissected("4")
    *begin, flight, _, finished = contents(dissection)[:6]
    without = b"\x08\0\0\x24\0\x22" + flight[3][6:40]
    sealed_again = sealed([*begin, (*flight[:3], without)], dissection)
    begun = tls13.dissect(sealed_again, whole=False)
    assert begun.messages[-1].summary == "supported_groups, record_size_limit, server_name"
    with pytest.raises(tls13.MalformedCapture, match="client Finished"):
        tls13.dissect(sealed([*begin, (*flight[:3], without), finished], dissection), whole=False)


def test_a_wrong_binder_is_named():
    capture, shared_secret, psk = trace("4")
    with pytest.raises(tls13.DissectionError) as caught:
        tls13.dissect(capture, shared_secret=shared_secret, psk=psk[::-1])
    assert caught.value.what == "record"  # the early data comes first
    first, _, *rest = capture.records
    with pytest.raises(tls13.WrongFinished, match="PSK binder"):
        tls13.dissect(
            replace(capture, records=(first, *rest)), shared_secret=shared_secret, psk=psk[::-1]
        )


def test_a_resumed_connection_needs_its_psk():
    capture, shared_secret, psk = trace("4")
    without_early_data = replace(capture, records=(capture.records[0], *capture.records[2:]))
    with pytest.raises(tls13.MalformedCapture, match=r"^psk .record 1.: it is needed too"):
        tls13.dissect(without_early_data, shared_secret=shared_secret)
    with pytest.raises(tls13.MalformedCapture, match="SERVER_HANDSHAKE_TRAFFIC_SECRET"):
        tls13.dissect(capture, psk=psk)


@pytest.mark.parametrize("label", sorted(live().secrets.keys() - {"EXPORTER_SECRET"}))
def test_a_wrong_or_missing_secret_is_named(label):
    capture = live()
    with pytest.raises(tls13.RecordNotOpened, match=label) as caught:
        tls13.dissect(replace(capture, secrets={**capture.secrets, label: bytes(48)}))
    assert isinstance(caught.value, DecryptionError)
    with pytest.raises(tls13.MalformedCapture, match=label):
        tls13.dissect(
            replace(
                capture,
                secrets={name: value for name, value in capture.secrets.items() if name != label},
            )
        )
    with pytest.raises(tls13.MalformedCapture, match="48 bytes"):
        tls13.dissect(replace(capture, secrets={**capture.secrets, label: bytes(32)}))


def test_a_wrong_shared_secret_opens_nothing():
    with pytest.raises(tls13.RecordNotOpened, match="record 2"):
        tls13.dissect(trace("3")[0], shared_secret=bytes(32))


@given(size=st.integers(50, 700), padding=st.integers(0, 40))
@settings(max_examples=10)
def test_handshake_messages_may_be_cut_into_records_at_will(size, padding):
    """The server's whole flight as one stream, cut every `size` bytes, each record padded."""
    whole = own()
    recut: list[Content] = []
    for sender, label, kind, content in contents(whole):
        previous = recut[-1] if recut else ("", "", "", b"")
        if kind == "handshake" and label and previous[:3] == (sender, label, kind):
            recut[-1] = sender, label, kind, previous[3] + content
        else:
            recut.append((sender, label, kind, content))
    cut = [
        (sender, label, kind, content[start : start + step])
        for sender, label, kind, content in recut
        for step in [size if kind == "handshake" else len(content)]
        for start in range(0, len(content), step)
    ]
    capture = sealed(cut, whole, padding)
    dissection = tls13.dissect(capture)
    assert_every_byte_is_explained(capture, dissection)
    assert [each.data for each in dissection.messages] == [each.data for each in whole.messages]
    assert {record.padding for record in dissection.records if record.protected} == {padding}


REWRITTEN: dict[str, tuple[str, Callable[[list[Content]], object]]] = {
    "data under handshake keys": (
        "under handshake keys",
        lambda all_of_it: all_of_it.insert(9, (*all_of_it[9][:2], "application_data", b"early")),
    ),
    "an empty handshake record": (
        "must not be empty",
        lambda all_of_it: all_of_it.insert(4, (*all_of_it[3][:3], b"")),
    ),
    "a ticket from the client": (
        "wrong side",
        lambda all_of_it: all_of_it.insert(15, (*all_of_it[14][:2], "handshake", all_of_it[12][3])),
    ),
    "an unknown message": (
        "of type 63",
        lambda all_of_it: all_of_it.insert(4, (*all_of_it[3][:3], b"c\0\0\0")),
    ),
    "no EncryptedExtensions": (
        "server EncryptedExtensions was expected",
        lambda all_of_it: all_of_it.pop(3),
    ),
    "no CertificateVerify": (
        "server CertificateVerify was expected",
        lambda all_of_it: all_of_it.pop(6),
    ),
    "no certificate at all": (
        "server CertificateRequest or server Certificate was expected",
        lambda all_of_it: all_of_it.__delitem__(slice(4, 7)),
    ),
    "a client that shows none": (
        "client Certificate was expected",
        lambda all_of_it: all_of_it.__delitem__(slice(9, 11)),
    ),
    "a server that shows none": (
        "must show a certificate",
        lambda all_of_it: all_of_it.__setitem__(5, (*all_of_it[5][:3], b"\x0b\0\0\4\0\0\0\0")),
    ),
    "an alert of three bytes": (
        "left over",
        lambda all_of_it: all_of_it.__setitem__(-1, (*all_of_it[-1][:3], b"\1\0\0")),
    ),
    "words after the last": ("already closed", lambda all_of_it: all_of_it.append(all_of_it[-1])),
    "an alert inside a message": (
        "between the parts",
        lambda all_of_it: all_of_it.__setitem__(
            slice(3, 4),
            [
                (*all_of_it[3][:3], all_of_it[3][3][:3]),
                (*all_of_it[3][:2], "alert", b"\1\0"),
                (*all_of_it[3][:3], b"\0"),
            ],
        ),
    ),
    "messages across a change of keys": (
        "change of keys",
        lambda all_of_it: all_of_it.__setitem__(
            7, (*all_of_it[7][:3], all_of_it[7][3] + all_of_it[12][3][:4])
        ),
    ),
    "a ChangeCipherSpec after Finished": (
        "between ClientHello and Finished",
        lambda all_of_it: all_of_it.insert(12, ("server", "", "change_cipher_spec", b"\1")),
    ),
    "a ChangeCipherSpec before anything else": (
        "between ClientHello and Finished",
        lambda all_of_it: all_of_it.insert(0, ("client", "", "change_cipher_spec", b"\1")),
    ),
    "a ChangeCipherSpec of two bytes": (
        "single byte",
        lambda all_of_it: all_of_it.__setitem__(2, ("server", "", "change_cipher_spec", b"\1\1")),
    ),
    "a message of the client across the change of its keys": (
        "change of keys",
        lambda all_of_it: all_of_it.__setitem__(0, (*all_of_it[0][:3], all_of_it[0][3] + b"\x14")),
    ),
    "a message that never ends": (
        "inside a handshake message",
        lambda all_of_it: all_of_it.__setitem__(
            slice(13, None), [(*all_of_it[13][:3], all_of_it[13][3][:-1])]
        ),
    ),
    "an unprotected message under keys": (
        "not protected",
        lambda all_of_it: all_of_it.insert(3, ("server", "", "handshake", b"\x08\0\0\2\0\0")),
    ),
}


@pytest.mark.parametrize("what", REWRITTEN)
def test_what_may_not_be_is_refused_even_when_it_is_sealed_rightly(what):
    reason, rewrite = REWRITTEN[what]
    dissection = own()
    all_of_it = contents(dissection)
    rewrite(all_of_it)
    with pytest.raises(tls13.MalformedCapture, match=reason):
        tls13.dissect(sealed(all_of_it, dissection))


@pytest.mark.parametrize(
    ("inner", "is_allowed"),
    [
        (b"early\x17", True),
        (bytes(2**14) + b"\x17", True),
        (bytes(2**14) + b"\x17\0", False),
        (bytes(2**14 + 1) + b"\x17", False),
        (bytes(20), False),
        (b"\1\x14", False),
        (b"text\x18", False),
    ],
    ids=[
        "data",
        "the longest",
        "one zero too many",
        "too long",
        "no type",
        "ChangeCipherSpec",
        "heartbeat",
    ],
)
def test_what_a_protected_record_may_hold(inner, is_allowed):
    """Sealed by hand, since `seal` refuses most of it, in place of the client's data."""
    capture, suite = live(), own().suite
    key, iv = tls13.traffic_keys(suite, capture.secrets["CLIENT_TRAFFIC_SECRET_0"]).result
    header = b"\x17\3\3" + (len(inner) + suite.tag_length).to_bytes(2, "big")
    index = own().message("ApplicationData", "client").records[0]
    forged = with_record(capture, index, header + suite.cipher(key).encrypt(iv, inner, header))
    if is_allowed:
        assert tls13.dissect(forged).application_data("client") == inner[:-1]
    else:
        with pytest.raises(
            tls13.MalformedCapture, match=rf"TLSInnerPlaintext .record {index}.: it is too long"
        ):
            tls13.dissect(forged)


def test_user_canceled_is_the_one_alert_that_is_not_the_last_word():
    all_of_it = contents(own())
    all_of_it.insert(-2, (*all_of_it[-2][:3], b"\1\x5a"))
    assert [m.summary for m in tls13.dissect(sealed(all_of_it, own())).messages[-3:]] == [
        "user_canceled",
        *2 * ["close_notify"],
    ]
    all_of_it[-3] = (*all_of_it[-3][:3], b"\2\x50")
    with pytest.raises(tls13.MalformedCapture, match="already closed"):
        tls13.dissect(sealed(all_of_it, own()))


def test_a_psk_that_was_not_used_changes_nothing():
    capture, shared_secret, _ = trace("3")
    dissection = tls13.dissect(capture, shared_secret=shared_secret, psk=bytes(range(32)))
    assert dissection.secrets == dissected("3").secrets
    assert "binder_key" not in dissection.key_schedule.result


# --- garbled, truncated, replayed ---


@given(st.data())
@settings(max_examples=100)
def test_every_flipped_bit_is_found(data):
    capture = live()
    index = data.draw(st.integers(0, len(capture.records) - 1))
    raw = bytearray(capture.records[index].data)
    bit = data.draw(
        st.integers(0, 8 * len(raw) - 1).filter(lambda bit: (index, bit) != (0, 17))
    )  # TLS 1.0 or 1.2
    raw[bit // 8] ^= 1 << bit % 8
    refuse(with_record(capture, index, bytes(raw)))


@given(st.data())
@settings(max_examples=40)
def test_every_truncation_is_found(data):
    capture = live()
    index = data.draw(st.integers(0, len(capture.records) - 1))
    end = data.draw(st.integers(0, len(capture.records[index].data) - 1))
    refuse(with_record(capture, index, capture.records[index].data[:end]))
    cut = with_record(capture, index, capture.records[index].data[:end])
    refuse(replace(capture, records=cut.records[: index + 1]))
    refuse(replace(capture, records=capture.records[:index]))


@given(st.data())
@settings(max_examples=40)
def test_records_left_out_repeated_or_swapped_are_found(data):
    """All but a ChangeCipherSpec, which says nothing and may be left out or repeated."""
    records = list(live().records)
    meaningful = [index for index, record in enumerate(records) if record.data[0] != 20]
    index = data.draw(st.sampled_from(meaningful))
    refuse(replace(live(), records=(*records[:index], *records[index + 1 :])))
    refuse(replace(live(), records=(*records[: index + 1], *records[index:])))
    mine = [
        each
        for each in meaningful
        if records[each].sender == records[index].sender and each != index
    ]
    other = data.draw(st.sampled_from(mine))
    records[index], records[other] = records[other], records[index]
    refuse(replace(live(), records=tuple(records)))


@given(st.data())
@settings(max_examples=100)
def test_bytes_changed_inside_a_record_and_sealed_again_end_in_a_typed_error(data):
    """The parsers and the order of messages. After the handshake some changes are allowed."""
    section = data.draw(st.sampled_from(["own", *RFC8448]))
    dissection = own() if section == "own" else dissected(section)
    all_of_it = contents(dissection)
    index = data.draw(st.integers(0, len(all_of_it) - 1))
    *start, content = all_of_it[index]
    all_of_it[index] = (*start, changed(data, content))
    capture = sealed(all_of_it, dissection)
    again = dissected_or_refused(capture)
    if again is not None:
        assert_every_byte_is_explained(capture, again)
        assert in_transcript(again) == in_transcript(dissection)


def in_transcript(dissection: tls13.Dissection) -> list[bytes]:
    """What both sides have agreed on: early data, tickets and what comes later are not in it."""
    return [message.data for message in dissection.messages if message.transcript_hash]


def dissected_or_refused(capture: Capture) -> tls13.Dissection | None:
    try:
        return tls13.dissect(capture)
    except tls13.DissectionError:
        return None


def changed(data, raw: bytes) -> bytes:
    """Bytes put in, taken out, overwritten: fewer than half of the time a whole lot of them."""
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 8)))
    return raw[:start] + data.draw(st.binary(max_size=8)) + raw[end:]


MALFORMED = {
    "an extension twice": (
        "08 00000e 000c 001c 0002 4000 001c 0002 4000",
        "record_size_limit comes twice",
    ),
    "an extension that must say something": (
        "08 000006 0004 001c 0000",
        "needs 2 bytes where 0 are left",
    ),
    "an extension that must say nothing": ("08 000007 0005 0000 0001 00", "length says 0|left"),
    "half a version": (
        "02 00002d 0303" + "00" * 32 + "00 1301 00 0005 002b 0001 03",
        "needs 2 bytes where 1 are left",
    ),
    "no signature": ("0f 000004 0403 0000", "where 1 to 0"),
    "no ticket": ("04 00000d 00000000 00000000 00 0000 0000", "where 1 to"),
    "no suite": ("01 00002a 0303" + "00" * 32 + "00 0000 0100 0002 0000", "where 2 to"),
    "half a suite": (
        "01 00002d 0303" + "00" * 32 + "00 0003 130113 0100 0002 0000",
        "needs 2 bytes where 1 are left",
    ),
    "a short random": ("01 000004 0303 0000", "needs 32 bytes"),
    "a length beyond the end": ("08 000003 0002 00", "where 0 to 1 are possible"),
    "a header of nothing": ("08 0000", "needs 3 bytes"),
    "more than it says": ("14 000000 00", "1 bytes are left over"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_message_is_refused_where_it_is_malformed(what):
    raw, reason = MALFORMED[what]
    with pytest.raises(tls13.MalformedCapture, match=reason):
        read_handshake(bytes.fromhex(raw))


def test_extensions_that_are_not_explained_are_still_covered():
    """GREASE (RFC 8701), one without a name here, and one that has a name but no parser."""
    raw = bytes.fromhex("08 000014 0012 2a2a 0000 abcd 0002 0102 000f 0004 01020304")
    name, fields = read_handshake(raw)
    assert_fields_cover(fields, raw)
    types = [field.value for field in fields if field.name == "extension_type"]
    assert (name, types) == (
        "EncryptedExtensions",
        ["GREASE (0x2a2a)", "unknown here (0xabcd)", "heartbeat"],
    )


EVERY_EXTENSION = {
    "ClientHello": [
        "0001 0001 04",
        "0005 0005 01 0000 0000",
        "000b 0002 01 00",
        "0010 000e 000c 02 6832 08 687474702f312e31",
        "0012 0000",
        "0015 0002 0000",
        "0016 0000",
        "0017 0000",
        "001b 0003 02 0001",
        "001c 0002 4001",
        "0023 0000",
        "002c 0003 0001 aa",
        "002d 0002 01 01",
        "002f 0006 0004 0002 3000",
        "0031 0000",
        "0032 0004 0002 0403",
        "ff01 0001 00",
    ],
    "CertificateRequest": [
        "0030 0009 0007 02 5503 0002 aabb",
        "0005 0000",
        "0012 0000",
        "000d 0004 0002 0403",
    ],
    "Certificate": ["0005 0006 01 000002 aabb", "0012 0004 0002 aabb"],
}


@pytest.mark.parametrize(
    ("message", "extension"),
    [(name, each) for name in EVERY_EXTENSION for each in EVERY_EXTENSION[name]],
)
def test_each_extension_is_read_in_its_message(message, extension):
    raw = bytes.fromhex(extension)
    extensions = len(raw).to_bytes(2, "big") + raw
    certificate = own().message("Certificate").field("cert_data").data
    entry = len(certificate).to_bytes(3, "big") + certificate + extensions
    body = {
        "ClientHello": b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + extensions,
        "CertificateRequest": b"\0" + extensions,
        "Certificate": b"\0" + len(entry).to_bytes(3, "big") + entry,
    }[message]
    code = {"ClientHello": 1, "CertificateRequest": 13, "Certificate": 11}[message]
    whole = bytes([code]) + len(body).to_bytes(3, "big") + body
    name, fields = read_handshake(whole)
    assert name == message
    assert_fields_cover(fields, whole)
    assert not any(str(field.value).startswith("unknown") for field in fields)


@cache
def known_messages() -> list[bytes]:
    everything = [own(), *map(dissected, RFC8448)]
    names = ("ApplicationData", "Alert", "ChangeCipherSpec")
    return [
        message.data
        for each in everything
        for message in each.messages
        if message.name not in names
    ]


@given(st.data())
@settings(max_examples=200)
def test_any_bytes_are_a_message_whose_fields_cover_it_or_a_typed_error(data):
    known = data.draw(st.sampled_from(known_messages()))
    raw = changed(data, known)
    if data.draw(st.booleans()):  # else the lengths mostly contradict each other at once
        raw = raw[:1] + max(len(raw) - 4, 0).to_bytes(3, "big") + raw[4:]
    read(raw)


@given(st.data())
def test_an_altered_certificate_is_read_or_refused_and_its_signature_never_leaks_another_error(
    data,
):
    der = bytearray(
        data.draw(st.sampled_from([own(), dissected("3")]))
        .message("Certificate")
        .field("cert_data")
        .data
    )
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    with suppress(tls13.MalformedCapture):
        assert str(summary_of(bytes(der)))
    with pytest.raises(tls13.WrongSignature):
        check_signature("server", bytes(der), 0x0403, b"signature", bytes(32))


def test_a_certificate_of_a_version_that_does_not_exist_is_refused():
    der = own().message("Certificate").field("cert_data").data
    version = der.index(b"\xa0\3\2\1\2") + 4
    with pytest.raises(tls13.MalformedCapture, match="can be read"):
        summary_of(der[:version] + b"\x22" + der[version + 1 :])


@given(st.sampled_from([1, 2, 4, 5, 8, 11, 13, 15, 20, 24]), st.binary(max_size=200))
def test_random_bytes_are_a_message_or_a_typed_error(kind, body):
    read(bytes([kind]) + len(body).to_bytes(3, "big") + body)


def read(raw: bytes) -> None:
    try:
        name, fields = read_handshake(raw)
    except tls13.MalformedCapture:
        return
    assert_fields_cover(fields, raw)
    assert all(field.path.startswith(name) for field in fields)


def with_record(capture: Capture, index: int, raw: bytes) -> Capture:
    records = list(capture.records)
    records[index] = replace(records[index], data=raw)
    return replace(capture, records=tuple(records))


def refuse(capture: Capture) -> None:
    with pytest.raises(tls13.DissectionError):
        tls13.dissect(capture)


def test_a_capture_may_end_early_when_that_is_said():
    capture = live()
    for count in (1, 2, 3, 5, 8, 12, 17):
        begun = replace(capture, records=capture.records[:count])
        refuse(begun)
        dissection = tls13.dissect(begun, whole=False)
        assert_every_byte_is_explained(begun, dissection)
        assert (dissection.suite is None) == (count == 1)
    with pytest.raises(tls13.MalformedCapture):
        tls13.dissect(with_record(capture, 3, capture.records[3].data[:-1]), whole=False)


def test_a_failed_handshake_is_explained_up_to_its_alert():
    hello = live().records[0]
    refused = Capture(
        (hello, CapturedRecord("server", b"\x15\3\3\0\2\2\x46")), {}, "server.lab.example"
    )
    dissection = tls13.dissect(refused, whole=False)
    assert [message.summary for message in dissection.messages] == [
        "server.lab.example, x25519",
        "protocol_version",
    ]
    assert_every_byte_is_explained(refused, dissection)


NOT_CAPTURES: dict[str, Callable[[], object]] = {
    "no capture": lambda: tls13.dissect(b"bytes"),
    "a record of text": lambda: tls13.dissect(
        Capture((CapturedRecord("client", "hello"),), {}, "x")
    ),
    "a third party": lambda: tls13.dissect(
        Capture((CapturedRecord("mallory", live().records[0].data),), {}, "x")
    ),
    "a secret of text": lambda: tls13.dissect(
        replace(live(), secrets={"SERVER_TRAFFIC_SECRET_0": "00"})
    ),
    "a shared secret of text": lambda: tls13.dissect(live(), shared_secret="00"),
}


@pytest.mark.parametrize("what", NOT_CAPTURES)
def test_what_is_no_capture_is_refused(what):
    with pytest.raises(InvalidParameter):
        NOT_CAPTURES[what]()


def test_the_empty_capture_and_records_of_all_sorts():
    refuse(Capture((), {}, "x"))
    for raw in headers():
        refuse(Capture((CapturedRecord("client", raw),), {}, "x"))
        with pytest.raises(tls13.DissectionError):
            tls13.dissect(with_record(live(), 0, raw), whole=False)


def headers() -> Iterator[bytes]:
    yield from (
        b"",
        b"\x16",
        b"\x16\3\1\0",
        b"\x16\3\1\0\0",
        b"\x16\3\1\0\1",
        b"\x17\3\3\0\1\0",
        b"\x63\3\3\0\1\0",
    )
    yield b"\x16\2\0\0\1\1"
    yield b"\x16\3\1\x40\1" + bytes(0x4001)
    yield b"\x14\3\3\0\1\1"  # a ChangeCipherSpec, before there was a ClientHello


def test_errors_are_lab_errors_that_say_what_where_and_why():
    error = tls13.MalformedCapture("record", "it is garbled", 3)
    assert isinstance(error, LabError)
    assert (error.what, error.why, error.record, str(error)) == (
        "record",
        "it is garbled",
        3,
        "record (record 3): it is garbled",
    )
