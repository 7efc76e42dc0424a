"""CBC bit flipping: change a ciphertext and know what its plaintext becomes, without the key.

The weak form: CBC without a tag (SP 800-38A §6.2). Decryption computes P_j = D_K(C_j) ⊕ C_(j-1),
with C_0 the IV. Replace C_(j-1) by C_(j-1) ⊕ Δ and P_j becomes P_j ⊕ Δ: to turn known bytes x into
y, take Δ = x ⊕ y. The price is P_(j-1), which becomes noise; in the first block the change is made
in the IV, and there is no price.

The defence: `lepton_lab.aes` protects every byte with GCM's tag and returns nothing before the tag
was right. Encryption hides; only authentication keeps a message what it was (Bellare and Namprempre
2000).
"""

from __future__ import annotations

from collections.abc import Callable

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, weak
from lepton_lab.textbook.primitives.modes import pkcs7_pad, pkcs7_unpad, xor_bytes
from lepton_lab.textbook.trace import Recorder, Trace


def seal(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """The weak form: IV ‖ AES-CBC(plaintext, PKCS#7 padded), without a tag."""
    return iv + weak.cbc_encrypt(key, iv, pkcs7_pad(plaintext))


def unseal(key: bytes, message: bytes) -> bytes:
    """Decrypt what `seal` made, or what has become of it on the way. Raises DecryptionError."""
    return pkcs7_unpad(weak.cbc_decrypt(key, message[:16], message[16:]))


def flip(
    message: bytes, at: int, known: bytes, wanted: bytes, accepts: Callable[[bytes], bool]
) -> Trace[bytes]:
    """Turn the `known` bytes of the plaintext, which begin at byte `at`, into the `wanted` ones.

    `message`: IV ‖ ciphertext. `known`, `wanted`: equally long, inside one block.
    `accepts(message)` tells whether the receiver takes it. Raises AttackFailed when it does not,
    InvalidParameter when the bytes cross blocks.
    """
    inside = 0 <= at < len(message) - 16 and at % 16 + len(known) <= 16
    if len(known) != len(wanted) or not inside:
        raise InvalidParameter(
            "the known and the wanted bytes must be equally long, "
            "and lie in one block of the plaintext"
        )
    seen = Recorder()
    difference = seen("Δ", xor_bytes(known, wanted), "known xor wanted")
    # byte `at` of the plaintext is XORed with byte `at` of IV ‖ ciphertext: the block before its
    # own
    end = at + len(known)
    place = seen("C_(j-1)", message[at:end], "there the plaintext's bytes are XORed in")
    changed = xor_bytes(place, difference)
    forged = message[:at] + changed + message[end:]
    seen("C_(j-1) xor Δ", changed)
    if not accepts(forged):
        raise AttackFailed("the receiver noticed the change: the message is authenticated")
    return seen.trace(seen("forged", forged))
