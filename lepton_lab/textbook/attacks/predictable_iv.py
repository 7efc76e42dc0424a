"""A predictable IV: in CBC it lets an attacker check any guess at a plaintext (Rogaway 1995).

The weak form: the next IV can be told in advance, because it is a counter, a clock, or the last
block of ciphertext as in TLS 1.0. The attacker may have messages encrypted. A first block was
encrypted as C = E_K(P ⊕ IV). Knowing the next IV, IV', submit the block G ⊕ IV ⊕ IV' for a guess G:
it becomes E_K(G ⊕ IV), which equals C exactly when G = P. With the unknown byte alone in its block
256 guesses read it, and then the next (BEAST, Duong and Rizzo 2011).

The defence: `lepton_lab.aes` draws its nonce at random after the message was given, and GCM never
feeds the nonce into the message block. For CBC the standard asks for unpredictable IVs (SP 800-38A
Appendix C).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lepton_lab.textbook.attacks import AttackFailed, Counted, weak
from lepton_lab.textbook.primitives.modes import pkcs7_pad, xor_bytes
from lepton_lab.textbook.trace import Recorder, Trace


class ChainedCBC:
    """The weak form: CBC whose IV is the last block of the message before, as in TLS 1.0."""

    def __init__(self, key: bytes, first_iv: bytes) -> None:
        self._key = key
        self._iv = first_iv

    def encrypt(self, plaintext: bytes) -> bytes:
        """Encrypt a message: IV ‖ AES-CBC(plaintext, PKCS#7 padded)."""
        message = self._iv + weak.cbc_encrypt(self._key, self._iv, pkcs7_pad(plaintext))
        self._iv = message[-16:]
        return message


def last_block(message: bytes) -> bytes:
    """Predict the next IV of a `ChainedCBC`: the last block of the last message."""
    return message[-16:]


def confirm(
    message: bytes,
    guesses: Iterable[bytes],
    encrypt: Callable[[bytes], bytes],
    predict: Callable[[bytes], bytes] = last_block,
    limit: int = 70_000,
) -> Trace[bytes]:
    """Find the first block of the plaintext of `message` = IV ‖ ciphertext among the `guesses`.

    `guesses`: 16 bytes each. `encrypt(plaintext)` encrypts what the attacker wants under the same
    key. `predict(message)` says which IV follows a message. `limit`: the most queries to make.
    Raises AttackFailed when a prediction is wrong, no guess fits, or after `limit` queries.
    """
    ask = Counted(encrypt, limit)
    seen = Recorder()
    victim_iv = seen("IV", message[:16])
    target = seen("C", message[16:32])
    last = message
    for guess in guesses:
        predicted = predict(last)
        submitted = xor_bytes(xor_bytes(guess, victim_iv), predicted)
        last = ask(submitted)
        if last[:16] != predicted:
            raise AttackFailed("the IV was not the predicted one")
        if last[16:32] == target:
            seen("IV'", predicted, "predicted before the query was made")
            seen("queries", ask.asked)
            return seen.trace(guess)
    raise AttackFailed("none of the guesses is the first block")
