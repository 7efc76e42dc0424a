"""ECB: equal blocks of plaintext give equal blocks of ciphertext, and that is enough to read it.

The weak form: C_j = E_K(P_j), every block alone (SP 800-38A §6.1). E_K is a fixed permutation of
the blocks, so a ciphertext shows where its plaintext repeats itself.

- *The picture*: areas of one colour stay areas of one block. No key and no query is needed.
- *Byte at a time*: a service encrypts (our prefix) ‖ (its secret). We choose the prefix so that 15
  known bytes and one unknown byte fill a block, have the 256 possible blocks encrypted, and see
  which of them it is; then one byte further.

The defence: `lepton_lab.aes` takes a fresh nonce for every message, so that nothing repeats, not
even the same message. Without fresh randomness no encryption is secure against chosen plaintexts
(IND-CPA).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from lepton_lab.textbook.attacks import AttackFailed, Counted, weak
from lepton_lab.textbook.primitives.modes import blocks_of, pkcs7_pad
from lepton_lab.textbook.trace import Recorder, Trace


def service(key: bytes, secret: bytes) -> Callable[[bytes], bytes]:
    """The weak form: a service that appends its secret to any input and encrypts both in ECB."""
    return lambda prefix: weak.ecb_encrypt(key, pkcs7_pad(prefix + secret))


def picture(ciphertext: bytes, size: int = 16) -> Trace[bytes]:
    """Show the picture in an encrypted bitmap: for each block its rank by frequency.

    The commonest block, the background, has rank 0; ranks end at 255. `ciphertext`: of any length;
    an incomplete last block is left out. `size`: the length of a block in bytes. Raises
    AttackFailed when no block occurs twice.
    """
    blocks = [block for block in blocks_of(ciphertext, size) if len(block) == size]
    by_frequency = Counter(blocks).most_common()
    if len(by_frequency) == len(blocks):
        raise AttackFailed("no block occurs twice: this ciphertext shows nothing of its plaintext")
    rank = {block: min(i, 255) for i, (block, _) in enumerate(by_frequency)}
    seen = Recorder()
    seen("blocks", len(blocks))
    note = "in an encryption that hides, every block would be different"
    seen("different", len(by_frequency), note)
    return seen.trace(bytes(rank[block] for block in blocks))


def byte_at_a_time(encrypt: Callable[[bytes], bytes], limit: int = 5000) -> Trace[bytes]:
    """Read the secret that `encrypt(prefix)` appends before it encrypts, with two queries per byte.

    `limit`: the most queries to make. Raises AttackFailed when the lengths or the blocks are not
    those of ECB, or after `limit` queries.
    """
    ask = Counted(encrypt, limit)
    seen = Recorder()
    size, length = _sizes(ask, seen)
    # zeros stand before the first byte of the secret, and each byte found joins them
    known = bytes(size - 1)
    for at in range(length):
        # this prefix moves byte `at` of the secret to the end of a block
        prefix = bytes(size - 1 - at % size)
        block = at - at % size
        target = ask(prefix)[block : block + size]
        before = known[1 - size :]
        guesses = b"".join(before + bytes([guess]) for guess in range(256))
        dictionary = blocks_of(ask(guesses), size)[:256]
        if target not in dictionary:
            raise AttackFailed(
                f"byte {at} is none of the 256 possible ones: "
                "the service does not append a fixed secret"
            )
        found = bytes([dictionary.index(target)])
        known += seen(f"byte {at}", found)
    seen("queries", ask.asked)
    return seen.trace(known[size - 1 :])


def _sizes(ask: Callable[[bytes], bytes], seen: Recorder) -> tuple[int, int]:
    """Find the size of a block and the length of the secret, and make sure that this is ECB."""
    empty = len(ask(b""))
    grown = next((i for i in range(1, 65) if len(ask(bytes(i))) > empty), 0)
    size = len(ask(bytes(grown))) - empty
    seen("block size", size, "the ciphertext grows by this much in one step")
    length = empty - grown
    seen("secret's length", length, f"{grown} bytes of prefix just fill the last block")
    # of three equal blocks at the start, ECB shows two that are equal
    block = max(size, 8)
    repeated = blocks_of(ask(bytes(3 * block)), block)
    if size < 8 or repeated[0] != repeated[1]:
        raise AttackFailed("three equal blocks do not encrypt to equal blocks: this is not ECB")
    return size, length
