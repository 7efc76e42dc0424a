"""The article's `symmetric_encrypt` and `symmetric_decrypt`: three bugs, and what each leads to.

The weak form, call for call as printed (there with PyCryptodome):

- *No padding*. CBC takes whole blocks, so "Hello, World!" is refused, and only texts of 16, 32, …
  bytes pass.
- *IV confusion*. Encryption returns base64(IV ‖ ciphertext); decryption wants the IV separately in
  base64 and the ciphertext raw: it cannot take what encryption returns. The obvious repair, the
  right bytes under some other IV, garbles the first block and no more, because only P_1 = D_K(C_1)
  ⊕ IV depends on the IV: a test that looks at the end of the text still passes.
- *No authentication*. An attacker rewrites the first block by changing the IV, without garbling
  anything; and blocks cut off at the end are not missed.

The defence: `lepton_lab.aes.encrypt` takes any length, keeps its nonce in the message, and refuses
every change and every cut.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from lepton_lab.errors import DecryptionError, InvalidParameter, LabError
from lepton_lab.textbook.attacks import AttackFailed, weak
from lepton_lab.textbook.primitives.modes import xor_bytes
from lepton_lab.textbook.trace import Recorder, Trace


def symmetric_encrypt(plaintext: str, key: bytes, iv: bytes) -> str:
    """The article's encryption, with its random IV (16 bytes) as an argument.

    Raises InvalidParameter where PyCryptodome raises ValueError: for text of any other length than
    whole blocks of 16 bytes.
    """
    data = plaintext.encode()
    if len(data) % 16:
        raise InvalidParameter(
            f"data must be padded to a 16-byte boundary in CBC mode; these are {len(data)} bytes"
        )
    message = iv + weak.cbc_encrypt(key, iv, data)
    return base64.b64encode(message).decode()


def symmetric_decrypt(ciphertext: bytes, key: bytes, iv: str) -> str:
    """The article's decryption: the IV in base64, the ciphertext raw and without its IV.

    It also ends in .decode(): an attacker who learns of that error has a further oracle. Raises
    InvalidParameter for text, DecryptionError when what comes out is not UTF-8.
    """
    if not isinstance(ciphertext, bytes):
        raise InvalidParameter(
            "the ciphertext must be raw bytes: what symmetric_encrypt returned is base64 text"
        )
    try:
        return repaired_decrypt(base64.b64decode(iv) + ciphertext, key).decode()
    except UnicodeDecodeError:
        raise DecryptionError("what came out is not UTF-8") from None


def repaired_decrypt(message: bytes, key: bytes) -> bytes:
    """Decryption as its author must have meant it, of IV ‖ ciphertext. It still has no tag."""
    return weak.cbc_decrypt(key, message[:16], message[16:])


def wrong_iv(message: bytes, iv: bytes, decrypt: Callable[[bytes], bytes]) -> Trace[bytes]:
    """Read all of the plaintext but its first block under an IV that has nothing to do with it.

    `message`: IV ‖ ciphertext. `iv`: the wrong one, 16 bytes. `decrypt(message)` returns the
    plaintext. Raises AttackFailed when the change is noticed.
    """
    seen = Recorder()
    whole = _opened(decrypt, iv + message[16:])
    seen("P_1", whole[:16], "garbled: D_K(C_1) xor the wrong IV")
    return seen.trace(seen("the rest", whole[16:], "untouched"))


def rewrite(
    message: bytes, known: bytes, wanted: bytes, decrypt: Callable[[bytes], bytes]
) -> Trace[bytes]:
    """Change the first bytes of the plaintext, which are `known`, into the `wanted` ones.

    `known`, `wanted`: at most 16 bytes. The result is the forged message. Raises AttackFailed when
    the receiver notices.
    """
    seen = Recorder()
    difference = seen("Δ", xor_bytes(known, wanted).ljust(16, b"\0"), "known xor wanted")
    forged_iv = seen("IV xor Δ", xor_bytes(message[:16], difference))
    forged = forged_iv + message[16:]
    read = seen("what is read", _opened(decrypt, forged))
    if not read.startswith(wanted):
        raise AttackFailed("the IV does not reach the plaintext")
    return seen.trace(forged)


def cut(message: bytes, blocks: int, decrypt: Callable[[bytes], bytes]) -> Trace[bytes]:
    """Cut the last `blocks` blocks off a message. Raises AttackFailed when the receiver notices."""
    seen = Recorder()
    shorter = message[: len(message) - 16 * blocks]
    seen("what is read", _opened(decrypt, shorter))
    return seen.trace(shorter)


def _opened(decrypt: Callable[[bytes], bytes], message: bytes) -> bytes:
    try:
        return decrypt(message)
    except LabError:
        raise AttackFailed("the change was noticed: the message is authenticated") from None
