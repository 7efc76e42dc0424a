"""Tests lepton_lab.textbook.attacks.truncated_tag: it guesses short tags, and not the helper's."""

from __future__ import annotations

import pytest

from lepton_lab import aes
from lepton_lab.textbook.attacks import AttackFailed, truncated_tag, weak
from tests.support.textbook_keys import AES_KEY, HELPER_AES_KEY, helper_accepts


@pytest.mark.parametrize("tag_length", [1, 2])
def test_a_short_tag_is_guessed(tag_length: int) -> None:
    message = truncated_tag.seal(AES_KEY, b"a nonce once", b"pay 100 euros", tag_length)
    accepts = truncated_tag.receiver(AES_KEY, tag_length)
    assert accepts(message)
    trace = truncated_tag.forge(message, b"\0\0\0\0\x08", accepts, tag_length)  # 1 xor 8 = 9
    assert accepts(trace.result)
    assert (
        weak.ctr(AES_KEY, b"a nonce once\0\0\0\2", trace.result[12:-tag_length]) == b"pay 900 euros"
    )
    assert trace["queries"] <= 256**tag_length


def test_the_helpers_tag_is_not_guessed() -> None:
    message = aes.encrypt(HELPER_AES_KEY, b"pay 100 euros")
    with pytest.raises(AttackFailed, match="gave up after 5000 queries"):
        truncated_tag.forge(message, b"\0\0\0\0\x08", helper_accepts, 16, limit=5000)
    with pytest.raises(AttackFailed):  # nor does the helper take a tag that was cut
        truncated_tag.forge(message[:-15], b"\0\0\0\0\x08", helper_accepts, 1)
