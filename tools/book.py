"""`make book`: build the book, a site with the notebooks and the reference, in build/book.

The book also has the evidence and the benchmarks. This script first writes its pages to
build/book-pages: it turns mermaid drawings into pictures in a light and a dark form, makes widgets
move without a kernel, and folds the solutions. Then Sphinx builds the site, with myst-nb and furo.
Neither the build nor the finished site fetches anything from a network.
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
_MEASURED = """What the helpers cost, each beside its baseline in the same run. A ratio says how
many times *better* than its baseline a helper is. Absolute figures hold for the machine that is
named; ratios carry over better to others. `make bench` measures your machine."""
_THEMES = {"default": "only-light", "dark": "only-dark"}  # mermaid's name for each, and furo's


class BookFailed(Exception):
    """A page cannot be made; the message shows the part that failed."""


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
        print(f"{path.name}: {len(notebook.cells)} cells, {moving} with a widget", flush=True)


def page_of(notebook: nbformat.NotebookNode) -> None:
    """Turn a notebook into a page: its drawings become pictures, its solutions are folded."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            cell.source = with_drawings(cell.source)
        elif "solution" in tags:
            cell.metadata["tags"] = [*tags, "hide-input"]


def with_links(markdown: str) -> str:
    """Return the Markdown with its links leading to pages of the book.

    A link to a file that has no page in the book is replaced by its words.
    """
    here = {Path(name).name: Path(name).name for name in BESIDE}
    here |= {path.name: f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}

    def linked(match: re.Match[str]) -> str:
        target = here.get(Path(match["target"]).name)
        return f"[{match['words']}]({target}{match['place'] or ''})" if target else match["words"]

    return _LINK.sub(linked, markdown)


def with_drawings(markdown: str) -> str:
    """Return the Markdown with every mermaid drawing replaced by a picture.

    The line '*In words: …*' below a drawing becomes the picture's alt text.
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
    """Return the page of the benchmarks: a table for each part, and its ratios as bars.

    The figures are the reference figures that `make bench` wrote.
    """
    page = ["# Benchmarks", _MEASURED]
    for path in sorted((ROOT / "lepton_lab" / "data" / "bench").glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        machine = found["machine"]
        rows = found["rows"]
        python = f"Python {machine['python']}"
        page.append(f"## {path.stem.replace('_', ' ')}")
        page.append(f"{machine['cpu']}, {machine['system']}, {python}, {machine['packages']}.")
        compared = [row for row in rows if row["ratio"] and row["baseline"] != row["name"]]
        ratios = {row["name"]: row["ratio"] for row in compared}
        # no bars for a single ratio, for two rows of one name, or for more than can be read
        if 1 < len(ratios) == len(compared) <= _MOST_BARS:
            picture = show.bars(
                ratios, title="How many times the baseline", unit="×", log=True, width=8.5
            )
            page.append(picture.html)
        shown = ["value", "unit", "ratio"]
        for name in ("baseline", "bytes", "error", "assumption", "note"):
            if any(row.get(name) for row in rows):
                shown.append(name)
        cells = [[row.get(name) for name in ("name", *shown)] for row in rows]
        table = show.table(cells, ["what", *shown])
        page.append(f'<div class="table-wrapper">{table.html}</div>')
    return "\n\n".join(page) + "\n"


def reference() -> str:
    """Return the page of the helpers, which Sphinx makes from their docstrings."""
    parts = [(SOURCES / "reference.rst").read_text(encoding="utf-8")]
    for name in REFERENCE:
        title = f"``lepton_lab.{name}``"
        directive = f".. automodule:: lepton_lab.{name}\n   :members:\n"
        parts.append(f"{title}\n{'-' * len(title)}\n\n{directive}")
    return "\n".join(parts)


def main() -> int:
    """Write the pages and have Sphinx build the site; return the exit status.

    Sphinx's warnings are errors.
    """
    try:
        put_together()
    except (BookFailed, NotebookFailed) as error:
        print(error, file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E"]
    command += ["-b", "html", "-c", str(SOURCES), str(PAGES), str(BOOK)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode == 0:
        print(f"the book: {(BOOK / 'index.html').relative_to(ROOT)}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
