"""AES from FIPS 197 (2001, updated 2023): every state of every round, under the standard's names.

`Cipher` and `InvCipher` work on one block of 16 bytes and return a `Trace` whose steps are called
as in the standard's Appendix C: round[ 1].start, .s_box, .s_row, .m_col, .k_sch. The functions at
the end of this file run the modes of operation (modes.py) with AES under a key: `tb_aes.gcm(key,
nonce, plaintext, associated_data)`.

The table look-ups take a time that depends on the key and the data. Bernstein (2005) and Osvik,
Shamir and Tromer (2006) read keys from just that. Processors therefore have instructions for AES,
and the helpers use them.
"""
# ruff: noqa: N802, N806 - the standard's names for the standard's things: SubBytes, Nk, w

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import xor

from lepton_lab.errors import InvalidKey
from lepton_lab.textbook.primitives import as_bytes, gf256, integer, modes
from lepton_lab.textbook.trace import Recorder, Trace

_ONE_BLOCK = (
    "AES turns one block of 128 bits into another; "
    "longer messages need a mode of operation (modes.py)"
)


def affine(b: int) -> int:
    """Apply the affine map of the S-box to a byte (FIPS 197 §5.1.1).

    b'ᵢ = bᵢ ⊕ bᵢ₊₄ ⊕ bᵢ₊₅ ⊕ bᵢ₊₆ ⊕ bᵢ₊₇ ⊕ cᵢ, with indices modulo 8 and c = {63}: a linear map,
    plus c. It breaks the algebra of the inverse, and it leaves no byte where it was. Raises
    InvalidParameter.
    """
    doubled = integer("b", b, 0, 256) * 0x101  # two copies side by side: shifting right rotates
    rotated = doubled >> 4 ^ doubled >> 5 ^ doubled >> 6 ^ doubled >> 7
    return (doubled ^ rotated) & 0xFF ^ 0x63


# SubBytes' table, derived (FIPS 197 §5.1.1): the inverse in GF(2⁸), {00} staying {00}, then the map
SBOX = bytes(affine(gf256.inverse(b) if b else 0) for b in range(256))
INV_SBOX = bytes(SBOX.index(b) for b in range(256))


def SubBytes(state: bytes) -> bytes:
    """Replace every byte by its entry in the S-box (FIPS 197 §5.1.1): the only non-linear step."""
    return _state(state).translate(SBOX)


def ShiftRows(state: bytes) -> bytes:
    """Rotate row r of the state to the left by r places (§5.1.2).

    s'[r, c] = s[r, (c + r) mod 4]; the byte s[r, c] stands at r + 4c in the state.
    """
    s = _state(state)
    return bytes(s[(i + 4 * (i % 4)) % 16] for i in range(16))


def MixColumns(state: bytes) -> bytes:
    """Multiply each column of the state by a fixed matrix over GF(2⁸) (§5.1.3).

    Its first row is {02} {03} {01} {01}; each of the next ones is the row above, rotated right.
    """
    return _multiply_columns(state, (2, 3, 1, 1))


def AddRoundKey(state: bytes, round_key: bytes) -> bytes:
    """Add the round key: state ⊕ round key (§5.1.4).

    The step is its own inverse, and the only place where the key enters.
    """
    return bytes(map(xor, _state(state), as_bytes("a round key", round_key, 16)))


def InvSubBytes(state: bytes) -> bytes:
    """Undo SubBytes (§5.3.2). A table has an inverse exactly when no entry occurs twice."""
    return _state(state).translate(INV_SBOX)


def InvShiftRows(state: bytes) -> bytes:
    """Undo ShiftRows: rotate row r to the right by r places (§5.3.1)."""
    s = _state(state)
    return bytes(s[(i - 4 * (i % 4)) % 16] for i in range(16))


def InvMixColumns(state: bytes) -> bytes:
    """Undo MixColumns: the inverse matrix begins {0e} {0b} {0d} {09} (§5.3.3)."""
    return _multiply_columns(state, (14, 11, 13, 9))


def _state(state: bytes) -> bytes:
    return as_bytes("the state", state, 16, because=_ONE_BLOCK)


def _multiply_columns(state: bytes, first_row: Sequence[int]) -> bytes:
    s = _state(state)
    result = []
    for c in range(4):
        column = s[4 * c : 4 * c + 4]
        for r in range(4):
            # row r of the matrix is the first row, rotated right by r places
            terms = (gf256.multiply(first_row[(i - r) % 4], column[i]) for i in range(4))
            result.append(reduce(xor, terms))
    return bytes(result)


def KeyExpansion(key: bytes) -> Trace[tuple[bytes, ...]]:
    """Run the key schedule (FIPS 197 §5.2): the result is w, the words that the rounds consume.

    `key`: 16, 24 or 32 bytes, for AES-128, AES-192 or AES-256. A key of Nk words of 4 bytes gives
    4·(Nr + 1) words, Nr = Nk + 6 being the number of rounds. The steps are the columns of Appendix
    A. Raises InvalidKey for any other size.
    """
    key = as_bytes("key", key)
    if len(key) not in (16, 24, 32):
        raise InvalidKey(f"an AES key has 16, 24 or 32 bytes (10, 12 or 14 rounds), not {len(key)}")
    seen = Recorder()
    Nk = len(key) // 4
    w = []
    for i in range(Nk):
        w.append(seen(f"w[{i}]", key[4 * i : 4 * i + 4], "the key itself"))
    Rcon = 1
    for i in range(Nk, 4 * (Nk + 7)):
        temp = seen(f"w[{i}] temp", w[-1])
        if i % Nk == 0:
            temp = seen(f"w[{i}] RotWord", temp[1:] + temp[:1])
            temp = seen(f"w[{i}] SubWord", temp.translate(SBOX))
            # a different constant each time, so that no two rounds treat the key alike
            temp = bytes([temp[0] ^ Rcon]) + temp[1:]
            seen(f"w[{i}] xor Rcon", temp, f"Rcon[{i // Nk}] = {Rcon:02x}000000")
            Rcon = gf256.xtime(Rcon)
        elif Nk > 6 and i % Nk == 4:
            temp = temp.translate(SBOX)
            seen(f"w[{i}] SubWord", temp, "AES-256 alone does this, in mid-key")
        word = bytes(map(xor, w[i - Nk], temp))
        w.append(seen(f"w[{i}]", word, f"w[{i - Nk}] xor temp"))
    return seen.trace(tuple(w))


def Cipher(block: bytes, w: Sequence[bytes]) -> Trace[bytes]:
    """Encrypt one block (FIPS 197 §5.1, Algorithm 1).

    `block`: 16 bytes. `w`: the result of `KeyExpansion`. Raises InvalidParameter for another size
    of block, InvalidKey for another number of words.
    """
    seen = Recorder()
    Nr = _rounds(w)
    state = seen("round[ 0].input", as_bytes("block", block, 16, because=_ONE_BLOCK))
    state = AddRoundKey(state, seen("round[ 0].k_sch", _round_key(w, 0)))
    for r in range(1, Nr + 1):
        seen(f"round[{r:2}].start", state)
        state = seen(f"round[{r:2}].s_box", SubBytes(state))
        state = seen(f"round[{r:2}].s_row", ShiftRows(state))
        # the last round mixes nothing: it could be undone without the key, and so would add nothing
        if r < Nr:
            state = seen(f"round[{r:2}].m_col", MixColumns(state))
        state = AddRoundKey(state, seen(f"round[{r:2}].k_sch", _round_key(w, r)))
    return seen.trace(seen(f"round[{Nr:2}].output", state))


def InvCipher(block: bytes, w: Sequence[bytes]) -> Trace[bytes]:
    """Decrypt one block: undo the steps of `Cipher`, last first (FIPS 197 §5.3, Algorithm 3).

    Arguments and errors as for `Cipher`.
    """
    seen = Recorder()
    Nr = _rounds(w)
    state = seen("round[ 0].iinput", as_bytes("block", block, 16, because=_ONE_BLOCK))
    state = AddRoundKey(state, seen("round[ 0].ik_sch", _round_key(w, Nr)))
    for r in range(1, Nr + 1):
        seen(f"round[{r:2}].istart", state)
        state = seen(f"round[{r:2}].is_row", InvShiftRows(state))
        state = seen(f"round[{r:2}].is_box", InvSubBytes(state))
        state = AddRoundKey(state, seen(f"round[{r:2}].ik_sch", _round_key(w, Nr - r)))
        # the round that undoes the cipher's first one ends with the input itself: nothing was mixed
        if r < Nr:
            state = InvMixColumns(seen(f"round[{r:2}].ik_add", state))
    return seen.trace(seen(f"round[{Nr:2}].ioutput", state))


def _rounds(w: Sequence[bytes]) -> int:
    if len(w) not in (44, 52, 60):
        raise InvalidKey("w must be the 44, 52 or 60 words that KeyExpansion(key).result holds")
    return len(w) // 4 - 1


def _round_key(w: Sequence[bytes], r: int) -> bytes:
    return b"".join(w[4 * r : 4 * r + 4])


def encrypt_block(key: bytes, block: bytes) -> Trace[bytes]:
    """Encrypt one block under a key: Cipher(block, KeyExpansion(key)) (FIPS 197 §5).

    `key`: 16, 24 or 32 bytes. `block`: 16 bytes. Raises InvalidKey, InvalidParameter.
    """
    return Cipher(block, KeyExpansion(key).result)


def decrypt_block(key: bytes, block: bytes) -> Trace[bytes]:
    """Decrypt one block under a key: InvCipher(block, KeyExpansion(key)) (FIPS 197 §5.3).

    `key`: 16, 24 or 32 bytes. `block`: 16 bytes. Raises InvalidKey, InvalidParameter.
    """
    return InvCipher(block, KeyExpansion(key).result)


def _CIPH(key: bytes) -> modes.BlockFunction:
    w = KeyExpansion(key).result
    return lambda block: Cipher(block, w).result


def _CIPH_inverse(key: bytes) -> modes.BlockFunction:
    w = KeyExpansion(key).result
    return lambda block: InvCipher(block, w).result


def ecb(key: bytes, plaintext: bytes) -> Trace[bytes]:
    """Encrypt with AES in ECB mode: see `modes.ecb`."""
    return modes.ecb(_CIPH(key), plaintext)


def ecb_decrypt(key: bytes, ciphertext: bytes) -> Trace[bytes]:
    """Decrypt what `ecb` encrypted: see `modes.ecb_decrypt`."""
    return modes.ecb_decrypt(_CIPH_inverse(key), ciphertext)


def cbc(key: bytes, iv: bytes, plaintext: bytes) -> Trace[bytes]:
    """Encrypt with AES in CBC mode, padding left to the caller: see `modes.cbc`."""
    return modes.cbc(_CIPH(key), iv, plaintext)


def cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> Trace[bytes]:
    """Decrypt what `cbc` encrypted: see `modes.cbc_decrypt`."""
    return modes.cbc_decrypt(_CIPH_inverse(key), iv, ciphertext)


def ctr(key: bytes, counter: bytes, data: bytes) -> Trace[bytes]:
    """Encrypt or decrypt with AES in CTR mode, which is its own inverse: see `modes.ctr`."""
    return modes.ctr(_CIPH(key), counter, data)


def gcm(
    key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes = b"", tag_length: int = 16
) -> Trace[bytes]:
    """Encrypt with AES-GCM: the result is ciphertext ‖ tag. See `modes.gcm`.

    The helper `lepton_lab.aes.encrypt` returns the same bytes, with the nonce before them.
    """
    return modes.gcm(_CIPH(key), nonce, plaintext, associated_data, tag_length)


def gcm_decrypt(
    key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes = b"", tag_length: int = 16
) -> Trace[bytes]:
    """Decrypt what `gcm` encrypted: see `modes.gcm_decrypt`. Raises DecryptionError."""
    return modes.gcm_decrypt(_CIPH(key), nonce, ciphertext, associated_data, tag_length)
