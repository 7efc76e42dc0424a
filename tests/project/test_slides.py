"""Tests slides/ and tools.slides: length, minutes, questions, alt texts, and slides that fit."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from lepton_lab.workshop.engine import all_exercises
from slides import cells
from slides.decks import FOLDER, Deck, Slide
from tools import slides as tool
from tools.notebook_page import Cell

DECKS = Deck.all()
NOTEBOOKS = FOLDER.parent / "notebooks"
TAKEN = re.compile(r"(?::::\{cell\} |\{shown\}`)([^\n`]+)")
NO_SPHINX = "the decks' own packages: pip install -e .[docs]"
NO_CHROMIUM = "needs Chromium: apt-get install chromium"
each_deck = pytest.mark.parametrize("deck", DECKS, ids=lambda deck: deck.path.stem)


def test_every_notebook_has_a_deck_and_one_deck_opens():
    notebooks = {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    assert {deck.path.stem for deck in DECKS} >= notebooks | {"opening"}


@each_deck
def test_a_deck_has_twelve_to_twenty_slides(deck: Deck):
    assert 12 <= len(deck.slides) <= 20


@each_deck
def test_every_slide_says_what_to_say_and_for_how_long(deck: Deck):
    for slide in deck.slides:
        assert len(slide.minutes) == 1, slide.title
        assert 0.5 <= slide.minutes[0] <= 5, slide.title
        assert len(slide.words_to_say) > 20, slide.title


@each_deck
def test_the_minutes_add_up_to_what_is_announced(deck: Deck):
    assert sum(sum(slide.minutes) for slide in deck.slides) == deck.minutes


@each_deck
def test_the_room_is_asked_something_every_five_slides(deck: Deck):
    asked = [number for number, slide in enumerate(deck.slides) if slide.is_question]
    assert all(later - earlier <= 5 for earlier, later in pairwise([-1, *asked, len(deck.slides)]))


@each_deck
def test_what_is_taken_from_a_notebook_is_there_and_its_pictures_have_alt_texts(deck: Deck):
    for reference in TAKEN.findall(deck.text):
        shown = "".join(cells.find(reference).shows("text/html"))
        assert all(len(alt) > 20 for alt in cells.alt_texts(shown)), reference


@each_deck
def test_no_picture_is_brought_along(deck: Deck):
    assert not re.search(r"!\[|<img", deck.text)  # every picture comes from a notebook


def test_a_deck_is_read_as_it_is_written(tmp_path: Path):
    path = tmp_path / "99_made.md"
    path.write_text(
        "---\nminutes: 3.5\n---\n# Title\n\n:::{notes} 1.5\nSay\nthis.\n:::\n\n"
        "## Next\n```sh\n# no heading\n```\n:::{question}\nWhy?\n:::\n:::{notes} 2\nThat.\n:::\n"
    )
    deck = Deck(path)
    assert deck.minutes == 3.5
    assert [(slide.title, slide.minutes, slide.is_question) for slide in deck.slides] == [
        ("Title", [1.5], False),
        ("Next", [2.0], True),
    ]
    assert deck.slides[0].words_to_say == "Say this."
    assert Slide("x", "no notes").minutes == []


def test_a_deck_that_announces_nothing_is_refused(tmp_path: Path):
    (tmp_path / "made.md").write_text("# Title\nminutes: 3\n")
    with pytest.raises(ValueError, match=r"made\.md does not announce"):
        _ = Deck(tmp_path / "made.md").minutes


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("00_start_here: import", "code cells of 00_start_here"),
        ("00_start_here: no such phrase", "0 code cells"),
        ("00_start_here:", "code cells"),
        ("77_nothing: import", "no notebook '77_nothing'"),
    ],
)
def test_a_cell_that_is_not_the_one_is_refused(reference: str, says: str):
    with pytest.raises(ValueError, match=says):
        cells.find(reference)


def test_a_cell_is_shown_as_it_was_run():
    cell = cells.find("00_start_here: round(receipt.stored / receipt.size, 2)")
    assert cells.plain(cell) == "1.67"
    assert '<pre class="output"' in cells.picture(cell)
    steps = cells.find("00_start_here: The dearest step")
    assert cells.alt_texts(cells.picture(steps)) == [cells.plain(steps)]
    both = cells.find("00_start_here: servers.kill(1)")
    assert "kill" in cells.code(both)
    assert "patients" not in cells.code(both, "1-2")
    assert cells.alt_texts('<img src="x"><img alt="a &amp; b" src="y">') == ["", "a & b"]


def shown_as(monkeypatch: pytest.MonkeyPatch, source: str) -> list[str]:
    """Return the lines of a cell with this source as a slide shows them, without colours."""
    monkeypatch.setattr(cells, "highlight", lambda code, *_: code)
    html = cells.code(Cell(0, nbformat.v4.new_code_cell(source)))
    return re.sub(r"<[^>]+>", "", html).splitlines()


def test_long_lines_are_wrapped_and_their_comments_go_above(monkeypatch: pytest.MonkeyPatch):
    name = "a_name_that_is_long"
    source = f"x = 1  # stays\n{name} = {name}({name}, {name}, {name})  # for a good reason"
    assert shown_as(monkeypatch, source) == [
        "x = 1  # stays",
        "# for a good reason",
        f"{name} = {name}(",
        f"    {name}, {name}, {name}",
        ")",
    ]
    with pytest.raises(ValueError, match="cannot be wrapped"):
        shown_as(monkeypatch, f"for {name} in {name}({name}, {name}, {name}, {name}):")


@each_deck
def test_the_last_row_can_read_the_code(deck: Deck):
    for options in re.findall(r"^:::\{cell\} (.+\n(?::\w+:.*\n)*)", deck.text, re.MULTILINE):
        if re.search(r"^:show: (?:both|code)", options, re.MULTILINE):
            lines = re.search(r"^:lines: (\S+)", options, re.MULTILINE)
            written = cells.code(cells.find(options.splitlines()[0]), lines[1] if lines else "")
            size = re.search(r"font-size: ([\d.]+)px", written)
            assert size, options
            assert float(size[1]) >= 20, options


@pytest.mark.parametrize(
    ("written", "fetched"),
    [
        ('<script src="https://cdn.example/x.js">', True),
        ('<link rel="stylesheet" href="//fonts.example/x.css">', True),
        ("@import url(https://fonts.example/x.css)", True),
        ("div { background: url('http://x.example/y.png') }", True),
        ('<a href="https://example.org/">a link that one may follow</a>', False),
        ('<math xmlns="http://www.w3.org/1998/Math/MathML">', False),
        ('<script src="_static/reveal.js">', False),
    ],
)
def test_what_would_be_fetched_is_found(tmp_path: Path, written: str, fetched: bool):
    (tmp_path / "made.html").write_text(written)
    assert bool(tool.fetches(tmp_path)) == fetched


def test_where_there_is_no_chromium_the_decks_are_written_and_it_is_said(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "opening.html").write_text("<p>a deck</p>")
    monkeypatch.setattr(tool, "build", lambda: [tmp_path / "opening.html"])
    monkeypatch.setattr(tool, "fetches", list)
    monkeypatch.setattr(tool, "chromium", lambda: None)
    assert tool.main([]) == 0
    assert "no Chromium" in capsys.readouterr().out
    assert tool.main(["opnning"]) == 1
    assert "there is no deck opnning" in capsys.readouterr().out


def test_the_guide_for_instructors_has_what_a_lecturer_asks_for():
    guide = (FOLDER / "INSTRUCTORS.md").read_text()
    headings = ("45 minutes", "90 minutes", "Two days", "What goes wrong", "40 people")
    for heading in (*headings, "Assessment", "Ethics"):
        assert re.search(rf"^##+ .*{heading}", guide, re.MULTILINE), heading
    for deck in DECKS:
        assert f"| `{deck.path.stem}` | {deck.minutes:g} |" in guide, deck.path.stem
    commands = ["make bundle", "make lab OFFLINE=1", "make student", "make nbgrader"]
    commands += ["nbgrader autograde", "lepton-lab exercises", "lepton-lab lab --copy"]
    commands += ["python -m tools.instances --seed"]
    for command in commands:
        assert command in guide, command


def rows_of(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading of the guide, without its head."""
    guide = (FOLDER / "INSTRUCTORS.md").read_text()
    part = re.split(rf"^##+ {heading}.*$", guide, maxsplit=1, flags=re.MULTILINE)[1]
    table = re.search(r"(?:^\|.*\n)+", part, re.MULTILINE)
    assert table
    rows = []
    for line in table[0].splitlines()[2:]:
        rows.append([cell.strip(" `") for cell in line.strip("|").split("|")])
    return rows


def test_the_guide_has_the_minutes_of_every_section():
    left = {deck.path.stem: list(deck.slides) for deck in DECKS}
    name = ""
    for deck, slides, title, talk, _keyboard in rows_of("Section by section"):
        name = deck or name
        first, _, last = slides.partition("–")
        count = int(last or first) - int(first) + 1
        section = left[name][:count]
        left[name] = left[name][count:]
        assert sum(sum(slide.minutes) for slide in section) == float(talk), (name, title)
    assert not any(left.values())


def test_two_days_have_the_core_and_a_further_of_every_notebook():
    rows = rows_of("Agenda: Two days")
    cores = [row for row in rows if row[1][0].isdigit()]
    assert {row[1] for row in cores} == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    assert all(further and what for *_, further, what in cores)
    blocks: dict[str, int] = {}
    for block, _, *minutes, _ in rows:
        blocks[block] = blocks.get(block, 0) + sum(int(some) for some in minutes if some)
    assert [*blocks.values()] == [90] * 7 + [100]


def test_the_guide_discusses_every_solution():
    guide = (FOLDER / "INSTRUCTORS.md").read_text()
    section = guide.split("## Solutions, discussed")[1].split("\n## ")[0]
    discussed = re.findall(r"^- `([^`]+)`", section, re.MULTILINE)
    assert sorted(discussed) == sorted(each.id for each in all_exercises())


@pytest.mark.parametrize("minutes", [45, 90])
def test_an_agenda_has_no_gap_and_ends_on_time(minutes: int):
    guide = (FOLDER / "INSTRUCTORS.md").read_text()
    agenda = guide.split(f"## Agenda: {minutes} minutes")[1].split("\n## ")[0]
    found = re.findall(r"^\| (\d+) \| (\d+) \|", agenda, re.MULTILINE)
    rows = [(int(start), int(length)) for start, length in found]
    ends = [start + length for start, length in rows]
    assert ends == [start for start, _ in rows[1:]] + [minutes]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    for package in ("sphinx", "sphinx_revealjs", "myst_parser", "latex2mathml"):
        pytest.importorskip(package, reason=NO_SPHINX)
    return tool.build(tmp_path_factory.mktemp("slides"))


@pytest.fixture(scope="module")
def browser() -> str:
    found = tool.chromium()
    if found is None:
        pytest.skip(NO_CHROMIUM)
    return found


@pytest.mark.slow
def test_every_deck_is_built_and_asks_nothing_of_a_network(built: list[Path]):
    assert {path.stem for path in built} == {"index", *(deck.path.stem for deck in DECKS)}
    assert tool.fetches(built[0].parent) == []
    for path in built:
        html = path.read_text()
        code = r"<(pre|code|script)\b.*?</\1>|<img[^>]*>"
        assert "$" not in re.sub(code, "", html, flags=re.DOTALL), path.name
        assert all(cells.alt_texts(html)), path.name
        for link in re.findall(r'(?:src|href)="(_static/[^"?]+)', html):
            assert (path.parent / link).is_file(), link


@pytest.mark.slow
def test_on_every_slide_everything_stands_within_the_frame(built: list[Path], browser: str):
    assert [part for path in built for part in tool.overflows(path, browser)] == []


@pytest.mark.slow
def test_a_slide_that_overflows_is_found(built: list[Path], browser: str):
    path = built[0].with_name("too_much.html")
    crammed = built[0].read_text().replace("</h1>", "</h1>" + "<p>one more line</p>" * 20, 1)
    path.write_text(crammed)
    assert any("one more line" in part for part in tool.overflows(path, browser))
    path.unlink()


@pytest.mark.slow
def test_a_deck_is_printed_with_one_slide_per_page(built: list[Path], browser: str):
    opening = next(path for path in built if path.stem == "opening")
    pdf = tool.print_pdf(opening, browser)
    pages = re.findall(rb"/Type\s*/Page\b", pdf.read_bytes())
    deck = next(deck for deck in DECKS if deck.path.stem == "opening")
    assert len(pages) == len(deck.slides)
