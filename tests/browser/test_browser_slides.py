"""Tests every deck in a browser: it needs no network, pictures have texts, axe-core passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.pages import Watched, unspoken, violations
from tools import slides

DECKS = sorted(
    path.stem
    for path in (slides.ROOT / "slides").glob("*.md")
    if path.stem.islower() or path.stem[0].isdigit()
)


@pytest.fixture(scope="module")
def decks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The decks as HTML in a folder of their own; printing them is tested elsewhere."""
    folder = tmp_path_factory.mktemp("decks") / "slides"
    slides.build(folder)
    return folder


def faults(page: Page) -> list[str]:
    """List the faults of the page, then of each slide in turn: reveal hides all but one slide."""
    found = violations(page)
    places = page.evaluate(
        "Reveal.getSlides().map(slide => Reveal.getIndices(slide)).map(({h, v}) => [h, v])"
    )
    for number, (h, v) in enumerate(places, 1):
        page.evaluate("([h, v]) => Reveal.slide(h, v)", [h, v])
        here = [*unspoken(page), *violations(page, ".present > .present")]
        found += [f"slide {number}: {fault}" for fault in here]
    return found


@pytest.mark.parametrize("deck", DECKS)
def test_a_deck_is_whole_without_a_network_and_accessible(
    deck: str, decks: Path, watched: Watched
) -> None:
    page = watched.page
    page.goto((decks / f"{deck}.html").as_uri())
    page.wait_for_load_state("networkidle")
    if page.evaluate("Reveal.getTotalSlides()") > 1:
        page.keyboard.press("Space")
        page.wait_for_function("Reveal.getSlidePastCount() === 1")
    assert faults(page) == []
    assert watched.left == []
    assert watched.complaints == []


def test_what_is_wrong_on_a_later_slide_is_found(decks: Path, watched: Watched) -> None:
    before, last, after = (decks / "opening.html").read_text(encoding="utf-8").rpartition("</h2>")
    planted = '<p style="color: #ccc">faint</p><img src="data:," width="9" height="9">'
    path = decks / "planted.html"
    path.write_text(before + last + planted + after, encoding="utf-8")
    watched.page.goto(path.as_uri())
    watched.page.wait_for_load_state("networkidle")
    number = watched.page.evaluate("Reveal.getTotalSlides()")
    found = faults(watched.page)
    assert any(
        fault.startswith(f"slide {number}: color-contrast") and "faint" in fault for fault in found
    )
    assert any(fault.startswith(f"slide {number}: <img") for fault in found)
    assert all(fault.startswith(f"slide {number}: ") for fault in found)
