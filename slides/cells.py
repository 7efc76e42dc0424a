"""Take a cell's code, picture or words out of a committed notebook, as they were run.

A cell is named by its notebook and a phrase that stands in the code of exactly one of its cells.
The phrase tells the reader of a deck what the cell is about, which the cell's id would not.
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

LARGEST = 25  # px: the largest type
LONGEST = 88  # letters in a line of code; the last row of the room cannot read longer lines
# The size of type in px at which one letter fills a block: its width in px, over the width of a
# letter in units of its height.
WIDTH = 1085 / 0.61
NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


@cache
def _page(notebook: str) -> Page:
    return Page.read(NOTEBOOKS / f"{notebook}.ipynb")


def find(reference: str) -> Cell:
    """Return the cell that 'notebook: phrase' names. Raises ValueError if it is not exactly one."""
    notebook, _, phrase = (part.strip() for part in reference.partition(":"))
    try:
        cells = [cell for cell in _page(notebook).code if _bare(phrase) in _bare(cell.source)]
    except FileNotFoundError:
        raise ValueError(f"there is no notebook {notebook!r}") from None
    if not phrase or len(cells) != 1:
        raise ValueError(
            f"{len(cells)} code cells of {notebook} have {phrase!r} in them; "
            "give a phrase that only one cell has"
        )
    return cells[0]


def _bare(words: str) -> str:
    """Return the words without blanks and line ends, which a formatter may change."""
    return "".join(words.split())


def plain(cell: Cell) -> str:
    """Return what a cell prints, and its value as text. Raises ValueError if there is neither."""
    shown = "\n".join(part.rstrip() for part in [*cell.shows("stdout"), *cell.shows("text/plain")])
    if not shown:
        raise ValueError(f"{cell} shows nothing")
    return shown


def picture(cell: Cell) -> str:
    """Return what a cell shows as HTML: a picture with its alt text, a table, or its words."""
    html = "".join(cell.shows("text/html"))
    printed = "".join(cell.shows("stdout")) if html else plain(cell)
    block = _pre("output", escape(printed.rstrip()), printed) if printed else ""
    return block + html


def code(cell: Cell, lines: str = "") -> str:
    """Return a cell's code in colour; `lines` picks some of its lines: '3', '2-5'."""
    chosen = cell.source.splitlines()
    if lines:
        first, _, last = lines.partition("-")
        chosen = chosen[int(first) - 1 : int(last or first)]
    # A slide has no room for two blank lines in a row, nor for comments to the linter.
    source = re.sub(r"\n{3,}", "\n\n", "\n".join(chosen))
    source = _narrow(re.sub(r"  # noqa: \w+", "", source))
    style = "a11y-high-contrast-light"
    formatter = HtmlFormatter(noclasses=True, nobackground=True, nowrap=True, style=style)
    coloured = highlight(source, PythonLexer(), formatter).rstrip()
    return _pre("code", f"<code>{coloured}</code>", source)


def _narrow(source: str) -> str:
    """Return code whose lines are at most LONGEST letters long.

    A comment behind a long line moves above it; ruff's formatter does the rest. Raises ValueError
    when ruff cannot format the code.
    """
    if all(len(line) <= LONGEST for line in source.splitlines()):
        return source
    lines = []
    for line in source.splitlines():
        commented = re.fullmatch(r"( *)(\S.*?)  (# .*)", line)
        if commented and len(line) > LONGEST:
            indent, statement, comment = commented.groups()
            lines += [indent + comment, indent + statement]
        else:
            lines.append(line)
    text = "\n".join(lines)
    command = [sys.executable, "-m", "ruff", "format", "--isolated", f"--line-length={LONGEST}"]
    # S603: the program is the environment's own formatter, and its input is a committed cell
    done = subprocess.run(  # noqa: S603
        [*command, "-"], input=text, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise ValueError(f"lines of more than {LONGEST} letters cannot be wrapped: {done.stderr}")
    return done.stdout.rstrip()


def _pre(kind: str, html: str, text: str) -> str:
    """Return a block in type as large as its longest line allows, so that no line is broken."""
    longest = max(len(line) for line in text.splitlines())
    size = min(LARGEST, WIDTH / longest)
    return f'<pre class="{kind}" style="font-size: {size:.1f}px">{html}</pre>'


def alt_texts(html: str) -> list[str]:
    """List the alt text of every picture in some HTML; '' for a picture that has none."""
    found = (re.search(r'\balt="([^"]*)"', image) for image in re.findall(r"<img\b[^>]*>", html))
    return [unescape(alt[1]) if alt else "" for alt in found]
