"""The directives of Sphinx that decks use beside plain Markdown; README.md has examples.

`cell` shows a notebook's cell, `question` asks the room, `flow` draws boxes and arrows, `notes`
holds the speaker notes, and `decks` lists all decks. Within a line, `{shown}` inserts what a cell
shows.
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
    """Return a node of HTML that goes into the deck as it is."""
    return nodes.raw("", html, format="html")


def sized(html: str, height: int) -> str:
    """Return the HTML with its pictures `height` pixels high, or as wide as the slide."""
    return re.sub(r'(<img\b[^>]*?) style="[^"]*"', rf'\1 style="height: {height}px"', html)


class CellOf(SphinxDirective):
    """The directive `cell`: a cell of a notebook."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {
        "show": lambda given: directives.choice(given, ("output", "code", "both")),
        "lines": directives.unchanged,
        "height": directives.positive_int,
    }

    def run(self) -> list[nodes.Node]:
        """Return the cell's code, its output or both, as the option `show` asks."""
        notebook = self.arguments[0].partition(":")[0].strip()
        try:
            cell = cells.find(self.arguments[0])
            self.env.note_dependency(cells.NOTEBOOKS / f"{notebook}.ipynb")
            show = self.options.get("show", "output")
            code = cells.code(cell, self.options.get("lines", "")) if show != "output" else ""
            output = cells.picture(cell) if show != "code" else ""
        except ValueError as error:
            raise self.error(str(error)) from error
        return [raw(code + sized(output, self.options.get("height", 520)))]


class Question(SphinxDirective):
    """The directive `question`: a question to the room."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return a box around the question."""
        box = nodes.container(classes=["question"])
        box += self.parse_content_to_nodes()
        return [box]


class Flow(SphinxDirective):
    """The directive `flow`: boxes with arrows between them."""

    has_content = True
    option_spec: ClassVar = {"apart": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Return an ordered list, which the style sheet draws as boxes."""
        items = []
        for line in filter(None, map(str.strip, self.content)):
            words, _, small = (escape(part.strip()) for part in line.partition("|"))
            below = f"<small>{small}</small>" if small else ""
            items.append(f"<li><span>{words}{below}</span></li>")
        kind = "flow apart" if "apart" in self.options else "flow"
        return [raw(f'<ol class="{kind}">{"".join(items)}</ol>')]


class speaker_notes(nodes.Element):  # noqa: N801  # docutils finds nodes by this form of name
    """A node that only the speaker's view shows."""


class Notes(SphinxDirective):
    """The directive `notes`: speaker notes, with the minutes that the slide takes."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the notes below a line with the minutes of this slide and of the deck so far."""
        minutes = float(self.arguments[0])
        start = self.env.temp_data.get("minutes") or 0.0
        self.env.temp_data["minutes"] = start + minutes
        total = Deck(Path(self.env.doc2path(self.env.docname))).minutes
        clock = f"{minutes:g} min · from {start:g} to {start + minutes:g} of {total:g}"
        notes = speaker_notes()
        notes += nodes.paragraph("", "", nodes.strong(text=clock))
        notes += self.parse_content_to_nodes()
        return [notes]


class ShownRole(SphinxRole):
    """The role `shown`: what a cell shows, within a line."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the cell's words, or an error of the build."""
        try:
            words = cells.plain(cells.find(self.text))
        except ValueError as error:
            return [], [self.inliner.reporter.error(str(error), line=self.lineno)]
        return [nodes.inline(text=words, classes=["shown"])], []


class Decks(SphinxDirective):
    """The directive `decks`: the list of all decks."""

    def run(self) -> list[nodes.Node]:
        """Return links to each deck and its PDF."""
        rows = (
            f'<li><a href="{deck.path.stem}.html">{escape(deck.title)}</a>'
            f"<small>{len(deck.slides)} slides, "
            f'{deck.minutes:g} minutes; <a href="{deck.path.stem}.pdf">PDF</a></small></li>'
            for deck in Deck.all()
        )
        return [raw(f'<ul class="decks">{"".join(rows)}</ul>')]


def open_notes(translator: HTML5Translator, node: speaker_notes) -> None:
    """Write what stands before speaker notes."""
    translator.body.append('<aside class="notes">')


def close_notes(translator: HTML5Translator, node: speaker_notes) -> None:
    """Write what stands after speaker notes."""
    translator.body.append("</aside>")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the role; Sphinx calls this."""
    app.add_node(speaker_notes, html=(open_notes, close_notes))
    app.add_directive("cell", CellOf)
    app.add_directive("question", Question)
    app.add_directive("flow", Flow)
    app.add_directive("notes", Notes)
    app.add_directive("decks", Decks)
    app.add_role("shown", ShownRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
