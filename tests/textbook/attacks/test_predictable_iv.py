"""Tests lepton_lab.textbook.attacks.predictable_iv: it confirms a guess, the helper hides it."""

from __future__ import annotations

import pytest

from lepton_lab import aes
from lepton_lab.textbook.attacks import AttackFailed, predictable_iv
from tests.support.textbook_keys import AES_KEY, HELPER_AES_KEY, IV


def test_a_predictable_iv_confirms_a_guess() -> None:
    server = predictable_iv.ChainedCBC(AES_KEY, IV)
    message = server.encrypt(b"PIN of alice: 73 and more")
    guesses = [b"PIN of alice: %02d" % pin for pin in range(100)]
    trace = predictable_iv.confirm(message, guesses, server.encrypt)
    assert (trace.result, trace["queries"]) == (guesses[73], 74)


def test_the_helpers_nonce_is_not_predicted_and_wrong_guesses_end() -> None:
    guesses = [b"PIN of alice: %02d" % pin for pin in range(100)]
    message = aes.encrypt(HELPER_AES_KEY, guesses[73])
    with pytest.raises(AttackFailed, match="not the predicted one"):
        predictable_iv.confirm(
            message, guesses, lambda plaintext: aes.encrypt(HELPER_AES_KEY, plaintext)
        )
    server = predictable_iv.ChainedCBC(AES_KEY, IV)
    message = server.encrypt(guesses[73])
    with pytest.raises(AttackFailed, match="none of the guesses"):
        predictable_iv.confirm(message, guesses[:50], server.encrypt)
    with pytest.raises(AttackFailed, match="gave up after 5"):
        predictable_iv.confirm(server.encrypt(guesses[73]), guesses, server.encrypt, limit=5)
