"""Tests lepton_lab.textbook.attacks.mt19937: Python's random is cloned, the system's is not."""

from __future__ import annotations

import random
import secrets
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.attacks import AttackFailed, mt19937

WORD = st.integers(0, 2**32 - 1)


def seeded(seed: int) -> mt19937.Twister:
    """Make a first window from a seed, as init_genrand of the authors' mt19937ar.c does."""
    words = [seed]
    for i in range(1, 624):
        words.append((1812433253 * (words[-1] ^ words[-1] >> 30) + i) & 0xFFFFFFFF)
    return mt19937.Twister(words)


def test_the_ten_thousandth_output_is_the_one_that_the_cxx_standard_names() -> None:
    """ISO C++11 §26.5.5 [rand.predef]: seeded with 5489 it gives 4123659995; numpy agrees."""
    twister = seeded(5489)
    assert next(islice(iter(twister.following, None), 9999, None)) == 4123659995
    peer = np.random.MT19937()
    peer._legacy_seeding(5489)
    twister = seeded(5489)
    assert [twister.following() for _ in range(2000)] == peer.random_raw(2000).tolist()


@given(WORD)
def test_tempering_is_undone(word: int) -> None:
    assert mt19937.untemper(mt19937.temper(word)) == word
    assert mt19937.temper(mt19937.untemper(word)) == word


@settings(max_examples=10)
@given(st.integers(0, 2**256), st.integers(0, 1300), st.integers(1, 700))
def test_a_clone_foretells_what_follows_and_tells_what_was_before(
    seed: int, skipped: int, surplus: int
) -> None:
    victim = random.Random(seed)
    earlier = [victim.getrandbits(32) for _ in range(700 + skipped)]
    trace = mt19937.clone([victim.getrandbits(32) for _ in range(624 + surplus)])
    assert trace["foretold"] == surplus
    later = [victim.getrandbits(32) for _ in range(700)]
    assert [trace.result.following() for _ in range(700)] == later
    # back over all but the 624 of the window
    back = [trace.result.preceding() for _ in range(len(earlier) + surplus + 700)]
    assert back[::-1][: len(earlier)] == earlier


def test_a_key_drawn_before_the_outputs_is_read_back() -> None:
    victim = random.Random(secrets.randbits(256))
    key = victim.randbytes(32)
    public = [victim.getrandbits(32) for _ in range(630)]
    clone = mt19937.clone(public).result
    back = [clone.preceding() for _ in range(630 - 624 + 8)]
    assert b"".join(word.to_bytes(4, "little") for word in back[-8:][::-1]) == key


def test_the_operating_systems_numbers_are_not_foretold() -> None:
    with pytest.raises(AttackFailed, match="do not continue"):
        mt19937.clone([secrets.randbits(32) for _ in range(640)])


def test_too_few_numbers_and_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(AttackFailed, match="not 624"):
        mt19937.clone([0] * 624)
    with pytest.raises(InvalidParameter):
        mt19937.clone([1 << 32] * 630)
    with pytest.raises(AttackFailed, match="not 3"):
        mt19937.Twister([1, 2, 3])


def test_one_altered_output_is_noticed() -> None:
    victim = random.Random(1)
    outputs = [victim.getrandbits(32) for _ in range(1300)]
    outputs[700] ^= 1
    with pytest.raises(AttackFailed):
        mt19937.clone(outputs)
