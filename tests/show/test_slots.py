"""Packed numbers, drawn: every slot with its value, and a value too large for its slot in another colour."""

from __future__ import annotations

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.slots import slots
from lepton_lab.show.style import COLOURS


def test_the_text_names_every_value_of_every_row():
    shown = slots({"Ada": [3, -1], "sum": [7, 0]}, bits=8, title="Room for sums.")
    assert repr(shown) == "Room for sums. Slots of 8 bits, the lowest first. Ada: 3, -1; sum: 7, 0."
    assert 'alt="Room for sums.' in shown.html


@pytest.mark.parametrize(
    ("value", "fits"), [(127, True), (-128, True), (128, False), (-129, False)]
)
def test_only_a_value_that_passes_its_slot_is_drawn_in_the_warning_colour(value, fits):
    assert (COLOURS[2].encode() in slots({"row": [value]}, bits=8, title="A slot").svg) is not fits


@pytest.mark.parametrize("rows", [{}, {"Ada": []}, {"Ada": [1], "Ben": [1, 2]}])
def test_rows_that_are_empty_or_of_unequal_length_are_refused(rows):
    with pytest.raises(InvalidParameter):
        slots(rows, bits=8, title="nothing")


def test_a_slot_of_one_bit_holds_no_signed_number():
    with pytest.raises(InvalidParameter):
        slots({"Ada": [0]}, bits=1, title="nothing")
