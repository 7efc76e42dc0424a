"""Tests lepton_lab.workshop.evidence: the table of a helper, and the list of those there are."""

from __future__ import annotations

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.evidence import evidence


def test_a_table_names_standards_and_vectors() -> None:
    text = str(evidence("aes"))
    assert "standard" in text
    assert "all hold" in text
    assert "Why trust aes" in text


def test_a_helper_that_has_none_is_told_which_have() -> None:
    with pytest.raises(InvalidParameter, match="aes"):
        evidence("des")
