"""Tests lepton_lab.textbook.primitives: the two checks of arguments that all primitives use."""

from __future__ import annotations

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.textbook.primitives import as_bytes, integer


@pytest.mark.parametrize("value", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_all_kinds_of_bytes_become_bytes(value: object) -> None:
    assert as_bytes("it", value) == b"ab"
    assert isinstance(as_bytes("it", value), bytes)
    assert as_bytes("it", value, 1, 2) == b"ab"


def test_an_error_names_the_argument_the_sizes_and_the_reason() -> None:
    with pytest.raises(InvalidParameter, match=r"^key must be bytes, not str$"):
        as_bytes("key", "text")
    with pytest.raises(InvalidParameter, match=r"^key must be 1 or 2 bytes, not 3: it fits$"):
        as_bytes("key", b"abc", 1, 2, because="it fits")
    with pytest.raises(InvalidParameter, match=r"^n must be an integer, not float$"):
        integer("n", 1.0)
    with pytest.raises(InvalidParameter, match=r"^n must be an integer, not bool$"):
        integer("n", True)
    with pytest.raises(InvalidParameter, match=r"^n must be at least 3$"):
        integer("n", 2, least=3)
    with pytest.raises(InvalidParameter, match=r"^n must be below 3: so it is$"):
        integer("n", 3, below=3, because="so it is")
    with pytest.raises(InvalidParameter, match=r"^n must be at least 0 and below the modulus$"):
        integer("n", -1, 0, 2**100)


def test_the_limits_are_least_included_and_below_excluded() -> None:
    assert integer("n", 3, 3, 5) == 3
    assert integer("n", 4, 3, 5) == 4
    assert integer("n", -(10**30)) == -(10**30)
    with pytest.raises(InvalidParameter):
        integer("n", 5, 3, 5)
