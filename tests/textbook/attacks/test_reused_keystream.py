"""Tests lepton_lab.textbook.attacks.reused_keystream: it reads CTR, and not the helper's."""

from __future__ import annotations

import pytest

from lepton_lab import aes
from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, reused_keystream
from tests.support.textbook_keys import AES_KEY, HELPER_AES_KEY, IV

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
    first, second = (reused_keystream.seal(AES_KEY, IV, text.encode()) for text in SENTENCES[:2])
    trace = reused_keystream.known_plaintext(first, SENTENCES[0].encode(), second)
    assert trace.result == SENTENCES[1].encode()


def test_many_messages_under_one_keystream_are_read_without_any_plaintext() -> None:
    trace = reused_keystream.many_messages(
        [reused_keystream.seal(AES_KEY, IV, text.encode()) for text in SENTENCES]
    )
    pairs = [
        (a, b)
        for found, text in zip(trace.result, SENTENCES, strict=True)
        for a, b in zip(found, text.encode(), strict=True)
    ]
    assert sum(a == b for a, b in pairs) > 0.9 * len(pairs)


def test_the_helper_never_uses_a_keystream_twice() -> None:
    sealed = [aes.encrypt(HELPER_AES_KEY, text.encode())[12:-16] for text in SENTENCES]
    with pytest.raises(AttackFailed, match="noise"):
        reused_keystream.known_plaintext(sealed[0], SENTENCES[0].encode(), sealed[1])
    with pytest.raises(AttackFailed, match="do not share"):
        reused_keystream.many_messages(sealed)
    with pytest.raises(InvalidParameter, match="perfectly hidden"):
        reused_keystream.many_messages(sealed[:1])
