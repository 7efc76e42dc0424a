"""Tests lepton_lab.shamir against HashiCorp Vault's scheme, as pyshamir ports it.

It reads our shares and we read its. Its shares are the values and then x; the payload within ours
(secret ‖ r ‖ tag) is what it shares and gives back.
"""

from __future__ import annotations

import hmac
import itertools
import secrets

import pyshamir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import shamir
from lepton_lab.buffers import framed
from lepton_lab.errors import IntegrityError


def theirs(shares: list[shamir.Share]) -> list[bytearray]:
    return [bytearray(share.values + bytes((share.index,))) for share in shares]


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=60), st.data())
def test_pyshamir_combines_what_split_made(secret, data):
    count = data.draw(st.integers(2, 10))
    threshold = data.draw(st.integers(2, count))
    chosen = data.draw(st.permutations(shamir.split(secret, threshold, count)))[:threshold]
    payload = bytes(pyshamir.combine(theirs(chosen)))
    opened, r, tag = payload[:-64], payload[-64:-32], payload[-32:]
    assert opened == secret
    bound = framed(b"lepton_lab shamir v1", chosen[0].set_id, bytes((threshold, count)), secret)
    assert hmac.digest(r, bound, "sha256") == tag


@pytest.mark.parametrize(("threshold", "count"), [(2, 2), (2, 3), (3, 5), (4, 6)])
def test_we_combine_what_pyshamir_shared_and_take_it_for_ours_only_with_our_tag(threshold, count):
    secret, r, set_id = b"a secret", secrets.token_bytes(32), secrets.token_bytes(16)
    bound = framed(
        b"lepton_lab shamir v1", set_id, bytes((threshold, 255)), secret
    )  # its x are any of 255
    for tag, ours in ((hmac.digest(r, bound, "sha256"), True), (bytes(32), False)):
        made = pyshamir.split(secret + r + tag, count, threshold)
        shares = [shamir.Share(set_id, threshold, 255, each[-1], bytes(each[:-1])) for each in made]
        for chosen in itertools.combinations(shares, threshold):
            if ours:
                assert shamir.combine(chosen) == secret
            else:
                with pytest.raises(IntegrityError):
                    shamir.combine(chosen)
