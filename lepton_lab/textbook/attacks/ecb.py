"""ECB: equal blocks of plaintext give equal blocks of ciphertext, and that is enough to read.

The weak form: C_j = E_K(P_j), every block alone (SP 800-38A §6.1). E_K is a fixed permutation of the blocks, so a
ciphertext shows where its plaintext repeats itself.

- *The picture*: areas of one colour stay areas of one block. No key, no query.
- *Byte at a time*: a service encrypts (our prefix) ‖ (its secret). We choose the prefix so that 15 known bytes and one
  unknown fill a block, have the 256 possible blocks encrypted, and see which one it is; then one byte further.

The defence beside it: `lepton_lab.aes` takes a fresh nonce for every message, so that nothing repeats, not even the
same message; security against chosen plaintexts (IND-CPA) is impossible for any encryption without fresh randomness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from lepton_lab.textbook.attacks import AttackFailed, Counted, weak
from lepton_lab.textbook.primitives.modes import blocks_of, pkcs7_pad
from lepton_lab.textbook.trace import Recorder, Trace


def service(key: bytes, secret: bytes) -> Callable[[bytes], bytes]:
    """The weak form: a service that encrypts whatever it is given, with its secret behind it, in ECB."""
    return lambda prefix: weak.ecb_encrypt(key, pkcs7_pad(prefix + secret))


def picture(ciphertext: bytes, size: int = 16) -> Trace[bytes]:
    """The picture in a ciphertext: for each block its rank by frequency, 0 for the commonest (the background).

    `ciphertext`: what a bitmap became, of any length; an incomplete last block is left out. Raises AttackFailed when no
    block occurs twice.
    """
    blocks = [block for block in blocks_of(ciphertext, size) if len(block) == size]
    common = Counter(blocks).most_common()
    if len(common) == len(blocks):
        raise AttackFailed("no block occurs twice: this ciphertext shows nothing of its plaintext")
    rank = {block: min(i, 255) for i, (block, _) in enumerate(common)}
    seen = Recorder()
    seen("blocks", len(blocks))
    seen("different", len(common), "in an encryption that hides, every block would be different")
    return seen.trace(bytes(rank[block] for block in blocks))


def byte_at_a_time(encrypt: Callable[[bytes], bytes], limit: int = 5000) -> Trace[bytes]:
    """Read the secret that `encrypt(prefix)` appends before it encrypts, by two queries for every byte.

    Raises AttackFailed when the lengths or the blocks are not those of ECB, or after `limit` queries.
    """
    ask, seen = Counted(encrypt, limit), Recorder()
    empty = len(ask(b""))
    grown = next((i for i in range(1, 65) if len(ask(bytes(i))) > empty), 0)
    size = seen(
        "block size", len(ask(bytes(grown))) - empty, "by so much the ciphertext grows at once"
    )
    length = seen(
        "secret's length", empty - grown, f"{grown} bytes of prefix just fill the last block"
    )
    repeated = blocks_of(ask(bytes(3 * max(size, 8))), max(size, 8))
    if size < 8 or repeated[0] != repeated[1]:
        raise AttackFailed("three equal blocks do not encrypt to equal blocks: this is not ECB")
    known = bytes(size - 1)
    while len(known) < length + size - 1:
        at = len(known) - (size - 1)
        target = ask(bytes(size - 1 - at % size))[at - at % size :][:size]
        guesses = b"".join(known[1 - size :] + bytes([guess]) for guess in range(256))
        dictionary = blocks_of(ask(guesses), size)[:256]
        if target not in dictionary:
            raise AttackFailed(
                f"byte {at} is none of the 256 possible ones: the service does not append a fixed secret"
            )
        known += bytes([dictionary.index(target)])
        seen(f"byte {at}", known[-1:])
    seen("queries", ask.asked)
    return seen.trace(known[size - 1 :])
