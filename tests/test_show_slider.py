"""The slider moves in the browser alone, and says the same where nothing moves."""

from __future__ import annotations

import pytest

from lepton_lab import show
from lepton_lab.errors import InvalidParameter
from lepton_lab.show.slider import slider

PICTURES = {"2048 bits": show.Shown("two", "<b>two</b>"), "3072 bits": show.Shown("three", "<b>three</b>")}
STILL = show.Shown("two, then three", "<b>two, then three</b>")


def test_it_has_a_place_for_every_picture_and_is_tied_to_them_in_the_browser():
    widget = slider(PICTURES, label="key size", still=STILL)
    steps, pages = widget.children
    assert [page.value for page in pages.children] == [shown.html for shown in PICTURES.values()]
    assert [label for label, _ in steps._options_full] == list(PICTURES)
    assert steps.description == "key size"
    assert widget.tie.source == (steps, "index")
    assert widget.tie.target == (pages, "selected_index")
    assert pages.selected_index == 0


def test_where_nothing_moves_it_is_the_still_picture():
    bundle = slider(PICTURES, label="key size", still=STILL)._repr_mimebundle_()
    assert bundle["text/plain"] == STILL.text
    assert bundle["text/html"] == STILL.html
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_one_picture_needs_no_slider():
    with pytest.raises(InvalidParameter):
        slider({"2048 bits": STILL}, label="key size", still=STILL)
