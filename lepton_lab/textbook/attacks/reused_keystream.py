"""A keystream used twice: the ciphertexts' sum is the plaintexts' sum, and the key has dropped out.

The weak form: CTR (SP 800-38A §6.5), or any stream cipher, with a counter that comes again under the same key. Then
C = P ⊕ S and C' = P' ⊕ S with one keystream S, so C ⊕ C' = P ⊕ P'.

- *One plaintext known*: P' = C ⊕ C' ⊕ P.
- *None known, many messages*: in column i every message hides its byte under the same Sᵢ. Of its 256 values take the
  one that makes the column look most like language.

The defence beside it: `lepton_lab.aes` draws 96 random bits as the nonce of every message, so no keystream comes again;
2³² messages a key keep the chance of a collision below 2⁻³² (SP 800-38D §8.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, weak
from lepton_lab.textbook.primitives.modes import xor_bytes
from lepton_lab.textbook.trace import Recorder, Trace

# English prose: the commonest characters, each worth more than the next; other printable ones little, the rest a loss
_COMMON = b" etaoinshrdlucmfwypvbgk"
_WORTH = [
    (30 - _COMMON.index(c) if c in _COMMON else 4 if chr(c).isalpha() else 1)
    for c in range(32, 127)
]
WORTH = [*[-60] * 32, *_WORTH, *[-60] * 129]


def seal(key: bytes, counter: bytes, plaintext: bytes) -> bytes:
    """The weak form: AES-CTR from a counter that the caller has used before."""
    return weak.ctr(key, counter, plaintext)


def is_text(data: bytes) -> bool:
    """Whether all of it is printable ASCII: the chance for 20 random bytes is below 2⁻²⁷."""
    return all(32 <= byte < 127 or byte in b"\n\t" for byte in data)


def known_plaintext(
    C: bytes,  # noqa: N803 - the standard's ciphertext
    P: bytes,  # noqa: N803 - and its plaintext
    other: bytes,
    plausible: Callable[[bytes], bool] = is_text,
) -> Trace[bytes]:
    """The plaintext of `other`, as far as `P`, the known plaintext of `C`, reaches.

    `plausible(plaintext)`: what tells success; by default printable ASCII. Raises AttackFailed when it says no.
    """
    seen = Recorder()
    keystream = seen("S", xor_bytes(C, P), "C xor P")
    plaintext = seen("P'", xor_bytes(other, keystream), "C' xor S")
    if not plausible(plaintext):
        raise AttackFailed("what comes out is noise: these messages do not share a keystream")
    return seen.trace(plaintext)


def many_messages(ciphertexts: Sequence[bytes]) -> Trace[list[bytes]]:
    """English plaintexts of messages under one keystream, guessed column by column; a few bytes will be wrong.

    `ciphertexts`: from about ten on; where a column holds fewer messages, guesses get worse. Raises AttackFailed when
    the best guess is still noise, InvalidParameter for fewer than two messages.
    """
    if len(ciphertexts) < 2:
        raise InvalidParameter("one message alone is perfectly hidden; give two or more")
    keystream, worth, counted = bytearray(), 0, 0
    for column in zip_longest(*ciphertexts):
        data = [byte for byte in column if byte is not None]
        best, guess = max(
            (sum(WORTH[byte ^ guess] for byte in data), guess) for guess in range(256)
        )
        keystream.append(guess)
        worth, counted = worth + best, counted + len(data)
    seen = Recorder()
    seen("S", bytes(keystream), "the guessed keystream")
    seen("worth", worth // max(counted, 1), "of a byte in the mean; prose has about 20")
    if worth < 12 * counted:
        raise AttackFailed(
            "no keystream makes these messages look like language: they do not share one"
        )
    return seen.trace([xor_bytes(ciphertext, bytes(keystream)) for ciphertext in ciphertexts])
