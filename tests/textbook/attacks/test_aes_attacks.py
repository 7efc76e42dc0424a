"""Each attack on a weak use of AES wins against the weak form and loses against `lepton_lab.aes`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from Crypto.Cipher import AES as PYCRYPTODOME_AES
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import aes
from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.textbook.attacks import (
    AttackFailed,
    Counted,
    article_cbc,
    cbc_bit_flipping,
    ecb,
    gcm_nonce_reuse,
    gf128,
    padding_oracle,
    predictable_iv,
    reused_keystream,
    truncated_tag,
    weak,
)
from lepton_lab.textbook.primitives import aes as tb_aes
from lepton_lab.textbook.primitives import modes

KEY, SAFE_KEY = bytes(range(16)), aes.generate_key()
IV = bytes(range(100, 116))


def safe_accepts(message: bytes, associated_data: bytes = b"") -> bool:
    """The helper as a receiver: whether it opens the message."""
    try:
        aes.decrypt(SAFE_KEY, message, associated_data)
    except DecryptionError:
        return False
    return True


def test_the_fast_forms_are_the_textbook_ones() -> None:
    blocks = bytes(range(64))
    assert weak.ecb_encrypt(KEY, blocks) == tb_aes.ecb(KEY, blocks).result
    assert weak.cbc_encrypt(KEY, IV, blocks) == tb_aes.cbc(KEY, IV, blocks).result
    assert weak.cbc_decrypt(KEY, IV, blocks) == tb_aes.cbc_decrypt(KEY, IV, blocks).result
    assert weak.ctr(KEY, IV, blocks[:50]) == tb_aes.ctr(KEY, IV, blocks[:50]).result


def test_an_oracle_is_counted_and_cut_off() -> None:
    ask = Counted(lambda x: x + 1, limit=2)
    assert (ask(1), ask(2), ask.asked) == (2, 3, 2)
    with pytest.raises(AttackFailed, match="gave up after 2 queries"):
        ask(3)


# ECB -----------------------------------------------------------------------------------------------------------------


def disc(size: int = 64) -> bytes:
    """A white disc on black, one block of 16 bytes a pixel."""
    half = size // 2
    inside = [
        (x - half) ** 2 + (y - half) ** 2 < (size // 3) ** 2
        for y in range(size)
        for x in range(size)
    ]
    return b"".join(bytes([255 * pixel]) * 16 for pixel in inside)


def test_ecb_shows_the_picture() -> None:
    plaintext = disc()
    seen = ecb.picture(weak.ecb_encrypt(KEY, plaintext))
    assert seen.result == bytes(byte // 255 for byte in plaintext[::16])
    assert (seen["blocks"], seen["different"]) == (4096, 2)


def test_the_helper_shows_no_picture() -> None:
    with pytest.raises(AttackFailed, match="no block occurs twice"):
        ecb.picture(aes.encrypt(SAFE_KEY, disc())[12:])


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 47])
def test_ecb_is_read_byte_at_a_time(length: int) -> None:
    secret = bytes((7 * i + 3) % 256 for i in range(length))
    trace = ecb.byte_at_a_time(ecb.service(KEY, secret))
    assert trace.result == secret
    assert trace["queries"] <= 20 + 2 * length


def test_the_helper_is_not_read_byte_at_a_time() -> None:
    with pytest.raises(AttackFailed, match="not ECB"):
        ecb.byte_at_a_time(lambda prefix: aes.encrypt(SAFE_KEY, prefix + b"the secret"))


def test_byte_at_a_time_stops_where_nothing_leaks() -> None:
    def cbc(prefix: bytes) -> bytes:
        return weak.cbc_encrypt(KEY, IV, modes.pkcs7_pad(prefix + b"the secret"))

    drifting = iter(range(10**6))
    services: list[Callable[[bytes], bytes]] = [
        cbc,
        lambda prefix: b"always the same",
        lambda prefix: weak.ecb_encrypt(
            KEY, modes.pkcs7_pad(prefix + str(1000 + next(drifting)).encode())
        ),
    ]
    for service in services:
        with pytest.raises(AttackFailed):
            ecb.byte_at_a_time(service)
    with pytest.raises(AttackFailed, match="gave up after 10 queries"):
        ecb.byte_at_a_time(ecb.service(KEY, b"the secret"), limit=10)


# CBC -----------------------------------------------------------------------------------------------------------------


def test_a_flipped_bit_makes_a_guest_an_admin() -> None:
    message = cbc_bit_flipping.seal(KEY, IV, b"name=eve;padding=xxx;role=guest;")
    trace = cbc_bit_flipping.flip(message, 26, b"guest", b"admin", lambda m: True)
    plaintext = cbc_bit_flipping.unseal(KEY, trace.result)
    assert plaintext[16:] == b"=xxx;role=admin;"
    assert plaintext[:16] != b"name=eve;padding"  # the price
    first = cbc_bit_flipping.flip(message, 5, b"eve", b"bob", lambda m: True).result
    assert (
        cbc_bit_flipping.unseal(KEY, first) == b"name=bob;padding=xxx;role=guest;"
    )  # in the first block there is none


def test_the_helper_notices_every_flipped_bit() -> None:
    message = aes.encrypt(SAFE_KEY, b"name=eve;padding=xxx;role=guest;")
    for at in range(0, 32, 5):
        with pytest.raises(AttackFailed, match="noticed"):
            cbc_bit_flipping.flip(message, at, b"x", b"y", safe_accepts)


def test_flipping_refuses_what_crosses_a_block() -> None:
    message = cbc_bit_flipping.seal(KEY, IV, bytes(40))
    for at, known, wanted in (
        (14, b"xxx", b"yyy"),
        (0, b"x", b"yy"),
        (-1, b"x", b"y"),
        (48, b"x", b"y"),
    ):
        with pytest.raises(InvalidParameter, match="one block"):
            cbc_bit_flipping.flip(message, at, known, wanted, lambda m: True)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 33])
def test_the_padding_oracle_decrypts(length: int) -> None:
    plaintext = bytes((5 * i + 1) % 256 for i in range(length))
    message = cbc_bit_flipping.seal(KEY, IV, plaintext)
    trace = padding_oracle.decrypt(message, padding_oracle.receiver(KEY))
    assert trace.result == plaintext
    assert trace["queries"] <= padding_oracle.QUERIES_A_BLOCK * (length // 16 + 1)


@pytest.mark.parametrize("last_two", [b"\x02\x02", b"\x02\x03", b"\x01\x01", b"\x03\x03"])
def test_the_padding_oracle_is_not_misled_by_lucky_guesses(last_two: bytes) -> None:
    block = weak.ecb_encrypt(KEY, b"a block of 14 o"[:14] + last_two)
    receiver = padding_oracle.receiver(KEY)
    assert padding_oracle.decrypted_block(block, receiver) == b"a block of 14 " + last_two


def test_the_padding_oracle_encrypts_too() -> None:
    wanted = b"transfer everything to mallory"
    forged = padding_oracle.encrypt(wanted, padding_oracle.receiver(KEY)).result
    assert cbc_bit_flipping.unseal(KEY, forged) == wanted


def test_the_helper_is_no_padding_oracle() -> None:
    message = aes.encrypt(
        SAFE_KEY, bytes(20)
    )  # 12 + 20 + 16 bytes: as if it were an IV and two blocks
    ask = Counted(safe_accepts, 10_000)
    with pytest.raises(AttackFailed, match="no guess was accepted"):
        padding_oracle.decrypt(message, ask)
    assert ask.asked == 256


def test_an_oracle_that_always_says_the_same_gives_nothing() -> None:
    message = cbc_bit_flipping.seal(KEY, IV, b"some secret text")
    for answer in (True, False):
        with pytest.raises(AttackFailed):
            padding_oracle.decrypt(message, lambda m, answer=answer: answer)  # type: ignore[misc]
    for wrong in (b"", bytes(16), bytes(33)):
        with pytest.raises(InvalidParameter):
            padding_oracle.decrypt(wrong, lambda m: True)


def test_a_predictable_iv_confirms_a_guess() -> None:
    server = predictable_iv.ChainedCBC(KEY, IV)
    message = server.encrypt(b"PIN of alice: 73 and more")
    guesses = [b"PIN of alice: %02d" % pin for pin in range(100)]
    trace = predictable_iv.confirm(message, guesses, server.encrypt)
    assert (trace.result, trace["queries"]) == (guesses[73], 74)


def test_the_helpers_nonce_is_not_predicted_and_wrong_guesses_end() -> None:
    guesses = [b"PIN of alice: %02d" % pin for pin in range(100)]
    message = aes.encrypt(SAFE_KEY, guesses[73])
    with pytest.raises(AttackFailed, match="not the predicted one"):
        predictable_iv.confirm(message, guesses, lambda plaintext: aes.encrypt(SAFE_KEY, plaintext))
    server = predictable_iv.ChainedCBC(KEY, IV)
    message = server.encrypt(guesses[73])
    with pytest.raises(AttackFailed, match="none of the guesses"):
        predictable_iv.confirm(message, guesses[:50], server.encrypt)
    with pytest.raises(AttackFailed, match="gave up after 5"):
        predictable_iv.confirm(server.encrypt(guesses[73]), guesses, server.encrypt, limit=5)


# the article's code --------------------------------------------------------------------------------------------------


def test_the_articles_encryption_takes_whole_blocks_only() -> None:
    with pytest.raises(InvalidParameter, match="13 bytes"):
        article_cbc.symmetric_encrypt("Hello, World!", KEY, IV)
    with pytest.raises(ValueError, match="padded to 16 byte boundary"):  # the real one
        PYCRYPTODOME_AES.new(KEY, PYCRYPTODOME_AES.MODE_CBC, IV).encrypt(b"Hello, World!")


def test_what_the_articles_encryption_returns_its_decryption_cannot_take() -> None:
    import base64

    sealed = article_cbc.symmetric_encrypt("Hello, World!!!!", KEY, IV)
    iv = base64.b64encode(IV).decode()
    with pytest.raises(InvalidParameter, match="base64 text"):
        article_cbc.symmetric_decrypt(sealed, KEY, iv)  # type: ignore[arg-type]
    with pytest.raises(
        DecryptionError, match="UTF-8"
    ):  # decoded, but with its IV in front: one block too many
        article_cbc.symmetric_decrypt(base64.b64decode(sealed), KEY, iv)
    assert (
        article_cbc.symmetric_decrypt(base64.b64decode(sealed)[16:], KEY, iv) == "Hello, World!!!!"
    )


MEMO = b"Pay to Alice:   the sum of 100 euros, today.    "


def article_message() -> bytes:
    return IV + weak.cbc_encrypt(KEY, IV, MEMO)


def article_opens(message: bytes) -> bytes:
    return article_cbc.repaired_decrypt(message, KEY)


def test_a_wrong_iv_loses_the_first_block_and_no_more() -> None:
    trace = article_cbc.wrong_iv(article_message(), bytes(16), article_opens)
    assert trace.result == MEMO[16:]
    assert trace["P_1"] != MEMO[:16]


def test_the_first_block_is_rewritten_and_the_end_cut_off() -> None:
    forged = article_cbc.rewrite(
        article_message(), b"Pay to Alice:", b"Pay to Mallo:", article_opens
    ).result
    assert article_opens(forged) == MEMO.replace(b"Alice", b"Mallo")
    shorter = article_cbc.cut(article_message(), 1, article_opens).result
    assert article_opens(shorter) == MEMO[:32]


def test_the_helper_refuses_the_wrong_nonce_the_rewriting_and_the_cut() -> None:
    message = aes.encrypt(SAFE_KEY, MEMO)
    opens = lambda m: aes.decrypt(SAFE_KEY, m)  # noqa: E731 - as an oracle
    for attack in (
        lambda: article_cbc.wrong_iv(message, bytes(16), opens),
        lambda: article_cbc.rewrite(message, b"Pay to Alice:", b"Pay to Mallo:", opens),
        lambda: article_cbc.cut(message, 1, opens),
    ):
        with pytest.raises(AttackFailed, match="authenticated"):
            attack()
    with pytest.raises(AttackFailed, match="does not reach"):
        article_cbc.rewrite(message, b"known", b"other", lambda m: b"something else")


# CTR -----------------------------------------------------------------------------------------------------------------

SENTENCES = [
    "the treasurer will carry the ledger to the harbour before sunrise",
    "nobody in the office remembers who ordered the second machine",
    "a letter from the northern station arrived late in the evening",
    "the engineers found the fault in the oldest part of the network",
    "please send the remaining documents to the same address as before",
    "our visitors were surprised that the garden was open in winter",
    "the price of copper has fallen again for the third month running",
    "every message that leaves this building is copied to the archive",
    "she wrote that the children had learned to swim in the river",
    "there is no reason to believe that the other party knows the plan",
    "the meeting was moved to thursday because the room was not free",
    "in the spring the road along the coast is closed to heavy traffic",
    "he asked whether the samples could be tested without delay",
    "most of the passengers had left the train at the previous station",
    "the results of the second experiment agree with those of the first",
    "an old friend of the family has offered to lend them the money",
    "when the lights went out the orchestra continued to play softly",
    "the contract will be signed as soon as the lawyers have read it",
    "they counted the boxes twice and found that three were missing",
    "after the storm the lighthouse keeper repaired the broken window",
]


def test_one_known_plaintext_opens_every_message_under_its_keystream() -> None:
    first, second = (reused_keystream.seal(KEY, IV, text.encode()) for text in SENTENCES[:2])
    trace = reused_keystream.known_plaintext(first, SENTENCES[0].encode(), second)
    assert trace.result == SENTENCES[1].encode()


def test_many_messages_under_one_keystream_are_read_without_any_plaintext() -> None:
    trace = reused_keystream.many_messages(
        [reused_keystream.seal(KEY, IV, text.encode()) for text in SENTENCES]
    )
    pairs = [
        (a, b)
        for found, text in zip(trace.result, SENTENCES, strict=True)
        for a, b in zip(found, text.encode(), strict=True)
    ]
    assert sum(a == b for a, b in pairs) > 0.9 * len(pairs)


def test_the_helper_never_uses_a_keystream_twice() -> None:
    sealed = [aes.encrypt(SAFE_KEY, text.encode())[12:-16] for text in SENTENCES]
    with pytest.raises(AttackFailed, match="noise"):
        reused_keystream.known_plaintext(sealed[0], SENTENCES[0].encode(), sealed[1])
    with pytest.raises(AttackFailed, match="do not share"):
        reused_keystream.many_messages(sealed)
    with pytest.raises(InvalidParameter, match="perfectly hidden"):
        reused_keystream.many_messages(sealed[:1])


# GCM -----------------------------------------------------------------------------------------------------------------


def element(data: bytes) -> int:
    return int.from_bytes(data, "big")


@given(
    st.lists(st.binary(min_size=16, max_size=16).map(element), min_size=1, max_size=4, unique=True)
)
@settings(max_examples=5)
def test_roots_finds_exactly_the_roots(expected: list[int]) -> None:
    f = [gf128.ONE]
    for root in expected:  # f · (x + root)
        f = gf128.add([0, *f], [modes.multiply_blocks(a, root) for a in f])
    assert gf128.roots(f) == sorted(expected)


def test_roots_of_a_polynomial_with_repeated_or_without_roots() -> None:
    squared = [modes.multiply_blocks(5, 5), 0, gf128.ONE]  # (x + 5)²
    assert gf128.roots(squared) == [5]
    # x² + x + c splits exactly when the trace of c is 0; here the trace is the sum of bits 127 and 121
    for c, count in ((1, 0), (1 << 6, 0), (1 | 1 << 6, 2), (1 << 50, 2)):
        found = gf128.roots([c, gf128.ONE, gf128.ONE])
        assert len(found) == count
        assert all(modes.multiply_blocks(x, x) ^ x == c for x in found)


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
    first, second = (gcm_nonce_reuse.seal(KEY, nonce, *message) for message in (one, two))
    assert (
        tb_aes.encrypt_block(KEY, bytes(16)).result
        in gcm_nonce_reuse.authentication_keys(first, second).result
    )
    wanted = b"pay 999 euros to eve"[: len(one[0])]
    forged = gcm_nonce_reuse.forge(first, second, one[0], wanted, gcm_receiver(KEY)).result
    subkey, change = (
        tb_aes.encrypt_block(KEY, bytes(16)).result,
        bytes(len(first.parts[1]) - 1) + b"\x01",
    )
    assert gcm_receiver(KEY)(gcm_nonce_reuse.alter(subkey, first, change).result)
    assert not gcm_receiver(KEY)(gcm_nonce_reuse.alter(bytes(16), first, change).result)
    _, ciphertext, tag = forged.parts
    assert tb_aes.gcm_decrypt(KEY, nonce, ciphertext + tag, one[1]).result == wanted


def test_the_helpers_messages_do_not_share_a_nonce() -> None:
    first, second = (
        gcm_nonce_reuse.SealedMessage(aes.encrypt(SAFE_KEY, b"pay %d euros" % sum_))
        for sum_ in (100, 200)
    )
    accepts = lambda sealed: safe_accepts(sealed.message)  # noqa: E731 - as an oracle
    with pytest.raises(AttackFailed, match="nonces differ"):
        gcm_nonce_reuse.forge(first, second, b"pay 100 euros", b"pay 999 euros", accepts)
    pretended = gcm_nonce_reuse.SealedMessage(
        first.message[:12] + second.message[12:]
    )  # writing another nonce over it is no use
    with pytest.raises(AttackFailed):
        gcm_nonce_reuse.forge(first, pretended, b"pay 100 euros", b"pay 999 euros", accepts)
    with pytest.raises(AttackFailed, match="equal"):
        gcm_nonce_reuse.authentication_keys(first, first)


@pytest.mark.parametrize("tag_length", [1, 2])
def test_a_short_tag_is_guessed(tag_length: int) -> None:
    message = truncated_tag.seal(KEY, b"a nonce once", b"pay 100 euros", tag_length)
    accepts = truncated_tag.receiver(KEY, tag_length)
    assert accepts(message)
    trace = truncated_tag.forge(message, b"\0\0\0\0\x08", accepts, tag_length)  # 1 xor 8 = 9
    assert accepts(trace.result)
    assert weak.ctr(KEY, b"a nonce once\0\0\0\2", trace.result[12:-tag_length]) == b"pay 900 euros"
    assert trace["queries"] <= 256**tag_length


def test_the_helpers_tag_is_not_guessed() -> None:
    message = aes.encrypt(SAFE_KEY, b"pay 100 euros")
    with pytest.raises(AttackFailed, match="gave up after 5000 queries"):
        truncated_tag.forge(message, b"\0\0\0\0\x08", safe_accepts, 16, limit=5000)
    with pytest.raises(AttackFailed):  # nor does the helper take a tag that was cut
        truncated_tag.forge(message[:-15], b"\0\0\0\0\x08", safe_accepts, 1)
