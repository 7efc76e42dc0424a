"""A tiny notebook in good form, for the tests of the tools that run, compare and lint notebooks."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

OPENING = """# A tiny page

It matters because everything else is built like it.

You will be able to read a check. **Time** 5 minutes. **Read before** nothing."""

USES = """from pathlib import Path

from lepton_lab import data, show
from lepton_lab.workshop import check

Path().resolve().name"""

BARS = 'show.bars({"first": 1.25, "second": 2.0}, title="The second is longer", unit="time / s")'
TABLE = """lines = data.read().splitlines()
show.table([("lines", len(lines))], ["what", "how many"])"""
HEXDUMP = (
    'show.hexdump(bytes.fromhex("1603010005"), '
    '[(0, 1, "type"), (1, 2, "version"), (3, 2, "length")])'
)

CLOSING = """## What to remember
1. One.
2. Two.
3. Three.
4. Four.
5. Five.

## Questions without peeking
1. Why?

## Further reading
- FIPS 197 (2001)."""

PADDED = 'check("aes.padded", length)'
XTIME = 'check("aes.xtime", xtime)'


def cells() -> list[nbformat.NotebookNode]:
    """All cells of the tiny notebook, not run yet."""
    page = [
        prose(OPENING, "core"),
        code(USES, "core"),
        prose("Numbers are shown, and read.", "core"),
        code(BARS, "core"),
        prose("A table, of a real file.", "core"),
        code(TABLE, "core"),
        prose("Nothing is shown where a line ends in a semicolon.", "core"),
        code("len(lines);", "core"),
    ]
    for number in range(1, 5):
        tags = ["core"] if number <= 2 else []
        page += exercise(number, tags)
    page += [
        prose("Bytes, with their fields."),
        code(HEXDUMP),
        prose("A progress bar keeps no clock in the page."),
        code('from tqdm.auto import tqdm\n\nsum(tqdm(range(10), desc="shards"))'),
        prose(CLOSING),
    ]
    for number, cell in enumerate(page):
        cell.id = f"cell{number:02}"
    return page


def exercise(number: int, tags: list[str]) -> list[nbformat.NotebookNode]:
    """The four cells of an exercise: task, skeleton, check and solution."""
    if number % 2:
        skeleton = "length = ..."
        check = PADDED
        solution = "length = 48"
    else:
        skeleton = "def xtime(b):\n    ..."
        check = XTIME
        solution = "def xtime(b):\n    return (b << 1) ^ (0x11B if b & 0x80 else 0)\n\n"
    return [
        prose(f"## Exercise {number}\nTry it.", *tags),
        code(skeleton, *tags, "exercise"),
        code(check, *tags),
        code(f"# Solution\n{solution}\n{check}", *tags, "solution"),
    ]


def prose(source: str, *tags: str) -> nbformat.NotebookNode:
    """A Markdown cell."""
    return new_markdown_cell(source, metadata={"tags": list(tags)} if tags else {})


def code(source: str, *tags: str) -> nbformat.NotebookNode:
    """A code cell."""
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def write(path: Path, page: list[nbformat.NotebookNode] | None = None) -> Path:
    """Write a notebook of these cells, or the whole tiny notebook."""
    nbformat.write(new_notebook(cells=cells() if page is None else page), path)
    return path
