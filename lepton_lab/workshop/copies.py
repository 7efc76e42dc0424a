"""The learner's own copies of the notebooks: made once, never overwritten.

A folder of copies keeps a small record, `.copies.json`: for every file, the SHA-256 of what it was copied from and of
what a learner can change in it (its cells' sources; running a notebook changes only outputs). When the project brings a
newer notebook, the record tells an untouched copy from an edited one:

- untouched: the old copy moves to `older/` and the newer one takes its place, so that even outputs are kept;
- edited: it stays, and `newer` names it. To get the newer one, rename the copy and ask again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lepton_lab.files import write_atomically

_RECORD = ".copies.json"
_OLDER = "older"
_PAGES = ("*.ipynb", "*.md")  # the notebooks, and the pages that they link to
_MODE = 0o644


def copy_notebooks(source: Path, target: Path) -> list[Path]:
    """Copy the notebooks of the folder `source`, and the pages beside them, into `target`; return the new files.

    What the learner has edited is never touched, and nothing is deleted: see the top of this page. `target` is made
    when it is not there. Raises OSError when it cannot be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    record = _read(target)
    new = []
    for page in _pages(source):
        copy = target / page.name
        content, entry = page.read_bytes(), record.get(page.name)
        if copy.exists():
            if not _has_moved_on(content, copy, entry) or _is_edited(copy, entry):
                continue
            _set_aside(copy)
        write_atomically(copy, content, mode=_MODE)
        record[page.name] = {"from": _digest(content), "sources": _sources(content)}
        write_atomically(target / _RECORD, json.dumps(record, indent=1).encode(), mode=_MODE)
        new.append(copy)
    return new


def newer(source: Path, target: Path) -> list[Path]:
    """The copies in `target` that `source` has a newer page for; after `copy_notebooks`, those that were edited."""
    record = _read(target)
    copies = [(page.read_bytes(), target / page.name) for page in _pages(source)]
    return [
        copy
        for content, copy in copies
        if copy.exists() and _has_moved_on(content, copy, record.get(copy.name))
    ]


def _pages(source: Path) -> list[Path]:
    return sorted(page for pattern in _PAGES for page in source.glob(pattern))


def _read(target: Path) -> dict[str, dict[str, str]]:
    """The record; without one, or with a damaged one, every copy counts as edited."""
    try:
        record = json.loads((target / _RECORD).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    entries = record.items() if isinstance(record, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}


def _has_moved_on(content: bytes, copy: Path, entry: dict[str, str] | None) -> bool:
    """Whether the project's page is another than the one that was copied."""
    if entry is None:
        return _sources(content) != _sources(copy.read_bytes())
    return entry.get("from") != _digest(content)


def _is_edited(copy: Path, entry: dict[str, str] | None) -> bool:
    return entry is None or entry.get("sources") != _sources(copy.read_bytes())


def _set_aside(copy: Path) -> None:
    """Move a copy to `older/`, under a name that is free there."""
    folder = copy.parent / _OLDER
    folder.mkdir(exist_ok=True)
    number = 1
    while (kept := folder / f"{copy.stem}.{number}{copy.suffix}").exists():
        number += 1
    copy.rename(kept)


def _sources(content: bytes) -> str:
    """A digest of what a learner writes: kinds and sources of the cells, or the whole file if it is no notebook."""
    try:
        cells: list[Any] = json.loads(content)["cells"]
        written = json.dumps(
            [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
        ).encode()
    except (ValueError, KeyError, TypeError):
        written = content
    return _digest(written)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
