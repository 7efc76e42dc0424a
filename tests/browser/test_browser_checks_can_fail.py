"""Tests the browser's checks themselves: they find a bad page and a widget that does not move."""

from __future__ import annotations

from tests.browser.pages import Watched, moves, unspoken, violations

BAD = """<html><head><title>bad</title></head><body>
<img src="http://elsewhere.example/x.png" width="9" height="9">
<p style="color: #ccc; background: white">faint</p>
<script>throw new Error("broken")</script></body></html>"""
WIDGET = """<html lang="en"><body><div id="{id}">
<input type="range" min="0" max="9" value="0" oninput="{does}">
<output>0</output></div></body></html>"""


def test_a_bad_page_is_seen_to_be_bad(watched: Watched) -> None:
    watched.page.set_content(BAD)
    assert watched.left == ["http://elsewhere.example/x.png"]
    assert len(unspoken(watched.page)) == 1
    assert {fault.partition(":")[0] for fault in violations(watched.page)} >= {
        "color-contrast", "html-has-lang", "image-alt", "landmark-one-main", "region",
    }  # fmt: skip
    assert any("broken" in complaint for complaint in watched.complaints)


def test_a_widget_that_stands_still_is_told_from_one_that_moves(watched: Watched) -> None:
    watched.page.set_content(
        WIDGET.format(id="moves", does="this.nextElementSibling.textContent = this.value")
    )
    assert moves(watched.page, watched.page.locator("#moves"))
    watched.page.set_content(WIDGET.format(id="still", does=""))
    assert not moves(watched.page, watched.page.locator("#still"))
