"""Tests lepton_lab.workshop.experiments.nb13_article: every verdict is borne out by a run."""

from __future__ import annotations

import ast
import json
import re
from html.parser import HTMLParser

import pytest

from lepton_lab.errors import InvalidParameter, LabError
from lepton_lab.workshop.experiments import nb13_article as article
from lepton_lab.workshop.experiments.nb13_article import (
    CONDITION,
    FALSE,
    HOLDS,
    UNKNOWN,
    VERDICTS,
    Reading,
    fails,
)
from tests.support.paths import NOTEBOOKS

NOTEBOOK = NOTEBOOKS / "13_reading_the_article.ipynb"

# The article's own numbering, as far as a section says anything that could be true or false.
SECTIONS = [
    "abstract",
    "1",
    "2.1",
    "2.2",
    "2.3",
    "2.4",
    "3.1",
    "3.2.1",
    "3.2.2",
    "3.2.3",
    "3.3",
    "3.4",
]
SECTIONS += [
    "4.1.1",
    "4.1.2",
    "4.1.3",
    "4.2.1",
    "4.2.2",
    "4.2.3",
    "4.3",
    "5.1",
    "5.2",
    "5.3",
    "5.4",
    "6",
]
SECTIONS += ["7.1", "7.2", "7.3", "8", "8.1", "8.2", "8.3", "8.4", "9.1", "9.2", "9.3", "9.4"]
SERIES = [
    "00_start_here",
    "01_aes",
    "02_rsa",
    "03_paillier",
    "04_keys",
    "05_sharding",
    "06_tls",
    "07_ipsec_vpn",
]
SERIES += [
    "08_federated_learning",
    "09_post_quantum",
    "10_tamper_evident_log",
    "11_compliance",
    "12_case_studies",
]


def sources() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def settled() -> list[str]:
    """The claims that the notebook's cells settle, in order."""
    calls = [
        node
        for source in sources()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
    ]
    given = [call.args[0] for call in calls if ast.unparse(call.func).endswith("settle")]
    return [
        key.value
        for each in given
        if isinstance(each, ast.Dict)
        for key in each.keys
        if key is not None
    ]


def test_every_section_that_makes_a_claim_is_in_the_table_with_a_verdict() -> None:
    assert list(article.sections()) == SECTIONS
    assert list(dict.fromkeys(claim.section for claim in article.claims())) == SECTIONS
    assert {claim.verdict for claim in article.claims()} == set(VERDICTS)


def test_a_claim_has_one_line_a_correction_and_a_letter_of_its_own() -> None:
    found = article.claims()
    ids = [claim.id for claim in found]
    assert len(set(ids)) == len(ids)
    for section in SECTIONS:
        letters = [claim.id[-1] for claim in found if claim.section == section]
        assert letters == [chr(ord("a") + place) for place in range(len(letters))]
    for claim in found:
        assert claim.rather
        assert "\n" not in claim.claim + claim.rather + claim.ran + claim.not_run
        assert len(claim.claim) <= 110, claim.id
        assert set(claim.see) <= set(SERIES), claim.id


def test_the_codes_functions_are_those_that_the_notebook_calls() -> None:
    found = article.functions()
    assert len(found) == len([claim for claim in article.claims() if claim.section == "5.2"]) == 7
    tables = [
        node
        for source in sources()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Dict)
    ]
    assert found in [
        [key.value for key in each.keys if isinstance(key, ast.Constant)] for each in tables
    ]


def test_what_cannot_be_checked_says_why_and_is_not_run() -> None:
    unknown = [claim for claim in article.claims() if claim.verdict == UNKNOWN]
    assert [claim.id for claim in unknown if claim.ran or not claim.not_run] == []
    not_run = {claim.id for claim in article.claims() if claim.not_run and claim.verdict != UNKNOWN}
    assert not_run == {"8.3c"}  # judged by reading; the list grows on purpose only


def test_the_notebook_settles_every_claim_that_something_was_run_for_once() -> None:
    found = settled()
    assert sorted(found) == sorted(set(found))
    assert set(found) == {claim.id for claim in article.claims() if claim.ran}


def test_no_observation_in_the_notebook_is_a_bare_constant() -> None:
    """`settle({"2.1d": False})` would be an opinion: what is settled is computed."""
    for source in sources():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("settle"):
                assert isinstance(node.args[0], ast.Dict)
                for value in node.args[0].values:
                    assert not any(
                        isinstance(part, ast.Constant) and isinstance(part.value, bool)
                        for part in ast.walk(value)
                    )


def test_links_of_the_notebook_lead_to_files_that_are_there() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", prose) if "://" not in link]
    assert links
    assert [link for link in links if not (NOTEBOOKS / link).exists()] == []


@pytest.mark.parametrize(
    ("cases", "verdict"),
    [
        (True, HOLDS),
        (False, FALSE),
        ((True, True), HOLDS),
        ((True, False), CONDITION),
        ((False, False), FALSE),
    ],
)
def test_what_is_observed_decides_and_a_table_that_says_otherwise_is_refused(
    cases: bool | tuple[bool, ...], verdict: str
) -> None:
    run = [claim for claim in article.claims() if claim.ran]
    for expected in (HOLDS, CONDITION, FALSE):
        claim = next(claim for claim in run if claim.verdict == expected)
        reading = Reading()
        if expected == verdict:
            assert reading.settle({claim.id: cases}).text.split("\n") == [
                f"{claim.id}  {claim.claim}",
                f"      {verdict}. {claim.rather}",
            ]
            assert claim.id not in reading.open
        else:
            with pytest.raises(LabError, match=re.escape(f"{claim.id}: the table says")):
                reading.settle({claim.id: cases})
            assert claim.id in reading.open


def test_a_reading_is_open_until_every_claim_that_was_run_is_settled() -> None:
    reading = Reading()
    run = [claim for claim in article.claims() if claim.ran]
    assert reading.open == [claim.id for claim in run]
    cases = {HOLDS: (True,), CONDITION: (True, False), FALSE: (False,)}
    reading.settle({claim.id: cases[claim.verdict] for claim in run})
    assert reading.open == []


@pytest.mark.parametrize(
    "observed", [{"2.1z": True}, {"6a": False}, {"2.1d": ()}, {"2.1d": 0}, {"2.1d": None}]
)
def test_an_observation_of_nothing_is_refused(observed: dict[str, bool]) -> None:
    with pytest.raises(InvalidParameter):
        Reading().settle(observed)


def test_the_table_says_the_same_to_the_eye_and_to_the_ear() -> None:
    class Cells(HTMLParser):
        text = ""

        def handle_data(self, data: str) -> None:
            self.text += data

    whole = article.claims_table()
    parser = Cells()
    parser.feed(whole.html)
    for claim in article.claims():
        for part in (
            claim.id,
            claim.claim,
            claim.rather,
            claim.ran or claim.not_run,
            claim.verdict,
        ):
            assert re.sub(r"[*`{}^]|(?<=\b[A-Z])_", "", part) in parser.text, (claim.id, part)
            assert part in whole.text, (claim.id, part)
    for number, title in article.sections().items():
        assert f"§ {number} · {title}" in parser.text
        assert f"§ {number} · {title}" in whole.text
    assert whole.html.count("<details>") == len({claim.chapter for claim in article.claims()})


@pytest.mark.parametrize(
    ("line", "html"),
    [
        ("C = E_K(M) & M", "C = E<sub>K</sub>(M) &amp; M"),
        ("M = D_Ks(E_Kp(M))", "M = D<sub>Ks</sub>(E<sub>Kp</sub>(M))"),
        ("E_{K⁻¹}(C), C^d and C^(e·e)", "E<sub>K⁻¹</sub>(C), C<sup>d</sup> and C<sup>(e·e)</sup>"),
        (
            "`symmetric_encrypt` is *raw*, 2 * 3 * 4",
            "<code>symmetric_encrypt</code> is <em>raw</em>, 2 * 3 * 4",
        ),
    ],
)
def test_signs_in_a_line_become_html(line: str, html: str) -> None:
    assert article._marked_up(line) == html


def test_one_chapter_alone_stands_open() -> None:
    chapter = article.claims_table("4")
    assert "4.2.2d" in chapter.text
    assert "5.1a" not in chapter.text
    assert chapter.html.count("<details open>") == 1
    with pytest.raises(InvalidParameter):
        article.claims_table("10")


def test_the_summary_counts_every_claim() -> None:
    last = article.summary().text.splitlines()[-1].split()
    counts = [sum(claim.verdict == verdict for claim in article.claims()) for verdict in VERDICTS]
    assert last == ["all", *map(str, counts), str(len(article.claims()))]


def test_a_call_that_fails_is_printed_and_one_that_works_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with fails(TypeError) as call:
        len(5)  # type: ignore[arg-type]
    assert not call.worked
    assert capsys.readouterr().out == "TypeError: object of type 'int' has no len()\n"
    with pytest.raises(LabError), fails(TypeError):
        len("5")
    with pytest.raises(ZeroDivisionError), fails(TypeError):
        1 / 0  # noqa: B018


@pytest.mark.parametrize(
    "altered",
    [
        ('verdict = "false"', 'verdict = "wrong"'),
        ('ran = "AES-GCM"', ""),
        ('ran = "AES-GCM"', 'ran = "AES-GCM"\nnot_run = "and not"'),
        ('id = "2.4a"', 'id = "2.5a"'),
        ('id = "2.4a"', 'id = "9.4a"'),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(
    monkeypatch: pytest.MonkeyPatch, altered: tuple[str, str]
) -> None:
    written = article.data.read("article_claims.toml").decode()
    assert altered[0] in written
    monkeypatch.setattr(article.data, "read", lambda name: written.replace(*altered, 1).encode())
    with pytest.raises(LabError):
        article.claims()
