"""Copies of the notebooks for the learner to work in, and the students' edition of a notebook.

A copy is made once and never overwritten. A folder of copies keeps a small record,
`.copies.json`. For every file it holds two SHA-256 digests: of the file that was copied ("from"),
and of what a learner can change in it ("sources": the cells' sources, because running a notebook
changes only its outputs). When the project brings a newer notebook, the record tells an untouched
copy from an edited one:

- untouched: the old copy moves to `older/` and the newer one takes its place, so that even the
  outputs are kept;
- edited: it stays, and `newer_pages` names it. To get the newer one, rename the copy and ask again.
"""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

from lepton_lab.files import write_atomically

_RECORD = ".copies.json"
_OLDER = "older"
_PATTERNS = ("*.ipynb", "*.md")  # the notebooks, and the pages that they link to
_MODE = 0o644

Notebook = dict[str, Any]  # nbformat 4, as parsed JSON
Record = dict[str, dict[str, str]]  # the digests of each copy, by file name

# The learner's copies -----------------------------------------------------------------------------


def copy_notebooks(source: Path, target: Path) -> list[Path]:
    """Copy the notebooks of the folder `source`, and the pages beside them, into `target`.

    Returns the new files. Nothing that the learner has edited is touched, and nothing is deleted:
    see the top of this file. `target` is created when it does not exist. Raises OSError when it
    cannot be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    record = _read_record(target)
    new_files = []
    for page in _pages(source):
        content = page.read_bytes()
        path = target / page.name
        if path.exists():
            digests = record.get(page.name)
            if not _is_outdated(path, content, digests) or _is_edited(path, digests):
                continue
            _set_aside(path)
        write_atomically(path, content, mode=_MODE)
        record[page.name] = {"from": _digest(content), "sources": _sources_digest(content)}
        # Written after every file, so that an interruption leaves no copy without its entry.
        write_atomically(target / _RECORD, json.dumps(record, indent=1).encode(), mode=_MODE)
        new_files.append(path)
    return new_files


def newer_pages(source: Path, target: Path) -> list[Path]:
    """The copies in `target` for which `source` has a newer page.

    After `copy_notebooks` these are the copies that the learner has edited.
    """
    record = _read_record(target)
    outdated = []
    for page in _pages(source):
        path = target / page.name
        if path.exists() and _is_outdated(path, page.read_bytes(), record.get(page.name)):
            outdated.append(path)
    return outdated


def _pages(source: Path) -> list[Path]:
    return sorted(page for pattern in _PATTERNS for page in source.glob(pattern))


def _read_record(target: Path) -> Record:
    try:
        record = json.loads((target / _RECORD).read_bytes())
    except (FileNotFoundError, ValueError):
        # Without a readable record every copy counts as edited: nothing is moved by mistake.
        return {}
    if not isinstance(record, dict):
        return {}
    return {name: digests for name, digests in record.items() if isinstance(digests, dict)}


def _is_outdated(path: Path, content: bytes, digests: dict[str, str] | None) -> bool:
    """Whether the project's page is another one than the page that was copied."""
    if digests is None:
        return _sources_digest(content) != _sources_digest(path.read_bytes())
    return digests.get("from") != _digest(content)


def _is_edited(path: Path, digests: dict[str, str] | None) -> bool:
    return digests is None or digests.get("sources") != _sources_digest(path.read_bytes())


def _set_aside(path: Path) -> None:
    """Move a copy to `older/`, under a name that is free there."""
    folder = path.parent / _OLDER
    folder.mkdir(exist_ok=True)
    number = 1
    kept = folder / f"{path.stem}.{number}{path.suffix}"
    while kept.exists():
        number += 1
        kept = folder / f"{path.stem}.{number}{path.suffix}"
    path.rename(kept)


def _sources_digest(content: bytes) -> str:
    """A digest of what a learner writes: the kinds and sources of the cells.

    Of a file that is not a notebook, it is the digest of the whole file.
    """
    try:
        cells: list[Any] = json.loads(content)["cells"]
        sources = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        return _digest(content)
    return _digest(json.dumps(sources).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# Editions -----------------------------------------------------------------------------------------


def student_edition(notebook: Notebook) -> Notebook:
    """A copy of a notebook without the cells tagged `solution`, and with no outputs.

    In class, a result is predicted first and run then, so outputs and execution counts are cleared.
    """
    edition = copy.deepcopy(notebook)
    edition["cells"] = [
        cell for cell in edition["cells"] if "solution" not in cell["metadata"].get("tags", [])
    ]
    clear_outputs(edition)
    return edition


def clear_outputs(notebook: Notebook) -> None:
    """Remove the outputs and execution counts of every code cell, in place."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = []
            cell["execution_count"] = None
