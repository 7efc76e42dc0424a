"""The key schedule: every secret of a connection from (EC)DHE, a PSK and the transcript (RFC 8446 §7, RFC 5869).

             0
             |
   PSK ->  HKDF-Extract = Early Secret
             +-----> Derive-Secret(., "ext binder" | "res binder", "") = binder_key
             +-----> Derive-Secret(., "c e traffic", ClientHello) = client_early_traffic_secret
             +-----> Derive-Secret(., "e exp master", ClientHello) = early_exporter_master_secret
       Derive-Secret(., "derived", "")
             |
 (EC)DHE -> HKDF-Extract = Handshake Secret
             +-----> Derive-Secret(., "c hs traffic", ClientHello...ServerHello) = client_handshake_traffic_secret
             +-----> Derive-Secret(., "s hs traffic", ClientHello...ServerHello) = server_handshake_traffic_secret
       Derive-Secret(., "derived", "")
             |
     0 ->  HKDF-Extract = Master Secret
             +-----> Derive-Secret(., "c ap traffic", ClientHello...server Finished)
             |                     = client_application_traffic_secret_0
             +-----> Derive-Secret(., "s ap traffic", ClientHello...server Finished)
             |                     = server_application_traffic_secret_0
             +-----> Derive-Secret(., "exp master", ClientHello...server Finished) = exporter_master_secret
             +-----> Derive-Secret(., "res master", ClientHello...client Finished) = resumption_master_secret

`hash` is "sha256" or "sha384" throughout. Nothing here is secret from whoever reads a Trace.
"""
# ruff: noqa: N802, N803, N806 - the standards' names for the standards' things: HKDF_Extract, IKM, PRK, Secret, Label

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterable

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes, integer
from lepton_lab.textbook.protocols.tls13.names import is_hello_retry_request
from lepton_lab.textbook.protocols.tls13.suites import CipherSuite
from lepton_lab.textbook.trace import Recorder, Trace

HASH_LENGTHS = {"sha256": 32, "sha384": 48}


class Secrets(dict[str, bytes]):
    """Secrets by name. Printed, it says only how many there are: a Trace's steps show each on a line of its own."""

    def __repr__(self) -> str:
        return f"{len(self)} secrets, by name"


def hash_length(hash: str) -> int:
    """Hash.length in bytes. Raises InvalidParameter for a hash that TLS 1.3's suites do not use."""
    if hash not in HASH_LENGTHS:
        raise InvalidParameter(f"hash is one of {', '.join(HASH_LENGTHS)}, not {hash!r}")
    return HASH_LENGTHS[hash]


def HKDF_Extract(hash: str, salt: bytes, IKM: bytes) -> Trace[bytes]:
    """PRK = HMAC-Hash(salt, IKM) (RFC 5869 §2.2): whatever entropy IKM has, in one key of Hash.length bytes.

    An empty salt stands for Hash.length zeros. Raises InvalidParameter.
    """
    seen = Recorder()
    salt = seen("salt", as_bytes("salt", salt) or bytes(hash_length(hash)))
    IKM = seen("IKM", as_bytes("IKM", IKM))
    return seen.trace(seen("PRK", hmac.digest(salt, IKM, hash), "HMAC-Hash(salt, IKM)"))


def HKDF_Expand(hash: str, PRK: bytes, info: bytes, L: int) -> Trace[bytes]:
    """OKM, L bytes, at most 255 · Hash.length: the first of T(1) ‖ T(2) ‖ … (RFC 5869 §2.3). InvalidParameter."""
    seen, T, OKM = Recorder(), b"", b""
    PRK, info = seen("PRK", as_bytes("PRK", PRK)), seen("info", as_bytes("info", info))
    for i in range(1, -(-integer("L", L, 0, 255 * hash_length(hash) + 1) // hash_length(hash)) + 1):
        T = seen(
            f"T({i})",
            hmac.digest(PRK, T + info + bytes([i]), hash),
            f"HMAC-Hash(PRK, T({i - 1}) | info | {i})",
        )
        OKM += T
    return seen.trace(seen("OKM", OKM[:L], f"the first {L} bytes"))


def HKDF_Expand_Label(
    hash: str, Secret: bytes, Label: str, Context: bytes, Length: int
) -> Trace[bytes]:
    """HKDF-Expand(Secret, HkdfLabel, Length) (§7.1): what it is for and its length are part of what is computed.

    HkdfLabel
     0   2   Length
     2   1   l, the length of the label
     3   l   "tls13 " ‖ Label
    3+l  1   c, the length of the context
    4+l  c   Context

    Label: 1 to 249 bytes of ASCII. Context: at most 255 bytes, a transcript hash as a rule. Raises InvalidParameter.
    """
    if not isinstance(Label, str) or not Label.isascii() or not 0 < len(Label) <= 249:
        raise InvalidParameter(
            "Label is 1 to 249 characters of ASCII, without the 'tls13 ' that goes before it"
        )
    if len(as_bytes("Context", Context)) > 255:
        raise InvalidParameter(f"Context is at most 255 bytes, not {len(Context)}")
    seen = Recorder()
    length = seen(
        "HkdfLabel.length",
        struct.pack(">H", integer("Length", Length, 0, 255 * hash_length(hash) + 1)),
    )
    label = seen("HkdfLabel.label", b"tls13 " + Label.encode(), f'"tls13 {Label}"')
    context = seen("HkdfLabel.context", bytes(Context))
    info = length + bytes([len(label)]) + label + bytes([len(context)]) + context
    seen("HkdfLabel", info, "length, and the two others behind their own lengths of one byte")
    return seen.trace(seen.include("", HKDF_Expand(hash, Secret, info, Length)))


def Transcript_Hash(hash: str, *messages: bytes) -> Trace[bytes]:
    """Hash(M1 ‖ M2 ‖ …), handshake messages with their headers, without those of the record layer (§4.4.1).

    Where the second is a HelloRetryRequest, ClientHello1 is replaced by a message of type message_hash that holds its
    hash, so that a server need not remember it. Raises InvalidParameter.
    """
    hash_length(hash)
    seen, transcript = Recorder(), [as_bytes("a message", message) for message in messages]
    if len(transcript) > 1 and is_hello_retry_request(transcript[1]):
        digest = hashlib.new(hash, transcript[0]).digest()
        transcript[0] = seen(
            "message_hash", b"\xfe\0\0" + bytes([len(digest)]) + digest, "254, length, Hash(CH1)"
        )
    together = seen("messages", b"".join(transcript))
    return seen.trace(seen("Transcript-Hash", hashlib.new(hash, together).digest()))


def Derive_Secret(hash: str, Secret: bytes, Label: str, *Messages: bytes) -> Trace[bytes]:
    """HKDF-Expand-Label(Secret, Label, Transcript-Hash(Messages), Hash.length) (§7.1). Raises InvalidParameter."""
    seen = Recorder()
    transcript_hash = seen("Transcript-Hash", Transcript_Hash(hash, *Messages).result)
    expanded = HKDF_Expand_Label(hash, Secret, Label, transcript_hash, hash_length(hash))
    return seen.trace(seen.include("", expanded))


def key_schedule(
    hash: str,
    messages: Iterable[bytes],
    *,
    shared_secret: bytes = b"",
    psk: bytes = b"",
    external: bool = False,
) -> Trace[Secrets]:
    """Every secret of §7.1's diagram that the messages so far allow; `.result` is the secrets by their names there.

    messages: handshake messages in order, headers included: ClientHello, perhaps HelloRetryRequest and another,
    ServerHello, …, server Finished, …, client Finished. shared_secret: what (EC)DHE gave (§7.4), empty for a PSK alone.
    psk: empty without one; external: it was agreed on outside of TLS, not by a ticket. The secrets before the
    Handshake Secret that only a PSK has are left out without one. Raises InvalidParameter.
    """
    zeros, transcript = (
        bytes(hash_length(hash)),
        [as_bytes("a message", message) for message in messages],
    )
    steps = _Schedule(hash)
    hellos, to_server_finished, to_client_finished = _stages(transcript)
    steps.extract("Early Secret", b"", as_bytes("psk", psk) or zeros, "HKDF-Extract(0, PSK or 0)")
    if psk:
        steps.derive("binder_key", "Early Secret", "ext binder" if external else "res binder")
    if psk and transcript:
        steps.derive("client_early_traffic_secret", "Early Secret", "c e traffic", *transcript[:1])
        steps.derive(
            "early_exporter_master_secret", "Early Secret", "e exp master", *transcript[:1]
        )
    salt = steps.derive("Derived (early)", "Early Secret", "derived")
    if not hellos:
        return steps.seen.trace(steps.secrets)
    secret = as_bytes("shared_secret", shared_secret) or zeros
    steps.extract(
        "Handshake Secret",
        salt,
        secret,
        'HKDF-Extract(Derive-Secret(Early Secret, "derived", ""), (EC)DHE)',
    )
    steps.derive("client_handshake_traffic_secret", "Handshake Secret", "c hs traffic", *hellos)
    steps.derive("server_handshake_traffic_secret", "Handshake Secret", "s hs traffic", *hellos)
    salt = steps.derive("Derived (handshake)", "Handshake Secret", "derived")
    steps.extract(
        "Master Secret",
        salt,
        zeros,
        'HKDF-Extract(Derive-Secret(Handshake Secret, "derived", ""), 0)',
    )
    if to_server_finished:
        steps.derive(
            "client_application_traffic_secret_0",
            "Master Secret",
            "c ap traffic",
            *to_server_finished,
        )
        steps.derive(
            "server_application_traffic_secret_0",
            "Master Secret",
            "s ap traffic",
            *to_server_finished,
        )
        steps.derive("exporter_master_secret", "Master Secret", "exp master", *to_server_finished)
    if to_client_finished:
        steps.derive("resumption_master_secret", "Master Secret", "res master", *to_client_finished)
    return steps.seen.trace(steps.secrets)


class _Schedule:
    """The secrets so far, by name, and the steps that led there."""

    def __init__(self, hash: str) -> None:
        self.hash, self.seen = hash, Recorder()
        self.secrets = Secrets()

    def extract(self, name: str, salt: bytes, IKM: bytes, note: str) -> bytes:
        return self._keep(name, HKDF_Extract(self.hash, salt, IKM).result, note)

    def derive(self, name: str, secret: str, label: str, *messages: bytes) -> bytes:
        upto = f"Messages 1 to {len(messages)}" if messages else '""'
        derived = Derive_Secret(self.hash, self.secrets[secret], label, *messages).result
        return self._keep(name, derived, f'Derive-Secret({secret}, "{label}", {upto})')

    def _keep(self, name: str, value: bytes, note: str) -> bytes:
        self.secrets[name] = self.seen(name, value, note)
        return value


def _stages(transcript: list[bytes]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """ClientHello…ServerHello, …server Finished, …client Finished; each empty while its last message is missing."""
    hellos = [
        i
        for i, each in enumerate(transcript)
        if each[:1] == b"\x02" and not is_hello_retry_request(each)
    ]
    finished = [i for i, each in enumerate(transcript) if each[:1] == b"\x14"]
    ends = [*hellos[:1], *finished[:2]] if hellos else []
    stages = [transcript[: end + 1] for end in ends] + [[], [], []]
    return stages[0], stages[1], stages[2]


def traffic_keys(suite: CipherSuite, secret: bytes) -> Trace[tuple[bytes, bytes]]:
    """[sender]_write_key and [sender]_write_iv from a traffic secret (§7.3). Raises InvalidParameter."""
    seen = Recorder()
    key = HKDF_Expand_Label(suite.hash, secret, "key", b"", suite.key_length).result
    iv = HKDF_Expand_Label(suite.hash, secret, "iv", b"", suite.iv_length).result
    seen("write_key", key, 'HKDF-Expand-Label(Secret, "key", "", key_length)')
    seen("write_iv", iv, 'HKDF-Expand-Label(Secret, "iv", "", iv_length)')
    return seen.trace((key, iv))


def next_traffic_secret(hash: str, secret: bytes) -> Trace[bytes]:
    """application_traffic_secret_N+1, after a KeyUpdate (§7.2). The old one cannot be had from it."""
    return HKDF_Expand_Label(hash, secret, "traffic upd", b"", hash_length(hash))


def finished_key(hash: str, base_key: bytes) -> Trace[bytes]:
    """The key of a Finished or a PSK binder, from the sender's handshake traffic secret or binder_key (§4.4.4)."""
    return HKDF_Expand_Label(hash, base_key, "finished", b"", hash_length(hash))


def verify_data(hash: str, base_key: bytes, transcript_hash: bytes) -> Trace[bytes]:
    """What a Finished says: HMAC(finished_key, Transcript-Hash(all messages before it)) (§4.4.4). InvalidParameter."""
    seen = Recorder()
    key = seen(
        "finished_key",
        finished_key(hash, base_key).result,
        'HKDF-Expand-Label(base key, "finished", "")',
    )
    seen("Transcript-Hash", as_bytes("transcript_hash", transcript_hash, hash_length(hash)))
    mac = hmac.digest(key, transcript_hash, hash)
    return seen.trace(seen("verify_data", mac, "HMAC(finished_key, Transcript-Hash)"))


def resumption_psk(hash: str, resumption_master_secret: bytes, ticket_nonce: bytes) -> Trace[bytes]:
    """The PSK that comes with a NewSessionTicket (§4.6.1). Raises InvalidParameter."""
    return HKDF_Expand_Label(
        hash, resumption_master_secret, "resumption", ticket_nonce, hash_length(hash)
    )


def exporter(
    hash: str, exporter_master_secret: bytes, label: str, context: bytes, length: int
) -> Trace[bytes]:
    """TLS-Exporter(label, context, length): keys for the application, bound to this connection (§7.5)."""
    seen = Recorder()
    secret = seen(
        "Secret",
        Derive_Secret(hash, exporter_master_secret, label).result,
        f'Derive-Secret(., "{label}", "")',
    )
    hashed = seen("Hash(context_value)", Transcript_Hash(hash, as_bytes("context", context)).result)
    return seen.trace(HKDF_Expand_Label(hash, secret, "exporter", hashed, length).result)
