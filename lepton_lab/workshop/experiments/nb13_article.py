"""The article's claims with their verdicts, and the reading that has to bear them out.

    reading = Reading()
    reading.settle({"2.1d": False})     # what was observed; LabError when the table says otherwise

The claims are data, `lepton_lab/data/article_claims.toml`. No verdict is merely written down: notebook 13 settles every
claim that something was run for, and what it observes has to be what the table says.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

from lepton_lab import data
from lepton_lab.errors import InvalidParameter, LabError
from lepton_lab.show import table
from lepton_lab.show.display import Shown

HOLDS, CONDITION, FALSE, UNKNOWN = "holds", "holds with a condition", "false", "cannot be checked"
VERDICTS = (HOLDS, CONDITION, FALSE, UNKNOWN)

Observed = bool | tuple[bool, ...]


@dataclass(frozen=True)
class Claim:
    """One claim. `ran` says what notebook 13 runs for it, or `not_run` why it runs nothing: exactly one is there."""

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
    """Every section of the article that makes a claim, with its title, in order."""
    found: dict[str, str] = _written()["sections"]
    return found


def claims() -> list[Claim]:
    """All claims, in the article's order. Raises LabError when the table contradicts itself."""
    written = _written()
    order = [*written["sections"]]
    found = [Claim(**{**row, "see": tuple(row.get("see", ()))}) for row in written["claims"]]
    for claim in found:
        if (
            claim.verdict not in VERDICTS
            or bool(claim.ran) == bool(claim.not_run)
            or claim.section not in order
        ):
            raise LabError(
                f"the claim {claim.id} needs a section, a verdict, and either `ran` or `not_run`"
            )
    places = [order.index(claim.section) for claim in found]
    if places != sorted(places):
        raise LabError("the claims are not in the article's order")
    return found


def functions() -> list[str]:
    """The names of the functions that the article's code has, as the claims of section 5.2 begin with them."""
    found = [re.match(r"`(\w+)`", claim.claim) for claim in claims() if claim.section == "5.2"]
    return [match[1] for match in found if match]


def _written() -> dict[str, Any]:
    return tomllib.loads(data.read("article_claims.toml").decode())


def summary() -> Shown:
    """How many claims of each chapter earned which verdict."""
    found = claims()
    chapters = list(dict.fromkeys(claim.chapter for claim in found))
    counts = Counter((claim.chapter, claim.verdict) for claim in found)
    rows = [
        (c, *(counts[c, v] for v in VERDICTS), sum(claim.chapter == c for claim in found))
        for c in chapters
    ]
    totals = [sum(claim.verdict == verdict for claim in found) for verdict in VERDICTS]
    return table(
        [*rows, ("all", *totals, len(found))],
        ["chapter", *VERDICTS, "claims"],
        caption="The article's claims",
    )


def claims_table(chapter: str = "") -> Shown:
    """The claims of one chapter ('abstract', '1' to '9'), or of all, with what was run, verdict and correction.

    Its text form has a paragraph for each claim, which a terminal and a screen reader take better than wide columns.
    Raises InvalidParameter for a chapter without claims.
    """
    chosen = [claim for claim in claims() if chapter in ("", claim.chapter)]
    if not chosen:
        raise InvalidParameter(f"the article makes no claim in chapter {chapter!r}")
    by_chapter: dict[str, list[Claim]] = {}
    for claim in chosen:
        by_chapter.setdefault(claim.chapter, []).append(claim)
    return Shown(
        "\n\n".join(_paragraphs(chosen)),
        "".join(_folded(name, group, opened=bool(chapter)) for name, group in by_chapter.items()),
    )


def _paragraphs(chosen: Iterable[Claim]) -> Iterator[str]:
    titles, last = sections(), ""
    for claim in chosen:
        if claim.section != last:
            yield f"§ {claim.section} · {titles[claim.section]}"
            last = claim.section
        lines = [
            f"{claim.id}  {claim.claim}",
            f"run:     {_what_was_run(claim)}",
            f"verdict: {claim.verdict}",
        ]
        yield "\n      ".join([*lines, f"rather:  {claim.rather}"])


def _what_was_run(claim: Claim) -> str:
    deeper = f" (deeper: {', '.join(claim.see)})" if claim.see else ""
    return (claim.ran or f"nothing: {claim.not_run}") + deeper


# Each verdict has a sign beside its colour, for those who do not see the colour.
_SIGNS = {
    HOLDS: ("✓", "#1b6e3c"),
    CONDITION: ("◐", "#7a5a00"),
    FALSE: ("✗", "#a3161f"),
    UNKNOWN: ("?", "#4a4a4a"),
}
_LEFT = 'style="text-align: left; vertical-align: top"'


# What the table's lines may carry: `code`, *stress*, an index as in E_K or E_{K⁻¹}, a power as in C^d or C^(e·e).
_MARKS = [
    (r"`([^`]+)`", r"<code>\1</code>"),
    (r"\*(\w[^*]*)\*", r"<em>\1</em>"),
    (r"\b([A-Z])_(?:\{([^}]+)\}|([A-Z][a-z]?)\b)", r"\1<sub>\2\3</sub>"),
    (r"\^(\w|\([^)]+\))", r"<sup>\1</sup>"),
]


def _marked_up(line: str) -> str:
    written = escape(line, quote=False)
    for mark, html in _MARKS:
        written = re.sub(mark, html, written)
    return written


def _badge(verdict: str) -> str:
    sign, colour = _SIGNS[verdict]
    chip = f"background: {colour}; color: #fff; padding: 0 0.4em; border-radius: 0.3em; font-weight: bold"
    return f'<span style="{chip}">{sign} {verdict}</span>'  # on a ground of its own it is read on a dark page, too


def _folded(chapter: str, group: list[Claim], *, opened: bool) -> str:
    counts = Counter(claim.verdict for claim in group)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    name = "Abstract" if chapter == "abstract" else f"Chapter {chapter}"
    heads = ["§", "claim", "what was run", "verdict", "rather, or also"]
    head = "".join(f'<th scope="col" {_LEFT}>{text}</th>' for text in heads)
    body = "".join(_rows(group))
    rows = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<details{' open' * opened}><summary><b>{name}</b>: {said}</summary>{rows}</details>"


def _rows(group: list[Claim]) -> Iterator[str]:
    titles, last = sections(), ""
    for claim in group:
        if claim.section != last:
            last, title = claim.section, escape(titles[claim.section])
            yield f'<tr><th scope="rowgroup" colspan="5" {_LEFT}>§ {claim.section} · {title}</th></tr>'
        claimed, run, rather = map(_marked_up, (claim.claim, _what_was_run(claim), claim.rather))
        columns = "".join(
            f"<td {_LEFT}>{cell}</td>" for cell in (claimed, run, _badge(claim.verdict), rather)
        )
        yield f'<tr><th scope="row" {_LEFT}>{claim.id}</th>{columns}</tr>'


def _settled_text(claim: Claim) -> str:
    return f"{claim.id}  {claim.claim}\n      {claim.verdict}. {claim.rather}"


def _settled_html(claim: Claim) -> str:
    said = f"<b>{claim.id}</b> {_marked_up(claim.claim)}<br>{_badge(claim.verdict)}. {_marked_up(claim.rather)}"
    return f'<p style="margin: 0.3em 0; line-height: 1.5">{said}</p>'


class Reading:
    """One reading of the article: what its cells observed, claim by claim, held against the table."""

    def __init__(self) -> None:
        self._claims = {claim.id: claim for claim in claims()}
        self._settled: list[str] = []

    def settle(self, observed: Mapping[str, Observed]) -> Shown:
        """What was observed: for each claim whether it held, or a tuple where several cases were run.

        True in all cases means that it holds, in none that it is false, in some that it holds with a condition. Returns
        the verdicts with their corrections. Raises LabError when the table says something else, InvalidParameter for an
        unknown claim, one that nothing was to be run for, or no case.
        """
        for id, held in observed.items():
            self._check(id, held if isinstance(held, tuple) else (held,))
        self._settled += observed
        chosen = [self._claims[id] for id in observed]
        return Shown("\n".join(map(_settled_text, chosen)), "".join(map(_settled_html, chosen)))

    def _check(self, id: str, cases: tuple[bool, ...]) -> None:
        claim = self._claims.get(id)
        if claim is None or claim.not_run:
            raise InvalidParameter(f"the table has no claim {id!r} that something is run for")
        if not cases or not all(isinstance(case, bool) for case in cases):
            raise InvalidParameter(f"{id}: give True or False for every case that was run")
        verdict = HOLDS if all(cases) else CONDITION if any(cases) else FALSE
        if verdict != claim.verdict:
            raise LabError(
                f"{id}: the table says {claim.verdict!r}, and what was run says {verdict!r}"
            )

    @property
    def open(self) -> list[str]:
        """Claims that something is to be run for and that nothing has settled yet."""
        return [id for id, claim in self._claims.items() if claim.ran and id not in self._settled]


class Call:
    """One call that is expected to fail."""

    worked = False


@contextmanager
def fails(*errors: type[Exception], reason: bool = True) -> Iterator[Call]:
    """Expect an error of another's library inside the block; print its type and reason, raise LabError if none comes.

    reason=False leaves the reason out, where it names the library's version. For the errors of this package there is
    `refused`, which never prints one.
    """
    call = Call()
    try:
        yield call
    except errors as error:
        print(f"{type(error).__name__}: {error}" if reason else type(error).__name__)
    else:
        call.worked = True
        raise LabError("this call was expected to fail, and did not")
