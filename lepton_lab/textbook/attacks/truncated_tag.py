"""A tag cut short: with t bits, one guess in 2^t is right, and a program guesses fast.

SP 800-38D Appendix C. The weak form: GCM, or any authentication, that sends and checks only the
first bytes of its tag. An altered message has one right tag among 2^t. Trying them all takes 2^t
queries at most, on average half of that: 32,768 for two bytes, 2¹²⁷ for all sixteen. With GCM it is
worse: the tag depends linearly on the error, so that short tags leak H (Ferguson 2005), which is
why SP 800-38D allows 32 bits only for small messages and few queries.

The defence: `lepton_lab.aes` has tags of 16 bytes and no parameter that would shorten them.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lepton_lab.textbook.attacks import AttackFailed, Counted, weak
from lepton_lab.textbook.primitives.modes import xor_bytes
from lepton_lab.textbook.trace import Recorder, Trace


def seal(key: bytes, nonce: bytes, plaintext: bytes, tag_length: int) -> bytes:
    """The weak form: nonce (12 bytes) ‖ ciphertext ‖ the first `tag_length` bytes of the tag."""
    ciphertext_and_tag = AESGCM(key).encrypt(nonce, plaintext, None)
    return nonce + ciphertext_and_tag[: len(plaintext) + tag_length]


def receiver(key: bytes, tag_length: int) -> Callable[[bytes], bool]:
    """Build a receiver that looks only at the first `tag_length` bytes of a tag."""

    def accepts(message: bytes) -> bool:
        nonce = message[:12]
        ciphertext = message[12 : len(message) - tag_length]
        # in GCM the plaintext's keystream begins at counter 2: counter 1 masks the tag
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
    """XOR `difference` into the start of a message's ciphertext, and find a tag by trying all.

    `tag_length`: in bytes. `limit`: the most queries to make. Raises AttackFailed beyond it.
    """
    ask = Counted(accepts, limit)
    seen = Recorder()
    body = message[: len(message) - tag_length]
    nonce = body[:12]
    ciphertext = body[12:]
    start = xor_bytes(ciphertext, difference)
    altered = seen("altered", nonce + start + ciphertext[len(start) :])
    for guess in range(256**tag_length):
        tag = guess.to_bytes(tag_length, "big")
        if ask(altered + tag):
            seen("tag", tag)
            seen("queries", ask.asked, f"of {256**tag_length} tags that are possible")
            return seen.trace(altered + tag)
    raise AttackFailed("no tag at all was accepted")
