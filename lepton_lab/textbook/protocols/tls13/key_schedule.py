"""The key schedule: every secret of a connection from (EC)DHE, a PSK and the transcript.

RFC 8446 §7.1, on RFC 5869. An arrow to the right is Derive-Secret with that label; the messages in
brackets are the transcript that goes into it.

             0
             |
   PSK ->  HKDF-Extract = Early Secret
             +--> "ext binder" | "res binder" ()    = binder_key
             +--> "c e traffic" (ClientHello)       = client_early_traffic_secret
             +--> "e exp master" (ClientHello)      = early_exporter_master_secret
       Derive-Secret(., "derived", "")
             |
 (EC)DHE -> HKDF-Extract = Handshake Secret
             +--> "c hs traffic" (ClientHello...ServerHello) = client_handshake_traffic_secret
             +--> "s hs traffic" (ClientHello...ServerHello) = server_handshake_traffic_secret
       Derive-Secret(., "derived", "")
             |
     0 ->  HKDF-Extract = Master Secret
             +--> "c ap traffic" (ClientHello...server Finished)
             |                                      = client_application_traffic_secret_0
             +--> "s ap traffic" (ClientHello...server Finished)
             |                                      = server_application_traffic_secret_0
             +--> "exp master" (ClientHello...server Finished) = exporter_master_secret
             +--> "res master" (ClientHello...client Finished) = resumption_master_secret

`hash` is "sha256" or "sha384" throughout. A Trace shows everything here to anyone who reads it.
"""
# ruff: noqa: N802, N803, N806 - the standards' names: HKDF_Extract, IKM, PRK, Secret, Label

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterable

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes, integer
from lepton_lab.textbook.protocols.tls13.code_points import is_hello_retry_request
from lepton_lab.textbook.protocols.tls13.suites import CipherSuite
from lepton_lab.textbook.trace import Recorder, Trace

HASH_LENGTHS = {"sha256": 32, "sha384": 48}


class Secrets(dict[str, bytes]):
    """Secrets by name. Printed, it says only how many there are; a Trace's steps show each."""

    def __repr__(self) -> str:
        return f"{len(self)} secrets, by name"


def hash_length(hash: str) -> int:
    """Hash.length in bytes. Raises InvalidParameter for a hash that TLS 1.3's suites do not use."""
    if hash not in HASH_LENGTHS:
        raise InvalidParameter(f"hash is one of {', '.join(HASH_LENGTHS)}, not {hash!r}")
    return HASH_LENGTHS[hash]


def HKDF_Extract(hash: str, salt: bytes, IKM: bytes) -> Trace[bytes]:
    """PRK = HMAC-Hash(salt, IKM): gathers the entropy of IKM into one key of Hash.length bytes.

    RFC 5869 §2.2. An empty salt stands for Hash.length zeros. Raises InvalidParameter.
    """
    seen = Recorder()
    salt = seen("salt", as_bytes("salt", salt) or bytes(hash_length(hash)))
    IKM = seen("IKM", as_bytes("IKM", IKM))
    return seen.trace(seen("PRK", hmac.digest(salt, IKM, hash), "HMAC-Hash(salt, IKM)"))


def HKDF_Expand(hash: str, PRK: bytes, info: bytes, L: int) -> Trace[bytes]:
    """OKM: the first L bytes of T(1) ‖ T(2) ‖ … (RFC 5869 §2.3).

    L: at most 255 · Hash.length. Raises InvalidParameter.
    """
    seen = Recorder()
    size = hash_length(hash)
    PRK = seen("PRK", as_bytes("PRK", PRK))
    info = seen("info", as_bytes("info", info))
    L = integer("L", L, 0, 255 * size + 1)
    N = -(-L // size)  # L / Hash.length, rounded up
    T = b""  # T(0)
    OKM = b""
    for i in range(1, N + 1):
        note = f"HMAC-Hash(PRK, T({i - 1}) | info | {i})"
        T = seen(f"T({i})", hmac.digest(PRK, T + info + bytes([i]), hash), note)
        OKM += T
    return seen.trace(seen("OKM", OKM[:L], f"the first {L} bytes"))


def HKDF_Expand_Label(
    hash: str, Secret: bytes, Label: str, Context: bytes, Length: int
) -> Trace[bytes]:
    """HKDF-Expand(Secret, HkdfLabel, Length): binds a key's purpose and length to its value (§7.1).

    HkdfLabel
     0   2   Length
     2   1   l, the length of the label
     3   l   "tls13 " ‖ Label
    3+l  1   c, the length of the context
    4+l  c   Context

    Label: 1 to 249 bytes of ASCII. Context: at most 255 bytes, usually a transcript hash. Raises
    InvalidParameter.
    """
    if not isinstance(Label, str) or not Label.isascii() or not 0 < len(Label) <= 249:
        raise InvalidParameter(
            "Label is 1 to 249 characters of ASCII, without the 'tls13 ' that goes before it"
        )
    if len(as_bytes("Context", Context)) > 255:
        raise InvalidParameter(f"Context is at most 255 bytes, not {len(Context)}")
    seen = Recorder()
    Length = integer("Length", Length, 0, 255 * hash_length(hash) + 1)
    length = seen("HkdfLabel.length", struct.pack(">H", Length))
    label = seen("HkdfLabel.label", b"tls13 " + Label.encode(), f'"tls13 {Label}"')
    context = seen("HkdfLabel.context", bytes(Context))
    info = length + bytes([len(label)]) + label + bytes([len(context)]) + context
    seen("HkdfLabel", info, "length, then label and context, each behind a length of one byte")
    return seen.trace(seen.include("", HKDF_Expand(hash, Secret, info, Length)))


def Transcript_Hash(hash: str, *messages: bytes) -> Trace[bytes]:
    """Hash(M1 ‖ M2 ‖ …): handshake messages with their headers, without those of records (§4.4.1).

    If the second message is a HelloRetryRequest, ClientHello1 is replaced by a message of type
    message_hash that holds its hash. So a server need not remember ClientHello1. Raises
    InvalidParameter.
    """
    hash_length(hash)
    seen = Recorder()
    transcript = [as_bytes("a message", message) for message in messages]
    if len(transcript) > 1 and is_hello_retry_request(transcript[1]):
        digest = hashlib.new(hash, transcript[0]).digest()
        message_hash = b"\xfe\0\0" + bytes([len(digest)]) + digest
        transcript[0] = seen("message_hash", message_hash, "254, length, Hash(CH1)")
    together = seen("messages", b"".join(transcript))
    return seen.trace(seen("Transcript-Hash", hashlib.new(hash, together).digest()))


def Derive_Secret(hash: str, Secret: bytes, Label: str, *Messages: bytes) -> Trace[bytes]:
    """HKDF-Expand-Label(Secret, Label, Transcript-Hash(Messages), Hash.length) (§7.1).

    Raises InvalidParameter.
    """
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
    """Derive every secret of §7.1's diagram that the messages so far allow.

    messages: handshake messages in order, headers included: ClientHello, perhaps HelloRetryRequest
    and another ClientHello, ServerHello, …, server Finished, …, client Finished. shared_secret: the
    result of (EC)DHE (§7.4), empty for a PSK alone. psk: empty if there is none. external: the PSK
    was agreed on outside of TLS, not by a ticket.

    The result is the secrets by their names in the diagram. The branches of the Early Secret that
    need a PSK are left out if there is none. Raises InvalidParameter.
    """
    zeros = bytes(hash_length(hash))
    transcript = [as_bytes("a message", message) for message in messages]
    hellos, to_server_finished, to_client_finished = _stages(transcript)
    steps = _Schedule(hash)

    steps.extract("Early Secret", b"", as_bytes("psk", psk) or zeros, "HKDF-Extract(0, PSK or 0)")
    if psk:
        steps.derive("binder_key", "Early Secret", "ext binder" if external else "res binder")
    if psk and transcript:
        hello = transcript[0]
        steps.derive("client_early_traffic_secret", "Early Secret", "c e traffic", hello)
        steps.derive("early_exporter_master_secret", "Early Secret", "e exp master", hello)
    salt = steps.derive("Derived (early)", "Early Secret", "derived")
    if not hellos:
        return steps.seen.trace(steps.secrets)

    secret = as_bytes("shared_secret", shared_secret) or zeros
    note = 'HKDF-Extract(Derive-Secret(Early Secret, "derived", ""), (EC)DHE)'
    steps.extract("Handshake Secret", salt, secret, note)
    steps.derive("client_handshake_traffic_secret", "Handshake Secret", "c hs traffic", *hellos)
    steps.derive("server_handshake_traffic_secret", "Handshake Secret", "s hs traffic", *hellos)
    salt = steps.derive("Derived (handshake)", "Handshake Secret", "derived")

    note = 'HKDF-Extract(Derive-Secret(Handshake Secret, "derived", ""), 0)'
    steps.extract("Master Secret", salt, zeros, note)
    for name, label, stage in (
        ("client_application_traffic_secret_0", "c ap traffic", to_server_finished),
        ("server_application_traffic_secret_0", "s ap traffic", to_server_finished),
        ("exporter_master_secret", "exp master", to_server_finished),
        ("resumption_master_secret", "res master", to_client_finished),
    ):
        # A stage is empty while its last message is still missing.
        if stage:
            steps.derive(name, "Master Secret", label, *stage)
    return steps.seen.trace(steps.secrets)


class _Schedule:
    """The secrets so far, by name, and the steps that led there."""

    def __init__(self, hash: str) -> None:
        self.hash = hash
        self.seen = Recorder()
        self.secrets = Secrets()

    def extract(self, name: str, salt: bytes, IKM: bytes, note: str) -> bytes:
        return self._keep(name, HKDF_Extract(self.hash, salt, IKM).result, note)

    def derive(self, name: str, secret: str, label: str, *messages: bytes) -> bytes:
        up_to = f"Messages 1 to {len(messages)}" if messages else '""'
        derived = Derive_Secret(self.hash, self.secrets[secret], label, *messages).result
        return self._keep(name, derived, f'Derive-Secret({secret}, "{label}", {up_to})')

    def _keep(self, name: str, value: bytes, note: str) -> bytes:
        self.secrets[name] = self.seen(name, value, note)
        return value


def _stages(transcript: list[bytes]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """The messages up to ServerHello, up to the server's Finished, and up to the client's.

    Each list is empty while its last message is missing.
    """
    server_hellos = []
    finished = []
    for index, message in enumerate(transcript):
        if message[:1] == b"\x02" and not is_hello_retry_request(message):
            server_hellos.append(index)
        if message[:1] == b"\x14":
            finished.append(index)
    ends = [*server_hellos[:1], *finished[:2]] if server_hellos else []
    stages = [transcript[: end + 1] for end in ends] + [[], [], []]
    return stages[0], stages[1], stages[2]


def traffic_keys(suite: CipherSuite, secret: bytes) -> Trace[tuple[bytes, bytes]]:
    """[sender]_write_key and [sender]_write_iv from a traffic secret (§7.3).

    Raises InvalidParameter.
    """
    seen = Recorder()
    key = HKDF_Expand_Label(suite.hash, secret, "key", b"", suite.key_length).result
    iv = HKDF_Expand_Label(suite.hash, secret, "iv", b"", suite.iv_length).result
    seen("write_key", key, 'HKDF-Expand-Label(Secret, "key", "", key_length)')
    seen("write_iv", iv, 'HKDF-Expand-Label(Secret, "iv", "", iv_length)')
    return seen.trace((key, iv))


def next_traffic_secret(hash: str, secret: bytes) -> Trace[bytes]:
    """application_traffic_secret_N+1, after a KeyUpdate (§7.2). It hides the old one."""
    return HKDF_Expand_Label(hash, secret, "traffic upd", b"", hash_length(hash))


def finished_key(hash: str, base_key: bytes) -> Trace[bytes]:
    """The key of a Finished or a PSK binder (§4.4.4).

    base_key: the sender's handshake traffic secret, or binder_key.
    """
    return HKDF_Expand_Label(hash, base_key, "finished", b"", hash_length(hash))


def verify_data(hash: str, base_key: bytes, transcript_hash: bytes) -> Trace[bytes]:
    """HMAC(finished_key, Transcript-Hash(all messages before it)): what a Finished holds (§4.4.4).

    Raises InvalidParameter.
    """
    seen = Recorder()
    note = 'HKDF-Expand-Label(base key, "finished", "")'
    key = seen("finished_key", finished_key(hash, base_key).result, note)
    seen("Transcript-Hash", as_bytes("transcript_hash", transcript_hash, hash_length(hash)))
    mac = hmac.digest(key, transcript_hash, hash)
    return seen.trace(seen("verify_data", mac, "HMAC(finished_key, Transcript-Hash)"))


def resumption_psk(hash: str, resumption_master_secret: bytes, ticket_nonce: bytes) -> Trace[bytes]:
    """The PSK that belongs to a NewSessionTicket (§4.6.1). Raises InvalidParameter."""
    length = hash_length(hash)
    return HKDF_Expand_Label(hash, resumption_master_secret, "resumption", ticket_nonce, length)


def exporter(
    hash: str, exporter_master_secret: bytes, label: str, context: bytes, length: int
) -> Trace[bytes]:
    """TLS-Exporter(label, context, length): a key for the application, of this connection (§7.5).

    Raises InvalidParameter.
    """
    seen = Recorder()
    derived = Derive_Secret(hash, exporter_master_secret, label).result
    secret = seen("Secret", derived, f'Derive-Secret(., "{label}", "")')
    hashed = Transcript_Hash(hash, as_bytes("context", context)).result
    seen("Hash(context_value)", hashed)
    return seen.trace(HKDF_Expand_Label(hash, secret, "exporter", hashed, length).result)
