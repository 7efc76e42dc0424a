"""The rules of form that every notebook keeps, each a function from a page to the faults it
finds.
"""

from __future__ import annotations

import ast
import base64
import json
import math
import os
import re
import statistics
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.engine import find
from tools.notebook_page import CHECK, Cell, Page

ROOT = Path(__file__).resolve().parent.parent
IGNORED = ROOT / "notebooks" / "ignored_outputs.json"

_WITHOUT_EXERCISES = ("00", "12", "13")
_LEAST_EXERCISES = 4
_CORE_EXERCISES = 2
_MEDIAN_LINES, _NINE_IN_TEN_LINES = 6, 15
_FUNCTION_LINES = 12  # 'about ten'
_PROSE = 0.8
_CLOSING = ("What to remember", "Questions without peeking", "Further reading")
_TO_REMEMBER = 5
_TAGS = {"core", "exercise", "solution", "nbval-ignore-output"}
_DATA_URI = re.compile(r"data:(?P<kind>[a-z+/.-]+);base64,(?P<bytes>[A-Za-z0-9+/=]+)")

# Places of one machine. Some are only a fault in what a cell shows: prose may well speak of
# /usr/bin.
_PLACES = re.compile(
    r"/(?:home|root|tmp|Users|var/folders|private|dev/shm|proc|run/user)/|site-packages|dist-packages"
    r"|\b[A-Za-z]:\\|ipykernel_\d+|file://"
)
_SHOWN_PLACES = re.compile(r"(?<![\w.])/(?:usr|opt|var|etc|mnt|srv)/")
# Addresses that only this network knows, and settings of a package index.
_HOSTS = re.compile(
    r"https?://(?:[^\s/:@]*@|(?!localhost\b)[\w-]+[:/]|[\w.-]+\.(?:internal|local|lan|corp|intranet)\b"
    r"|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)|--(?:extra-)?index[-]url|/simple/?\b(?=[\"'\s]|$)"
)
_PUBLIC_INDEXES = {"pypi.org"}


def faults(path: Path) -> list[str]:
    """Every fault of the notebook at `path`, as lines that name it; empty when it is in form."""
    page = Page.read(path)
    return [f"{path.name}: {fault}" for rule in RULES for fault in rule(page)]


def normalised(page: Page) -> Iterator[str]:
    """Written by `make notebooks`: stable ids, and nothing in it that another run or machine would
    change.
    """
    ids = [cell.node.get("id") for cell in page.cells]
    if None in ids or len(set(ids)) != len(ids):
        yield "every cell needs an id of its own (nbformat 4.5)"
    metadata = page.notebook.metadata
    if set(metadata) != {"kernelspec", "language_info"} or "version" in metadata.get(
        "language_info", {}
    ):
        yield "it is not normalised: `make notebooks` does that"
    if metadata.get("kernelspec", {}).get("name") != "python3":
        yield "its kernel is not python3"
    for cell in page.cells:
        if unknown := set(cell.node.metadata) - {"tags", "jupyter"}:
            yield f"{cell} carries {', '.join(sorted(unknown))}: `make notebooks` takes it out"
        if unknown := set(cell.tags) - _TAGS:
            yield f"{cell} has the tag {', '.join(sorted(unknown))}, which means nothing here"
        if "NBVAL_" in cell.source:
            yield f"{cell} speaks to nbval in a comment; a tag does that"


def run_in_order(page: Page) -> Iterator[str]:
    """Every code cell is run, numbered from 1 in sequence, without an error or a warning."""
    counts = [cell.node.execution_count for cell in page.code]
    if counts != list(range(1, len(counts) + 1)):
        yield "its code cells are not all run, from 1 in sequence: `make notebooks` runs them"
    for cell in page.code:
        if not cell.source.strip():
            yield f"{cell} is empty"
        if cell.shows("error") or cell.shows("stderr"):
            yield (
                f"{cell} shows an error or a warning: catch what is meant to fail, and "
                "print its type"
            )


def small_cells(page: Page) -> Iterator[str]:
    """Cells stay small; longer code belongs into `lepton_lab`."""
    sizes = sorted(len(cell.lines) for cell in page.code)
    if not sizes:
        yield "it has no code"
        return
    if (median := statistics.median(sizes)) > _MEDIAN_LINES:
        yield f"half of its code cells have {median:g} lines or more; {_MEDIAN_LINES} at most"
    if (size := sizes[math.ceil(0.9 * len(sizes)) - 1]) > _NINE_IN_TEN_LINES:
        yield f"one in ten of its code cells has {size} lines or more; {_NINE_IN_TEN_LINES} at most"
    for cell in page.code:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > _FUNCTION_LINES:
                    yield (
                        f"{cell}: {node.name} has {length} lines; a function of more "
                        "than ten belongs into lepton_lab"
                    )


def enough_prose(page: Page) -> Iterator[str]:
    """Prose between ideas; exercises, checks and solutions do not count."""
    code = [
        cell
        for cell in page.code
        if not cell.is_check and not {"exercise", "solution"} & set(cell.tags)
    ]
    prose = [cell for cell in page.prose if "exercise" not in cell.tags]
    if code and len(prose) < _PROSE * len(code):
        yield f"{len(prose)} prose cells for {len(code)} code cells; at least {_PROSE} for each"


def of_no_machine(page: Page) -> Iterator[str]:
    """No path of a machine, no host that only one network knows: neither in what is written nor in
    what is shown.
    """
    here = _here()
    for cell in page.cells:
        for what, text in [("its source", cell.source), *cell.outputs()]:
            plain = _DATA_URI.sub(_decoded, text)
            patterns = [_PLACES, _HOSTS, here] + ([] if what == "its source" else [_SHOWN_PLACES])
            found = [match[0] for pattern in patterns if (match := pattern.search(plain))]
            if found:
                yield (
                    f"{cell}, {what}: {', '.join(map(repr, found))} belongs to one "
                    "machine or network"
                )


def _decoded(match: re.Match[str]) -> str:
    """A picture's own text: its base64 may by chance spell a path."""
    return (
        base64.b64decode(match["bytes"]).decode("utf-8", "replace")
        if "svg" in match["kind"]
        else ""
    )


def _here() -> re.Pattern[str]:
    """What names the machine that checks: the checkout, the home folder, the package index that is
    set.
    """
    places = [str(path) for path in (ROOT, Path.home()) if len(path.parts) > 1]
    index = urlsplit(os.environ.get("PIP_INDEX_URL", "")).hostname
    if index and index not in _PUBLIC_INDEXES:
        places.append(index)
    return re.compile(rf"(?:{'|'.join(map(re.escape, places)) or '(?!)'})(?![\w-])")


class _Pictures(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.mute = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img" and not (dict(attrs).get("alt") or "").strip():
            self.mute += 1


def pictures_speak(page: Page) -> Iterator[str]:
    """Every picture has an alt text, in prose and in outputs."""
    for cell in page.cells:
        texts = cell.shows("text/html") if cell.is_code else [cell.source]
        for text in texts:
            parser = _Pictures()
            parser.feed(text)
            if parser.mute:
                yield f"{cell} has a picture without an alt text"
        if not cell.is_code and re.search(r"!\[\s*\]\(", cell.source):
            yield f"{cell} has a picture without an alt text"
        if any(kind.startswith("image/") for kind, _ in cell.outputs()):
            yield f"{cell} shows a bare picture; show.figure gives it an alt text"
        if (
            any("<img" in text for text in cell.shows("text/html"))
            and not "".join(cell.shows("text/plain")).strip()
        ):
            yield f"{cell} shows a picture without a text form"


def core_first(page: Page) -> Iterator[str]:
    """The cells of the core stand first, and hold two exercises."""
    core = page.tagged("core")
    if not core:
        yield "no cell is tagged core"
    elif [cell.number for cell in core] != list(range(len(core))):
        first = next(i for i, cell in enumerate(page.cells) if "core" not in cell.tags)
        yield (
            f"the core does not stand first: {page.cells[first]} is not tagged core, and "
            "later cells are"
        )
    exercises = sum("exercise" in cell.tags for cell in core if cell.is_code)
    if core and _needs_exercises(page) and exercises != _CORE_EXERCISES:
        yield f"the core holds {exercises} exercises; {_CORE_EXERCISES} fit into a lesson"


def _needs_exercises(page: Page) -> bool:
    return not page.path.name.startswith(_WITHOUT_EXERCISES)


def exercises_are_whole(page: Page) -> Iterator[str]:
    """An exercise is a skeleton, its check in the next code cell, and by the section's end its
    solution.
    """
    skeletons = [cell for cell in page.tagged("exercise") if cell.is_code]
    if _needs_exercises(page) and len(skeletons) < _LEAST_EXERCISES:
        yield f"it has {len(skeletons)} exercises; at least {_LEAST_EXERCISES}"
    for cell in skeletons:
        yield from _exercise(page, cell)
    for cell in page.tagged("solution"):
        if not cell.is_code or not cell.lines or cell.lines[0] != "# Solution":
            yield f"{cell} is tagged solution; its first line is not '# Solution'"
        elif not cell.node.metadata.get("jupyter", {}).get("source_hidden"):
            yield f"{cell} shows its solution unasked: `make notebooks` folds it"
    checks = {cell.source.strip() for cell in page.code if cell.is_check}
    for cell in page.tagged("solution"):
        if cell.lines and cell.lines[-1] not in checks:
            yield f"{cell}: the last line of a solution is the check of its exercise"


def _exercise(page: Page, skeleton: Cell) -> Iterator[str]:
    if "..." not in skeleton.source:
        yield f"{skeleton} is an exercise without a ... to fill in"
    following = next((cell for cell in page.code if cell.number > skeleton.number), None)
    if following is None or not following.is_check:
        yield f'{skeleton}: the next code cell is not one line like check("aes.xtime", xtime)'
        return
    line = following.source.strip()
    match = CHECK.fullmatch(line)
    try:
        find(match["id"] if match else "")
    except InvalidParameter as error:
        yield f"{following}: {error}"
    if not "".join(following.shows("text/plain")).startswith("not yet"):
        yield f"{following}: the skeleton's check does not show 'not yet'"
    later = [
        cell
        for cell in page.tagged("solution")
        if cell.number > following.number and cell.lines[-1:] == [line]
    ]
    if not later:
        yield f"{skeleton}: no solution ends with {line}"
        return
    if any(
        level <= 2
        for cell, level, _ in page.headings()
        if following.number < cell.number < later[0].number
    ):
        yield f"{later[0]}: the solution stands outside its exercise's section"
    if later[0].shows("text/plain")[-1:] != ["done"]:
        yield f"{later[0]}: the solution's check does not show 'done'"


def opens_well(page: Page) -> Iterator[str]:
    """A title, what one will be able to do, and how long it takes, before the first code."""
    first = page.code[0].number if page.code else len(page.cells)
    opening = "\n".join(cell.source for cell in page.prose if cell.number < first)
    if not re.match(r"# \S", opening):
        yield "it does not begin with a title"
    for needed in ("able to", "minutes"):
        if needed not in opening:
            yield (
                f"its opening does not say '{needed}': what one will be able to do, and "
                "the time it takes"
            )


def closes_well(page: Page) -> Iterator[str]:
    """The last three sections, in this order, with five lines to remember."""
    sections = [(cell, words) for cell, level, words in page.headings() if level == 2]
    if tuple(words for _, words in sections[-len(_CLOSING) :]) != _CLOSING:
        yield f"its last sections are not: {', '.join(_CLOSING)}"
        return
    start, end = sections[-3][0].number, sections[-2][0].number
    text = "\n".join(
        cell.source for cell in page.prose if start <= cell.number < max(end, start + 1)
    )
    text = text.split(f"## {_CLOSING[0]}")[-1].split(f"## {_CLOSING[1]}")[0]
    if (count := len(re.findall(r"^(?:[-*]|\d+\.) ", text, flags=re.MULTILINE))) != _TO_REMEMBER:
        yield f"it has {count} lines to remember; {_TO_REMEMBER}"


def ignores_little(page: Page) -> Iterator[str]:
    """Outputs are ignored only where randomness or time is the subject, by a committed list, and in
    few cells.
    """
    ignored = [cell.node.id for cell in page.tagged("nbval-ignore-output")]
    most = max(3, len(page.code) // 6)
    if len(ignored) > most:
        yield f"{len(ignored)} cells are tagged nbval-ignore-output; {most} at most"
    listed = json.loads(IGNORED.read_text()).get(page.path.name, [])
    if sorted(ignored) != sorted(listed):
        yield (
            f"the cells whose output is ignored are {ignored}, where {IGNORED.name} lists {listed}"
        )


RULES: tuple[Callable[[Page], Iterator[str]], ...] = (
    normalised,
    run_in_order,
    small_cells,
    enough_prose,
    of_no_machine,
    pictures_speak,
    core_first,
    exercises_are_whole,
    opens_well,
    closes_well,
    ignores_little,
)
