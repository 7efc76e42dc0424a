"""Tests lepton_lab.textbook.attacks.gcm_nonce_reuse: it forges, except against the helper."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lepton_lab import aes
from lepton_lab.errors import DecryptionError
from lepton_lab.textbook.attacks import AttackFailed, gcm_nonce_reuse
from lepton_lab.textbook.primitives import aes as tb_aes
from tests.support.textbook_keys import AES_KEY, HELPER_AES_KEY, helper_accepts


def gcm_receiver(key: bytes) -> Callable[[gcm_nonce_reuse.SealedMessage], bool]:
    def accepts(sealed: gcm_nonce_reuse.SealedMessage) -> bool:
        nonce, ciphertext, tag = sealed.parts
        try:
            tb_aes.gcm_decrypt(key, nonce, ciphertext + tag, sealed.associated_data)
        except DecryptionError:
            return False
        return True

    return accepts


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ((b"pay 100 euros to alice", b""), (b"pay 200 euros to bob", b"")),
        (
            (b"short", b"header"),
            (b"a message of more than two whole blocks, says bob", b"another header"),
        ),
        ((b"same length, same header", b"h"), (b"same length, other words", b"h")),
        ((b"x", b"headers alone may differ too"), (b"x", b"headers alone may differ two")),
    ],
)
def test_a_nonce_used_twice_gives_every_forgery(
    one: tuple[bytes, bytes], two: tuple[bytes, bytes]
) -> None:
    nonce = b"nonce, twice"
    accepts = gcm_receiver(AES_KEY)
    first = gcm_nonce_reuse.seal(AES_KEY, nonce, *one)
    second = gcm_nonce_reuse.seal(AES_KEY, nonce, *two)
    subkey = tb_aes.encrypt_block(AES_KEY, bytes(16)).result
    assert subkey in gcm_nonce_reuse.authentication_keys(first, second).result
    _, ciphertext, _ = first.parts
    change = bytes(len(ciphertext) - 1) + b"\x01"
    assert accepts(gcm_nonce_reuse.alter(subkey, first, change).result)
    assert not accepts(gcm_nonce_reuse.alter(bytes(16), first, change).result)
    wanted = b"pay 999 euros to eve"[: len(one[0])]
    forged = gcm_nonce_reuse.forge(first, second, one[0], wanted, accepts).result
    _, ciphertext, tag = forged.parts
    assert tb_aes.gcm_decrypt(AES_KEY, nonce, ciphertext + tag, one[1]).result == wanted


def test_the_helpers_messages_do_not_share_a_nonce() -> None:
    def accepts(sealed: gcm_nonce_reuse.SealedMessage) -> bool:
        return helper_accepts(sealed.message)

    first = gcm_nonce_reuse.SealedMessage(aes.encrypt(HELPER_AES_KEY, b"pay 100 euros"))
    second = gcm_nonce_reuse.SealedMessage(aes.encrypt(HELPER_AES_KEY, b"pay 200 euros"))
    with pytest.raises(AttackFailed, match="nonces differ"):
        gcm_nonce_reuse.forge(first, second, b"pay 100 euros", b"pay 999 euros", accepts)
    # writing the other's nonce over it does not help
    pretended = gcm_nonce_reuse.SealedMessage(first.message[:12] + second.message[12:])
    with pytest.raises(AttackFailed):
        gcm_nonce_reuse.forge(first, pretended, b"pay 100 euros", b"pay 999 euros", accepts)
    with pytest.raises(AttackFailed, match="equal"):
        gcm_nonce_reuse.authentication_keys(first, first)
