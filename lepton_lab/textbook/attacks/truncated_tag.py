"""A tag cut short: with t bits, one guess in 2^t is right, and a program guesses fast (SP 800-38D Appendix C).

The weak form: GCM, or any authentication, that sends and checks only the first bytes of its tag. An altered message
has one right tag among 2^t; trying them all takes 2^t queries at most, in the mean half of that: 32,768 for two bytes,
2¹²⁷ for all sixteen. With GCM it is worse: the tag depends linearly on the error, so that short tags leak H (Ferguson
2005), which is why SP 800-38D allows 32 bits for small messages and few queries only.

The defence beside it: `lepton_lab.aes` has tags of 16 bytes and no parameter that would shorten them.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lepton_lab.textbook.attacks import AttackFailed, Counted, weak
from lepton_lab.textbook.trace import Recorder, Trace


def seal(key: bytes, nonce: bytes, plaintext: bytes, tag_length: int) -> bytes:
    """The weak form: nonce (12 bytes) ‖ ciphertext ‖ the first `tag_length` bytes of the tag."""
    return nonce + AESGCM(key).encrypt(nonce, plaintext, None)[: len(plaintext) + tag_length]


def receiver(key: bytes, tag_length: int) -> Callable[[bytes], bool]:
    """Whether a message is accepted when so much of the tag is right."""

    def accepts(message: bytes) -> bool:
        nonce, ciphertext = message[:12], message[12 : len(message) - tag_length]
        plaintext = weak.ctr(key, nonce + b"\0\0\0\2", ciphertext)
        return seal(key, nonce, plaintext, tag_length) == message

    return accepts


def forge(
    message: bytes,
    difference: bytes,
    accepts: Callable[[bytes], bool],
    tag_length: int,
    limit: int = 2**17,
) -> Trace[bytes]:
    """`message` with `difference` XORed into its ciphertext from the first byte on, and a tag found by trying all.

    `tag_length`: in bytes. `limit`: the most queries to make. Raises AttackFailed beyond it.
    """
    ask, seen = Counted(accepts, limit), Recorder()
    body = bytearray(message[: len(message) - tag_length])
    for i, byte in enumerate(difference):
        body[12 + i] ^= byte
    seen("altered", bytes(body))
    for guess in range(256**tag_length):
        if ask(forged := bytes(body) + guess.to_bytes(tag_length, "big")):
            seen("tag", forged[-tag_length:])
            seen("queries", ask.asked, f"of {256**tag_length} tags that are possible")
            return seen.trace(forged)
    raise AttackFailed("no tag at all was accepted")
