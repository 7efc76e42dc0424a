"""The tasks of a learner's sheet: how each one and its answer are made from seeded bytes.

`lepton_lab.workshop.sheets` uses them. Seeded bytes are the same for the same seed, learner, task
and purpose, so nothing here draws randomness. The keys made from them serve an exercise and
nothing else.
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

_BLOCK = 32  # bytes of HMAC-SHA256
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
_THRESHOLD = 3  # custodians who can open the text
_SHARES = 5  # custodians in all


class SeededBytes:
    """Bytes for one learner's task that are always the same.

    A block is HMAC-SHA256 under the course's seed of learner and task, then of purpose and counter.
    """

    def __init__(self, seed: bytes, learner: str, task: str) -> None:
        context = framed(b"lepton_lab instance", learner.encode(), task.encode())
        self._key = hmac.digest(seed, context, "sha256")

    def draw_bytes(self, purpose: str, length: int) -> bytes:
        """The first `length` bytes for a purpose."""
        return self.stream(purpose)(length)

    def stream(self, purpose: str) -> Callable[[int], bytes]:
        """A function that returns the next bytes for a purpose at every call."""
        position = 0

        def next_bytes(count: int) -> bytes:
            nonlocal position
            start = position
            position += count
            first_block = start // _BLOCK
            after_last_block = -(-position // _BLOCK)
            blocks = [self._block(purpose, i) for i in range(first_block, after_last_block)]
            skipped = start % _BLOCK
            return b"".join(blocks)[skipped : skipped + count]

        return next_bytes

    def text(self, purpose: str, length: int = 64) -> bytes:
        """A sentence of `length` bytes with a word of 64 bits that nobody can guess."""
        raw = self.draw_bytes(purpose, 10)
        place = _PLACES[raw[0] % len(_PLACES)]
        thing = _THINGS[raw[1] % len(_THINGS)]
        sentence = f"The {thing} lies in the {place}; word {raw[2:].hex()}"
        return sentence.ljust(length, ".").encode()

    def _block(self, purpose: str, number: int) -> bytes:
        context = framed(purpose.encode(), number.to_bytes(8, "big"))
        return hmac.digest(self._key, context, "sha256")


@dataclass(frozen=True)
class TaskTemplate:
    """A task that every learner gets with other numbers.

    task: what to do. hint: what to say to a wrong answer. make: what makes (given, answer) from the
    learner's seeded bytes.
    """

    task: str
    hint: str
    make: Callable[[SeededBytes], tuple[dict[str, Given], bytes | int]]


def _make_open(source: SeededBytes) -> tuple[dict[str, Given], bytes]:
    key = source.draw_bytes("key", 32)
    nonce = source.draw_bytes("nonce", 12)
    text = source.text("text")
    context = b"visit " + source.draw_bytes("visit", 4).hex().encode()
    message = nonce + AESGCM(key).encrypt(nonce, text, context)
    return {"key": key, "message": message, "associated_data": context}, text


def _make_two_times(source: SeededBytes) -> tuple[dict[str, Given], bytes]:
    key = source.draw_bytes("key", 32)
    nonce = source.draw_bytes("nonce", 16)
    known = source.text("known")
    wanted = source.text("wanted")

    def encrypt(text: bytes) -> bytes:
        return Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor().update(text)

    return {"known": known, "first": encrypt(known), "second": encrypt(wanted)}, wanted


def _make_derive(source: SeededBytes) -> tuple[dict[str, Given], bytes]:
    secret = source.draw_bytes("secret", 32)
    salt = source.draw_bytes("salt", 32)
    info = b"shard " + source.draw_bytes("info", 2)
    key = HKDF(algorithm=hashes.SHA256(), length=16, salt=salt, info=info).derive(secret)
    answer = hashlib.sha256(key).hexdigest().encode()
    return {"secret": secret, "salt": salt, "info": info}, answer


def _make_cube(source: SeededBytes) -> tuple[dict[str, Given], bytes]:
    key = rsa.generate_key(1600, source.stream("key"), e=3).result
    text = source.text("text")
    m = int.from_bytes(text, "big")
    return {"n": key.n, "e": 3, "c": pow(m, 3, key.n)}, text


def _make_shared_prime(source: SeededBytes) -> tuple[dict[str, Given], bytes]:
    mine = rsa.generate_key(768, source.stream("first")).result
    other = rsa.generate_key(768, source.stream("second")).result
    text = source.text("text")
    m = int.from_bytes(text, "big")
    given: dict[str, Given] = {
        "n": mine.n,
        "n_of_another": mine.p * other.q,
        "e": mine.e,
        "c": pow(m, mine.e, mine.n),
    }
    return given, text


def _make_custodians(source: SeededBytes) -> tuple[dict[str, Given], bytes]:
    text = source.text("text")
    coefficients = source.stream("coefficients")
    xs = range(1, _SHARES + 1)
    # Shamir shares one byte at a time; a custodian's share holds one value for each byte of the
    # text.
    columns = [shamir.split(byte, coefficients(_THRESHOLD - 1), xs).result for byte in text]
    shares = {x: bytes(column[x] for column in columns) for x in xs}
    present = sorted(xs, key=lambda x: source.draw_bytes(f"present {x}", 8))[:_THRESHOLD]
    return {"xs": [*present], "shares": [shares[x] for x in present]}, text


def _make_total(source: SeededBytes) -> tuple[dict[str, Given], int]:
    primes = rsa.generate_key(512, source.stream("primes")).result
    public = paillier.key_from_primes(primes.p, primes.q).result.public
    ciphertexts: list[bytes | int] = []
    total = 0
    for i in range(4):
        amount = int.from_bytes(source.draw_bytes(f"amount {i}", 10), "big")
        noise = 1 + int.from_bytes(source.draw_bytes(f"noise {i}", 60), "big")
        ciphertexts.append(paillier.encrypt(public, amount, noise).result)
        total += (i + 1) * amount
    return {"p": primes.p, "q": primes.q, "ciphertexts": ciphertexts}, total


TASKS = {
    "aes.open": TaskTemplate(
        "Open the message, which `lepton_lab.aes` made, and give its text.",
        "aes.decrypt needs the associated data as well",
        _make_open,
    ),
    "aes.two_times": TaskTemplate(
        "Two texts were encrypted by AES in counter mode with the same key and nonce, and you know "
        "the first text: give the second.",
        "the key stream is the same for both: what is the XOR of the two ciphertexts?",
        _make_two_times,
    ),
    "keys.derive": TaskTemplate(
        "Derive 16 bytes by HKDF-SHA256 (RFC 5869) from secret, salt and info; give their SHA-256 "
        "in hexadecimal.",
        "extract with the salt first, then expand with info; hash the 16 bytes, not their "
        "hexadecimal digits",
        _make_derive,
    ),
    "rsa.cube": TaskTemplate(
        "A text, read as a big-endian number, was encrypted by textbook RSA with e = 3: give the "
        "text.",
        "the text is short: is m³ larger than n at all?",
        _make_cube,
    ),
    "rsa.shared_prime": TaskTemplate(
        "A text, read as a big-endian number, was encrypted by textbook RSA. The n of another key "
        "is given too: give the text.",
        "compute gcd(n, n_of_another) first",
        _make_shared_prime,
    ),
    "keys.custodians": TaskTemplate(
        "Three of five custodians have come (Shamir over the field of AES, byte by byte): give "
        "their text.",
        "interpolate at 0, in GF(2⁸), with the xs of those who came",
        _make_custodians,
    ),
    "paillier.total": TaskTemplate(
        "You have four Paillier ciphertexts (g = n + 1) and the primes: give "
        "1·m₁ + 2·m₂ + 3·m₃ + 4·m₄.",
        "raise the i-th ciphertext to the power i, multiply modulo n², decrypt once",
        _make_total,
    ),
}
