"""The article's claims with their verdicts, and a reading of the article that must bear them out.

    reading = Reading()
    reading.settle({"2.1d": False})     # what was observed; LabError when the table says otherwise

The claims are data: `lepton_lab/data/article_claims.toml`. No verdict is merely written down.
Notebook 13 settles every claim for which something was run, and what it observes must be what the
table says.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

from lepton_lab import data
from lepton_lab.errors import InvalidParameter, LabError
from lepton_lab.show import Shown, table

HOLDS = "holds"
CONDITION = "holds with a condition"
FALSE = "false"
UNKNOWN = "cannot be checked"
VERDICTS = (HOLDS, CONDITION, FALSE, UNKNOWN)

Observed = bool | tuple[bool, ...]

# The claims ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """One claim of the article.

    verdict: one of VERDICTS. rather: what is right instead, or what has to be added.
    ran: what notebook 13 runs for it. not_run: why it runs nothing. Exactly one of the two is
    there.
    see: the notebooks that go deeper.
    """

    id: str
    claim: str
    verdict: str
    rather: str
    ran: str = ""
    not_run: str = ""
    see: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """The article's section: '2.1' of '2.1d', 'abstract' of 'abstract-a'."""
        return self.id[:-1].rstrip("-")

    @property
    def chapter(self) -> str:
        """The article's chapter: '2' of '2.1d'."""
        return self.section.partition(".")[0]


def sections() -> dict[str, str]:
    """The title of every section of the article that makes a claim, in order."""
    found: dict[str, str] = _read_table()["sections"]
    return found


def claims() -> list[Claim]:
    """All claims, in the article's order. Raises LabError when the table contradicts itself."""
    page = _read_table()
    order = list(page["sections"])
    found = []
    for row in page["claims"]:
        claim = Claim(**{**row, "see": tuple(row.get("see", ()))})
        says_one_of_both = bool(claim.ran) != bool(claim.not_run)
        if claim.verdict not in VERDICTS or claim.section not in order or not says_one_of_both:
            raise LabError(
                f"the claim {claim.id} needs a section, a verdict, and either `ran` or `not_run`"
            )
        found.append(claim)
    places = [order.index(claim.section) for claim in found]
    if places != sorted(places):
        raise LabError("the claims are not in the article's order")
    return found


def functions() -> list[str]:
    """The names of the functions in the article's code.

    The claims of section 5.2 begin with them.
    """
    names = []
    for claim in claims():
        match = re.match(r"`(\w+)`", claim.claim)
        if claim.section == "5.2" and match:
            names.append(match[1])
    return names


def _read_table() -> dict[str, Any]:
    return tomllib.loads(data.read("article_claims.toml").decode())


# Tables of claims ---------------------------------------------------------------------------------


def summary() -> Shown:
    """How many claims of each chapter earned which verdict."""
    found = claims()
    chapters = list(dict.fromkeys(claim.chapter for claim in found))
    counts = Counter((claim.chapter, claim.verdict) for claim in found)
    rows = []
    for chapter in chapters:
        of_chapter = [counts[chapter, verdict] for verdict in VERDICTS]
        rows.append((chapter, *of_chapter, sum(of_chapter)))
    totals = [sum(claim.verdict == verdict for claim in found) for verdict in VERDICTS]
    rows.append(("all", *totals, len(found)))
    return table(rows, ["chapter", *VERDICTS, "claims"], caption="The article's claims")


def claims_table(chapter: str = "") -> Shown:
    """A table of the claims of one chapter, or of all: what was run, the verdict, and the
    correction.

    chapter: 'abstract', or '1' to '9'; empty for all.

    Its text form has a paragraph for each claim, which suits a terminal and a screen reader
    better than wide columns. Raises InvalidParameter for a chapter without claims.
    """
    chosen = [claim for claim in claims() if chapter in ("", claim.chapter)]
    if not chosen:
        raise InvalidParameter(f"the article makes no claim in chapter {chapter!r}")
    by_chapter: dict[str, list[Claim]] = {}
    for claim in chosen:
        by_chapter.setdefault(claim.chapter, []).append(claim)
    # One chapter that was asked for stands open. Of all chapters, the reader opens one.
    is_open = bool(chapter)
    html = [_chapter_html(name, group, is_open=is_open) for name, group in by_chapter.items()]
    return Shown("\n\n".join(_paragraphs(chosen)), "".join(html))


def _by_section(group: list[Claim]) -> Iterator[tuple[str, list[Claim]]]:
    """The claims of each section, under '§ 2.1 · the section's title'."""
    for section, title in sections().items():
        chosen = [claim for claim in group if claim.section == section]
        if chosen:
            yield f"§ {section} · {title}", chosen


def _paragraphs(chosen: list[Claim]) -> Iterator[str]:
    for heading, group in _by_section(chosen):
        yield heading
        for claim in group:
            lines = [
                f"{claim.id}  {claim.claim}",
                f"run:     {_what_was_run(claim)}",
                f"verdict: {claim.verdict}",
                f"rather:  {claim.rather}",
            ]
            yield "\n      ".join(lines)


def _what_was_run(claim: Claim) -> str:
    deeper = f" (deeper: {', '.join(claim.see)})" if claim.see else ""
    return (claim.ran or f"nothing: {claim.not_run}") + deeper


# Each verdict has a sign beside its colour, for those who do not see the colour.
_BADGES = {
    HOLDS: ("✓", "#1b6e3c"),
    CONDITION: ("◐", "#7a5a00"),
    FALSE: ("✗", "#a3161f"),
    UNKNOWN: ("?", "#4a4a4a"),
}
_LEFT = 'style="text-align: left; vertical-align: top"'
_HEADS = ["§", "claim", "what was run", "verdict", "rather, or also"]

# What the table's lines may hold: `code`, *stress*, an index (E_K, E_{K⁻¹}), a power (C^d,
# C^(e·e)).
_MARKS = [
    (r"`([^`]+)`", r"<code>\1</code>"),
    (r"\*(\w[^*]*)\*", r"<em>\1</em>"),
    (r"\b([A-Z])_(?:\{([^}]+)\}|([A-Z][a-z]?)\b)", r"\1<sub>\2\3</sub>"),
    (r"\^(\w|\([^)]+\))", r"<sup>\1</sup>"),
]


def _marked_up(line: str) -> str:
    html = escape(line, quote=False)
    for mark, replacement in _MARKS:
        html = re.sub(mark, replacement, html)
    return html


def _badge(verdict: str) -> str:
    sign, colour = _BADGES[verdict]
    # It has its own background, so that it can be read on a dark page too.
    css = (
        f"background: {colour}; color: #fff; "
        "padding: 0 0.4em; border-radius: 0.3em; font-weight: bold"
    )
    return f'<span style="{css}">{sign} {verdict}</span>'


def _chapter_html(chapter: str, group: list[Claim], *, is_open: bool) -> str:
    """One chapter as a table that folds away under a line with its verdicts."""
    counts = Counter(claim.verdict for claim in group)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    name = "Abstract" if chapter == "abstract" else f"Chapter {chapter}"
    head = "".join(f'<th scope="col" {_LEFT}>{text}</th>' for text in _HEADS)
    body = "".join(_rows_html(group))
    rows = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    opening = "<details open>" if is_open else "<details>"
    return f"{opening}<summary><b>{name}</b>: {said}</summary>{rows}</details>"


def _rows_html(group: list[Claim]) -> Iterator[str]:
    for heading, chosen in _by_section(group):
        yield f'<tr><th scope="rowgroup" colspan="5" {_LEFT}>{escape(heading)}</th></tr>'
        for claim in chosen:
            cells = [
                _marked_up(claim.claim),
                _marked_up(_what_was_run(claim)),
                _badge(claim.verdict),
                _marked_up(claim.rather),
            ]
            columns = "".join(f"<td {_LEFT}>{cell}</td>" for cell in cells)
            yield f'<tr><th scope="row" {_LEFT}>{claim.id}</th>{columns}</tr>'


# A reading ----------------------------------------------------------------------------------------


class Reading:
    """A reading of the article: what its cells observed, compared with the table of claims."""

    def __init__(self) -> None:
        self._claims = {claim.id: claim for claim in claims()}
        self._settled: list[str] = []

    def settle(self, observed: Mapping[str, Observed]) -> Shown:
        """Record what was observed of some claims. Returns their verdicts with the corrections.

        observed: for each claim whether it held, or a tuple where several cases were run. True in
            all cases means that it holds, in none that it is false, in some that it holds with a
            condition.

        Raises LabError when the table says something else, and InvalidParameter for an unknown
        claim, a claim for which nothing was to be run, or no case.
        """
        for id, held in observed.items():
            cases = held if isinstance(held, tuple) else (held,)
            self._compare(id, cases)
        self._settled += observed
        chosen = [self._claims[id] for id in observed]
        text = "\n".join(_settled_text(claim) for claim in chosen)
        return Shown(text, "".join(_settled_html(claim) for claim in chosen))

    def _compare(self, id: str, cases: tuple[bool, ...]) -> None:
        claim = self._claims.get(id)
        if claim is None or claim.not_run:
            raise InvalidParameter(f"the table has no claim {id!r} for which something is run")
        if not cases or not all(isinstance(case, bool) for case in cases):
            raise InvalidParameter(f"{id}: give True or False for every case that was run")
        if all(cases):
            verdict = HOLDS
        elif any(cases):
            verdict = CONDITION
        else:
            verdict = FALSE
        if verdict != claim.verdict:
            raise LabError(
                f"{id}: the table says {claim.verdict!r}, and what was run says {verdict!r}"
            )

    @property
    def open(self) -> list[str]:
        """The claims for which something is to be run and that are not settled yet."""
        run = [id for id, claim in self._claims.items() if claim.ran]
        return [id for id in run if id not in self._settled]


def _settled_text(claim: Claim) -> str:
    return f"{claim.id}  {claim.claim}\n      {claim.verdict}. {claim.rather}"


def _settled_html(claim: Claim) -> str:
    claimed = f"<b>{claim.id}</b> {_marked_up(claim.claim)}"
    verdict = f"{_badge(claim.verdict)}. {_marked_up(claim.rather)}"
    return f'<p style="margin: 0.3em 0; line-height: 1.5">{claimed}<br>{verdict}</p>'


# Calls that must fail -----------------------------------------------------------------------------


class FailingCall:
    """One call that is expected to fail."""

    worked = False


@contextmanager
def fails(*errors: type[Exception], reason: bool = True) -> Iterator[FailingCall]:
    """Expect an error of another library inside the block, and print its type and reason.

    reason: False leaves the reason out, where it names the library's version.

    Raises LabError when no error comes. For this package's own errors there is `refused`, which
    prints the type alone.
    """
    call = FailingCall()
    try:
        yield call
    except errors as error:
        print(f"{type(error).__name__}: {error}" if reason else type(error).__name__)
    else:
        call.worked = True
        raise LabError("this call was expected to fail, and did not")
