"""Modes of operation: how a cipher for one block encrypts a whole message.

ECB, CBC and CTR follow SP 800-38A, GCM follows SP 800-38D. As in the standards, a mode is given the
forward cipher function under a key, CIPH_K, and nothing else of the cipher: for AES that is
`lambda block: aes.Cipher(block, w).result`. aes.py offers every mode with a key as first argument.

Nonces, IVs and counters are arguments, so that published vectors can be replayed. Whoever chooses
one here has to keep the promise that its mode asks for; each docstring names it.
"""
# ruff: noqa: N803, N806 - the standard's names for the standard's things: CIPH_K, H, J_0

from __future__ import annotations

import hmac
from collections.abc import Callable
from operator import xor

from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.textbook.primitives import as_bytes, integer
from lepton_lab.textbook.trace import Recorder, Trace

BlockFunction = Callable[[bytes], bytes]

_R = 0xE1 << 120  # 11100001 ‖ 0¹²⁰: x¹²⁸ = 1 + x + x² + x⁷ in GCM's field (SP 800-38D §6.3)
_IV_IS_A_BLOCK = "it takes the place of the block before the first"
_WRONG_PADDING = "the last byte n must be 1 to the block's size, and the last n bytes all equal n"


def blocks_of(data: bytes, size: int = 16) -> list[bytes]:
    """Cut `data` into blocks of `size` bytes; the last one may be shorter."""
    return [data[i : i + size] for i in range(0, len(data), size)]


def xor_bytes(a: bytes, b: bytes) -> bytes:
    """Add two byte strings: a ⊕ b, as long as the shorter one.

    Of the longer one only the leftmost bytes count (the standards write MSB for that).
    """
    return bytes(map(xor, a, b))


def _whole_blocks(name: str, data: bytes) -> list[bytes]:
    data = as_bytes(name, data)
    if len(data) % 16:
        raise InvalidParameter(
            f"{name} has {len(data)} bytes, which is not a multiple of 16: "
            "this mode takes whole blocks; pad first (pkcs7_pad)"
        )
    return blocks_of(data)


def pkcs7_pad(data: bytes, size: int = 16) -> bytes:
    """Pad `data` to a multiple of `size` bytes: append n bytes of value n (RFC 5652 §6.3).

    `size`: 1 to 255. At least one byte is always appended, so that the padding can be told from the
    data. Raises InvalidParameter.
    """
    integer("size", size, 1, 256)
    n = size - len(as_bytes("data", data)) % size
    return bytes(data) + bytes([n]) * n


def pkcs7_unpad(data: bytes, size: int = 16) -> bytes:
    """Take PKCS#7 padding off again (RFC 5652 §6.3).

    Raises DecryptionError with the reason; a receiver that passes this reason on is a padding
    oracle.
    """
    data = as_bytes("data", data)
    integer("size", size, 1, 256)
    n = data[-1] if data else 0
    if len(data) % size or not 1 <= n <= size:
        raise DecryptionError(_WRONG_PADDING)
    if data[-n:] != bytes([n]) * n:
        raise DecryptionError(_WRONG_PADDING)
    return data[:-n]


def ecb(CIPH_K: BlockFunction, plaintext: bytes) -> Trace[bytes]:
    """Encrypt in ECB mode, each block alone: C_j = CIPH_K(P_j) (SP 800-38A §6.1).

    Equal blocks of plaintext stay equal, which is why it should never be used. `plaintext`: whole
    blocks of 16 bytes. Raises InvalidParameter.
    """
    seen = Recorder()
    result = b""
    for j, P in enumerate(_whole_blocks("plaintext", plaintext), start=1):
        seen(f"P_{j}", P)
        result += seen(f"C_{j}", CIPH_K(P))
    return seen.trace(result)


def ecb_decrypt(CIPH_K_inverse: BlockFunction, ciphertext: bytes) -> Trace[bytes]:
    """Decrypt in ECB mode: P_j = CIPH⁻¹_K(C_j) (SP 800-38A §6.1).

    `ciphertext`: whole blocks of 16 bytes. Raises InvalidParameter.
    """
    seen = Recorder()
    result = b""
    for j, C in enumerate(_whole_blocks("ciphertext", ciphertext), start=1):
        seen(f"C_{j}", C)
        result += seen(f"P_{j}", CIPH_K_inverse(C))
    return seen.trace(result)


def cbc(CIPH_K: BlockFunction, iv: bytes, plaintext: bytes) -> Trace[bytes]:
    """Encrypt in CBC mode: C_j = CIPH_K(P_j ⊕ C_(j-1)), C_0 = IV (SP 800-38A §6.2).

    `iv`: 16 bytes that must be unpredictable (Appendix C). `plaintext`: whole blocks of 16 bytes.
    The steps show the input block I_j and the ciphertext C_j. Raises InvalidParameter. CBC has no
    tag: an altered ciphertext decrypts without an error.
    """
    seen = Recorder()
    result = b""
    C = seen("IV", as_bytes("iv", iv, 16, because=_IV_IS_A_BLOCK))
    for j, P in enumerate(_whole_blocks("plaintext", plaintext), start=1):
        seen(f"P_{j}", P)
        input_block = seen(f"I_{j}", xor_bytes(P, C), f"P_{j} xor C_{j - 1}")
        C = seen(f"C_{j}", CIPH_K(input_block))
        result += C
    return seen.trace(result)


def cbc_decrypt(CIPH_K_inverse: BlockFunction, iv: bytes, ciphertext: bytes) -> Trace[bytes]:
    """Decrypt in CBC mode: P_j = CIPH⁻¹_K(C_j) ⊕ C_(j-1), C_0 = IV (SP 800-38A §6.2).

    A flipped bit of C_(j-1) flips the same bit of P_j. Arguments and errors as for `cbc`; the
    output block O_j = CIPH⁻¹_K(C_j) is a step of its own.
    """
    seen = Recorder()
    result = b""
    before = seen("IV", as_bytes("iv", iv, 16, because=_IV_IS_A_BLOCK))
    for j, C in enumerate(_whole_blocks("ciphertext", ciphertext), start=1):
        seen(f"C_{j}", C)
        O = seen(f"O_{j}", CIPH_K_inverse(C))  # noqa: E741 - the standard's output block
        result += seen(f"P_{j}", xor_bytes(O, before), f"O_{j} xor C_{j - 1}")
        before = C
    return seen.trace(result)


def ctr(CIPH_K: BlockFunction, counter: bytes, data: bytes) -> Trace[bytes]:
    """Encrypt or decrypt in CTR mode: C_j = P_j ⊕ CIPH_K(T_j) (SP 800-38A §6.5).

    T_1 is `counter`, 16 bytes; each next one is larger by 1, modulo 2¹²⁸. No counter block may ever
    be used again under the same key. `data`: any length. The mode is its own inverse. Raises
    InvalidParameter.
    """
    first = as_bytes("counter", counter, 16, because="CIPH_K takes one block")
    T = int.from_bytes(first, "big")
    seen = Recorder()
    result = b""
    for j, P in enumerate(blocks_of(as_bytes("data", data)), start=1):
        T_j = seen(f"T_{j}", T.to_bytes(16, "big"))
        O = seen(f"O_{j}", CIPH_K(T_j))  # noqa: E741 - the standard's output block
        result += seen(f"C_{j}", xor_bytes(P, O), f"P_{j} xor O_{j}")
        T = (T + 1) % 2**128
    return seen.trace(result)


def multiply_blocks(X: int, Y: int) -> int:
    """Multiply two blocks in GCM's field: X • Y in GF(2¹²⁸) (SP 800-38D §6.3, Algorithm 1).

    Blocks are given as integers. Mind the order: x⁰ is the *leftmost*, highest bit.
    """
    Z = 0
    V = Y
    for i in range(127, -1, -1):
        if X >> i & 1:
            Z ^= V
        # V becomes V · x: a shift to the right, reduced when x¹²⁷ is shifted out
        V = V >> 1 ^ _R if V & 1 else V >> 1
    return Z


def ghash(H: bytes, data: bytes) -> Trace[bytes]:
    """Hash whole blocks with GHASH_H (SP 800-38D §6.4): Y_i = (Y_(i-1) ⊕ X_i) • H.

    So Y_m = X_1•H^m ⊕ … ⊕ X_m•H, a polynomial in H. `H`: the hash subkey, 16 bytes. `data`: whole
    blocks X_1 … X_m. Raises InvalidParameter.
    """
    subkey = int.from_bytes(as_bytes("H", H, 16), "big")
    seen = Recorder()
    Y = 0
    for i, X in enumerate(_whole_blocks("data", data), start=1):
        seen(f"X_{i}", X)
        Y = multiply_blocks(Y ^ int.from_bytes(X, "big"), subkey)
        seen(f"Y_{i}", Y.to_bytes(16, "big"))
    return seen.trace(Y.to_bytes(16, "big"))


def gctr(CIPH_K: BlockFunction, ICB: bytes, data: bytes) -> Trace[bytes]:
    """Encrypt with GCTR_K (SP 800-38D §6.5): CTR whose counter is the last 32 bits of the block.

    `ICB`: the initial counter block, 16 bytes. `data`: any length. Raises InvalidParameter.
    """
    seen = Recorder()
    result = b""
    CB = as_bytes("ICB", ICB, 16)
    for i, X in enumerate(blocks_of(as_bytes("data", data)), start=1):
        seen(f"CB_{i}", CB)
        result += seen(f"Y_{i}", xor_bytes(X, CIPH_K(CB)), f"X_{i} xor CIPH(CB_{i})")
        CB = inc_32(CB)
    return seen.trace(result)


def inc_32(block: bytes) -> bytes:
    """Add 1 to the last 32 bits of a block, modulo 2³² (SP 800-38D §6.2)."""
    counter = int.from_bytes(block[-4:], "big")
    following = (counter + 1) % 2**32
    return block[:-4] + following.to_bytes(4, "big")


def ghash_input(associated_data: bytes, ciphertext: bytes) -> bytes:
    """Build the bytes that the tag covers (SP 800-38D §7.1, step 5).

    They are A ‖ 0… ‖ C ‖ 0… ‖ [len(A)]₆₄ ‖ [len(C)]₆₄. Zeros fill A and C up to whole blocks. The
    lengths, in bits, keep apart what the zeros make equal.
    """
    padded = b""
    lengths = b""
    for part in (associated_data, ciphertext):
        padded += part + bytes(-len(part) % 16)
        lengths += (8 * len(part)).to_bytes(8, "big")
    return padded + lengths


def _pre_counter_block(H: bytes, nonce: bytes) -> bytes:
    nonce = as_bytes("nonce", nonce)
    if not nonce:
        raise InvalidParameter(
            "GCM needs a nonce of at least one byte; 12 are best, and never the same again"
        )
    if len(nonce) == 12:
        return nonce + b"\0\0\0\1"
    # any other length is hashed down to one block (SP 800-38D §7.1, step 2)
    zeros = bytes(-len(nonce) % 16 + 8)
    length = (8 * len(nonce)).to_bytes(8, "big")
    return ghash(H, nonce + zeros + length).result


def gcm(
    CIPH_K: BlockFunction,
    nonce: bytes,
    plaintext: bytes,
    associated_data: bytes = b"",
    tag_length: int = 16,
) -> Trace[bytes]:
    """Encrypt and authenticate, GCM-AE_K (SP 800-38D §7.1): the result is ciphertext ‖ tag.

    The tag is T = MSB(GCTR_K(J_0, GHASH_H(A, C))), H = CIPH_K(0¹²⁸). `nonce` (the standard's IV):
    12 bytes, or any other number but 0; never twice under one key. `plaintext`, `associated_data`:
    any length. `tag_length`: 4 to 16 bytes (§5.2.1.2 and Appendix C say why 16). Raises
    InvalidParameter.
    """
    reason = "a tag is at most one block; with t bits one forgery in 2^t passes"
    integer("tag_length", tag_length, 4, 17, because=reason)
    as_bytes("plaintext", plaintext)
    as_bytes("associated_data", associated_data)
    seen = Recorder()
    H = seen("H", CIPH_K(bytes(16)), "the hash subkey: CIPH_K of the zero block")
    J_0 = seen("J_0", _pre_counter_block(H, nonce), "the pre-counter block")
    C = seen.include("GCTR(P) ", gctr(CIPH_K, inc_32(J_0), plaintext))
    S = seen.include("GHASH ", ghash(H, ghash_input(associated_data, C)))
    seen("S", S)
    T = xor_bytes(S, CIPH_K(J_0))[:tag_length]
    seen("T", T, "S xor CIPH(J_0): the tag")
    return seen.trace(C + T)


def gcm_decrypt(
    CIPH_K: BlockFunction,
    nonce: bytes,
    ciphertext: bytes,
    associated_data: bytes = b"",
    tag_length: int = 16,
) -> Trace[bytes]:
    """Verify and decrypt, GCM-AD_K (SP 800-38D §7.2): the plaintext under ciphertext ‖ tag.

    Arguments as for `gcm`. Raises DecryptionError when the tag is wrong, before anything is
    decrypted; InvalidParameter.
    """
    sealed = as_bytes("ciphertext", ciphertext)
    as_bytes("associated_data", associated_data)
    length = len(sealed) - integer("tag_length", tag_length, 4, 17)
    if length < 0:
        raise DecryptionError
    C = sealed[:length]
    T = sealed[length:]
    seen = Recorder()
    H = seen("H", CIPH_K(bytes(16)))
    J_0 = seen("J_0", _pre_counter_block(H, nonce))
    S = seen.include("GHASH ", ghash(H, ghash_input(associated_data, C)))
    seen("S", S)
    expected = xor_bytes(S, CIPH_K(J_0))[:tag_length]
    seen("T'", expected, "the tag this ciphertext should carry")
    # compare_digest takes the same time wherever the tags differ: the time tells an attacker
    # nothing
    if not hmac.compare_digest(expected, T):
        raise DecryptionError
    plaintext = gctr(CIPH_K, inc_32(J_0), C)
    return seen.trace(seen.include("GCTR(C) ", plaintext))
