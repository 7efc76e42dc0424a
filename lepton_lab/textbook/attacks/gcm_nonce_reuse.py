"""GCM with a nonce used twice: the authentication key comes out, and with it every forgery.

Joux 2006. The weak form: two messages under one key and one nonce. GCM's tag is T = E_K(J_0) ⊕
GHASH_H(A, C), and GHASH is a polynomial in H = E_K(0¹²⁸): X_1·H^m ⊕ … ⊕ X_m·H, the X_i being the
blocks of A, C and their lengths (SP 800-38D §6.4). With one nonce both tags hold the same E_K(J_0),
so in T ⊕ T' it drops out, and H is a root of

    (X_1 ⊕ X'_1)·x^m ⊕ … ⊕ (X_m ⊕ X'_m)·x ⊕ T ⊕ T'

(the shorter message is filled up with zero blocks in front). Over a field it has at most m roots;
`gf128.roots` finds them. A wrong root shows when its forgery is refused. The keystream is shared as
well, so with one known plaintext the forged message says whatever we want.

The defence: `lepton_lab.aes` lets no caller choose a nonce and draws 96 random bits for every
message.
"""
# ruff: noqa: N806 - the standard's names: C, T, H

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lepton_lab.textbook.attacks import AttackFailed, gf128
from lepton_lab.textbook.primitives.modes import blocks_of, ghash, ghash_input, xor_bytes
from lepton_lab.textbook.trace import Recorder, Trace


@dataclass(frozen=True)
class SealedMessage:
    """A message as it was intercepted, with its associated data.

    `message` is nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes).
    """

    message: bytes
    associated_data: bytes = b""

    @property
    def parts(self) -> tuple[bytes, bytes, bytes]:
        """The nonce, the ciphertext and the tag."""
        return self.message[:12], self.message[12:-16], self.message[-16:]


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes = b"") -> SealedMessage:
    """The weak form: AES-GCM under a nonce (12 bytes) that the caller has used before."""
    ciphertext_and_tag = AESGCM(key).encrypt(nonce, plaintext, associated_data)
    return SealedMessage(nonce + ciphertext_and_tag, associated_data)


def authentication_keys(first: SealedMessage, second: SealedMessage) -> Trace[list[bytes]]:
    """Find the candidates for H: the roots of the difference of the two tag equations.

    One of them is right. Raises AttackFailed when the nonces differ or there is no root.
    """
    nonce, _, T = first.parts
    other_nonce, _, other_T = second.parts
    if nonce != other_nonce:
        raise AttackFailed("the nonces differ: each tag hides under an E_K(J_0) of its own")
    seen = Recorder()
    constant = int.from_bytes(xor_bytes(T, other_T), "big")
    f = gf128.add([constant, *_coefficients(first)], [0, *_coefficients(second)])
    seen("f", [a.to_bytes(16, "big") for a in f], "coefficients, the constant first")
    if not any(f[1:]):
        raise AttackFailed("the two messages are equal: their difference says nothing")
    candidates = [root.to_bytes(16, "big") for root in gf128.roots(f)]
    seen("H", candidates, "the roots of f")
    if not candidates:
        raise AttackFailed("no root: these are not two tags under one key and one nonce")
    return seen.trace(candidates)


def _coefficients(sealed: SealedMessage) -> list[int]:
    """The coefficients of x¹, x², … in a message's GHASH.

    The blocks are reversed: the coefficient of x^i then stands at place i - 1, whatever the length
    of the message.
    """
    _, C, _ = sealed.parts
    blocks = blocks_of(ghash_input(sealed.associated_data, C))
    return [int.from_bytes(block, "big") for block in reversed(blocks)]


def alter(subkey: bytes, caught: SealedMessage, difference: bytes) -> Trace[SealedMessage]:
    """XOR `difference` into the ciphertext of a message and compute the right tag, by H alone.

    `subkey`: H, 16 bytes. `difference`: as long as the ciphertext; a shorter one cuts the message
    to its length.
    """
    seen = Recorder()
    nonce, C, T = caught.parts
    altered = seen("C'", xor_bytes(C, difference), "C xor difference")
    old_hash = ghash(subkey, ghash_input(caught.associated_data, C)).result
    mask = seen("E_K(J_0)", xor_bytes(T, old_hash))
    new_hash = ghash(subkey, ghash_input(caught.associated_data, altered)).result
    tag = seen("T'", xor_bytes(mask, new_hash))
    return seen.trace(SealedMessage(nonce + altered + tag, caught.associated_data))


def forge(
    first: SealedMessage,
    second: SealedMessage,
    plaintext: bytes,
    wanted: bytes,
    accepts: Callable[[SealedMessage], bool],
) -> Trace[SealedMessage]:
    """Forge a message that decrypts to `wanted`, from two messages under one nonce.

    `plaintext`: that of `first`. `wanted`: at most as long. `accepts(sealed)` tells whether the
    receiver takes it; it is asked once for each candidate. Raises AttackFailed.
    """
    candidates = authentication_keys(first, second)
    difference = xor_bytes(plaintext, wanted)
    seen = Recorder()
    for H in seen.include("", candidates):
        forged = seen.include("", alter(H, first, difference))
        if accepts(forged):
            return seen.trace(forged)
    raise AttackFailed(
        "every forgery was refused: these are not two tags under one key and one nonce"
    )
