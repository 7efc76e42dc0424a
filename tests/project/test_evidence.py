"""Tests tools.evidence: the evidence regenerates identically, and names only tests that exist."""

from __future__ import annotations

import json
import re

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.evidence import evidence
from tools import evidence as tool


def test_the_evidence_regenerates_identically():
    """It is made again from its own counts, which the tests that count compare one by one."""
    committed = json.loads(tool.DATA.read_text())
    again = tool.gathered(committed["vectors"])
    assert again == committed, "run `make evidence`"
    assert tool.page(again) == tool.PAGE.read_text(), "run `make evidence`"


@pytest.mark.slow
def test_the_vectors_count_up_to_the_same_again():
    assert tool.counted() == json.loads(tool.DATA.read_text())["vectors"]


def test_at_least_nine_of_ten_mutants_are_noticed_and_the_others_are_argued():
    for module, score in json.loads((tool.TESTS / "mutation.json").read_text())["modules"].items():
        assert score["percent"] >= 90, module
        assert all(why for why in score["survivors"].values()), module


def test_every_helper_but_the_nodes_has_two_peers():
    """There is no second implementation of nodes; they are tested with real servers."""
    helpers = json.loads(tool.DATA.read_text())["helpers"]
    alone = {name for name, helper in helpers.items() if len(helper["peers"]) < 2}
    assert alone == {"nodes"}


# Some builds of OpenSSL lack an algorithm or cannot be loaded as a library. The command itself is
# on every machine.
ONLY_SOME_HAVE = (
    "has X25519MLKEM768",
    "still has TLS 1.2's RSA key exchange",
    "libcrypto 3 does not load",
    "pyopenssl",
)


def test_no_test_may_do_without_the_peers_that_every_machine_has():
    """A test may be skipped without an optional peer (`conftest.MAY_SKIP`).

    PyCryptodome, openssl, Tink and phe are not optional.
    """
    required = re.compile(r"pycryptodome|openssl|\btink\b|\bphe\b", re.I)
    reasons = []
    for path in tool.TESTS.rglob("*.py"):
        reasons += re.findall(r"""["']optional peer: ([^"]*)["']""", path.read_text())
    assert len(reasons) > 10
    for reason in reasons:
        if not any(words in reason for words in ONLY_SOME_HAVE):
            assert not required.search(reason), reason


@pytest.mark.parametrize("helper", json.loads(tool.DATA.read_text()).get("helpers", {}))
def test_a_notebook_can_show_it(helper):
    shown = str(evidence(helper))
    assert f"Why trust {helper}" in shown
    assert "property" in shown


def test_every_helpers_evidence_stands_in_a_notebook():
    cells = []
    for path in (tool.ROOT / "notebooks").glob("*.ipynb"):
        cells += json.loads(path.read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    helpers = json.loads(tool.DATA.read_text())["helpers"]
    assert [name for name in helpers if f'evidence("{name}")' not in code] == []


def test_an_unknown_helper_is_refused():
    with pytest.raises(InvalidParameter):
        evidence("no helper")
