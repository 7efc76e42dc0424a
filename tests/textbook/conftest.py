"""Fixtures that tests of the textbook share."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def counted(
    record_property: Callable[[str, object], None],
) -> Callable[[str, int, int], None]:
    """Shows at the end of the run how many cases of a published set held."""

    def count(vectors: str, run: int, expected: int) -> None:
        assert run == expected
        found = {"run": run, "left out": 0, "why": ""}
        record_property("vectors", (f"textbook: {vectors}", found))

    return count
