"""Tests lepton_lab.show: what notebooks and slides call is there, by one name each."""

from __future__ import annotations

import inspect

import pytest

from lepton_lab import show


@pytest.mark.parametrize("name", show.__all__)
def test_every_public_name_is_a_function_or_a_class_with_a_docstring(name: str) -> None:
    thing = getattr(show, name)
    # `show.table` is the function, not the file that it is in
    assert callable(thing)
    assert inspect.getdoc(thing)


def test_the_names_are_sorted_and_each_there_once() -> None:
    assert show.__all__ == sorted(set(show.__all__))
