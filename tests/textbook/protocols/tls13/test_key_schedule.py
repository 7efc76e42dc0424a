"""Tests lepton_lab.textbook.protocols.tls13.key_schedule, its record_layer and its suites.

lepton_lab.textbook.protocols.tls13.record_layer and lepton_lab.textbook.protocols.tls13.suites are
held against RFC 8448 value by value, as the key schedule is, and against two peers.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.textbook.protocols import tls13
from tests.support.paths import VECTORS

RFC8448 = json.loads((VECTORS / "rfc8448.json").read_text())["sections"]
SUITE = tls13.suite_named("TLS_AES_128_GCM_SHA256")  # that of every trace
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}
NAMES = {  # what RFC 8446 §7.1 calls the secret that RFC 8448 names by its label
    "tls13 c e traffic": "client_early_traffic_secret",
    "tls13 e exp master": "early_exporter_master_secret",
    "tls13 c hs traffic": "client_handshake_traffic_secret",
    "tls13 s hs traffic": "server_handshake_traffic_secret",
    "tls13 c ap traffic": "client_application_traffic_secret_0",
    "tls13 s ap traffic": "server_application_traffic_secret_0",
    "tls13 exp master": "exporter_master_secret",
    "tls13 res master": "resumption_master_secret",
}
EXTRACTED = {"early": "Early Secret", "handshake": "Handshake Secret", "master": "Master Secret"}


class Walk:
    """Goes through a trace of RFC 8448 and compares every value that a step prints with ours."""

    def __init__(self, section: str) -> None:
        self.steps = RFC8448[section]["steps"]
        self.compared = 0
        self.transcript: list[bytes] = []
        self.named: dict[str, bytes] = {}  # secrets as the RFC prints them, under RFC 8446's names
        self.ikm: dict[str, bytes] = {}
        self.keys: dict[str, X25519PrivateKey | ec.EllipticCurvePrivateKey] = {}
        self.sequence: dict[bytes, int] = {}
        self.unsent = b""  # messages that have been constructed, and are in no record yet

    def run(self) -> int:
        for step in self.steps:
            if step["values"]:
                values = {name: bytes.fromhex(value) for name, value in step["values"].items()}
                ours = self.ours(step["by"], step["does"], values)
                assert ours == values, step["does"]
                self.compared += len(values)
        return self.compared

    def ours(self, by: str, does: str, given: dict[str, bytes]) -> dict[str, bytes]:
        """The same values, computed; what a step starts from is returned as given."""
        label = does.split('"')[1] if '"' in does else ""
        kinds: dict[str, Callable[[], dict[str, bytes]]] = {
            "create": lambda: self.key_pair(by, does, given),
            "extract": lambda: self.extract(label, given),
            "derive secret": lambda: self.derive(label, given),
            "derive": lambda: self.traffic_keys(given),
            "calculate finished": lambda: self.finished(given),
            "calculate PSK": lambda: self.binder(given),
            "generate": lambda: self.resumption(given),
            "construct": lambda: self.message(given),
            "send": lambda: self.record(by, does.split()[1], given),
        }
        return next(compute for kind, compute in kinds.items() if does.startswith(kind))()

    def key_pair(self, by: str, does: str, given: dict[str, bytes]) -> dict[str, bytes]:
        private = given["private key"]
        if "x25519" in does:
            self.keys[by] = X25519PrivateKey.from_private_bytes(private)
            public = self.keys[by].public_key().public_bytes_raw()
        else:
            self.keys[by] = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
            public = (
                self.keys[by]
                .public_key()
                .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            )
        return {"private key": private, "public key": public}

    def shared_secret(self) -> bytes:
        """(EC)DHE (RFC 8446 §7.4.2)."""
        mine = self.keys["client"]
        yours = self.keys["server"].public_key()
        return (
            mine.exchange(yours)
            if isinstance(mine, X25519PrivateKey)
            else mine.exchange(ec.ECDH(), yours)
        )

    def extract(self, label: str, given: dict[str, bytes]) -> dict[str, bytes]:
        trace = tls13.HKDF_Extract("sha256", given["salt"], given["IKM"])
        self.named[EXTRACTED[label]], self.ikm[label] = given["secret"], given["IKM"]
        ikm = self.shared_secret() if label == "handshake" else given["IKM"]
        return {"salt": given["salt"], "IKM": ikm, "secret": trace.result}

    def derive(self, label: str, given: dict[str, bytes]) -> dict[str, bytes]:
        messages = [] if label == "tls13 derived" else self.transcript
        trace = tls13.Derive_Secret("sha256", given["PRK"], label.removeprefix("tls13 "), *messages)
        if label in NAMES:
            self.named[NAMES[label]] = given["expanded"]
        return {
            "PRK": trace["PRK"],
            "hash": trace["Transcript-Hash"],
            "info": trace["HkdfLabel"],
            "expanded": trace.result,
        }

    def traffic_keys(self, given: dict[str, bytes]) -> dict[str, bytes]:
        key, iv = tls13.traffic_keys(SUITE, given["PRK"]).result
        infos = (
            tls13.HKDF_Expand_Label("sha256", given["PRK"], *what)
            for what in (("key", b"", 16), ("iv", b"", 12))
        )
        key_info, iv_info = (trace["HkdfLabel"] for trace in infos)
        return {
            "PRK": given["PRK"],
            "key info": key_info,
            "key expanded": key,
            "iv info": iv_info,
            "iv expanded": iv,
        }

    def finished(self, given: dict[str, bytes]) -> dict[str, bytes]:
        transcript_hash = tls13.Transcript_Hash("sha256", *self.transcript).result
        return self.mac(given, transcript_hash)

    def mac(self, given: dict[str, bytes], transcript_hash: bytes) -> dict[str, bytes]:
        key = tls13.finished_key("sha256", given["PRK"])
        mac = tls13.verify_data("sha256", given["PRK"], transcript_hash)
        assert mac["finished_key"] == key.result
        return {
            "PRK": given["PRK"],
            "hash": b"",
            "info": key["HkdfLabel"],
            "expanded": key.result,
            "finished": mac.result,
        }

    def binder(self, given: dict[str, bytes]) -> dict[str, bytes]:
        """And the ClientHello is whole with it: a list of 33 bytes, of one binder of 32."""
        prefix = self.transcript.pop()
        self.unsent += b"\x00\x21\x20" + given["finished"]
        self.transcript.append(self.unsent)
        hashed = tls13.Transcript_Hash("sha256", prefix).result
        binder_key = tls13.key_schedule("sha256", [], psk=self.ikm["early"])["binder_key"]
        return {
            "ClientHello prefix": prefix,
            "binder hash": hashed,
            **self.mac({**given, "PRK": binder_key}, hashed),
        }

    def resumption(self, given: dict[str, bytes]) -> dict[str, bytes]:
        """Where the RFC says hash it means the ticket's nonce."""
        trace = tls13.resumption_psk(
            "sha256", self.named["resumption_master_secret"], given["hash"]
        )
        assert given["hash"] == b"\0\0"
        return {
            "PRK": trace["PRK"],
            "hash": b"\0\0",
            "info": trace["HkdfLabel"],
            "expanded": trace.result,
        }

    def message(self, given: dict[str, bytes]) -> dict[str, bytes]:
        """Given, not computed; its header says how long it is."""
        ((name, message),) = given.items()
        if "ClientHello" not in name:
            assert len(message) == 4 + int.from_bytes(message[1:4], "big")
        self.unsent += message
        if name != "NewSessionTicket":
            self.transcript.append(message)
        return given

    def record(self, by: str, kind: str, given: dict[str, bytes]) -> dict[str, bytes]:
        payload = given["payload"]
        record = given["complete record"]
        if kind == "handshake":
            assert payload == self.unsent
            self.unsent = b""
        if kind == "change_cipher_spec" or (
            kind == "handshake" and payload[0] in (1, 2)
        ):  # the hellos
            version = (
                b"\x03\x01" if len(self.transcript) == 1 else b"\x03\x03"
            )  # the first ClientHello's is older
            header = {"handshake": b"\x16", "change_cipher_spec": b"\x14"}[kind] + version
            return {
                "payload": payload,
                "complete record": header + len(payload).to_bytes(2, "big") + payload,
            }
        secret = self.secret_of(by, kind, payload)
        number = self.sequence[secret] = self.sequence.get(secret, -1) + 1
        opened = tls13.open_record(SUITE, secret, number, record).result
        assert (
            opened
            == payload + {"handshake": b"\x16", "application_data": b"\x17", "alert": b"\x15"}[kind]
        )
        return {
            "payload": payload,
            "complete record": tls13.seal(SUITE, secret, number, payload, kind).result,
        }

    def secret_of(self, by: str, kind: str, payload: bytes) -> bytes:
        if by == "client" and (
            "exporter_master_secret" not in self.named or payload == b"\x05\0\0\0"
        ):
            return self.named["client_early_traffic_secret"]
        is_handshake = kind == "handshake" and payload[0] != 4  # NewSessionTicket
        return self.named[
            f"{by}_{'handshake_traffic_secret' if is_handshake else 'application_traffic_secret_0'}"
        ]


@pytest.mark.parametrize(
    ("section", "values"), [("3", 109), ("4", 125), ("5", 106), ("6", 101), ("7", 102)], ids=str
)
def test_every_value_of_rfc_8448_is_ours(section, values):
    assert Walk(section).run() == values


@given(st.data())
def test_no_digit_of_rfc_8448_could_be_another(data):
    """That the walk compares what it seems to compare."""
    section = data.draw(st.sampled_from(list(RFC8448)))
    walk = Walk(section)
    printed = [
        (i, name)
        for i, step in enumerate(walk.steps)
        for name, value in step["values"].items()
        if value
    ]
    index, name = data.draw(st.sampled_from(printed))
    step = walk.steps[index]
    value = bytearray.fromhex(step["values"][name])
    ends = (
        1 if name == "private key" else 0
    )  # X25519 ignores bits at both ends of a private key (RFC 7748 §5)
    value[data.draw(st.integers(ends, len(value) - 1 - ends))] ^= 1 << data.draw(st.integers(0, 7))
    walk.steps = [
        *walk.steps[:index],
        {**step, "values": {**step["values"], name: value.hex()}},
        *walk.steps[index + 1 :],
    ]
    with pytest.raises((AssertionError, DecryptionError)):
        walk.run()


@pytest.mark.parametrize("section", RFC8448)
def test_the_key_schedule_as_a_whole_gives_every_secret_of_rfc_8448(section):
    walk = Walk(section)
    walk.run()
    psk = walk.ikm["early"] if section == "4" else b""
    trace = tls13.key_schedule(
        "sha256", walk.transcript, shared_secret=walk.ikm["handshake"], psk=psk
    )
    assert {name: trace[name] for name in walk.named} == walk.named
    assert trace.result.keys() - walk.named.keys() <= {
        "Derived (early)",
        "Derived (handshake)",
        "binder_key",
    }
    assert trace.result == {step.name: step.value for step in trace}


def test_the_psk_of_the_resumed_trace_is_the_ticket_of_the_first():
    first, resumed = Walk("3"), Walk("4")
    first.run()
    resumed.run()
    psk = tls13.resumption_psk("sha256", first.named["resumption_master_secret"], b"\0\0").result
    assert psk == resumed.ikm["early"]


def test_the_schedule_goes_as_far_as_the_messages_do():
    walk = Walk("3")
    walk.run()
    names = [
        list(tls13.key_schedule("sha256", walk.transcript[:n], shared_secret=b"s").result)
        for n in (0, 1, 2, 5, 6, 7)
    ]
    assert names[0] == names[1] == ["Early Secret", "Derived (early)"]
    assert names[2] == names[3]
    assert names[3][-1] == "Master Secret"
    assert names[4][-1] == "exporter_master_secret"
    assert names[5] == [*names[4], "resumption_master_secret"]


def test_an_external_psk_has_another_binder_key():
    ours = (
        tls13.key_schedule("sha256", [], psk=b"p")["binder_key"],
        tls13.key_schedule("sha256", [], psk=b"p", external=True),
    )
    assert ours[0] != ours[1]["binder_key"]


# --- peers ---


@given(
    hash=st.sampled_from(["sha256", "sha384"]),
    secret=st.binary(min_size=1, max_size=64),
    label=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=249),
    context=st.binary(max_size=255),
    length=st.integers(1, 300),
)
def test_hkdf_expand_label_agrees_with_cryptography(hash, secret, label, context, length):
    full = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + bytes([len(context)]) + context
    trace = tls13.HKDF_Expand_Label(hash, secret, label, context, length)
    assert trace.result == HKDFExpand(HASHES[hash], length, info).derive(secret)
    assert trace["HkdfLabel"] == info


@given(
    hash=st.sampled_from(["sha256", "sha384"]),
    salt=st.binary(max_size=80),
    ikm=st.binary(max_size=80),
    info=st.binary(max_size=80),
    length=st.integers(1, 300),
)
def test_extract_and_expand_agree_with_cryptography(hash, salt, ikm, info, length):
    prk = tls13.HKDF_Extract(hash, salt, ikm).result
    assert tls13.HKDF_Expand(hash, prk, info, length).result == HKDF(
        HASHES[hash], length, salt, info
    ).derive(ikm)


@pytest.mark.skipif(
    not shutil.which("openssl"), reason="install the openssl command to have it derive secrets too"
)
@pytest.mark.parametrize(("hash", "digest"), [("sha256", "SHA2-256"), ("sha384", "SHA2-384")])
def test_openssl_derives_the_same_secrets(hash, digest):
    """OpenSSL's TLS13-KDF for the two hashes: the traces of RFC 8448 know SHA-256 only."""
    shared = hashlib.sha512(b"shared").digest()
    psk = hashlib.new(hash, b"psk").digest()
    hellos = [b"\x01client hello", b"\x02server hello"]
    trace = tls13.key_schedule(hash, hellos, shared_secret=shared, psk=psk)

    def openssl(*options: str) -> bytes:
        size = str(tls13.SUITES[0x1302 if hash == "sha384" else 0x1301].hash_length)
        pairs = [
            item
            for option in (f"digest:{digest}", "prefix:tls13 ", *options)
            for item in ("-kdfopt", option)
        ]
        run = subprocess.run(
            ["openssl", "kdf", "-keylen", size, "-binary", *pairs, "TLS13-KDF"],
            capture_output=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    early = openssl("mode:EXTRACT_ONLY", f"hexkey:{psk.hex()}")
    handshake = openssl(
        "mode:EXTRACT_ONLY", f"hexkey:{shared.hex()}", f"hexsalt:{early.hex()}", "label:derived"
    )
    master = openssl("mode:EXTRACT_ONLY", f"hexsalt:{handshake.hex()}", "label:derived")
    context = hashlib.new(hash, b"".join(hellos)).hexdigest()
    traffic = openssl(
        "mode:EXPAND_ONLY", f"hexkey:{handshake.hex()}", "label:c hs traffic", f"hexdata:{context}"
    )
    found = [
        trace[name]
        for name in (
            "Early Secret",
            "Handshake Secret",
            "Master Secret",
            "client_handshake_traffic_secret",
        )
    ]
    assert [early, handshake, master, traffic] == found


# --- the record layer ---


def test_a_nonce_is_the_sequence_number_xor_the_iv():
    iv = bytes.fromhex("5d313eb2671276ee13000b30")  # RFC 8448 §3, the server's handshake write_iv
    assert tls13.nonce(iv, 0).result == iv
    trace = tls13.nonce(iv, 0x0102)
    assert trace.result == bytes.fromhex("5d313eb2671276ee13000a32")
    assert trace["padded to iv_length"] == bytes(10) + b"\1\2"
    assert tls13.nonce(iv, 2**64 - 1).result[:4] == iv[:4]


@given(
    suite=st.sampled_from(list(tls13.SUITES.values())),
    number=st.integers(0, 2**64 - 1),
    content=st.binary(max_size=300),
    kind=st.sampled_from(["handshake", "alert", "application_data"]),
    padding=st.integers(0, 300),
)
def test_what_is_sealed_opens_under_the_same_secret_and_number_alone(
    suite, number, content, kind, padding
):
    secret = hashlib.new(suite.hash, b"secret").digest()
    record = tls13.seal(suite, secret, number, content, kind, padding=padding).result
    assert record[:3] == b"\x17\x03\x03"
    assert len(record) == 5 + len(content) + 1 + padding + suite.tag_length
    inner = tls13.open_record(suite, secret, number, record).result
    assert inner[: len(content)] == content
    assert inner.rstrip(b"\0")[-1] == {"handshake": 22, "alert": 21}.get(kind, 23)
    assert inner[len(content) + 1 :] == bytes(padding)
    for other, another in ((secret[::-1], number), (secret, number ^ 1)):
        with pytest.raises(DecryptionError, match="decryption failed"):
            tls13.open_record(suite, other, another, record)


def test_a_record_is_what_cryptography_seals_under_the_same_key_and_nonce():
    secret = hashlib.sha256(b"secret").digest()
    trace = tls13.seal(SUITE, secret, 7, b"hello", "application_data", padding=3)
    sealed = AESGCM(trace["write_key"]).encrypt(
        trace["nonce"], b"hello\x17\0\0\0", b"\x17\x03\x03\x00\x19"
    )
    assert trace.result == b"\x17\x03\x03\x00\x19" + sealed
    assert tls13.open_record(SUITE, secret, 7, trace.result, "client").names()[1:3] == [
        "client_write_key",
        "client_write_iv",
    ]


@given(st.data())
def test_every_altered_or_cut_record_is_refused(data):
    secret = hashlib.sha256(b"secret").digest()
    record = tls13.seal(SUITE, secret, 0, b"some content", "handshake", padding=2).result
    bit = data.draw(st.integers(0, 8 * len(record) - 1))
    flipped = bytearray(record)
    flipped[bit // 8] ^= 1 << bit % 8
    cut = record[: data.draw(st.integers(0, len(record) - 1))]
    for hostile in (bytes(flipped), cut, record + b"\0", b""):
        with pytest.raises(DecryptionError):
            tls13.open_record(SUITE, secret, 0, hostile)


# --- what is refused ---

REFUSED = {
    "another hash": lambda: tls13.HKDF_Extract("sha1", b"", b""),
    "no bytes": lambda: tls13.HKDF_Extract("sha256", b"", "IKM"),
    "too long": lambda: tls13.HKDF_Expand("sha256", b"k", b"", 255 * 32 + 1),
    "negative": lambda: tls13.HKDF_Expand("sha256", b"k", b"", -1),
    "no label": lambda: tls13.HKDF_Expand_Label("sha256", b"k", "", b"", 32),
    "a label of bytes": lambda: tls13.HKDF_Expand_Label("sha256", b"k", b"key", b"", 32),
    "a long label": lambda: tls13.HKDF_Expand_Label("sha256", b"k", "l" * 250, b"", 32),
    "no ASCII": lambda: tls13.HKDF_Expand_Label("sha256", b"k", "schlüssel", b"", 32),
    "a long context": lambda: tls13.HKDF_Expand_Label("sha256", b"k", "key", bytes(256), 32),
    "a message of text": lambda: tls13.Transcript_Hash("sha256", "hello"),
    "messages of text": lambda: tls13.key_schedule("sha256", ["hello"]),
    "a psk of text": lambda: tls13.key_schedule("sha256", [], psk="psk"),
    "a hash too short": lambda: tls13.verify_data("sha384", b"k", bytes(32)),
    "a sender": lambda: tls13.certificate_verify_content("mallory", bytes(32)),
    "an iv": lambda: tls13.nonce(bytes(8), 0),
    "a number too large": lambda: tls13.nonce(bytes(12), 2**64),
    "a number below 0": lambda: tls13.nonce(bytes(12), -1),
    "a type": lambda: tls13.seal(SUITE, bytes(32), 0, b"", "change_cipher_spec"),
    "a secret": lambda: tls13.seal(SUITE, bytes(48), 0, b"", "alert"),
    "content too long": lambda: tls13.seal(
        SUITE, bytes(32), 0, bytes(2**14 + 1), "application_data"
    ),
    "padding too long": lambda: tls13.seal(
        SUITE, bytes(32), 0, bytes(2**14), "application_data", padding=1
    ),
    "padding below 0": lambda: tls13.seal(SUITE, bytes(32), 0, b"", "application_data", padding=-1),
    "a record of text": lambda: tls13.open_record(SUITE, bytes(32), 0, "record"),
    "a suite": lambda: tls13.suite_named("TLS_RSA_WITH_RC4_128_MD5"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_arguments_that_make_no_sense_are_refused(what):
    with pytest.raises(InvalidParameter):
        REFUSED[what]()


def test_the_longest_record_there_is():
    record = tls13.seal(SUITE, bytes(32), 0, bytes(2**14), "application_data").result
    assert tls13.open_record(SUITE, bytes(32), 0, record).result == bytes(2**14) + b"\x17"


def test_the_exporter_agrees_with_its_definition():
    secret = hashlib.sha256(b"exporter master").digest()
    derived = tls13.Derive_Secret("sha256", secret, "EXPORTER-test").result
    wanted = tls13.HKDF_Expand_Label(
        "sha256", derived, "exporter", hashlib.sha256(b"context").digest(), 20
    ).result
    assert tls13.exporter("sha256", secret, "EXPORTER-test", b"context", 20).result == wanted


def test_secrets_do_not_show_themselves_but_a_trace_shows_its_steps():
    trace = tls13.key_schedule("sha256", [])
    assert trace["Early Secret"].hex() in repr(trace)
    assert repr(trace.result) == str(trace.result) == "2 secrets, by name"
