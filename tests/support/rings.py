"""Key rings for tests: the cheapest scrypt that a ring may have, one passphrase, and two fixtures.

`tests/conftest.py` gives the fixtures to every test.
"""

from __future__ import annotations

import pytest

from lepton_lab.keyring import KeyRing

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
