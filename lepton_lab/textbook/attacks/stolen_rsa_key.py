"""A recorded TLS 1.2 connection, opened years later with the server's stolen RSA key.

RFC 5246 §7.4.7.1. The weak form: the key exchange called RSA. The client draws the secret of the
connection and *encrypts* it to the key in the server's certificate. Anyone who gets that key, at
any time, decrypts the secret in the recording and computes all keys from it, as both ends did:
there is no forward secrecy.

The defence: TLS 1.3 has removed this key exchange (RFC 8446 §1.2). Its certificates sign and never
decrypt, and the secret comes from Diffie–Hellman with exponents that both ends forget.
`lepton_lab.tls` speaks nothing older.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lepton_lab.capture import CapturedRecord
from lepton_lab.textbook.attacks import AttackFailed
from lepton_lab.textbook.primitives.rsa import digest
from lepton_lab.textbook.trace import Recorder, Trace

# types of records (RFC 5246 §6.2.1), of handshake messages (§7.4) and of an extension (RFC 7627
# §5.1)
_CHANGE_CIPHER_SPEC = 20
_HANDSHAKE = 22
_APPLICATION_DATA = 23
_CLIENT_HELLO = 1
_SERVER_HELLO = 2
_CLIENT_KEY_EXCHANGE = 16
_EXTENDED_MASTER_SECRET = 23

_RECORD_HEADER = 5  # bytes: type, version, length
_MESSAGE_HEADER = 4  # bytes: type, length
_SECRET_NONCE = 4  # bytes of a nonce that come from the keys (RFC 5288 §3)
_EXPLICIT_NONCE = 8  # bytes of it that stand in front of each record
_TAG = 16
_OTHER_KEY = "this is not the key that it was encrypted to"


@dataclass(frozen=True)
class _Suite:
    hash: str
    key_length: int


# TLS_RSA_WITH_AES_128_GCM_SHA256 and TLS_RSA_WITH_AES_256_GCM_SHA384 (RFC 5288)
_SUITES = {0x009C: _Suite("sha256", 16), 0x009D: _Suite("sha384", 32)}


def prf(hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """Run TLS 1.2's pseudorandom function (RFC 5246 §5), up to `length` bytes.

    It is HMAC after HMAC, with A(0) = label ‖ seed and A(i) = HMAC(secret, A(i-1)).
    """
    data = b""
    a = label + seed
    while len(data) < length:
        a = hmac.digest(secret, a, hash_name)
        data += hmac.digest(secret, a + label + seed, hash_name)
    return data[:length]


def open_recording(
    records: Sequence[CapturedRecord], private_key: RSAPrivateKey
) -> Trace[dict[str, bytes]]:
    """Open what both sides have said, {"client": …, "server": …}, from the records on the wire.

    `records`: a whole connection, in order of sending. `private_key`: the server's, stolen later.
    Raises AttackFailed when nothing was encrypted to that key: another key, another key exchange,
    or TLS 1.3.
    """
    messages = _in_the_clear(records)
    suite = _suite_of(messages)
    seen = Recorder()
    encrypted = messages[_CLIENT_KEY_EXCHANGE][_MESSAGE_HEADER + 2 :]  # behind its length
    seen("ClientKeyExchange", encrypted, "the client's secret, encrypted to the server's key")
    try:
        premaster = private_key.decrypt(encrypted, PKCS1v15())
    except ValueError:
        raise AttackFailed(_OTHER_KEY) from None
    seen("pre_master_secret", premaster, "by the stolen key")
    label, seed = _label_and_seed(messages, suite)
    master = prf(suite.hash, premaster, label, seed, 48)
    seen("master_secret", master, f"PRF(pre_master_secret, {label.decode()!r})")
    said = {}
    for side, (key, iv) in _traffic_keys(messages, suite, master).items():
        said[side] = seen(f"{side} said", _said(records, side, key, iv))
    return seen.trace(said)


def _suite_of(messages: dict[int, bytes]) -> _Suite:
    """The suite of the handshake, if it used the key exchange called RSA and was read whole."""
    missing = {_CLIENT_HELLO, _SERVER_HELLO, _CLIENT_KEY_EXCHANGE} - set(messages)
    if not missing:
        server_hello = messages[_SERVER_HELLO]
        position = _suite_position(server_hello)
        number = int.from_bytes(server_hello[position : position + 2], "big")
        if number in _SUITES:
            return _SUITES[number]
    raise AttackFailed("nothing in this handshake was encrypted to the server's key")


def _suite_position(server_hello: bytes) -> int:
    """Where the suite is: behind header, version, random and session id (RFC 5246 §7.4.1.3)."""
    return 39 + server_hello[38]


def _randoms(messages: dict[int, bytes]) -> tuple[bytes, bytes]:
    """The random values of the client and of the server."""
    return messages[_CLIENT_HELLO][6:38], messages[_SERVER_HELLO][6:38]


def _label_and_seed(messages: dict[int, bytes], suite: _Suite) -> tuple[bytes, bytes]:
    """What goes into the master secret besides the client's secret (RFC 5246 §8.1)."""
    server_hello = messages[_SERVER_HELLO]
    extensions = server_hello[_suite_position(server_hello) + 3 :]
    if _EXTENDED_MASTER_SECRET in _extension_types(extensions):
        # RFC 7627: the hash of the whole handshake takes the place of the two random values
        return b"extended master secret", digest(suite.hash, b"".join(messages.values()))
    return b"master secret", b"".join(_randoms(messages))


def _traffic_keys(
    messages: dict[int, bytes], suite: _Suite, master: bytes
) -> dict[str, tuple[bytes, bytes]]:
    """The key and the IV of each side (RFC 5246 §6.3)."""
    client_random, server_random = _randoms(messages)
    size = suite.key_length
    length = 2 * size + 2 * _SECRET_NONCE
    block = prf(suite.hash, master, b"key expansion", server_random + client_random, length)
    # the block holds the client's key, the server's key, the client's IV, the server's IV
    return {
        "client": (block[:size], block[2 * size : -_SECRET_NONCE]),
        "server": (block[size : 2 * size], block[-_SECRET_NONCE:]),
    }


def _in_the_clear(records: Sequence[CapturedRecord]) -> dict[int, bytes]:
    """The handshake's messages by their type, in order, up to ClientKeyExchange."""
    messages: dict[int, bytes] = {}
    encrypted: set[str] = set()  # the sides that have changed to encryption
    for record in records:
        kind = record.data[0]
        if kind == _CHANGE_CIPHER_SPEC:
            encrypted.add(record.sender)
        elif kind == _HANDSHAKE and record.sender not in encrypted:
            # a record may hold several messages
            stream = record.data[_RECORD_HEADER:]
            while stream and _CLIENT_KEY_EXCHANGE not in messages:
                end = _MESSAGE_HEADER + int.from_bytes(stream[1:4], "big")
                messages[stream[0]] = stream[:end]
                stream = stream[end:]
    return messages


def _extension_types(data: bytes) -> Iterator[int]:
    """The types of a message's extensions (RFC 5246 §7.4.1.4).

    The bytes are: 2 length of all; then for each extension 2 type, 2 length n, n content.
    """
    data = data[2:]
    while len(data) >= 4:
        yield int.from_bytes(data[:2], "big")
        data = data[4 + int.from_bytes(data[2:4], "big") :]


def _said(records: Sequence[CapturedRecord], side: str, key: bytes, iv: bytes) -> bytes:
    """The application data of one side.

    Records are counted from its ChangeCipherSpec on, and the number goes into the associated data
    (RFC 5246 §6.2.3.3). Raises AttackFailed when a record does not open under the key.
    """
    said = b""
    number = 0
    is_protected = False
    for record in records:
        if record.sender != side:
            continue
        header = record.data[:_RECORD_HEADER]
        body = record.data[_RECORD_HEADER:]
        if is_protected:
            explicit = body[:_EXPLICIT_NONCE]
            sealed = body[_EXPLICIT_NONCE:]
            length = (len(sealed) - _TAG).to_bytes(2, "big")
            associated_data = number.to_bytes(8, "big") + header[:3] + length
            try:
                plain = AESGCM(key).decrypt(iv + explicit, sealed, associated_data)
            except InvalidTag:
                raise AttackFailed(_OTHER_KEY) from None
            # the Finished message and alerts are protected as well, and are not what was said
            if header[0] == _APPLICATION_DATA:
                said += plain
            number += 1
        elif header[0] == _CHANGE_CIPHER_SPEC:
            is_protected = True
    return said
