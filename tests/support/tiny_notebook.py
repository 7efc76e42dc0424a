"""A notebook of a page, in good form, for the tests of what runs, compares and lints notebooks."""

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
    """The cells, not run yet."""
    page = [
        prose(OPENING, "core"),
        code(USES, "core"),
        prose("Numbers are shown, and read.", "core"),
        code(
            'show.bars({"first": 1.25, "second": 2.0}, title="The second is longer", unit="time / s")',
            "core",
        ),
        prose("A table, of a real file.", "core"),
        code(
            'lines = data.read().splitlines()\nshow.table([("lines", len(lines))], ["what", "how many"])',
            "core",
        ),
        prose("Nothing is shown where a line ends in a semicolon.", "core"),
        code("len(lines);", "core"),
    ]
    for number in range(1, 5):
        tags = ["core"] if number <= 2 else []
        page += exercise(number, tags)
    page += [
        prose("Bytes, with their fields."),
        code(
            'show.hexdump(bytes.fromhex("1603010005"), [(0, 1, "type"), (1, 2, "version"), (3, 2, "length")])'
        ),
        prose("A progress bar keeps no clock in the page."),
        code('from tqdm.auto import tqdm\n\nsum(tqdm(range(10), desc="shards"))'),
        prose(CLOSING),
    ]
    for number, cell in enumerate(page):
        cell.id = f"cell{number:02}"
    return page


def exercise(number: int, tags: list[str]) -> list[nbformat.NotebookNode]:
    """An exercise: its task, skeleton, check and solution."""
    if number % 2:
        skeleton, check, solution = "length = ...", PADDED, "length = 48"
    else:
        skeleton = "def xtime(b):\n    ..."
        check, solution = (
            XTIME,
            "def xtime(b):\n    return (b << 1) ^ (0x11B if b & 0x80 else 0)\n\n",
        )
    return [
        prose(f"## Exercise {number}\nTry it.", *tags),
        code(skeleton, *tags, "exercise"),
        code(check, *tags),
        code(f"# Solution\n{solution}\n{check}", *tags, "solution"),
    ]


def prose(source: str, *tags: str) -> nbformat.NotebookNode:
    """A cell to read."""
    return new_markdown_cell(source, metadata={"tags": list(tags)} if tags else {})


def code(source: str, *tags: str) -> nbformat.NotebookNode:
    """A cell to run."""
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def write(path: Path, page: list[nbformat.NotebookNode] | None = None) -> Path:
    """Write a notebook of these cells, or of all of the tiny page's."""
    nbformat.write(new_notebook(cells=cells() if page is None else page), path)
    return path
