"""Tests lepton_lab.textbook.attacks.length_extension: a bare hash is extended, HMAC is not."""

from __future__ import annotations

import hashlib
import hmac

from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab.textbook.attacks import length_extension


@settings(max_examples=60)
@given(st.binary(max_size=70), st.binary(max_size=200), st.binary(max_size=200))
def test_a_bare_hash_as_tag_is_extended_and_hmac_is_not(
    key: bytes, message: bytes, extension: bytes
) -> None:
    forged, its_tag = length_extension.extend(
        message, length_extension.tag(key, message), len(key), extension
    ).result
    assert forged.startswith(message)
    assert forged.endswith(extension)
    assert its_tag == length_extension.tag(key, forged) == hashlib.sha256(key + forged).digest()
    honest = hmac.digest(key, message, "sha256")
    forged, its_tag = length_extension.extend(message, honest, len(key), extension).result
    assert its_tag != hmac.digest(key, forged, "sha256")
