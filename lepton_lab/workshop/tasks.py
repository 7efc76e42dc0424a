"""The tasks of a learner's sheet: how each is made out of a source of bytes, and its answer.

They are made for `lepton_lab.workshop.sheets`. A source gives the same bytes for the same purpose again, so nothing
here draws randomness; keys that come out of it serve an exercise and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lepton_lab.buffers import framed
from lepton_lab.textbook.primitives import paillier, rsa, shamir

Given = bytes | int | list[bytes | int]

_PLACES = (
    "harbour",
    "observatory",
    "north gate",
    "library",
    "mill",
    "signal tower",
    "greenhouse",
    "lighthouse",
)
_THINGS = (
    "ledger",
    "sextant",
    "second key",
    "sealed letter",
    "map",
    "crystal",
    "clock",
    "photograph",
)
_THRESHOLD, _SHARES = 3, 5


class Source:
    """Bytes for one learner's task: HMAC-SHA256 of the course's seed over learner, task, purpose and a counter."""

    def __init__(self, seed: bytes, learner: str, task: str) -> None:
        self._key = hmac.digest(
            seed, framed(b"lepton_lab instance", learner.encode(), task.encode()), "sha256"
        )

    def draw_bytes(self, purpose: str, length: int) -> bytes:
        """The first `length` bytes for a purpose."""
        blocks = (self._block(purpose, i) for i in range(-(-length // 32)))
        return b"".join(blocks)[:length]

    def stream(self, purpose: str) -> Callable[[int], bytes]:
        """A function that gives the next bytes at every call."""
        position = 0

        def following(count: int) -> bytes:
            nonlocal position
            start, position = position, position + count
            blocks = (self._block(purpose, i) for i in range(start // 32, -(-position // 32)))
            return b"".join(blocks)[start % 32 : start % 32 + count]

        return following

    def text(self, purpose: str, letters: int = 64) -> bytes:
        """A sentence of exactly that many bytes, ending in a word of 64 bits that nobody can guess."""
        raw = self.draw_bytes(purpose, 10)
        place, thing = _PLACES[raw[0] % len(_PLACES)], _THINGS[raw[1] % len(_THINGS)]
        return f"The {thing} lies in the {place}; word {raw[2:].hex()}".ljust(letters, ".").encode()

    def _block(self, purpose: str, number: int) -> bytes:
        return hmac.digest(self._key, framed(purpose.encode(), number.to_bytes(8, "big")), "sha256")


@dataclass(frozen=True)
class Declared:
    """A task: its sentence, the hint for a wrong answer, and what makes (given, answer) out of a source."""

    task: str
    hint: str
    make: Callable[[Source], tuple[dict[str, Given], bytes | int]]


def _open(source: Source) -> tuple[dict[str, Given], bytes]:
    key, nonce, text = (
        source.draw_bytes("key", 32),
        source.draw_bytes("nonce", 12),
        source.text("text"),
    )
    context = b"visit " + source.draw_bytes("visit", 4).hex().encode()
    message = nonce + AESGCM(key).encrypt(nonce, text, context)
    return {"key": key, "message": message, "associated_data": context}, text


def _two_times(source: Source) -> tuple[dict[str, Given], bytes]:
    key, nonce = source.draw_bytes("key", 32), source.draw_bytes("nonce", 16)
    known, wanted = source.text("known"), source.text("wanted")

    def closed(text: bytes) -> bytes:
        return Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor().update(text)

    return {"known": known, "first": closed(known), "second": closed(wanted)}, wanted


def _derive(source: Source) -> tuple[dict[str, Given], bytes]:
    secret, salt, info = (
        source.draw_bytes("secret", 32),
        source.draw_bytes("salt", 32),
        b"shard " + source.draw_bytes("info", 2),
    )
    key = HKDF(algorithm=hashes.SHA256(), length=16, salt=salt, info=info).derive(secret)
    return {"secret": secret, "salt": salt, "info": info}, hashlib.sha256(key).hexdigest().encode()


def _cube(source: Source) -> tuple[dict[str, Given], bytes]:
    key = rsa.generate_key(1600, source.stream("key"), e=3).result
    text = source.text("text")
    return {"n": key.n, "e": 3, "c": pow(int.from_bytes(text, "big"), 3, key.n)}, text


def _shared_prime(source: Source) -> tuple[dict[str, Given], bytes]:
    mine = rsa.generate_key(768, source.stream("first")).result
    other = rsa.generate_key(768, source.stream("second")).result
    text = source.text("text")
    given: dict[str, Given] = {"n": mine.n, "n_of_another": mine.p * other.q, "e": mine.e}
    return given | {"c": pow(int.from_bytes(text, "big"), mine.e, mine.n)}, text


def _custodians(source: Source) -> tuple[dict[str, Given], bytes]:
    text, coefficients = source.text("text"), source.stream("coefficients")
    columns = [
        shamir.split(byte, coefficients(_THRESHOLD - 1), range(1, _SHARES + 1)).result
        for byte in text
    ]
    shares = {x: bytes(column[x] for column in columns) for x in range(1, _SHARES + 1)}
    present = sorted(shares, key=lambda x: source.draw_bytes(f"present {x}", 8))[:_THRESHOLD]
    return {"xs": [*present], "shares": [shares[x] for x in present]}, text


def _total(source: Source) -> tuple[dict[str, Given], int]:
    primes = rsa.generate_key(512, source.stream("primes")).result
    key = paillier.key_from_primes(primes.p, primes.q).result
    amounts = [int.from_bytes(source.draw_bytes(f"amount {i}", 10), "big") for i in range(4)]
    noise = (1 + int.from_bytes(source.draw_bytes(f"noise {i}", 60), "big") for i in range(4))
    closed: list[bytes | int] = [
        paillier.encrypt(key.public, m, r).result for m, r in zip(amounts, noise, strict=True)
    ]
    return {"p": primes.p, "q": primes.q, "ciphertexts": closed}, sum(
        (i + 1) * m for i, m in enumerate(amounts)
    )


TASKS = {
    "aes.open": Declared(
        "Open the message, as `lepton_lab.aes` makes them, and give its text.",
        "aes.decrypt takes the associated data as well",
        _open,
    ),
    "aes.two_times": Declared(
        "AES in counter mode, the same key and nonce for two texts, and you know the first: give the second.",
        "the key stream is the same in both: what is the XOR of the two ciphertexts?",
        _two_times,
    ),
    "keys.derive": Declared(
        "Derive 16 bytes by HKDF-SHA256 (RFC 5869) from secret, salt and info; give their SHA-256 in hexadecimal.",
        "extract with the salt first, then expand with info; and hash the 16 bytes, not their hexadecimal",
        _derive,
    ),
    "rsa.cube": Declared(
        "A text, as a big-endian number, encrypted by textbook RSA with e = 3: give the text.",
        "the text is short: is m³ larger than n at all?",
        _cube,
    ),
    "rsa.shared_prime": Declared(
        "A text, as a big-endian number, encrypted by textbook RSA; another key's n is given too: give the text.",
        "compute gcd(n, n_of_another) first",
        _shared_prime,
    ),
    "keys.custodians": Declared(
        "Three custodians of five have come (Shamir over the field of AES, byte by byte): give their text.",
        "interpolate at 0, in GF(2⁸), with the xs that are there",
        _custodians,
    ),
    "paillier.total": Declared(
        "Four Paillier ciphertexts (g = n + 1) and the primes: give 1·m₁ + 2·m₂ + 3·m₃ + 4·m₄.",
        "raise the i-th ciphertext to the power i, multiply modulo n², decrypt once",
        _total,
    ),
}
