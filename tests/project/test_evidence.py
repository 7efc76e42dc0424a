"""The evidence is what the tests say: it regenerates identically, and every name in it is a
test's.
"""

from __future__ import annotations

import json
import re

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.evidence import evidence
from tools import evidence as tool


def test_the_evidence_regenerates_identically():
    """From its counts, which the tests that count hold against it one by one."""
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


def test_every_helper_has_two_peers_or_says_what_stands_for_them():
    """Of nodes there is no second implementation: a real server is held to them."""
    helpers = json.loads(tool.DATA.read_text())["helpers"]
    alone = {name for name, helper in helpers.items() if len(helper["peers"]) < 2}
    assert alone == {"nodes"}


# Of OpenSSL some builds have no such algorithm or cannot be loaded as a library; the command itself
# is always there.
ONLY_SOME_HAVE = (
    "has X25519MLKEM768",
    "still has TLS 1.2's RSA key exchange",
    "libcrypto 3 does not load",
    "pyopenssl",
)


def test_no_test_may_do_without_the_peers_that_every_machine_has():
    """`conftest.MAY_SKIP` lets an optional peer be absent: PyCryptodome, openssl, Tink and phe are
    none of these.
    """
    reasons = [
        reason
        for path in tool.TESTS.rglob("*.py")
        for reason in re.findall(r"""["']optional peer: ([^"]*)["']""", path.read_text())
        if not any(words in reason for words in ONLY_SOME_HAVE)
    ]
    assert len(reasons) > 10
    assert [
        reason
        for reason in reasons
        if re.search(r"pycryptodome|openssl|\btink\b|\bphe\b", reason, re.I)
    ] == []


@pytest.mark.parametrize("helper", json.loads(tool.DATA.read_text()).get("helpers", {}))
def test_a_notebook_can_show_it(helper):
    shown = str(evidence(helper))
    assert f"Why trust {helper}" in shown
    assert "property" in shown


def test_every_helpers_evidence_stands_in_a_notebook():
    folder = tool.TESTS.parent / "notebooks"
    cells = [
        cell for path in folder.glob("*.ipynb") for cell in json.loads(path.read_text())["cells"]
    ]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    helpers = json.loads(tool.DATA.read_text())["helpers"]
    assert [name for name in helpers if f'evidence("{name}")' not in code] == []


def test_an_unknown_helper_is_refused():
    with pytest.raises(InvalidParameter):
        evidence("no helper")
