"""A notebook as its rules see it: cells with their kind, tags and what they show."""

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
    """One cell and its place in the notebook, counted from 0."""

    number: int
    node: nbformat.NotebookNode

    def __str__(self) -> str:
        return f"cell {self.number} ({self.node.get('id', 'no id')})"

    @property
    def source(self) -> str:
        """What is written in it."""
        return str(self.node.source)

    @property
    def tags(self) -> list[str]:
        """Its tags."""
        return list(self.node.metadata.get("tags", []))

    @property
    def is_code(self) -> bool:
        """Whether it is run."""
        return bool(self.node.cell_type == "code")

    @property
    def is_check(self) -> bool:
        """Whether it is an exercise's check: one line."""
        return self.is_code and CHECK.fullmatch(self.source.strip()) is not None

    @property
    def lines(self) -> list[str]:
        """The lines that are not blank."""
        return [line for line in self.source.splitlines() if line.strip()]

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax, with IPython's own lines left out. Raises SyntaxError."""
        return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", self.source, flags=re.MULTILINE))

    def outputs(self) -> Iterator[tuple[str, str]]:
        """Everything it shows, as (kind, text): 'text/html', 'stdout', …"""
        for output in self.node.get("outputs", []):
            if output.output_type == "stream":
                yield output.name, output.text
            elif output.output_type == "error":
                yield "error", "\n".join([output.ename, output.evalue, *output.traceback])
            else:
                yield from ((kind, _text(data)) for kind, data in output.data.items())

    def shows(self, kind: str) -> list[str]:
        """What it shows of one kind."""
        return [text for name, text in self.outputs() if name == kind]


@dataclass(frozen=True)
class Page:
    """A whole notebook."""

    path: Path
    notebook: nbformat.NotebookNode

    @classmethod
    def read(cls, path: Path) -> Page:
        """The notebook at `path`."""
        return cls(path, nbformat.read(path, as_version=4))

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells, in order."""
        return [Cell(number, node) for number, node in enumerate(self.notebook.cells)]

    @cached_property
    def code(self) -> list[Cell]:
        """The cells that are run."""
        return [cell for cell in self.cells if cell.is_code]

    @cached_property
    def prose(self) -> list[Cell]:
        """The cells that are read."""
        return [cell for cell in self.cells if cell.node.cell_type == "markdown"]

    def tagged(self, tag: str) -> list[Cell]:
        """The cells with a tag."""
        return [cell for cell in self.cells if tag in cell.tags]

    def headings(self) -> Iterator[tuple[Cell, int, str]]:
        """Every heading of the prose, with its cell and level."""
        for cell in self.prose:
            for marks, words in re.findall(
                r"^(#{1,6}) +(.+?) *$", _without_fences(cell.source), flags=re.MULTILINE
            ):
                yield cell, len(marks), words


def _without_fences(source: str) -> str:
    return re.sub(r"^```.*?^```", "", source, flags=re.MULTILINE | re.DOTALL)


def _text(data: Any) -> str:
    return data if isinstance(data, str) else str(data)
