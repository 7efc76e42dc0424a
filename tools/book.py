"""`make book`: the executed notebooks, the reference, the evidence and the figures as a site in
build/book.

Sphinx with myst-nb and furo. The pages are put together in build/book-pages: mermaid's drawings
become pictures in a light and a dark form, widgets move without a kernel, solutions are folded.
Nothing is fetched, then or later.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from html import escape
from pathlib import Path

import mermaidx
import nbformat

from lepton_lab import show
from tools.book_widgets import bring_to_life
from tools.notebook_run import NotebookFailed

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "book"
PAGES = ROOT / "build" / "book-pages"
BOOK = ROOT / "build" / "book"
KEPT = ROOT / "build" / "book-widgets"
BESIDE = (
    "tests/EVIDENCE.md",
    "notebooks/GLOSSARY.md",
    "CLUSTER.md",
    "SECURITY.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
)
REFERENCE = (
    "aes",
    "rsa",
    "paillier",
    "shamir",
    "erasure",
    "keyring",
    "nodes",
    "sharding",
    "tls",
    "errors",
)
_MERMAID = re.compile(
    r"```mermaid\n(?P<source>.*?)```(?:\s*\*In words: (?P<words>.*?)\*(?=\n|$))?", re.DOTALL
)
_LINK = re.compile(r"\[(?P<words>[^\]]+)\]\((?!\w+:|#)(?P<target>[^)#\s]+)(?P<place>#[^)\s]*)?\)")
_MOST_BARS = 30
_MEASURED = """What the helpers cost, each beside its baseline in the same run: a ratio says how
many times *better* than its baseline it is. Absolute figures belong to the machine that is named;
ratios carry over better. `make bench`
measures yours."""
_THEMES = {"default": "only-light", "dark": "only-dark"}  # mermaid's name for each, and furo's


class BookFailed(Exception):
    """A page cannot be made; the message shows what of it."""


def put_together() -> None:
    """Write every page of the book to build/book-pages."""
    shutil.rmtree(PAGES, ignore_errors=True)
    (PAGES / "notebooks").mkdir(parents=True)
    shutil.copy(SOURCES / "index.md", PAGES)
    for name in BESIDE:
        page = (ROOT / name).read_text(encoding="utf-8")
        (PAGES / Path(name).name).write_text(with_drawings(with_links(page)), encoding="utf-8")
    (PAGES / "reference.rst").write_text(reference(), encoding="utf-8")
    (PAGES / "benchmarks.md").write_text(benchmarks(), encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        moving = bring_to_life(notebook, path, KEPT)
        page_of(notebook)
        nbformat.write(notebook, PAGES / "notebooks" / path.name)
        print(f"{path.name}: {len(notebook.cells)} cells, {moving} of them moving", flush=True)


def page_of(notebook: nbformat.NotebookNode) -> None:
    """A notebook as a page: drawings drawn, solutions folded."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            cell.source = with_drawings(cell.source)
        elif "solution" in tags:
            cell.metadata["tags"] = [*tags, "hide-input"]


def with_links(markdown: str) -> str:
    """Markdown whose links lead to pages of the book; what is not one of them keeps its words
    alone.
    """
    here = {Path(name).name: Path(name).name for name in BESIDE}
    here |= {path.name: f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}

    def linked(match: re.Match[str]) -> str:
        target = here.get(Path(match["target"]).name)
        return f"[{match['words']}]({target}{match['place'] or ''})" if target else match["words"]

    return _LINK.sub(linked, markdown)


def with_drawings(markdown: str) -> str:
    """Markdown with every mermaid drawing as a picture whose alt text is what stands under it '*In
    words: …*'.
    """
    return _MERMAID.sub(_drawn, markdown)


def _drawn(match: re.Match[str]) -> str:
    words = match["words"]
    alt = escape(" ".join((words or "a drawing").split()), quote=True)
    pictures = []
    for theme, shown in _THEMES.items():
        try:
            svg = mermaidx.render(match["source"], theme=theme).svg()
        except RuntimeError as error:
            raise BookFailed(f"{match['source']}\ncannot be drawn: {error}") from None
        data = base64.b64encode(svg.encode()).decode()
        pictures.append(f'<img class="{shown}" alt="{alt}" src="data:image/svg+xml;base64,{data}">')
    figure = f'<figure class="diagram">{"".join(pictures)}</figure>\n'
    return figure + (f"\n*In words: {words}*" if words else "")


def benchmarks() -> str:
    """The reference figures that `make bench` wrote, part by part, as tables and the ratios as
    bars.
    """
    page = ["# Benchmarks", _MEASURED]
    for path in sorted((ROOT / "lepton_lab" / "data" / "bench").glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        machine, rows = found["machine"], found["rows"]
        page += [
            f"## {path.stem.replace('_', ' ')}",
            f"{machine['cpu']}, {machine['system']}, Python {machine['python']}, "
            f"{machine['packages']}.",
        ]
        compared = [row for row in rows if row["ratio"] and row["baseline"] != row["name"]]
        ratios = {row["name"]: row["ratio"] for row in compared}
        if 1 < len(ratios) == len(compared) <= _MOST_BARS:
            picture = show.bars(
                ratios, title="How many times the baseline", unit="×", log=True, width=8.5
            )
            page.append(picture.html)
        columns = [
            "what",
            "value",
            "unit",
            "ratio",
            "baseline",
            "bytes",
            "error",
            "assumption",
            "note",
        ]
        told = [
            name
            for name in columns[1:]
            if name in columns[1:4] or any(row.get(name) for row in rows)
        ]
        table = show.table(
            [[row.get(name) for name in ("name", *told)] for row in rows], ["what", *told]
        )
        page.append(f'<div class="table-wrapper">{table.html}</div>')
    return "\n\n".join(page) + "\n"


def reference() -> str:
    """The page of the helpers, made from their docstrings."""
    parts = [(SOURCES / "reference.rst").read_text(encoding="utf-8")]
    for name in REFERENCE:
        title = f"``lepton_lab.{name}``"
        parts.append(
            f"{title}\n{'-' * len(title)}\n\n.. automodule:: lepton_lab.{name}\n   :members:\n"
        )
    return "\n".join(parts)


def main() -> int:
    """Put the pages together and have Sphinx build them; its warnings are errors. Returns the exit
    status.
    """
    try:
        put_together()
    except (BookFailed, NotebookFailed) as error:
        print(error, file=sys.stderr)
        return 1
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-E",
        "-b",
        "html",
        "-c",
        str(SOURCES),
    ]
    done = subprocess.run([*command, str(PAGES), str(BOOK)], cwd=ROOT, check=False)
    if done.returncode == 0:
        print(f"the book: {(BOOK / 'index.html').relative_to(ROOT)}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
