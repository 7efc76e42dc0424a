"""A recorded TLS 1.2 connection, opened years later with the server's stolen RSA key (RFC 5246 §7.4.7.1).

The weak form: the key exchange called RSA. The client draws the secret of the connection and *encrypts* it to the key
in the server's certificate. Whoever gets that key, at any time, decrypts the secret in the recording, and from it
computes all keys as both ends did: there is no forward secrecy.

The defence beside it: TLS 1.3 has no such key exchange (RFC 8446 §1.2). Its certificates sign and never decrypt, and
the secret comes from Diffie–Hellman with exponents that both ends forget; `lepton_lab.tls` speaks nothing older.
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

_CHANGE_CIPHER_SPEC, _HANDSHAKE, _APPLICATION_DATA = 20, 22, 23
_CLIENT_HELLO, _SERVER_HELLO, _CLIENT_KEY_EXCHANGE = 1, 2, 16
_EXTENDED_MASTER_SECRET = 23


@dataclass(frozen=True)
class _Suite:
    hash: str
    key_length: int


_SUITES = {
    0x009C: _Suite("sha256", 16),
    0x009D: _Suite("sha384", 32),
}  # TLS_RSA_WITH_AES_…_GCM_… (RFC 5288)
_IV, _EXPLICIT = (
    4,
    8,
)  # bytes of a nonce that are secret, and that stand in front of each record (RFC 5288 §3)


def prf(hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """TLS 1.2's PRF (RFC 5246 §5): HMAC after HMAC, A(i) = HMAC(secret, A(i-1)), until there are `length` bytes."""
    a, data = label + seed, b""
    while len(data) < length:
        a = hmac.digest(secret, a, hash_name)
        data += hmac.digest(secret, a + label + seed, hash_name)
    return data[:length]


def open_recording(
    records: Sequence[CapturedRecord], private_key: RSAPrivateKey
) -> Trace[dict[str, bytes]]:
    """What both sides have said, {"client": …, "server": …}, from the records as they crossed the wire.

    `records`: a whole connection, in order of sending. `private_key`: the server's, got hold of afterwards. Raises
    AttackFailed when nothing was encrypted to that key: another key, another key exchange, or TLS 1.3.
    """
    messages = _in_the_clear(records)
    try:
        client_hello, server_hello = messages[_CLIENT_HELLO], messages[_SERVER_HELLO]
        exchange = messages[_CLIENT_KEY_EXCHANGE]
        position = (
            39 + server_hello[38]
        )  # behind header, version, random and session id (RFC 5246 §7.4.1.3)
        suite = _SUITES[int.from_bytes(server_hello[position : position + 2], "big")]
    except KeyError:
        raise AttackFailed("nothing in this handshake was encrypted to the server's key") from None
    seen = Recorder()
    seen("ClientKeyExchange", exchange[6:], "the client's secret, encrypted to the server's key")
    try:
        premaster = seen(
            "pre_master_secret", private_key.decrypt(exchange[6:], PKCS1v15()), "by the stolen key"
        )
    except ValueError:
        raise AttackFailed("this is not the key that it was encrypted to") from None
    randoms = client_hello[6:38], server_hello[6:38]
    label, seed = b"master secret", b"".join(randoms)
    if _EXTENDED_MASTER_SECRET in _extensions(
        server_hello[position + 3 :]
    ):  # RFC 7627: the whole handshake goes in
        label, seed = b"extended master secret", digest(suite.hash, b"".join(messages.values()))
    master = seen(
        "master_secret",
        prf(suite.hash, premaster, label, seed, 48),
        f"PRF(pre_master_secret, {label.decode()!r})",
    )
    size = suite.key_length
    block = prf(suite.hash, master, b"key expansion", b"".join(reversed(randoms)), 2 * (size + _IV))
    keys = {
        "client": (block[:size], block[2 * size : -_IV]),
        "server": (block[size : 2 * size], block[-_IV:]),
    }
    return seen.trace(
        {side: seen(f"{side} said", _said(records, side, *key)) for side, key in keys.items()}
    )


def _in_the_clear(records: Sequence[CapturedRecord]) -> dict[int, bytes]:
    """The handshake's messages by their type, in order, up to ClientKeyExchange."""
    messages: dict[int, bytes] = {}
    silent: set[str] = set()
    for record in records:
        if record.data[0] == _CHANGE_CIPHER_SPEC:
            silent.add(record.sender)
        elif record.data[0] == _HANDSHAKE and record.sender not in silent:
            stream = record.data[5:]
            while stream and _CLIENT_KEY_EXCHANGE not in messages:
                end = 4 + int.from_bytes(stream[1:4], "big")
                messages[stream[0]], stream = stream[:end], stream[end:]
    return messages


def _extensions(data: bytes) -> Iterator[int]:
    """Their types: 0 2 length of all, then for each 0 2 type   2 2 n   4 n content (RFC 5246 §7.4.1.4)."""
    data = data[2:]
    while len(data) >= 4:
        yield int.from_bytes(data[:2], "big")
        data = data[4 + int.from_bytes(data[2:4], "big") :]


def _said(records: Sequence[CapturedRecord], side: str, key: bytes, iv: bytes) -> bytes:
    """The application data of one side; records are counted from its ChangeCipherSpec on (RFC 5246 §6.2.3.3)."""
    said, number, protected = b"", 0, False
    for data in (record.data for record in records if record.sender == side):
        if protected:
            explicit, sealed = data[5 : 5 + _EXPLICIT], data[5 + _EXPLICIT :]
            header = number.to_bytes(8, "big") + data[:3] + (len(sealed) - 16).to_bytes(2, "big")
            try:
                plain = AESGCM(key).decrypt(iv + explicit, sealed, header)
            except InvalidTag:
                raise AttackFailed("this is not the key that it was encrypted to") from None
            said += plain if data[0] == _APPLICATION_DATA else b""
            number += 1
        protected = protected or data[0] == _CHANGE_CIPHER_SPEC
    return said
