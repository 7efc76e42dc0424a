"""What a deck takes out of the committed notebooks: a cell's code, its picture or its words, as
they were run.

A cell is named by its notebook and a phrase that stands in the code of exactly one cell. (An id
would do as well, until somebody puts a cell before it; a phrase goes with its cell, and says to the
reader of a deck what comes.)
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from html import escape, unescape
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tools.notebook_page import Cell, Page

LARGEST = 25  # px
LONGEST = 88  # letters in a line of code: more, and the last row cannot read it
WIDTH = (
    1085 / 0.61
)  # what a block has for its letters, in px, over a letter's width in units of its height
NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


@cache
def _page(notebook: str) -> Page:
    return Page.read(NOTEBOOKS / f"{notebook}.ipynb")


def find(reference: str) -> Cell:
    """The cell that 'notebook: phrase' names. Raises ValueError when it is none, or more than
    one.
    """
    notebook, _, phrase = (part.strip() for part in reference.partition(":"))
    try:
        cells = [cell for cell in _page(notebook).code if _bare(phrase) in _bare(cell.source)]
    except FileNotFoundError:
        raise ValueError(f"there is no notebook {notebook!r}") from None
    if not phrase or len(cells) != 1:
        raise ValueError(
            f"{len(cells)} code cells of {notebook} have {phrase!r} in them, where it should be one"
        )
    return cells[0]


def _bare(words: str) -> str:
    """Without blanks and line ends, which a formatter may set otherwise tomorrow."""
    return "".join(words.split())


def plain(cell: Cell) -> str:
    """What it shows, as words: its printed lines and its value. Raises ValueError when that is
    nothing.
    """
    shown = "\n".join(part.rstrip() for part in [*cell.shows("stdout"), *cell.shows("text/plain")])
    if not shown:
        raise ValueError(f"{cell} shows nothing")
    return shown


def picture(cell: Cell) -> str:
    """What it shows, for the eye: a picture with its alt text, a table, or its words."""
    html = "".join(cell.shows("text/html"))
    printed = "".join(cell.shows("stdout")) if html else plain(cell)
    return (_pre("output", escape(printed.rstrip()), printed) if printed else "") + html


def code(cell: Cell, lines: str = "") -> str:
    """Its code in colour; `lines` picks some of it: '3', '2-5'."""
    chosen = cell.source.splitlines()
    if lines:
        first, _, last = lines.partition("-")
        chosen = chosen[int(first) - 1 : int(last or first)]
    source = re.sub(
        r"\n{3,}", "\n\n", "\n".join(chosen)
    )  # a slide has no room for two blank lines,
    source = _narrow(re.sub(r"  # noqa: \w+", "", source))  # nor for words to the linter
    formatter = HtmlFormatter(
        noclasses=True, nobackground=True, nowrap=True, style="a11y-high-contrast-light"
    )
    return _pre(
        "code", f"<code>{highlight(source, PythonLexer(), formatter).rstrip()}</code>", source
    )


def _narrow(source: str) -> str:
    """Code whose lines a slide can hold: a comment behind a long line goes above it, the formatter
    does the rest.
    """
    if all(len(line) <= LONGEST for line in source.splitlines()):
        return source
    above = re.sub(
        r"^( *)(\S.*?)  (# .*)$",
        lambda line: (
            f"{line[1]}{line[3]}\n{line[1]}{line[2]}" if len(line[0]) > LONGEST else line[0]
        ),
        source,
        flags=re.MULTILINE,
    )
    # S603: what is run is the environment's own formatter, and what it is given is a committed cell
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--isolated",
        f"--line-length={LONGEST}",
        "-",
    ]
    done = subprocess.run(command, input=above, capture_output=True, encoding="utf-8", check=False)  # noqa: S603
    if done.returncode:
        raise ValueError(f"lines of more than {LONGEST} letters cannot be set anew: {done.stderr}")
    return done.stdout.rstrip()


def _pre(kind: str, html: str, text: str) -> str:
    """A block in type as large as its longest line allows, so that no line is broken."""
    longest = max(len(line) for line in text.splitlines())
    return (
        f'<pre class="{kind}" style="font-size: {min(LARGEST, WIDTH / longest):.1f}px">{html}</pre>'
    )


def alt_texts(html: str) -> list[str]:
    """The alt text of every picture in some HTML; an empty one where a picture has none."""
    found = (re.search(r'\balt="([^"]*)"', image) for image in re.findall(r"<img\b[^>]*>", html))
    return [unescape(alt[1]) if alt else "" for alt in found]
