"""Tests lepton_lab.show.hexdump: every field is named in words and coloured beside."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab import show
from lepton_lab.errors import InvalidParameter
from tests.support.html_tags import Tags

RECORD = bytes.fromhex("16 03 01 00 05") + b"<a&b>" + bytes(range(250, 256)) + b"tail"
FIELDS = [(0, 1, "content type"), (1, 2, "version"), (3, 2, "length"), (5, 11, "body")]


def test_a_hexdump_agrees_with_xxds_layout_and_names_its_fields() -> None:
    lines = show.hexdump(RECORD, FIELDS).text.splitlines()
    assert lines == [
        "00000000  16 03 01 00 05 3c 61 26  62 3e fa fb fc fd fe ff  |.....<a&b>......|",
        "00000010  74 61 69 6c                                       |tail|",
        "   0  content type  16",
        " 1–2  version       03 01",
        " 3–4  length        00 05",
        "5–15  body          3c 61 26 62 3e fa fb fc fd fe ff",
    ]


def test_a_coloured_hexdump_shows_the_same_letters_as_its_text() -> None:
    shown = show.hexdump(RECORD, FIELDS)
    dump, _, _ = shown.html.partition("<table>")
    tags = Tags(dump)
    assert tags.text.splitlines() == shown.text.splitlines()[:2]
    assert [th["scope"] for th in Tags(shown.html)["th"]] == ["col"] * 3 + ["row"] * 4
    colours = set()
    for span in tags["span"]:
        found = re.search(r"background-color: (#\w+)", str(span["style"]))
        assert found is not None
        colours.add(found[1])
    assert len(colours) == 4


def test_a_long_hexdump_says_what_it_leaves_out() -> None:
    shown = show.hexdump(bytes(5000), [(0, 4, "magic"), (4, 4000, "rest")], limit=32)
    assert shown.text.splitlines()[2] == "… 4,968 bytes more"
    first_bytes = " ".join(["00"] * 16)
    assert f"4–4003  rest   {first_bytes} … (4,000 bytes)" in shown.text


def test_no_bytes_are_said_to_be_none() -> None:
    assert show.hexdump(b"").text == "(no bytes)"


@pytest.mark.parametrize(
    "fields",
    [
        [(0, 0, "empty")],
        [(-1, 2, "before")],
        [(3, 2, "a"), (4, 1, "b")],
        [(4, 2, "b"), (0, 1, "a")],
        [(9, 2, "x")],
    ],
)
def test_fields_that_overlap_or_leave_the_data_are_refused(
    fields: list[tuple[int, int, str]],
) -> None:
    with pytest.raises(InvalidParameter):
        show.hexdump(bytes(10), fields)


def test_text_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        show.hexdump("text")  # type: ignore[arg-type]


@given(st.binary(max_size=100))
def test_the_bytes_can_be_read_back_out_of_a_hexdump(data: bytes) -> None:
    lines = [line for line in show.hexdump(data).text.splitlines() if line[0].isdigit()]
    assert bytes.fromhex("".join(line[10:58] for line in lines)) == data
