"""AES from FIPS 197 (2001, updated 2023): every state of every round, under the standard's names.

`Cipher` and `InvCipher` work on one block of 16 bytes and return a `Trace` whose steps are called as in the standard's
Appendix C: round[ 1].start, .s_box, .s_row, .m_col, .k_sch. At the end the modes of operation, with a key in
front: `tb_aes.gcm(key, nonce, plaintext, associated_data)`; the modes themselves stand in modes.py.

The table look-ups take a time that depends on the key and the data: Bernstein (2005) and Osvik, Shamir and Tromer
(2006) read keys from just that. Processors have instructions for AES instead, and the helpers use them.
"""
# ruff: noqa: N802, N806 - the standard's names for the standard's things: SubBytes, Nk, w

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import xor

from lepton_lab.errors import InvalidKey
from lepton_lab.textbook.primitives import as_bytes, gf256, integer, modes
from lepton_lab.textbook.trace import Recorder, Trace

_ONE_BLOCK = "AES turns one block of 128 bits into another; longer messages need a mode of operation (modes.py)"


def affine(b: int) -> int:
    """b'ᵢ = bᵢ ⊕ bᵢ₊₄ ⊕ bᵢ₊₅ ⊕ bᵢ₊₆ ⊕ bᵢ₊₇ ⊕ cᵢ, indices modulo 8, c = {63} (FIPS 197 §5.1.1): linear, plus c.

    It breaks the algebra of the inverse, and no byte is sent to itself. Raises InvalidParameter.
    """
    doubled = integer("b", b, 0, 256) * 0x101  # two copies, so that shifting right rotates
    return (doubled ^ doubled >> 4 ^ doubled >> 5 ^ doubled >> 6 ^ doubled >> 7) & 0xFF ^ 0x63


# SubBytes' table, derived (FIPS 197 §5.1.1): the inverse in GF(2⁸), {00} staying {00}, then the affine map
SBOX = bytes(affine(gf256.inverse(b) if b else 0) for b in range(256))
INV_SBOX = bytes(SBOX.index(b) for b in range(256))


def SubBytes(state: bytes) -> bytes:
    """Replace every byte by its entry in the S-box: the only step that is not linear (FIPS 197 §5.1.1)."""
    return _state(state).translate(SBOX)


def ShiftRows(state: bytes) -> bytes:
    """Rotate row r of the state left by r: s'[r, c] = s[r, (c + r) mod 4], s[r, c] being byte r + 4c (§5.1.2)."""
    return bytes(_state(state)[(i + 4 * (i % 4)) % 16] for i in range(16))


def MixColumns(state: bytes) -> bytes:
    """Multiply each column by the matrix with first row {02} {03} {01} {01}, the next ones rotated right (§5.1.3)."""
    return _multiply_columns(state, (2, 3, 1, 1))


def AddRoundKey(state: bytes, round_key: bytes) -> bytes:
    """The sum state ⊕ round key: its own inverse, and the only place where the key enters (§5.1.4)."""
    return bytes(map(xor, _state(state), as_bytes("a round key", round_key, 16)))


def InvSubBytes(state: bytes) -> bytes:
    """Undo SubBytes: a table has an inverse exactly when no entry occurs twice (§5.3.2)."""
    return _state(state).translate(INV_SBOX)


def InvShiftRows(state: bytes) -> bytes:
    """Undo ShiftRows: rotate row r right by r (§5.3.1)."""
    return bytes(_state(state)[(i - 4 * (i % 4)) % 16] for i in range(16))


def InvMixColumns(state: bytes) -> bytes:
    """Undo MixColumns: the inverse matrix begins {0e} {0b} {0d} {09} (§5.3.3)."""
    return _multiply_columns(state, (14, 11, 13, 9))


def _state(state: bytes) -> bytes:
    return as_bytes("the state", state, 16, because=_ONE_BLOCK)


def _multiply_columns(state: bytes, first_row: Sequence[int]) -> bytes:
    columns = [_state(state)[4 * c : 4 * c + 4] for c in range(4)]
    return bytes(
        reduce(xor, (gf256.multiply(first_row[(i - r) % 4], column[i]) for i in range(4)))
        for column in columns
        for r in range(4)
    )


def KeyExpansion(key: bytes) -> Trace[tuple[bytes, ...]]:
    """The key schedule (FIPS 197 §5.2): from a key of Nk words to w, 4·(Nr + 1) words of 4 bytes; Nr = Nk + 6 rounds.

    `key`: 16, 24 or 32 bytes, for AES-128, AES-192 or AES-256. The steps are the columns of Appendix A. Raises
    InvalidKey for any other size.
    """
    if len(key := as_bytes("key", key)) not in (16, 24, 32):
        raise InvalidKey(f"an AES key has 16, 24 or 32 bytes (10, 12 or 14 rounds), not {len(key)}")
    seen, Nk = Recorder(), len(key) // 4
    w = [seen(f"w[{i}]", key[4 * i : 4 * i + 4], "the key itself") for i in range(Nk)]
    Rcon = 1
    for i in range(Nk, 4 * (Nk + 7)):
        temp = seen(f"w[{i}] temp", w[-1])
        if i % Nk == 0:
            temp = seen(f"w[{i}] RotWord", temp[1:] + temp[:1])
            temp = seen(f"w[{i}] SubWord", temp.translate(SBOX))
            temp = seen(
                f"w[{i}] xor Rcon",
                bytes([temp[0] ^ Rcon]) + temp[1:],
                f"Rcon[{i // Nk}] = {Rcon:02x}000000",
            )
            Rcon = gf256.xtime(Rcon)
        elif Nk > 6 and i % Nk == 4:
            temp = seen(
                f"w[{i}] SubWord", temp.translate(SBOX), "AES-256 alone does this, in mid-key"
            )
        w.append(seen(f"w[{i}]", bytes(map(xor, w[i - Nk], temp)), f"w[{i - Nk}] xor temp"))
    return seen.trace(tuple(w))


def Cipher(block: bytes, w: Sequence[bytes]) -> Trace[bytes]:
    """Encrypt one block (FIPS 197 §5.1, Algorithm 1). `block`: 16 bytes; `w`: the result of `KeyExpansion`.

    Raises InvalidParameter for another size of block, InvalidKey for another length of w.
    """
    Nr, seen = _rounds(w), Recorder()
    state = seen("round[ 0].input", as_bytes("block", block, 16, because=_ONE_BLOCK))
    state = AddRoundKey(state, seen("round[ 0].k_sch", _round_key(w, 0)))
    for r in range(1, Nr + 1):
        seen(f"round[{r:2}].start", state)
        state = seen(f"round[{r:2}].s_box", SubBytes(state))
        state = seen(f"round[{r:2}].s_row", ShiftRows(state))
        if (
            r < Nr
        ):  # the last round has none: it could be undone without the key, and so would add nothing
            state = seen(f"round[{r:2}].m_col", MixColumns(state))
        state = AddRoundKey(state, seen(f"round[{r:2}].k_sch", _round_key(w, r)))
    return seen.trace(seen(f"round[{Nr:2}].output", state))


def InvCipher(block: bytes, w: Sequence[bytes]) -> Trace[bytes]:
    """Decrypt one block: the steps undone in reverse order (FIPS 197 §5.3, Algorithm 3). Arguments as for `Cipher`."""
    Nr, seen = _rounds(w), Recorder()
    state = seen("round[ 0].iinput", as_bytes("block", block, 16, because=_ONE_BLOCK))
    state = AddRoundKey(state, seen("round[ 0].ik_sch", _round_key(w, Nr)))
    for r in range(1, Nr + 1):
        seen(f"round[{r:2}].istart", state)
        state = seen(f"round[{r:2}].is_row", InvShiftRows(state))
        state = seen(f"round[{r:2}].is_box", InvSubBytes(state))
        state = AddRoundKey(state, seen(f"round[{r:2}].ik_sch", _round_key(w, Nr - r)))
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
    """AES-128, AES-192 or AES-256 of one block: Cipher(block, KeyExpansion(key)) (FIPS 197 §5). Sizes as there."""
    return Cipher(block, KeyExpansion(key).result)


def decrypt_block(key: bytes, block: bytes) -> Trace[bytes]:
    """The inverse of `encrypt_block`: InvCipher(block, KeyExpansion(key)) (FIPS 197 §5.3). Sizes as there."""
    return InvCipher(block, KeyExpansion(key).result)


def _CIPH(key: bytes) -> modes.BlockFunction:
    w = KeyExpansion(key).result
    return lambda block: Cipher(block, w).result


def _CIPH_inverse(key: bytes) -> modes.BlockFunction:
    w = KeyExpansion(key).result
    return lambda block: InvCipher(block, w).result


def ecb(key: bytes, plaintext: bytes) -> Trace[bytes]:
    """AES in ECB mode: see `modes.ecb`."""
    return modes.ecb(_CIPH(key), plaintext)


def ecb_decrypt(key: bytes, ciphertext: bytes) -> Trace[bytes]:
    """The inverse of `ecb`: see `modes.ecb_decrypt`."""
    return modes.ecb_decrypt(_CIPH_inverse(key), ciphertext)


def cbc(key: bytes, iv: bytes, plaintext: bytes) -> Trace[bytes]:
    """AES in CBC mode, padding left to the caller: see `modes.cbc`."""
    return modes.cbc(_CIPH(key), iv, plaintext)


def cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> Trace[bytes]:
    """The inverse of `cbc`: see `modes.cbc_decrypt`."""
    return modes.cbc_decrypt(_CIPH_inverse(key), iv, ciphertext)


def ctr(key: bytes, counter: bytes, data: bytes) -> Trace[bytes]:
    """AES in CTR mode, its own inverse: see `modes.ctr`."""
    return modes.ctr(_CIPH(key), counter, data)


def gcm(
    key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes = b"", tag_length: int = 16
) -> Trace[bytes]:
    """AES-GCM: the result is ciphertext ‖ tag, as the helper gives it behind its nonce. See `modes.gcm`."""
    return modes.gcm(_CIPH(key), nonce, plaintext, associated_data, tag_length)


def gcm_decrypt(
    key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes = b"", tag_length: int = 16
) -> Trace[bytes]:
    """The inverse of `gcm`; raises DecryptionError when the tag is wrong. See `modes.gcm_decrypt`."""
    return modes.gcm_decrypt(_CIPH(key), nonce, ciphertext, associated_data, tag_length)
