"""The padding oracle: one bit of answer, *was the padding right?*, opens CBC byte by byte.

Vaudenay 2002. The weak form: CBC with PKCS#7 padding and no tag, and a receiver whose error, delay
or log tells bad padding from other faults. Let O = D_K(C) for a ciphertext block C. Whatever block
R we send before C, the receiver sees R ⊕ O. Padding of one byte is right when R₁₅ ⊕ O₁₅ = 1: try
the 256 values of R₁₅ until it is, and O₁₅ = R₁₅ ⊕ 1. Then set R₁₅ so that the last byte reads 2,
and try R₁₄; and so on. That takes at most 16 · 256 queries per block. The plaintext is O ⊕ (the
real block before).

An attacker who knows O for a block of his choice can also *encrypt*: he puts O ⊕ P before it
(Rizzo, Duong 2010).

The defence: `lepton_lab.aes` checks the tag before anything else and has one error for everything.
There is no padding to be wrong, and every altered message gets the same answer: no.
"""

from __future__ import annotations

from collections.abc import Callable

from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, Counted, weak
from lepton_lab.textbook.primitives.modes import blocks_of, pkcs7_pad, pkcs7_unpad, xor_bytes
from lepton_lab.textbook.trace import Recorder, Trace

PaddingOracle = Callable[[bytes], bool]

QUERIES_A_BLOCK = 16 * 256 + 16  # at most: all guesses, and a second look at the last byte's


def receiver(key: bytes) -> PaddingOracle:
    """The weak form: a receiver of IV ‖ ciphertext that answers whether the padding was right."""

    def padding_is_right(message: bytes) -> bool:
        try:
            pkcs7_unpad(weak.cbc_decrypt(key, message[:16], message[16:]))
        except DecryptionError:
            return False
        return True

    return padding_is_right


def decrypt(message: bytes, oracle: PaddingOracle) -> Trace[bytes]:
    """Decrypt `message` = IV ‖ ciphertext by asking `oracle(message)` alone, padding removed.

    Raises AttackFailed after 256 answers that say nothing, InvalidParameter when the message is not
    an IV and whole blocks.
    """
    if len(message) < 32 or len(message) % 16:
        raise InvalidParameter(
            "the message must be an IV of 16 bytes and whole blocks of ciphertext"
        )
    blocks = blocks_of(message)
    ask = Counted(oracle, QUERIES_A_BLOCK * len(blocks))
    seen = Recorder()
    plaintext = b""
    for j in range(1, len(blocks)):
        output = decrypted_block(blocks[j], ask)
        seen(f"O_{j}", output, f"{ask.asked} queries so far")
        plaintext += seen(f"P_{j}", xor_bytes(output, blocks[j - 1]), f"O_{j} xor C_{j - 1}")
    seen("queries", ask.asked)
    try:
        return seen.trace(pkcs7_unpad(plaintext))
    except DecryptionError:
        raise AttackFailed(
            "the answers contradict each other: this oracle does not tell right padding"
        ) from None


def decrypted_block(block: bytes, ask: PaddingOracle) -> bytes:
    """Find O = D_K(block), from its last byte to its first.

    Raises AttackFailed when no guess is accepted.
    """
    output = b""
    for n in range(1, 17):
        # makes the n - 1 bytes that are already known decrypt to n
        tail = xor_bytes(output, bytes([n]) * 16)
        for guess in range(256):
            before = bytes(16 - n) + bytes([guess]) + tail
            if not ask(before + block):
                continue
            # for n = 1 a lucky 2 2, or 3 3 3, is also right padding: it becomes wrong when the byte
            # before is changed
            if n == 1 and not ask(bytes(14) + bytes([1, guess]) + block):
                continue
            output = bytes([guess ^ n]) + output
            break
        else:
            raise AttackFailed(
                "no guess was accepted: the receiver does not tell right padding from wrong"
            )
    return output


def encrypt(plaintext: bytes, oracle: PaddingOracle) -> Trace[bytes]:
    """Make a message IV ‖ ciphertext that decrypts to `plaintext`, without the key.

    Raises AttackFailed when the oracle does not answer as it should.
    """
    blocks = blocks_of(pkcs7_pad(plaintext))
    ask = Counted(oracle, QUERIES_A_BLOCK * len(blocks))
    seen = Recorder()
    message = bytes(16)  # the last block of ciphertext may be anything
    # from the last block to the first: each ciphertext block fixes the one before it
    for j in range(len(blocks) - 1, -1, -1):
        output = decrypted_block(message[:16], ask)
        block = seen(f"block {j}", xor_bytes(output, blocks[j]), "O xor P")
        message = block + message
    seen("queries", ask.asked)
    return seen.trace(message)
