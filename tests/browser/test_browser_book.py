"""Tests the built book in a browser: it needs no network, its widgets move, axe-core passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.pages import Watched, moves, unspoken, violations

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = [f"notebooks/{path.stem}" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
OTHERS = ["index", "reference", "benchmarks", "EVIDENCE", "GLOSSARY", "CLUSTER", "SECURITY"]
OTHERS += ["CHANGELOG", "search", "genindex"]
# Looked at in dark colours too: one page of each kind, and all that have pictures.
DARK = {"index", "GLOSSARY", "reference", "benchmarks", *NOTEBOOKS}


@pytest.mark.parametrize("name", [*OTHERS, *NOTEBOOKS])
def test_a_page_of_the_book_is_whole_without_a_network_and_accessible(
    name: str, built: dict[str, Path], watched: Watched
) -> None:
    page = watched.page
    page.goto((built["book"] / f"{name}.html").as_uri())
    page.locator("html[data-whole]").wait_for()  # formulas are set, and widgets work
    assert unspoken(page) == []
    widgets = page.locator("[data-widget]")
    for number in range(widgets.count()):
        assert moves(page, widgets.nth(number)), f"widget {number} of {name} does not move"
    assert page.locator("mjx-merror").count() == 0
    assert page.locator(".math").count() == page.locator(".math mjx-container").count()
    for scheme in ("light", "dark") if name in DARK else ("light",):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == [], scheme
    assert watched.left == []
    assert watched.complaints == []


def test_the_book_is_searched_without_a_network(built: dict[str, Path], watched: Watched) -> None:
    watched.page.goto((built["book"] / "search.html").as_uri() + "?q=malleability")
    found = watched.page.locator("#search-results li a")
    found.first.wait_for()
    assert any("Paillier" in words for words in found.all_inner_texts())
    assert watched.left == []


def test_the_book_shows_every_drawing_and_every_notebook(
    built: dict[str, Path], watched: Watched
) -> None:
    for name in NOTEBOOKS:
        text = (built["book"] / f"{name}.html").read_text(encoding="utf-8")
        assert "language-mermaid" not in text
        assert "highlight-mermaid" not in text
    watched.page.goto((built["book"] / "notebooks" / "00_start_here.html").as_uri())
    drawing = watched.page.locator("figure.diagram img.only-light").first
    assert drawing.evaluate("(image) => image.naturalWidth") > 100
    assert drawing.get_attribute("alt")
