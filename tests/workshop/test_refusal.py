"""Tests lepton_lab.workshop.refusal: a cell that must fail shows it, and fails when it does not."""

from __future__ import annotations

import pytest

from lepton_lab.errors import DecryptionError, InvalidKey, LabError
from lepton_lab.workshop.refusal import refused


def test_the_expected_error_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with refused(InvalidKey, DecryptionError):
        raise DecryptionError
    assert capsys.readouterr().out == "refused: DecryptionError\n"


def test_no_error_is_an_error_and_another_one_passes_through() -> None:
    with pytest.raises(LabError, match="should have been refused"), refused(DecryptionError):
        pass
    with pytest.raises(ZeroDivisionError), refused(DecryptionError):
        1 / 0  # noqa: B018
