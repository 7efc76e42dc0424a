"""GCM with a nonce used twice: the authentication key comes out, and with it every forgery (Joux 2006).

The weak form: two messages under one key and one nonce. GCM's tag is T = E_K(J_0) ⊕ GHASH_H(A, C), and GHASH is a
polynomial in H = E_K(0¹²⁸): X_1·H^m ⊕ … ⊕ X_m·H, the X_i being the blocks of A, C and their lengths (SP 800-38D §6.4).
With one nonce both tags hold the same E_K(J_0), so in T ⊕ T' it drops out, and H is a root of

    (X_1 ⊕ X'_1)·x^m ⊕ … ⊕ (X_m ⊕ X'_m)·x ⊕ T ⊕ T'        (shorter messages filled up with zero blocks in front).

Over a field it has at most m roots, found by `gf128.roots`. A wrong root shows when its forgery is refused. The
keystream is shared as well, so with one known plaintext the forged message says whatever we want.

The defence beside it: `lepton_lab.aes` lets nobody choose a nonce and draws 96 random bits for every message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lepton_lab.textbook.attacks import AttackFailed, gf128
from lepton_lab.textbook.primitives.modes import blocks_of, ghash, ghash_input, xor_bytes
from lepton_lab.textbook.trace import Recorder, Trace


@dataclass(frozen=True)
class Sealed:
    """A message as it was caught: nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes), and its associated data."""

    message: bytes
    associated_data: bytes = b""

    @property
    def parts(self) -> tuple[bytes, bytes, bytes]:
        """The nonce, the ciphertext and the tag."""
        return self.message[:12], self.message[12:-16], self.message[-16:]


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes = b"") -> Sealed:
    """The weak form: AES-GCM under a nonce that the caller has used before."""
    return Sealed(nonce + AESGCM(key).encrypt(nonce, plaintext, associated_data), associated_data)


def authentication_keys(first: Sealed, second: Sealed) -> Trace[list[bytes]]:
    """The candidates for H: the roots of the difference of the two tag equations, one of them right.

    Raises AttackFailed when the nonces differ or there is no root.
    """
    (nonce, C, T), (other_nonce, other_C, other_T) = first.parts, second.parts  # noqa: N806 - the standard's names
    if nonce != other_nonce:
        raise AttackFailed("the nonces differ: each tag hides under an E_K(J_0) of its own")
    seen = Recorder()
    # reversed, the coefficient of x^i stands at place i - 1, whatever the length of the message
    one, two = (
        [
            int.from_bytes(block, "big")
            for block in reversed(blocks_of(ghash_input(sealed.associated_data, c)))
        ]
        for sealed, c in ((first, C), (second, other_C))
    )
    f = gf128.add([int.from_bytes(xor_bytes(T, other_T), "big"), *one], [0, *two])
    seen("f", [a.to_bytes(16, "big") for a in f], "coefficients, the constant first")
    if not any(f[1:]):
        raise AttackFailed("the two messages are equal: their difference says nothing")
    candidates = seen("H", [root.to_bytes(16, "big") for root in gf128.roots(f)], "the roots of f")
    if not candidates:
        raise AttackFailed("no root: these are not two tags under one key and one nonce")
    return seen.trace(candidates)


def alter(subkey: bytes, caught: Sealed, difference: bytes) -> Trace[Sealed]:
    """The caught message with `difference` XORed into its ciphertext, and the right tag for it, by H alone.

    `subkey`: H, 16 bytes. `difference`: as long as the ciphertext; a shorter one cuts the message to its length.
    """
    seen = Recorder()
    nonce, C, T = caught.parts  # noqa: N806 - the standard's names
    altered = seen("C'", xor_bytes(C, difference), "C xor difference")
    mask = seen(
        "E_K(J_0)", xor_bytes(T, ghash(subkey, ghash_input(caught.associated_data, C)).result)
    )
    tag = seen(
        "T'", xor_bytes(mask, ghash(subkey, ghash_input(caught.associated_data, altered)).result)
    )
    return seen.trace(Sealed(nonce + altered + tag, caught.associated_data))


def forge(
    first: Sealed,
    second: Sealed,
    plaintext: bytes,
    wanted: bytes,
    accepts: Callable[[Sealed], bool],
) -> Trace[Sealed]:
    """A message that decrypts to `wanted`, from two under one nonce and the plaintext of the first.

    `plaintext`: of `first`. `wanted`: at most as long. `accepts(sealed)`: whether the receiver takes it; asked once for
    each candidate. Raises AttackFailed.
    """
    found = authentication_keys(first, second)
    seen = Recorder()
    for H in seen.include("", found):  # noqa: N806
        forged = seen.include("", alter(H, first, xor_bytes(plaintext, wanted)))
        if accepts(forged):
            return seen.trace(forged)
    raise AttackFailed(
        "every forgery was refused: these are not two tags under one key and one nonce"
    )
