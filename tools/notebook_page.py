"""A notebook as the rules of form see it: cells with their kind, tags and outputs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat

CHECK = re.compile(r'(?:workshop\.)?check\("(?P<id>[^"]*)", (?P<answer>[^\n]+)\)')


@dataclass(frozen=True)
class Cell:
    """One cell and its number in the notebook, counted from 0."""

    number: int
    node: nbformat.NotebookNode

    def __str__(self) -> str:
        return f"cell {self.number} ({self.node.get('id', 'no id')})"

    @property
    def source(self) -> str:
        """The text of the cell."""
        return str(self.node.source)

    @property
    def tags(self) -> list[str]:
        """The tags of the cell."""
        return list(self.node.metadata.get("tags", []))

    @property
    def is_code(self) -> bool:
        """Whether this is a code cell."""
        return bool(self.node.cell_type == "code")

    @property
    def is_check(self) -> bool:
        """Whether the cell is the check of an exercise, a single line."""
        return self.is_code and CHECK.fullmatch(self.source.strip()) is not None

    @property
    def lines(self) -> list[str]:
        """The lines of the text that are not blank."""
        return [line for line in self.source.splitlines() if line.strip()]

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree, without IPython's own lines. Raises SyntaxError."""
        return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", self.source, flags=re.MULTILINE))

    def outputs(self) -> Iterator[tuple[str, str]]:
        """Yield everything that the cell shows as (kind, text): 'text/html', 'stdout', …"""
        for output in self.node.get("outputs", []):
            if output.output_type == "stream":
                yield output.name, output.text
            elif output.output_type == "error":
                yield "error", "\n".join([output.ename, output.evalue, *output.traceback])
            else:
                yield from ((kind, _text(data)) for kind, data in output.data.items())

    def shows(self, kind: str) -> list[str]:
        """List what the cell shows of one kind."""
        return [text for name, text in self.outputs() if name == kind]


@dataclass(frozen=True)
class Page:
    """A whole notebook."""

    path: Path
    notebook: nbformat.NotebookNode

    @classmethod
    def read(cls, path: Path) -> Page:
        """Read the notebook at `path`."""
        return cls(path, nbformat.read(path, as_version=4))

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells, in order."""
        return [Cell(number, node) for number, node in enumerate(self.notebook.cells)]

    @cached_property
    def code(self) -> list[Cell]:
        """The code cells."""
        return [cell for cell in self.cells if cell.is_code]

    @cached_property
    def prose(self) -> list[Cell]:
        """The Markdown cells."""
        return [cell for cell in self.cells if cell.node.cell_type == "markdown"]

    def tagged(self, tag: str) -> list[Cell]:
        """List the cells that have a tag."""
        return [cell for cell in self.cells if tag in cell.tags]

    def headings(self) -> Iterator[tuple[Cell, int, str]]:
        """Yield every heading of the prose as (cell, level, words)."""
        heading = re.compile(r"^(#{1,6}) +(.+?) *$", flags=re.MULTILINE)
        for cell in self.prose:
            for marks, words in heading.findall(_without_fences(cell.source)):
                yield cell, len(marks), words


def _without_fences(source: str) -> str:
    return re.sub(r"^```.*?^```", "", source, flags=re.MULTILINE | re.DOTALL)


def _text(data: Any) -> str:
    return data if isinstance(data, str) else str(data)
