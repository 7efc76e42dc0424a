"""Modes of operation: how a cipher for one block encrypts a message. SP 800-38A (ECB, CBC, CTR), SP 800-38D (GCM).

As in the standards, a mode is given the forward cipher function under a key, CIPH_K, and nothing else of the cipher:
`lambda block: aes.Cipher(block, w).result`, say. Nonces, IVs and counters are arguments, so that published vectors can
be replayed; whoever chooses one here carries the duty that comes with it. aes.py offers every mode with a key in front.
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


def blocks_of(data: bytes, size: int = 16) -> list[bytes]:
    """`data` cut into blocks of `size` bytes, the last perhaps shorter."""
    return [data[i : i + size] for i in range(0, len(data), size)]


def xor_bytes(a: bytes, b: bytes) -> bytes:
    """The sum a ⊕ b, as long as the shorter one: of the longer one the leftmost bytes count (MSB in the standards)."""
    return bytes(map(xor, a, b))


def _whole_blocks(name: str, data: bytes) -> list[bytes]:
    if len(as_bytes(name, data)) % 16:
        raise InvalidParameter(
            f"{name} has {len(data)} bytes, no multiple of 16: this mode takes whole blocks; pad first (pkcs7_pad)"
        )
    return blocks_of(bytes(data))


def pkcs7_pad(data: bytes, size: int = 16) -> bytes:
    """Append n bytes of value n, 1 <= n <= `size` <= 255, up to a multiple of `size` (RFC 5652 §6.3). Never none."""
    n = integer("size", size, 1, 256) - len(as_bytes("data", data)) % size
    return bytes(data) + bytes([n]) * n


def pkcs7_unpad(data: bytes, size: int = 16) -> bytes:
    """Take PKCS#7 padding off. Raises DecryptionError with the reason: whoever passes that on becomes an oracle."""
    n = data[-1] if as_bytes("data", data) else 0
    if (
        len(data) % integer("size", size, 1, 256)
        or not 1 <= n <= size
        or data[-n:] != bytes([n]) * n
    ):
        raise DecryptionError(
            "the last byte n must be 1 to the block's size, and the last n bytes all equal n"
        )
    return bytes(data[:-n])


def ecb(CIPH_K: BlockFunction, plaintext: bytes) -> Trace[bytes]:
    """ECB (SP 800-38A §6.1): C_j = CIPH_K(P_j), each block alone; equal blocks stay equal, which is why nobody uses it.

    `plaintext`: whole blocks of 16 bytes. Raises InvalidParameter.
    """
    seen, result = Recorder(), b""
    for j, P in enumerate(_whole_blocks("plaintext", plaintext), start=1):
        seen(f"P_{j}", P)
        result += seen(f"C_{j}", CIPH_K(P))
    return seen.trace(result)


def ecb_decrypt(CIPH_K_inverse: BlockFunction, ciphertext: bytes) -> Trace[bytes]:
    """P_j = CIPH⁻¹_K(C_j) (SP 800-38A §6.1). `ciphertext`: whole blocks. Raises InvalidParameter."""
    seen, result = Recorder(), b""
    for j, C in enumerate(_whole_blocks("ciphertext", ciphertext), start=1):
        seen(f"C_{j}", C)
        result += seen(f"P_{j}", CIPH_K_inverse(C))
    return seen.trace(result)


def cbc(CIPH_K: BlockFunction, iv: bytes, plaintext: bytes) -> Trace[bytes]:
    """CBC (SP 800-38A §6.2): C_j = CIPH_K(P_j ⊕ C_(j-1)), C_0 = IV; steps: input block I_j, ciphertext C_j.

    `iv`: 16 bytes that nobody could predict (Appendix C). `plaintext`: whole blocks. Raises InvalidParameter. Nothing
    here notices an altered ciphertext.
    """
    seen, result = Recorder(), b""
    C = seen(
        "IV", as_bytes("iv", iv, 16, because="it takes the place of the block before the first")
    )
    for j, P in enumerate(_whole_blocks("plaintext", plaintext), start=1):
        seen(f"P_{j}", P)
        C = seen(f"C_{j}", CIPH_K(seen(f"I_{j}", xor_bytes(P, C), f"P_{j} xor C_{j - 1}")))
        result += C
    return seen.trace(result)


def cbc_decrypt(CIPH_K_inverse: BlockFunction, iv: bytes, ciphertext: bytes) -> Trace[bytes]:
    """P_j = CIPH⁻¹_K(C_j) ⊕ C_(j-1), C_0 = IV (SP 800-38A §6.2): flip a bit of C_(j-1) and the same bit of P_j flips.

    Arguments and errors as for `cbc`; the output block O_j = CIPH⁻¹_K(C_j) is a step of its own.
    """
    seen, result = Recorder(), b""
    before = seen(
        "IV", as_bytes("iv", iv, 16, because="it takes the place of the block before the first")
    )
    for j, C in enumerate(_whole_blocks("ciphertext", ciphertext), start=1):
        O = seen(f"O_{j}", CIPH_K_inverse(seen(f"C_{j}", C)))  # noqa: E741 - the standard's output block
        result += seen(f"P_{j}", xor_bytes(O, before), f"O_{j} xor C_{j - 1}")
        before = C
    return seen.trace(result)


def ctr(CIPH_K: BlockFunction, counter: bytes, data: bytes) -> Trace[bytes]:
    """CTR (SP 800-38A §6.5): C_j = P_j ⊕ CIPH_K(T_j), T_1 = `counter`, then plus 1 modulo 2¹²⁸; its own inverse.

    `counter`: 16 bytes; no counter block may ever come again under this key. `data`: any length. Raises
    InvalidParameter.
    """
    T = int.from_bytes(as_bytes("counter", counter, 16, because="CIPH_K takes one block"), "big")
    seen, result = Recorder(), b""
    for j, P in enumerate(blocks_of(as_bytes("data", data)), start=1):
        O = seen(f"O_{j}", CIPH_K(seen(f"T_{j}", (T + j - 1).to_bytes(17, "big")[1:])))  # noqa: E741 - output block
        result += seen(f"C_{j}", xor_bytes(P, O), f"P_{j} xor O_{j}")
    return seen.trace(result)


def multiply_blocks(X: int, Y: int) -> int:
    """X • Y in GF(2¹²⁸) (SP 800-38D §6.3, Algorithm 1). Blocks as integers: x⁰ is the *leftmost*, highest bit."""
    Z, V = 0, Y
    for i in range(127, -1, -1):
        if X >> i & 1:
            Z ^= V
        V = V >> 1 ^ _R if V & 1 else V >> 1
    return Z


def ghash(H: bytes, data: bytes) -> Trace[bytes]:
    """GHASH_H (SP 800-38D §6.4): Y_i = (Y_(i-1) ⊕ X_i) • H, so Y_m = X_1•H^m ⊕ … ⊕ X_m•H: a polynomial in H.

    `H`: the hash subkey, 16 bytes. `data`: whole blocks X_1 … X_m. Raises InvalidParameter.
    """
    key = int.from_bytes(as_bytes("H", H, 16), "big")
    seen, Y = Recorder(), 0
    for i, X in enumerate(_whole_blocks("data", data), start=1):
        Y = multiply_blocks(Y ^ int.from_bytes(seen(f"X_{i}", X), "big"), key)
        seen(f"Y_{i}", Y.to_bytes(16, "big"))
    return seen.trace(Y.to_bytes(16, "big"))


def gctr(CIPH_K: BlockFunction, ICB: bytes, data: bytes) -> Trace[bytes]:
    """GCTR_K (SP 800-38D §6.5): CTR whose increment wraps in the last 32 bits. `ICB`: 16 bytes; `data`: any length."""
    CB, seen, result = as_bytes("ICB", ICB, 16), Recorder(), b""
    for i, X in enumerate(blocks_of(as_bytes("data", data)), start=1):
        result += seen(
            f"Y_{i}", xor_bytes(X, CIPH_K(seen(f"CB_{i}", CB))), f"X_{i} xor CIPH(CB_{i})"
        )
        CB = inc_32(CB)
    return seen.trace(result)


def inc_32(block: bytes) -> bytes:
    """The block with its last 32 bits, as an integer, plus 1 modulo 2³² (SP 800-38D §6.2)."""
    return block[:-4] + ((int.from_bytes(block[-4:], "big") + 1) % 2**32).to_bytes(4, "big")


def ghash_input(associated_data: bytes, ciphertext: bytes) -> bytes:
    """A ‖ 0… ‖ C ‖ 0… ‖ [len(A)]₆₄ ‖ [len(C)]₆₄, lengths in bits: what the tag covers (SP 800-38D §7.1, step 5)."""
    padded = b"".join(part + bytes(-len(part) % 16) for part in (associated_data, ciphertext))
    return (
        padded
        + (8 * len(associated_data)).to_bytes(8, "big")
        + (8 * len(ciphertext)).to_bytes(8, "big")
    )


def _pre_counter_block(H: bytes, nonce: bytes) -> bytes:
    if not as_bytes("nonce", nonce):
        raise InvalidParameter(
            "GCM needs a nonce of at least one byte; 12 are best, and never the same again"
        )
    if len(nonce) == 12:
        return nonce + b"\0\0\0\1"
    return ghash(
        H, nonce + bytes(-len(nonce) % 16 + 8) + (8 * len(nonce)).to_bytes(8, "big")
    ).result


def gcm(
    CIPH_K: BlockFunction,
    nonce: bytes,
    plaintext: bytes,
    associated_data: bytes = b"",
    tag_length: int = 16,
) -> Trace[bytes]:
    """GCM-AE_K (SP 800-38D §7.1): ciphertext ‖ tag, the tag T = MSB(GCTR_K(J_0, GHASH_H(A, C))), H = CIPH_K(0¹²⁸).

    `nonce` (the standard's IV): 12 bytes, or any other number but 0; never twice under one key. `plaintext`,
    `associated_data`: any length. `tag_length`: 4 to 16 bytes (§5.2.1.2 and Appendix C say why 16). Raises
    InvalidParameter.
    """
    integer(
        "tag_length",
        tag_length,
        4,
        17,
        because="a tag is at most one block; with t bits one forgery in 2^t passes",
    )
    as_bytes("plaintext", plaintext)
    as_bytes("associated_data", associated_data)
    seen = Recorder()
    H = seen("H", CIPH_K(bytes(16)), "the hash subkey: CIPH_K of the zero block")
    J_0 = seen("J_0", _pre_counter_block(H, nonce), "the pre-counter block")
    C = seen.include("GCTR(P) ", gctr(CIPH_K, inc_32(J_0), plaintext))
    S = seen.include("GHASH ", ghash(H, ghash_input(associated_data, C)))
    T = seen("T", xor_bytes(seen("S", S), CIPH_K(J_0))[:tag_length], "S xor CIPH(J_0): the tag")
    return seen.trace(C + T)


def gcm_decrypt(
    CIPH_K: BlockFunction,
    nonce: bytes,
    ciphertext: bytes,
    associated_data: bytes = b"",
    tag_length: int = 16,
) -> Trace[bytes]:
    """GCM-AD_K (SP 800-38D §7.2): the plaintext of ciphertext ‖ tag. Raises DecryptionError when the tag is wrong."""
    body = len(as_bytes("ciphertext", ciphertext)) - integer("tag_length", tag_length, 4, 17)
    if body < 0:
        raise DecryptionError
    C, T = ciphertext[:body], ciphertext[body:]
    # encrypting the ciphertext "again" gives the plaintext; its tag is that of the wrong message and is not looked at
    H = CIPH_K(bytes(16))
    J_0 = _pre_counter_block(H, nonce)
    seen = Recorder()
    seen("H", H)
    seen("J_0", J_0)
    S = seen.include(
        "GHASH ", ghash(H, ghash_input(as_bytes("associated_data", associated_data), C))
    )
    expected = seen(
        "T'",
        xor_bytes(seen("S", S), CIPH_K(J_0))[:tag_length],
        "the tag this ciphertext should carry",
    )
    if not hmac.compare_digest(expected, T):
        raise DecryptionError
    return seen.trace(seen.include("GCTR(C) ", gctr(CIPH_K, inc_32(J_0), C)))
