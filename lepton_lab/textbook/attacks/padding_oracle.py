"""The padding oracle: one bit of answer, *was the padding right?*, opens CBC, byte by byte (Vaudenay 2002).

The weak form: CBC with PKCS#7 padding and no tag, and a receiver whose error, delay or log tells bad padding from other
trouble. Let O = D_K(C) for a ciphertext block C. Whatever block R we send before C, the receiver sees R ⊕ O. Padding of
one byte is right when R₁₅ ⊕ O₁₅ = 1: try the 256 values of R₁₅ until it is, and O₁₅ = R₁₅ ⊕ 1. Then set R₁₅ so that
the last byte reads 2, and try R₁₄; and so on. At most 16 · 256 queries a block. The plaintext is O ⊕ (the real block
before). And whoever knows O for a block of his choice can also *encrypt*: he puts O ⊕ P before it (Rizzo, Duong 2010).

The defence beside it: `lepton_lab.aes` checks the tag before anything else and has one error for everything. There is
no padding to be wrong, and every altered message gets the same answer: no.
"""

from __future__ import annotations

from collections.abc import Callable

from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, Counted, weak
from lepton_lab.textbook.primitives.modes import blocks_of, pkcs7_pad, pkcs7_unpad, xor_bytes
from lepton_lab.textbook.trace import Recorder, Trace

PaddingOracle = Callable[[bytes], bool]

QUERIES_A_BLOCK = 16 * 256 + 16


def receiver(key: bytes) -> PaddingOracle:
    """The weak form: takes IV ‖ ciphertext and answers whether the padding was right."""

    def padding_is_right(message: bytes) -> bool:
        try:
            pkcs7_unpad(weak.cbc_decrypt(key, message[:16], message[16:]))
        except DecryptionError:
            return False
        return True

    return padding_is_right


def decrypt(message: bytes, oracle: PaddingOracle) -> Trace[bytes]:
    """The plaintext of `message` = IV ‖ ciphertext, padding removed, by asking `oracle(message)` alone.

    Raises AttackFailed after 256 answers that say nothing, InvalidParameter when the message is no IV and whole blocks.
    """
    if len(message) < 32 or len(message) % 16:
        raise InvalidParameter(
            "the message must be an IV of 16 bytes and whole blocks of ciphertext"
        )
    blocks, seen, plaintext = blocks_of(message), Recorder(), b""
    ask = Counted(oracle, QUERIES_A_BLOCK * len(blocks))
    for j in range(1, len(blocks)):
        output = seen(f"O_{j}", decrypted_block(blocks[j], ask), f"{ask.asked} queries so far")
        plaintext += seen(f"P_{j}", xor_bytes(output, blocks[j - 1]), f"O_{j} xor C_{j - 1}")
    seen("queries", ask.asked)
    try:
        return seen.trace(pkcs7_unpad(plaintext))
    except DecryptionError:
        raise AttackFailed(
            "the answers contradict each other: this oracle does not tell right padding"
        ) from None


def decrypted_block(block: bytes, ask: PaddingOracle) -> bytes:
    """O = D_K(block), from its last byte to its first. Raises AttackFailed when no guess is accepted."""
    output = b""
    for n in range(1, 17):
        tail = xor_bytes(
            output, bytes([n]) * 16
        )  # makes the n - 1 bytes already known decrypt to n
        for guess in range(256):
            before = bytes(16 - n) + bytes([guess]) + tail
            # for n = 1 a lucky 2 2, or 3 3 3, is also right padding: it ends when the byte before is changed
            if ask(before + block) and (n > 1 or ask(bytes(14) + bytes([1, guess]) + block)):
                output = bytes([guess ^ n]) + output
                break
        else:
            raise AttackFailed(
                "no guess was accepted: the receiver does not tell right padding from wrong"
            )
    return output


def encrypt(plaintext: bytes, oracle: PaddingOracle) -> Trace[bytes]:
    """A message IV ‖ ciphertext that decrypts to `plaintext`, made without the key. Raises AttackFailed."""
    blocks, seen = blocks_of(pkcs7_pad(plaintext)), Recorder()
    ask = Counted(oracle, QUERIES_A_BLOCK * len(blocks))
    message = bytes(16)  # the last block of ciphertext may be anything
    for j, P in enumerate(reversed(blocks)):  # noqa: N806 - the plaintext block of SP 800-38A
        output = decrypted_block(message[:16], ask)
        message = seen(f"block {len(blocks) - j - 1}", xor_bytes(output, P), "O xor P") + message
    seen("queries", ask.asked)
    return seen.trace(message)
