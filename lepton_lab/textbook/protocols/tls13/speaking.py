"""The smallest client that a real server answers: one handshake with every key computed here.

It sends a ClientHello, derives all secrets from its X25519 key and the server's, has the dissector
verify CertificateVerify and Finished, answers with its own Finished, sends one request and closes
(RFC 8446 §2).

It does **not** check whether the server's certificate is to be trusted, so it does not know whom it
speaks with. Send what matters with `lepton_lab.tls`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from lepton_lab.capture import Capture, CapturedRecord
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes
from lepton_lab.textbook.protocols.tls13.dissection import Dissection
from lepton_lab.textbook.protocols.tls13.dissection_errors import MalformedCapture
from lepton_lab.textbook.protocols.tls13.dissector import dissect
from lepton_lab.textbook.protocols.tls13.handshake import KEY_LOG_LABELS
from lepton_lab.textbook.protocols.tls13.key_schedule import (
    Transcript_Hash,
    key_schedule,
    verify_data,
)
from lepton_lab.textbook.protocols.tls13.record_layer import seal
from lepton_lab.textbook.protocols.tls13.suites import CipherSuite, suite_named
from lepton_lab.textbook.trace import Recorder, Trace

Exchange = Callable[[bytes], bytes]
CLOSE_NOTIFY = b"\x01\x00"
# ecdsa_secp256r1/384r1/521r1, rsa_pss_rsae with SHA-256/384/512, ed25519, ed448 (§4.2.3)
SIGNATURE_ALGORITHMS = bytes.fromhex("0403 0503 0603 0804 0805 0806 0807 0808")
X25519 = b"\x00\x1d"  # §4.2.7


def client_hello(
    suite: CipherSuite, server_name: str, random: bytes, public_key: bytes
) -> Trace[bytes]:
    """A ClientHello that offers one suite and one group, x25519 (§4.1.2); the steps are its parts.

    random: 32 bytes. public_key: 32 bytes (RFC 7748). server_name: a host name in ASCII. Raises
    InvalidParameter.
    """
    is_ascii = isinstance(server_name, str) and server_name.isascii()
    if not is_ascii or not 0 < len(server_name) < 256:
        raise InvalidParameter("server_name is a host name of 1 to 255 characters of ASCII")
    seen = Recorder()
    host = _vector(2, b"\0" + _vector(2, server_name.encode()))
    share = _vector(2, X25519 + _vector(2, as_bytes("public_key", public_key, 32)))
    schemes = _extension(13, _vector(2, SIGNATURE_ALGORITHMS))
    extensions = [
        seen("server_name", _extension(0, host), "whom we mean"),
        seen("supported_groups", _extension(10, _vector(2, X25519)), "x25519"),
        seen("signature_algorithms", schemes, "ECDSA, RSA-PSS, EdDSA"),
        seen("supported_versions", _extension(43, _vector(1, b"\x03\x04")), "TLS 1.3"),
        seen("key_share", _extension(51, share), "x25519, and our public key"),
    ]
    cipher_suites = _vector(2, suite.code.to_bytes(2, "big"))
    seen("cipher_suites", cipher_suites, suite.name)
    hello = b"\x03\x03"  # legacy_version
    hello += seen("random", as_bytes("random", random, 32))
    hello += _vector(1, b"")  # legacy_session_id
    hello += cipher_suites
    hello += _vector(1, b"\0")  # legacy_compression_methods
    hello += _vector(2, b"".join(extensions))
    return seen.trace(seen("ClientHello", b"\x01" + _vector(3, hello)))


def speak(
    exchange: Exchange,
    server_name: str,
    request: bytes,
    *,
    private_key: bytes,
    random: bytes,
    suite: str = "TLS_AES_128_GCM_SHA256",
) -> Trace[Capture]:
    """Run a whole connection: the handshake, one request, and a close_notify.

    The result is its capture, with all its secrets. The steps are the messages sent, "(EC)DHE",
    every secret under its name in §7.1, what was verified, and the server's "response".

    exchange: sends bytes to the server and returns everything that it answers; it is called three
    times. private_key: of X25519, 32 bytes. random: 32 bytes. Neither may be used twice.

    Raises DissectionError when the server's answers are wrong, or need what this client cannot do:
    another group, or a certificate of its own; InvalidParameter.
    """
    seen = Recorder()
    chosen = suite_named(suite)
    key = X25519PrivateKey.from_private_bytes(as_bytes("private_key", private_key, 32))
    hello = client_hello(chosen, server_name, random, key.public_key().public_bytes_raw()).result
    # The record of the first ClientHello says TLS 1.0 (§5.1).
    first = b"\x16\x03\x01" + _vector(2, seen("ClientHello", hello))
    wire = [CapturedRecord("client", first), *_answer(exchange, first)]

    # The two hellos are in the clear, so they can be dissected without any secret.
    hellos = dissect(Capture(tuple(wire[:2]), {}, server_name), whole=False)
    note = "X25519(our private key, the server's public key)"
    shared_secret = seen("(EC)DHE", _shared_secret(key, hellos), note)
    capture = Capture(tuple(wire), {}, server_name)
    begun = dissect(capture, shared_secret=shared_secret, whole=False)
    _require_whole_answer(begun)
    for sentence in begun.verified:
        seen("verified", sentence)

    messages = [each.data for each in begun.messages if each.transcript_hash]
    secrets = key_schedule(chosen.hash, messages, shared_secret=shared_secret)
    base_key = secrets["client_handshake_traffic_secret"]
    transcript_hash = Transcript_Hash(chosen.hash, *messages).result
    mac = verify_data(chosen.hash, base_key, transcript_hash).result
    finished = seen("Finished", b"\x14" + _vector(3, mac))
    seen.include("", key_schedule(chosen.hash, [*messages, finished], shared_secret=shared_secret))

    traffic = secrets["client_application_traffic_secret_0"]
    request = as_bytes("request", request)
    flight = [
        seal(chosen, base_key, 0, finished, "handshake").result,
        seal(chosen, traffic, 0, request, "application_data").result,
    ]
    wire += [CapturedRecord("client", each) for each in flight]
    wire += _answer(exchange, b"".join(flight))
    goodbye = seal(chosen, traffic, 1, CLOSE_NOTIFY, "alert").result
    wire += [CapturedRecord("client", goodbye), *_answer(exchange, goodbye)]

    key_log = {}
    for name, label in KEY_LOG_LABELS.items():
        if name in secrets.result:
            key_log[label] = secrets[name]
    capture = Capture(tuple(wire), key_log, server_name)
    seen("response", dissect(capture).application_data("server"))
    return seen.trace(capture)


def _require_whole_answer(begun: Dissection) -> None:
    """Raise MalformedCapture unless the server has sent all up to Finished and asks nothing."""
    last = begun.messages[-1].name
    asks = any(each.name == "CertificateRequest" for each in begun.messages)
    if last != "Finished" or asks:
        raise MalformedCapture("server", f"{last} ends its answer, or it asks for a certificate")


def _shared_secret(key: X25519PrivateKey, hellos: Dissection) -> bytes:
    """X25519 of our private key and the public key in the ServerHello (§7.4.2, RFC 7748 §6.1)."""
    if hellos.group != "x25519":
        last = hellos.messages[-1].name
        raise MalformedCapture("server", f"it answers with {last}, not with an x25519 key share")
    public = hellos.message("ServerHello").field("server_share.key_exchange").data
    try:
        return key.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        # Not 32 bytes, or a point of small order, which would make the secret all zeros.
        raise MalformedCapture(
            "server ServerHello", "its x25519 key share is not a usable public key"
        ) from None


def _answer(exchange: Exchange, sent: bytes) -> list[CapturedRecord]:
    stream = as_bytes("what exchange gives", exchange(sent))
    return [CapturedRecord("server", each) for each in _records(stream)]


def _records(stream: bytes) -> Iterator[bytes]:
    """Cut a stream by the headers of its records (§5.1).

    The last record may come out too short; the dissector will say so.
    """
    while stream:
        end = 5 + int.from_bytes(stream[3:5], "big")
        yield stream[:end]
        stream = stream[end:]


def _vector(prefix: int, content: bytes) -> bytes:
    """Content behind its length in `prefix` bytes (§3.4)."""
    return len(content).to_bytes(prefix, "big") + content


def _extension(code: int, data: bytes) -> bytes:
    return code.to_bytes(2, "big") + _vector(2, data)
