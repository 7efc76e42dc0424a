"""The rules of form for notebooks, each a function that yields the faults of a page."""

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
_MEDIAN_LINES = 6  # of a code cell
_NINE_IN_TEN_LINES = 15  # the most that nine in ten code cells have
_FUNCTION_LINES = 12  # "about ten"
_PROSE = 0.8  # prose cells for each code cell, at least
_CLOSING = ("What to remember", "Questions without peeking", "Further reading")
_TO_REMEMBER = 5
_TAGS = {"core", "exercise", "solution", "nbval-ignore-output"}
_DATA_URI = re.compile(r"data:(?P<kind>[a-z+/.-]+);base64,(?P<bytes>[A-Za-z0-9+/=]+)")

# Paths of one machine. Those of _SHOWN_PLACES are a fault only in what a cell shows, because prose
# may speak of /usr/bin.
_PLACES = re.compile(
    r"/(?:home|root|tmp|Users|var/folders|private|dev/shm|proc|run/user)/|site-packages|dist-packages"
    r"|\b[A-Za-z]:\\|ipykernel_\d+|file://"
)
_SHOWN_PLACES = re.compile(r"(?<![\w.])/(?:usr|opt|var|etc|mnt|srv)/")
# Addresses that only one network knows, and settings of a package index.
_HOSTS = re.compile(
    r"https?://(?:[^\s/:@]*@|(?!localhost\b)[\w-]+[:/]|[\w.-]+\.(?:internal|local|lan|corp|intranet)\b"
    r"|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)|--(?:extra-)?index[-]url|/simple/?\b(?=[\"'\s]|$)"
)
_PUBLIC_INDEXES = {"pypi.org"}


def faults(path: Path) -> list[str]:
    """List the faults of the notebook at `path`, one line each; empty when there are none."""
    page = Page.read(path)
    return [f"{path.name}: {fault}" for rule in RULES for fault in rule(page)]


def normalised(page: Page) -> Iterator[str]:
    """The page is as `make notebooks` writes it, and another run would write it the same.

    Its cells have ids, and nothing in it belongs to one run, editor or machine.
    """
    ids = [cell.node.get("id") for cell in page.cells]
    if None in ids or len(set(ids)) != len(ids):
        yield "every cell needs an id of its own (nbformat 4.5)"
    metadata = page.notebook.metadata
    versioned = "version" in metadata.get("language_info", {})
    if set(metadata) != {"kernelspec", "language_info"} or versioned:
        yield "it is not normalised; run `make notebooks`"
    if metadata.get("kernelspec", {}).get("name") != "python3":
        yield "its kernel is not python3"
    for cell in page.cells:
        extra = set(cell.node.metadata) - {"tags", "jupyter"}
        if extra:
            yield f"{cell} carries {', '.join(sorted(extra))}; `make notebooks` takes it out"
        unknown = set(cell.tags) - _TAGS
        if unknown:
            yield f"{cell} has the tag {', '.join(sorted(unknown))}, which means nothing here"
        if "NBVAL_" in cell.source:
            yield f"{cell} speaks to nbval in a comment; use a tag"


def run_in_order(page: Page) -> Iterator[str]:
    """Every code cell is run, numbered from 1 in sequence, without an error or a warning."""
    counts = [cell.node.execution_count for cell in page.code]
    if counts != list(range(1, len(counts) + 1)):
        yield "its code cells are not all run, from 1 in sequence; run `make notebooks`"
    for cell in page.code:
        if not cell.source.strip():
            yield f"{cell} is empty"
        if cell.shows("error") or cell.shows("stderr"):
            advice = "catch what is meant to fail, and print its type"
            yield f"{cell} shows an error or a warning: {advice}"


def small_cells(page: Page) -> Iterator[str]:
    """Code cells are small; longer code belongs in `lepton_lab`."""
    sizes = sorted(len(cell.lines) for cell in page.code)
    if not sizes:
        yield "it has no code"
        return
    median = statistics.median(sizes)
    if median > _MEDIAN_LINES:
        yield f"half of its code cells have {median:g} lines or more; {_MEDIAN_LINES} at most"
    nine_in_ten = sizes[math.ceil(0.9 * len(sizes)) - 1]
    if nine_in_ten > _NINE_IN_TEN_LINES:
        limit = f"{nine_in_ten} lines or more; {_NINE_IN_TEN_LINES} at most"
        yield f"one in ten of its code cells has {limit}"
    for cell in page.code:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > _FUNCTION_LINES:
                    advice = "a function of more than ten belongs in lepton_lab"
                    yield f"{cell}: {node.name} has {length} lines; {advice}"


def enough_prose(page: Page) -> Iterator[str]:
    """There is prose between ideas; exercises, checks and solutions do not count."""
    of_exercises = {"exercise", "solution"}
    code = [cell for cell in page.code if not cell.is_check and not of_exercises & set(cell.tags)]
    prose = [cell for cell in page.prose if "exercise" not in cell.tags]
    if code and len(prose) < _PROSE * len(code):
        yield f"{len(prose)} prose cells for {len(code)} code cells; at least {_PROSE} for each"


def of_no_machine(page: Page) -> Iterator[str]:
    """Neither sources nor outputs name a path of one machine or a host of one network."""
    here = _here()
    for cell in page.cells:
        for what, text in [("its source", cell.source), *cell.outputs()]:
            plain = _DATA_URI.sub(_decoded, text)
            patterns = [_PLACES, _HOSTS, here] + ([] if what == "its source" else [_SHOWN_PLACES])
            found = [match[0] for pattern in patterns if (match := pattern.search(plain))]
            if found:
                names = ", ".join(map(repr, found))
                yield f"{cell}, {what}: {names} belongs to one machine or network"


def _decoded(match: re.Match[str]) -> str:
    """Return the text of a picture in place of its base64, which may spell a path by chance."""
    if "svg" not in match["kind"]:
        return ""
    return base64.b64decode(match["bytes"]).decode("utf-8", "replace")


def _here() -> re.Pattern[str]:
    """Return a pattern of what names the machine that runs the check.

    That is the checkout, the home folder, and a package index that is set and not public.
    """
    places = [str(path) for path in (ROOT, Path.home()) if len(path.parts) > 1]
    index = urlsplit(os.environ.get("PIP_INDEX_URL", "")).hostname
    if index and index not in _PUBLIC_INDEXES:
        places.append(index)
    return re.compile(rf"(?:{'|'.join(map(re.escape, places)) or '(?!)'})(?![\w-])")


class _Pictures(HTMLParser):
    """Counts the images without an alt text."""

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
        shows_image = any("<img" in text for text in cell.shows("text/html"))
        if shows_image and not "".join(cell.shows("text/plain")).strip():
            yield f"{cell} shows a picture without a text form"


def core_first(page: Page) -> Iterator[str]:
    """The cells of the core come first, and hold two exercises."""
    core = page.tagged("core")
    if not core:
        yield "no cell is tagged core"
    elif [cell.number for cell in core] != list(range(len(core))):
        outside = next(cell for cell in page.cells if "core" not in cell.tags)
        yield f"the core does not come first: {outside} is not tagged core, and later cells are"
    exercises = sum("exercise" in cell.tags for cell in core if cell.is_code)
    if core and _needs_exercises(page) and exercises != _CORE_EXERCISES:
        yield f"the core holds {exercises} exercises; {_CORE_EXERCISES} fit into a lesson"


def _needs_exercises(page: Page) -> bool:
    return not page.path.name.startswith(_WITHOUT_EXERCISES)


def exercises_are_whole(page: Page) -> Iterator[str]:
    """Every exercise has a skeleton, then its check, and its solution in the same section."""
    skeletons = [cell for cell in page.tagged("exercise") if cell.is_code]
    if _needs_exercises(page) and len(skeletons) < _LEAST_EXERCISES:
        yield f"it has {len(skeletons)} exercises; at least {_LEAST_EXERCISES}"
    for cell in skeletons:
        yield from _exercise(page, cell)
    for cell in page.tagged("solution"):
        if not cell.is_code or not cell.lines or cell.lines[0] != "# Solution":
            yield f"{cell} is tagged solution; its first line is not '# Solution'"
        elif not cell.node.metadata.get("jupyter", {}).get("source_hidden"):
            yield f"{cell} shows its solution at once; `make notebooks` folds it"
    checks = {cell.source.strip() for cell in page.code if cell.is_check}
    for cell in page.tagged("solution"):
        if cell.lines and cell.lines[-1] not in checks:
            yield f"{cell}: the last line of this solution is not the check of an exercise"


def _exercise(page: Page, skeleton: Cell) -> Iterator[str]:
    if "..." not in skeleton.source:
        yield f"{skeleton} is an exercise without a ... to fill in"
    following = next((cell for cell in page.code if cell.number > skeleton.number), None)
    if following is None or not following.is_check:
        yield f'{skeleton}: the next code cell is not a line like check("aes.xtime", xtime)'
        return
    line = following.source.strip()
    match = CHECK.fullmatch(line)
    try:
        find(match["id"] if match else "")
    except InvalidParameter as error:
        yield f"{following}: {error}"
    if not "".join(following.shows("text/plain")).startswith("not yet"):
        yield f"{following}: the skeleton's check does not show 'not yet'"
    solutions = [cell for cell in page.tagged("solution") if cell.lines[-1:] == [line]]
    later = [cell for cell in solutions if cell.number > following.number]
    if not later:
        yield f"{skeleton}: no solution ends with {line}"
        return
    solution = later[0]
    for cell, level, _ in page.headings():
        if level <= 2 and following.number < cell.number < solution.number:
            yield f"{solution}: the solution stands outside its exercise's section"
            break
    if solution.shows("text/plain")[-1:] != ["done"]:
        yield f"{solution}: the solution's check does not show 'done'"


def opens_well(page: Page) -> Iterator[str]:
    """Before its first code stand a title, what a reader will be able to do, and the time."""
    first = page.code[0].number if page.code else len(page.cells)
    opening = "\n".join(cell.source for cell in page.prose if cell.number < first)
    if not re.match(r"# \S", opening):
        yield "it does not begin with a title"
    for needed in ("able to", "minutes"):
        if needed not in opening:
            expected = "what a reader will be able to do, and how long it takes"
            yield f"its opening does not say '{needed}': it says {expected}"


def closes_well(page: Page) -> Iterator[str]:
    """It ends with the three closing sections in their order, and five lines to remember."""
    sections = [(cell, words) for cell, level, words in page.headings() if level == 2]
    if tuple(words for _, words in sections[-len(_CLOSING) :]) != _CLOSING:
        yield f"its last sections are not: {', '.join(_CLOSING)}"
        return
    start = sections[-3][0].number
    end = max(sections[-2][0].number, start + 1)  # both sections may stand in one cell
    text = "\n".join(cell.source for cell in page.prose if start <= cell.number < end)
    text = text.split(f"## {_CLOSING[0]}")[-1].split(f"## {_CLOSING[1]}")[0]
    count = len(re.findall(r"^(?:[-*]|\d+\.) ", text, flags=re.MULTILINE))
    if count != _TO_REMEMBER:
        yield f"it has {count} lines to remember; it should have {_TO_REMEMBER}"


def ignores_little(page: Page) -> Iterator[str]:
    """Few cells have an output that is not compared, and a committed list names them.

    That is for cells whose subject is randomness or time.
    """
    ignored = [cell.node.id for cell in page.tagged("nbval-ignore-output")]
    most = max(3, len(page.code) // 6)
    if len(ignored) > most:
        yield f"{len(ignored)} cells are tagged nbval-ignore-output; {most} at most"
    listed = json.loads(IGNORED.read_text()).get(page.path.name, [])
    if sorted(ignored) != sorted(listed):
        yield f"the cells whose output is ignored are {ignored}; {IGNORED.name} lists {listed}"


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
