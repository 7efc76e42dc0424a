"""Every deck, opened from the disk: nothing leaves the machine, pictures speak, axe-core finds nothing serious."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.pages import Watched, unspoken, violations

from tools import slides

DECKS = sorted(
    path.stem for path in (slides.ROOT / "slides").glob("*.md") if path.stem.islower() or path.stem[0].isdigit()
)


@pytest.fixture(scope="module")
def decks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The decks as HTML, in a folder of their own: printing them is another test's affair."""
    folder = tmp_path_factory.mktemp("decks") / "slides"
    slides.build(folder)
    return folder


@pytest.mark.parametrize("deck", DECKS)
def test_a_deck_is_whole_without_a_network_and_for_everybody(deck: str, decks: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((decks / f"{deck}.html").as_uri())
    page.wait_for_load_state("networkidle")
    assert unspoken(page) == []
    assert violations(page) == []
    if page.evaluate("Reveal.getTotalSlides()") > 1:
        before = page.evaluate("Reveal.getSlidePastCount()")
        page.keyboard.press("Space")
        page.wait_for_function("before => Reveal.getSlidePastCount() > before", arg=before)
        assert violations(page) == []
    assert watched.left == []
    assert watched.complaints == []
