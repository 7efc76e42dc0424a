"""The smallest client that a real server answers: one handshake in which every key is our own work (RFC 8446 §2).

It sends a ClientHello, derives all secrets from its X25519 key and the server's, has the dissector verify
CertificateVerify and Finished, answers with its own Finished, says one thing and closes. It does **not** ask whether
the server's certificate is to be trusted: it does not know whom it speaks with. What matters goes by `lepton_lab.tls`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from lepton_lab.capture import Capture, CapturedRecord
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes
from lepton_lab.textbook.protocols.tls13.dissection import Dissection
from lepton_lab.textbook.protocols.tls13.dissector import dissect
from lepton_lab.textbook.protocols.tls13.errors import MalformedCapture
from lepton_lab.textbook.protocols.tls13.handshake import KEY_LOG_LABELS
from lepton_lab.textbook.protocols.tls13.key_schedule import (
    Transcript_Hash,
    key_schedule,
    verify_data,
)
from lepton_lab.textbook.protocols.tls13.record_layer import seal
from lepton_lab.textbook.protocols.tls13.suites import CipherSuite, suite_named
from lepton_lab.textbook.trace import Recorder, Trace

CLOSE_NOTIFY = b"\x01\x00"


def client_hello(
    suite: CipherSuite, server_name: str, random: bytes, public_key: bytes
) -> Trace[bytes]:
    """A ClientHello that offers one suite and one group, x25519 (§4.1.2); the steps are its parts.

    random: 32 bytes; public_key: 32 bytes (RFC 7748); server_name: a host name in ASCII. Raises InvalidParameter.
    """
    if (
        not isinstance(server_name, str)
        or not server_name.isascii()
        or not 0 < len(server_name) < 256
    ):
        raise InvalidParameter("server_name is a host name of 1 to 255 characters of ASCII")
    seen = Recorder()
    name = _vector(2, b"\0" + _vector(2, server_name.encode()))
    share = _vector(2, b"\x00\x1d" + _vector(2, as_bytes("public_key", public_key, 32)))
    schemes = bytes.fromhex("0403 0503 0603 0804 0805 0806 0807 0808")
    extensions = [
        seen("server_name", _extension(0, name), "whom we mean"),
        seen("supported_groups", _extension(10, _vector(2, b"\x00\x1d")), "x25519"),
        seen("signature_algorithms", _extension(13, _vector(2, schemes)), "ECDSA, RSA-PSS, EdDSA"),
        seen("supported_versions", _extension(43, _vector(1, b"\x03\x04")), "TLS 1.3"),
        seen("key_share", _extension(51, share), "x25519, and our public key"),
    ]
    suites = seen("cipher_suites", _vector(2, suite.code.to_bytes(2, "big")), suite.name)
    hello = (
        b"\x03\x03"
        + seen("random", as_bytes("random", random, 32))
        + _vector(1, b"")
        + suites
        + _vector(1, b"\0")
    )
    message = b"\x01" + _vector(3, hello + _vector(2, b"".join(extensions)))
    return seen.trace(seen("ClientHello", message))


def speak(
    exchange: Callable[[bytes], bytes],
    server_name: str,
    request: bytes,
    *,
    private_key: bytes,
    random: bytes,
    suite: str = "TLS_AES_128_GCM_SHA256",
) -> Trace[Capture]:
    """A whole connection: the handshake, one request, and a goodbye. The result is its capture, with all its secrets.

    exchange: sends bytes to the server and gives back all that it answers; called three times. private_key: of
    X25519, 32 bytes; random: 32 bytes; neither may be used twice. The steps: the messages sent, "(EC)DHE", every
    secret under its name in §7.1, what was verified, and the server's "response".

    Raises DissectionError when the server's answers do not hold, or need what this client cannot do: another group, a
    certificate of its own; InvalidParameter.
    """
    seen, chosen = Recorder(), suite_named(suite)
    key = X25519PrivateKey.from_private_bytes(as_bytes("private_key", private_key, 32))
    hello = client_hello(chosen, server_name, random, key.public_key().public_bytes_raw()).result
    wire = [CapturedRecord("client", b"\x16\x03\x01" + _vector(2, seen("ClientHello", hello)))]
    wire += _answer(exchange, wire[0].data)

    begun = dissect(
        Capture(tuple(wire[:2]), {}, server_name), whole=False
    )  # the two hellos, in the clear
    shared_secret = seen(
        "(EC)DHE", _shared_secret(key, begun), "X25519(our private key, the server's public key)"
    )
    begun = dissect(Capture(tuple(wire), {}, server_name), shared_secret=shared_secret, whole=False)
    if begun.messages[-1].name != "Finished" or any(
        each.name == "CertificateRequest" for each in begun.messages
    ):
        raise MalformedCapture(
            "server", f"{begun.messages[-1].name} ends its answer, or it asks for a certificate"
        )
    for sentence in begun.verified:
        seen("verified", sentence)

    messages = [each.data for each in begun.messages if each.transcript_hash]
    secrets = key_schedule(chosen.hash, messages, shared_secret=shared_secret)
    transcript_hash = Transcript_Hash(chosen.hash, *messages).result
    mac = verify_data(
        chosen.hash, secrets["client_handshake_traffic_secret"], transcript_hash
    ).result
    finished = seen("Finished", b"\x14" + _vector(3, mac))
    seen.include("", key_schedule(chosen.hash, [*messages, finished], shared_secret=shared_secret))

    traffic = secrets["client_application_traffic_secret_0"]
    flight = [
        seal(chosen, secrets["client_handshake_traffic_secret"], 0, finished, "handshake").result,
        seal(chosen, traffic, 0, as_bytes("request", request), "application_data").result,
    ]
    wire += [CapturedRecord("client", each) for each in flight] + _answer(
        exchange, b"".join(flight)
    )
    goodbye = seal(chosen, traffic, 1, CLOSE_NOTIFY, "alert").result
    wire += [CapturedRecord("client", goodbye), *_answer(exchange, goodbye)]
    key_log = {
        label: secrets[name] for name, label in KEY_LOG_LABELS.items() if name in secrets.result
    }
    capture = Capture(tuple(wire), key_log, server_name)
    seen("response", dissect(capture).application_data("server"))
    return seen.trace(capture)


def _shared_secret(key: X25519PrivateKey, begun: Dissection) -> bytes:
    """X25519 of our private key and the public key in the ServerHello (§7.4.2, RFC 7748 §6.1)."""
    if begun.group != "x25519":
        raise MalformedCapture(
            "server", f"it answers with {begun.messages[-1].name}, not with an x25519 key share"
        )
    public = begun.message("ServerHello").field("server_share.key_exchange").data
    try:
        return key.exchange(X25519PublicKey.from_public_bytes(public))
    except (
        ValueError
    ):  # not 32 bytes, or a point of small order, which would make the secret all zeros
        raise MalformedCapture(
            "server ServerHello", "its x25519 key share is no usable public key"
        ) from None


def _answer(exchange: Callable[[bytes], bytes], sent: bytes) -> list[CapturedRecord]:
    return [
        CapturedRecord("server", each)
        for each in _records(as_bytes("what exchange gives", exchange(sent)))
    ]


def _records(stream: bytes) -> Iterator[bytes]:
    """Cut by their headers (§5.1); the last may come out too short, which the dissector will say."""
    while stream:
        end = 5 + int.from_bytes(stream[3:5], "big")
        yield stream[:end]
        stream = stream[end:]


def _vector(prefix: int, content: bytes) -> bytes:
    """Content behind its length in `prefix` bytes (§3.4)."""
    return len(content).to_bytes(prefix, "big") + content


def _extension(code: int, data: bytes) -> bytes:
    return code.to_bytes(2, "big") + _vector(2, data)
