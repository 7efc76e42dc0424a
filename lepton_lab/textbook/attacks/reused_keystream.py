"""A keystream used twice: the sum of the ciphertexts is the sum of the plaintexts, without the key.

The weak form: CTR (SP 800-38A §6.5), or any stream cipher, with a counter that is used again under
the same key. Then C = P ⊕ S and C' = P' ⊕ S with one keystream S, so C ⊕ C' = P ⊕ P'.

- *One plaintext known*: P' = C ⊕ C' ⊕ P.
- *None known, many messages*: in column i every message hides its byte under the same Sᵢ. Of its
  256 values take the one that makes the column look most like language.

The defence: `lepton_lab.aes` draws 96 random bits as the nonce of every message, so no keystream is
used again; 2³² messages per key keep the chance of a collision below 2⁻³² (SP 800-38D §8.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, weak
from lepton_lab.textbook.primitives.modes import xor_bytes
from lepton_lab.textbook.trace import Recorder, Trace

_COMMON = b" etaoinshrdlucmfwypvbgk"  # the commonest characters of English prose, in this order


def _worth(byte: int) -> int:
    """How much a byte speaks for its column being English prose."""
    if not 32 <= byte < 127:
        return -60
    if byte in _COMMON:
        return 30 - _COMMON.index(byte)
    return 4 if chr(byte).isalpha() else 1


WORTH = [_worth(byte) for byte in range(256)]


def seal(key: bytes, counter: bytes, plaintext: bytes) -> bytes:
    """The weak form: AES-CTR from a counter (16 bytes) that the caller has used before."""
    return weak.ctr(key, counter, plaintext)


def is_text(data: bytes) -> bool:
    """Tell whether `data` is printable ASCII: for 20 random bytes the chance is below 2⁻²⁷."""
    return all(32 <= byte < 127 or byte in b"\n\t" for byte in data)


def known_plaintext(
    C: bytes,  # noqa: N803 - the standard's ciphertext
    P: bytes,  # noqa: N803 - and its plaintext
    other: bytes,
    plausible: Callable[[bytes], bool] = is_text,
) -> Trace[bytes]:
    """Read the ciphertext `other`, as far as `P`, the known plaintext of `C`, reaches.

    `plausible(plaintext)` tells success from noise; by default it asks for printable ASCII. Raises
    AttackFailed when it says no.
    """
    seen = Recorder()
    keystream = seen("S", xor_bytes(C, P), "C xor P")
    plaintext = seen("P'", xor_bytes(other, keystream), "C' xor S")
    if not plausible(plaintext):
        raise AttackFailed("what comes out is noise: these messages do not share a keystream")
    return seen.trace(plaintext)


def many_messages(ciphertexts: Sequence[bytes]) -> Trace[list[bytes]]:
    """Guess the English plaintexts of messages under one keystream, column by column.

    A few bytes will be wrong. `ciphertexts`: from about ten on; where a column holds fewer
    messages, guesses get worse. Raises AttackFailed when the best guess is still noise,
    InvalidParameter for fewer than two messages.
    """
    if len(ciphertexts) < 2:
        raise InvalidParameter("one message alone is perfectly hidden; give two or more")
    keystream = bytearray()
    total = 0
    counted = 0
    for column in zip_longest(*ciphertexts):
        # the shorter messages have no byte in this column
        data = [byte for byte in column if byte is not None]
        ranked = [(sum(WORTH[byte ^ guess] for byte in data), guess) for guess in range(256)]
        best, guess = max(ranked)
        keystream.append(guess)
        total += best
        counted += len(data)
    seen = Recorder()
    seen("S", bytes(keystream), "the guessed keystream")
    seen("worth", total // max(counted, 1), "of a byte on average; prose has about 20")
    if total < 12 * counted:
        raise AttackFailed(
            "no keystream makes these messages look like language: they do not share one"
        )
    return seen.trace([xor_bytes(ciphertext, bytes(keystream)) for ciphertext in ciphertexts])
