"""Tests lepton_lab.show.widgets: a slider moves in the browser alone, and has a still form."""

from __future__ import annotations

import json

import pytest

from lepton_lab import show
from lepton_lab.errors import InvalidParameter
from lepton_lab.show import slider

PICTURES = {
    "2048 bits": show.Shown("two", "<b>two</b>"),
    "3072 bits": show.Shown("three", "<b>three</b>"),
}
STILL = show.Shown("two, then three", "<b>two, then three</b>")


def test_it_carries_a_page_for_every_picture_and_fetches_nothing():
    state = slider(PICTURES, label='key "size"', still=STILL).get_state()
    script = state["_esm"]
    pages = json.loads(script.partition("const PAGES = ")[2].partition(";\n")[0])
    expected = [{"name": name, "html": shown.html} for name, shown in PICTURES.items()]
    assert pages == expected
    assert r'const LABEL = "key \"size\"";' in script
    assert "http" not in script + state["_css"]
    for needed in ("aria-label", "aria-valuetext", "data-lm-suppress-shortcuts"):
        assert needed in script


def test_where_nothing_moves_it_is_the_still_picture():
    widget = slider(PICTURES, label="key size", still=STILL)
    bundle, _ = widget._repr_mimebundle_()
    assert bundle["text/plain"] == repr(widget) == STILL.text
    assert bundle["text/html"] == STILL.html
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_one_picture_needs_no_slider():
    with pytest.raises(InvalidParameter):
        slider({"2048 bits": STILL}, label="key size", still=STILL)
