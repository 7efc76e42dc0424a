"""Key rings for tests: the cheapest scrypt that a ring may have, one passphrase, and fixtures.

`tests/conftest.py` gives the fixtures to every test.
"""

from __future__ import annotations

from functools import cache

import pytest

from lepton_lab.keyring import KeyRing
from lepton_lab.keyring.file import PassphraseKey

CHEAP = {"scrypt_n": 1 << 14}
WORDS = "a passphrase for tests"


@pytest.fixture
def ring_path(tmp_path):
    """Where `ring` has its file."""
    return tmp_path / "ring"


@pytest.fixture
def ring(ring_path):
    """A new, empty ring, alone in a folder."""
    return KeyRing.create(ring_path, WORDS, **CHEAP)


@pytest.fixture
def stretched_once(monkeypatch):
    """Stretch each (passphrase, salt, cost) once: then a ring is opened many times in a second."""
    monkeypatch.setattr(PassphraseKey, "of", cache(PassphraseKey.of))
