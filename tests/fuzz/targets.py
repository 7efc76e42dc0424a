"""One target for each parser of bytes from outside: it reads them, or raises a typed error.

A target takes bytes and raises what is not a LabError, or an AssertionError when it believed
something false. Seeds are what the package itself writes; a fuzzer starts from them. Only keys that
are fixed here are used, so that a found case fails again tomorrow. Costs are bounded from outside:
`helpers/test_fuzz.py` watches time and memory.
"""

from __future__ import annotations

import atexit
import base64
import functools
import io
import json
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import redis
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from lepton_lab import aes, erasure, pem, rsa, shamir
from lepton_lab.buffers import framed, unframed
from lepton_lab.capture import Capture, CapturedRecord
from lepton_lab.cli.output import CommandError
from lepton_lab.cli.receipts import Receipts
from lepton_lab.elections import ballot, custody
from lepton_lab.errors import (
    CertificateError,
    DecryptionError,
    IntegrityError,
    InvalidKey,
    InvalidParameter,
    MessageTooLarge,
    NodeError,
    NotEnoughShards,
    PlaintextOverflow,
)
from lepton_lab.keyring import KeyRing, open_for
from lepton_lab.keyring import export as wrapping
from lepton_lab.keyring.file import PassphraseKey, PassphraseSlot, SealedFile
from lepton_lab.keyring.records import KeyRecord, RingBody
from lepton_lab.nodes import MemoryNode, redis_wire
from lepton_lab.paillier import EncryptedNumber, Layout, PackedVector, PrivateKey, PublicKey
from lepton_lab.sharding import Receipt, ShardedStore
from lepton_lab.sharding.manifest import SealedManifest
from lepton_lab.textbook.protocols import tls13
from lepton_lab.textbook.protocols.tls13.messages import read_handshake
from lepton_lab.tls import LabCA, client_context, record_handshake, server_context
from lepton_lab.tls.connections import peer_names
from lepton_lab.tls.protocol import (
    ACKNOWLEDGEMENT,
    GREETING,
    MAGIC,
    FrameReader,
    IncomingMessage,
    MemoryBudget,
)
from lepton_lab.tls.record import records_in, secrets_in
from lepton_lab.tls.send import read_acknowledgement, read_greeting
from tests.support.paths import VECTORS

KEY = bytes(range(32))
PLAINTEXT = bytes(range(256)) + b"the last bytes"
VOTER = ballot.BallotContext("election", "voter")


@dataclass(frozen=True)
class Target:
    """A parser, the inputs to start from, and the errors that it may raise."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    errors: tuple[type[Exception], ...]

    def __call__(self, raw: bytes) -> None:
        """Give it an input. An error that is not one of its own is raised to the caller."""
        try:
            self.read(raw)
        except self.errors:
            return


@functools.cache
def rsa_key() -> rsa.RSAPrivateKey:
    cases = json.loads((VECTORS / "rsa_wycheproof.json").read_text())
    return rsa.from_pem(cases["oaep"]["privateKeyPem"].encode())


@functools.cache
def hybrid_key() -> MLKEM768X25519PrivateKey:
    return MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(bytes(64)), X25519PrivateKey.from_private_bytes(KEY)
    )


@functools.cache
def paillier_key() -> PrivateKey:
    known = json.loads((VECTORS / "paillier_phe.json").read_text())
    return PrivateKey(int(known["p"], 16), int(known["q"], 16))


LAYOUT = Layout(64, 16, 100)

# --- messages and streams ------------------------------------------------------------------------


def read_message(raw: bytes) -> None:
    assert aes.decrypt(KEY, raw, b"context") == PLAINTEXT


def small_segments():
    return mock.patch.object(aes, "SEGMENT_SIZE", 128)


def read_stream(raw: bytes) -> None:
    sink = io.BytesIO()
    try:
        with small_segments():
            aes.decrypt_stream(KEY, io.BytesIO(raw), sink, b"context")
    finally:
        assert PLAINTEXT.startswith(sink.getvalue())
    assert sink.getvalue() in (PLAINTEXT, b"", PLAINTEXT[:72])


def streams() -> list[bytes]:
    made = []
    with small_segments():
        for size in (len(PLAINTEXT), 0, 72):
            sink = io.BytesIO()
            aes.encrypt_stream(KEY, io.BytesIO(PLAINTEXT[:size]), sink, b"context")
            made.append(sink.getvalue())
    return made


# --- keys in files and envelopes -----------------------------------------------------------------


def read_pem(raw: bytes) -> None:
    """With less patience for costly KDFs than the helper, whose limits test_pem.py tests."""
    with mock.patch.multiple(
        pem, MEMORY_LIMIT=1 << 22, BLOCKS_LIMIT=1 << 12, ITERATIONS_LIMIT=1000
    ):
        for passphrase in (None, "words"):
            try:
                key = rsa.from_pem(raw, passphrase)
            except (InvalidKey, InvalidParameter, DecryptionError):
                continue
            rsa._checked(key if isinstance(key, rsa.RSAPublicKey) else key.public_key())


def pems() -> list[bytes]:
    key = rsa_key()
    with mock.patch.object(pem, "Scrypt", _cheap_scrypt):
        return [rsa.to_pem(key), rsa.to_pem(key.public_key()), _cheap_pem(rsa.to_pem(key, "words"))]


def _cheap_scrypt(**settings):
    return _SCRYPT(**{**settings, "n": 16, "r": 1, "p": 1})


_SCRYPT = pem.Scrypt


def _cheap_pem(text: bytes) -> bytes:
    """The cost in the file as it was really paid: scrypt's N, r and p in DER."""
    der = base64.b64decode(b"".join(text.split(b"\n")[1:-2]))
    costly = bytes.fromhex("02024000020108020105")
    cheap = bytes.fromhex("02020010020101020101")
    assert costly in der
    return pem.pem_of("ENCRYPTED PRIVATE KEY", der.replace(costly, cheap))


@functools.cache
def passphrase_key() -> PassphraseKey:
    return PassphraseKey.of("words", bytes(16), 14)


MASTER = bytes(range(32, 64))


def read_ring(raw: bytes) -> None:
    """The key ring's file, past scrypt, whose cost PassphraseSlot.read bounds before."""
    sealed = SealedFile.read(raw)
    assert 14 <= sealed.slot.log2_n <= 19
    assert sealed.slot.open(passphrase_key()) == MASTER
    sealed.open(MASTER)


def rings() -> list[bytes]:
    body = RingBody.new()
    body.note("created")
    return [
        SealedFile.seal(
            PassphraseSlot.seal(passphrase_key(), bytes(16), 1, MASTER), 1, MASTER, body
        ).data
    ]


def read_body(raw: bytes) -> None:
    body = RingBody.from_bytes(raw)
    assert body.to_bytes() == raw
    body.account()


def bodies() -> list[bytes]:
    body = RingBody.new()
    for event in ("created", "rotated"):
        body.note(event)
    record = KeyRecord.new(b"context")
    body.records[record.id] = record
    return [body.to_bytes(), bytes(48)]


def read_wrapped(raw: bytes) -> None:
    assert wrapping.unwrap(KEY, raw, b"context") == MASTER


def read_export(raw: bytes) -> None:
    for key in (rsa_key(), hybrid_key()):
        try:
            assert len(open_for(key, raw, b"context")) == 32
        except DecryptionError:
            continue


def exports() -> list[bytes]:
    keys = rsa_key().public_key(), hybrid_key().public_key()
    return [wrapping.seal_for(key, bytes(16), b"context", MASTER) for key in keys]


# --- shares and shards ---------------------------------------------------------------------------


@functools.cache
def shares() -> tuple[bytes, ...]:
    return tuple(share.to_bytes() for share in shamir.split(b"the secret", 2, 3))


def read_share(raw: bytes) -> None:
    share = shamir.Share.from_bytes(raw)
    assert share.to_bytes() == raw
    assert shamir.combine([share, *map(shamir.Share.from_bytes, shares()[1:])]) == b"the secret"


def read_shards(raw: bytes) -> None:
    """Three shards, cut from the bytes; what they decode to codes to them again."""
    third = len(raw) // 3
    given = {index: raw[index * third : (index + 1) * third] for index in range(3)}
    data = erasure.Code(2, 4).decode(given)
    assert [*map(bytes, given.values())] == erasure.Code(2, 4).encode(data)[:3]


@functools.cache
def stored() -> tuple[ShardedStore, list[dict[str, bytes]]]:
    """A store with one object, and what its nodes held when it was whole."""
    ring = KeyRing.create(scratch() / "stored", "words", scrypt_n=1 << 14)
    store = ShardedStore([MemoryNode(f"node-{index}") for index in range(4)], ring, k=2)
    store.put("x", PLAINTEXT)
    return store, [dict(node) for node in store.nodes]


def manifest() -> bytes:
    return next(value for key, value in stored()[1][0].items() if key.endswith("/manifest"))


def read_manifest(raw: bytes) -> None:
    """Believed only when it is the one that was written; it costs no more than its length."""
    sealed = SealedManifest.parse(raw)
    assert sealed.body.pack() in raw
    store, _ = stored()
    wrapped = SealedManifest.parse(manifest()).wrapped
    context = store.keyring.find(b"")[0][1]
    verified = sealed.verify(store.keyring.unwrap(wrapped, context), b"x")
    assert verified.body.pack() == SealedManifest.parse(manifest()).body.pack()


def read_from_nodes(raw: bytes) -> None:
    """Whatever two of the four nodes give for any key, the object comes back whole.

    When all four lie, typed errors are all that may come. The first byte chooses which key of each
    node is replaced by the rest.
    """
    store, whole = stored()
    for liars in (2, 4):
        for index, (node, content) in enumerate(zip(store.nodes, whole, strict=True)):
            node.clear()
            node.update(content)
            keys = sorted(content)
            if index < liars and raw:
                node[keys[raw[0] % len(keys)]] = raw[1:]
        try:
            assert store.get("x") == PLAINTEXT
        except (NotEnoughShards, IntegrityError):
            assert liars == 4


def records() -> list[bytes]:
    content = stored()[1][0]
    return [bytes([index]) + content[key] for index, key in enumerate(sorted(content))]


def read_frame(raw: bytes) -> None:
    assert framed(*unframed(raw)) == raw


# --- Paillier ------------------------------------------------------------------------------------


def read_number(raw: bytes) -> None:
    number = EncryptedNumber.from_bytes(raw, paillier_key().public_key)
    assert number.to_bytes() == raw


def read_vector(raw: bytes) -> None:
    vector = PackedVector.from_bytes(raw, paillier_key().public_key, LAYOUT)
    assert vector.to_bytes() == raw


def read_public_key(raw: bytes) -> None:
    assert PublicKey.from_bytes(raw).to_bytes() == raw


def read_ballot(raw: bytes) -> None:
    assert ballot.verify(paillier_key().public_key, raw, VOTER).bound == 1


def read_custodian(raw: bytes) -> None:
    assert custody.Custodian.from_bytes(raw, paillier_key().public_key).to_bytes() == raw


def read_json(raw: bytes) -> None:
    for read in (
        EncryptedNumber.from_json,
        lambda text, key: PackedVector.from_json(text, key, LAYOUT),
    ):
        try:
            read(raw, paillier_key().public_key)
        except DecryptionError:
            continue


def vector() -> PackedVector:
    return paillier_key().public_key.encrypt_vector(np.array([1.5, -2.25, 3.0]), LAYOUT)


# --- what the wire brings ------------------------------------------------------------------------


class Line:
    """In place of a connection: gives its bytes and then ends; takes whatever is sent."""

    def __init__(self, raw: bytes) -> None:
        self._left = io.BytesIO(raw)

    def settimeout(self, seconds: float) -> None:
        assert seconds >= 0

    def recv_into(self, buffer: memoryview) -> int:
        return self._left.readinto(buffer)

    def sendall(self, raw: bytes) -> None:
        pass


def read_tls_message(raw: bytes) -> None:
    message = IncomingMessage(Line(raw), "peer", 10_000, 5.0, MemoryBudget(10_000))
    assert message.hold()
    assert len(message.held) == message.size <= 10_000


def read_tls_answers(raw: bytes) -> None:
    """The receiver's greeting and acknowledgement, as a sender reads them."""
    reader = FrameReader(Line(raw), 5.0)
    read_greeting(reader, "peer")
    read_acknowledgement(reader, "peer", 3, bytes(32))


class Shown:
    """A connection over which this certificate has come."""

    def __init__(self, certificate: bytes) -> None:
        self._certificate = certificate

    def version(self) -> str:
        return "TLSv1.3"

    def getpeercert(self, binary_form: bool) -> bytes:
        return self._certificate


def read_handshake_message(raw: bytes) -> None:
    _, fields = read_handshake(raw)
    assert sum(field.length for field in fields) == len(raw)


def handshake_messages() -> list[bytes]:
    """One of each kind that RFC 8448 prints."""
    kinds = (
        "ClientHello",
        "ServerHello",
        "EncryptedExtensions",
        "Certificate",
        "CertificateVerify",
        "Finished",
    )
    values = [
        step["values"]
        for step in json.loads((VECTORS / "rfc8448.json").read_text())["sections"]["6"]["steps"]
    ]
    return [bytes.fromhex(next(each[kind] for each in values if kind in each)) for kind in kinds]


@functools.cache
def scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lepton-lab-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def read_certificate(raw: bytes) -> None:
    assert all(isinstance(name, str) for name in peer_names(Shown(raw), "peer"))


def certificates() -> list[bytes]:
    ca = LabCA.create()
    return [
        ca.certificate.public_bytes(Encoding.DER),
        ca.issue("localhost").certificate.public_bytes(Encoding.DER),
    ]


@functools.cache
def authority() -> LabCA:
    return LabCA.create()


def read_authority(raw: bytes) -> None:
    """The file of an authority: what loads has a key that fits its certificate, and constraints."""
    place = scratch() / "authority.pem"
    place.touch(mode=0o600)
    place.write_bytes(raw)
    loaded = LabCA.load(place)
    assert loaded.certificate in x509.load_pem_x509_certificates(raw)
    loaded.save(place)
    assert LabCA.load(place).certificate == loaded.certificate


def authorities() -> list[bytes]:
    authority().save(scratch() / "saved.pem")
    return [(scratch() / "saved.pem").read_bytes()]


def read_capture(raw: bytes) -> None:
    """A capture and its key log, framed together: every byte is explained, or it is refused."""
    try:
        log, *sent = unframed(raw)
    except ValueError:  # no capture, only bytes that this target cannot cut
        return
    records = [
        CapturedRecord("client" if each[:1] == b"C" else "server", record)
        for each in sent
        for record in cut(each[1:])
    ]
    try:
        secrets = secrets_in(log, records[0].data[11:43] if records else b"")
    except InvalidParameter:
        secrets = {}
    dissection = tls13.dissect(Capture(tuple(records), secrets, "localhost"), whole=False)
    for record, dissected in zip(records, dissection.records, strict=True):
        assert len(record.data) == len(dissected.opened)
        assert b"".join(field.data for field in dissected.fields) == dissected.opened


def cut(raw: bytes) -> list[bytes]:
    found = [*records_in(raw)]
    assert b"".join(found) == raw
    return found


def captures() -> list[bytes]:
    """One of our own, with certificates on both sides, and its key log: a case stays found."""
    ca = authority()
    server = ca.issue("localhost")
    client = ca.issue("somebody", client=True)
    capture = record_handshake(server_context(server, ca), client_context(ca, client), "localhost")
    return [
        framed(
            key_log(capture),
            *(record.sender[:1].upper().encode() + record.data for record in capture.records),
        )
    ]


def key_log(capture: Capture) -> bytes:
    random = capture.records[0].data[11:43].hex()
    return "".join(
        f"{label} {random} {secret.hex()}\n" for label, secret in capture.secrets.items()
    ).encode()


def read_key_log(raw: bytes) -> None:
    """A key log of any text gives the secrets of one connection or is refused."""
    for label, secret in secrets_in(raw, KEY).items():
        assert f"{label} {KEY.hex()} {secret.hex()}".lower() in raw.decode("latin-1").lower()


def key_logs() -> list[bytes]:
    other, mine = (
        b"EXPORTER_SECRET " + bytes(32).hex().encode(),
        b"CLIENT_TRAFFIC_SECRET_0 " + KEY.hex().encode(),
    )
    return [b"# a comment\n\n" + other + b" 0102\n" + mine + b" 0aff\n"]


# --- what nodes and folders give back ------------------------------------------------------------


def read_resp(raw: bytes) -> None:
    """What a Redis server answers to a GET and to a SET."""
    buffer = bytearray(64)
    calls = (
        lambda connection: redis_wire.get_into(
            connection, time.monotonic() + 5, b"key", memoryview(buffer)
        ),
        lambda connection: redis_wire.set_value(
            connection, time.monotonic() + 5, b"key", memoryview(b"value")
        ),
    )
    for call in calls:
        ours, servers = socket.socketpair()
        with ours, servers:
            servers.sendall(raw[:4096])
            servers.shutdown(socket.SHUT_WR)
            connection = SimpleNamespace(_sock=ours, socket_timeout=5.0, is_connected=True)
            connection.send_command = connection.send_packed_command = lambda *_: None
            try:
                found = call(connection)
            except redis.RedisError:
                continue
        assert found is None or bytes(buffer[:found]) in raw


RECEIPT = Receipt("x", 1, "00" * 32, 9)


def receipts() -> Receipts:
    return Receipts(SimpleNamespace(path=scratch() / "ring", derive=lambda _: KEY))


def read_receipts(raw: bytes) -> None:
    """The command line's floor beside the key ring: the receipt that was kept, or advice."""
    (scratch() / "ring.receipts").write_bytes(raw)
    assert receipts()["x"] == RECEIPT


def receipt_files() -> list[bytes]:
    (scratch() / "ring.receipts").unlink(missing_ok=True)
    receipts().keep(RECEIPT)
    return [(scratch() / "ring.receipts").read_bytes()]


TARGETS = {
    "AES message": Target(
        read_message, lambda: [aes.encrypt(KEY, PLAINTEXT, b"context")], (DecryptionError,)
    ),
    "AES stream": Target(read_stream, streams, (DecryptionError,)),
    "RSA key in PEM": Target(read_pem, pems, ()),
    "key ring file": Target(read_ring, rings, (DecryptionError,)),
    "key ring body": Target(read_body, bodies, (DecryptionError,)),
    "wrapped data key": Target(
        read_wrapped,
        lambda: [wrapping.wrap(KEY, bytes(16), b"context", MASTER)],
        (DecryptionError,),
    ),
    "exported data key": Target(read_export, exports, ()),
    "Shamir share": Target(read_share, lambda: [*shares()], (IntegrityError,)),
    "erasure shards": Target(
        read_shards, lambda: [b"".join(erasure.Code(2, 4).encode(PLAINTEXT)[:3])], (IntegrityError,)
    ),
    "manifest": Target(read_manifest, lambda: [manifest()], (IntegrityError,)),
    "shards and manifests on nodes": Target(read_from_nodes, records, ()),
    "framed parts": Target(read_frame, lambda: [framed(b"a", b"", b"bc")], (ValueError,)),
    "Paillier number": Target(
        read_number,
        lambda: [paillier_key().public_key.encrypt(-1.5).to_bytes()],
        (DecryptionError,),
    ),
    "Paillier vector": Target(read_vector, lambda: [vector().to_bytes()], (DecryptionError,)),
    "Paillier public key": Target(
        read_public_key,
        lambda: [paillier_key().public_key.to_bytes()],
        (DecryptionError, InvalidKey),
    ),
    "Paillier JSON": Target(read_json, lambda: [vector().to_json().encode()], (PlaintextOverflow,)),
    "Paillier ballot": Target(
        read_ballot,
        lambda: [ballot.cast(paillier_key().public_key, 1, VOTER)],
        (ballot.InvalidBallot,),
    ),
    "Paillier custodian": Target(
        read_custodian,
        lambda: [custody.share(paillier_key(), 2, 3)[0].to_bytes()],
        (IntegrityError,),
    ),
    "TLS message": Target(
        read_tls_message,
        lambda: [b"lepton\0\1" + bytes.fromhex("00000003616263 0000000264650000 0000")],
        (NodeError, MessageTooLarge),
    ),
    "TLS answers": Target(
        read_tls_answers,
        lambda: [GREETING.pack(MAGIC, 0, 9) + ACKNOWLEDGEMENT.pack(3, bytes(32))],
        (NodeError, CertificateError, IntegrityError),
    ),
    "certificate of a peer": Target(read_certificate, certificates, (CertificateError,)),
    "TLS 1.3 handshake message": Target(
        read_handshake_message, handshake_messages, (tls13.MalformedCapture,)
    ),
    "TLS capture": Target(read_capture, captures, (tls13.DissectionError,)),
    "key log": Target(read_key_log, key_logs, (InvalidParameter,)),
    "authority's file": Target(read_authority, authorities, (InvalidKey,)),
    "answers of Redis": Target(
        read_resp,
        lambda: [b"$3\r\nabc\r\n", b"+OK\r\n", b"$-1\r\n", b"_\r\n", b"-OOM no room\r\n"],
        (),
    ),
    "receipts": Target(read_receipts, receipt_files, (CommandError,)),
}
