"""What the decks can say beside Markdown; README.md has examples.

`cell` shows a notebook's cell, `question` asks the room, `flow` draws boxes and arrows, `notes` is
for the speaker, `decks` lists all decks; and within a line `{shown}` has what a cell showed.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective, SphinxRole

from slides import cells
from slides.decks import Deck

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator


def raw(html: str) -> nodes.raw:
    """HTML that goes into the deck as it is."""
    return nodes.raw("", html, format="html")


def sized(html: str, height: int) -> str:
    """A picture that fills the slide's width, or `height`, whichever it reaches first."""
    return re.sub(r'(<img\b[^>]*?) style="[^"]*"', rf'\1 style="height: {height}px"', html)


class CellOf(SphinxDirective):
    """A cell of a notebook."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {
        "show": lambda given: directives.choice(given, ("output", "code", "both")),
        "lines": directives.unchanged,
        "height": directives.positive_int,
    }

    def run(self) -> list[nodes.Node]:
        """The parts that were asked for."""
        try:
            cell = cells.find(self.arguments[0])
            self.env.note_dependency(
                cells.NOTEBOOKS / f"{self.arguments[0].partition(':')[0].strip()}.ipynb"
            )
            show = self.options.get("show", "output")
            code = cells.code(cell, self.options.get("lines", "")) if show != "output" else ""
            output = cells.picture(cell) if show != "code" else ""
        except ValueError as error:
            raise self.error(str(error)) from error
        return [raw(code + sized(output, self.options.get("height", 520)))]


class Question(SphinxDirective):
    """A question to the room."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """A box that says so."""
        box = nodes.container(classes=["question"])
        box += self.parse_content_to_nodes()
        return [box]


class Flow(SphinxDirective):
    """Boxes with arrows between them."""

    has_content = True
    option_spec: ClassVar = {"apart": directives.flag}

    def run(self) -> list[nodes.Node]:
        """An ordered list, drawn as boxes."""
        items = []
        for line in filter(None, map(str.strip, self.content)):
            words, _, small = (escape(part.strip()) for part in line.partition("|"))
            items.append(
                f"<li><span>{words}{f'<small>{small}</small>' if small else ''}</span></li>"
            )
        kind = "flow apart" if "apart" in self.options else "flow"
        return [raw(f'<ol class="{kind}">{"".join(items)}</ol>')]


class speaker_notes(nodes.Element):  # noqa: N801  # docutils finds nodes by this form of name
    """What the speaker sees."""


class Notes(SphinxDirective):
    """Speaker notes, with the clock."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """The notes, after a line that says where the clock stands."""
        minutes, start = float(self.arguments[0]), self.env.temp_data.get("minutes") or 0.0
        self.env.temp_data["minutes"] = start + minutes
        total = Deck(Path(self.env.doc2path(self.env.docname))).minutes
        clock = f"{minutes:g} min · from {start:g} to {start + minutes:g} of {total:g}"
        notes = speaker_notes()
        notes += nodes.paragraph("", "", nodes.strong(text=clock))
        notes += self.parse_content_to_nodes()
        return [notes]


class ShownRole(SphinxRole):
    """What a cell shows, within a line."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Its words."""
        try:
            return [nodes.inline(text=cells.plain(cells.find(self.text)), classes=["shown"])], []
        except ValueError as error:
            return [], [self.inliner.reporter.error(str(error), line=self.lineno)]


class Decks(SphinxDirective):
    """The list of all decks."""

    def run(self) -> list[nodes.Node]:
        """Links to each deck and its PDF."""
        rows = (
            f'<li><a href="{deck.path.stem}.html">{escape(deck.title)}</a>'
            f"<small>{len(deck.slides)} slides, "
            f'{deck.minutes:g} minutes; <a href="{deck.path.stem}.pdf">PDF</a></small></li>'
            for deck in Deck.all()
        )
        return [raw(f'<ul class="decks">{"".join(rows)}</ul>')]


def open_notes(translator: HTML5Translator, node: speaker_notes) -> None:
    """Before the notes."""
    translator.body.append('<aside class="notes">')


def close_notes(translator: HTML5Translator, node: speaker_notes) -> None:
    """After the notes."""
    translator.body.append("</aside>")


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx."""
    app.add_node(speaker_notes, html=(open_notes, close_notes))
    for name, directive in {
        "cell": CellOf,
        "question": Question,
        "flow": Flow,
        "notes": Notes,
        "decks": Decks,
    }.items():
        app.add_directive(name, directive)
    app.add_role("shown", ShownRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
