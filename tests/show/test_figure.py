"""What is shown can also be read: figures with their alt text, tables, bytes."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab import show
from lepton_lab.errors import InvalidParameter
from tests.support.paths import ROOT


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def __getitem__(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


def bundle(shown: show.Shown) -> dict[str, str]:
    return shown._repr_mimebundle_()


def drawn() -> show.Picture:
    return show.bars(
        {"encrypt": 12.5, "decrypt": 3.14159}, title="Encrypting costs more", unit="time / ms"
    )


def test_a_figure_is_an_image_with_its_alt_text_and_its_text_is_that_alt_text() -> None:
    shown = bundle(drawn())
    (image,) = Tags(shown["text/html"])["img"]
    assert set(shown) == {"text/plain", "text/html"}
    assert image["alt"] == shown["text/plain"]
    assert (
        shown["text/plain"]
        == "Bar chart: Encrypting costs more. In time / ms. encrypt 12.5, decrypt 3.14."
    )
    kind, _, raw = str(image["src"]).partition(";base64,")
    assert kind == "data:image/svg+xml"
    assert ET.fromstring(base64.b64decode(raw)).tag == "{http://www.w3.org/2000/svg}svg"


def test_the_same_numbers_give_the_same_bytes_in_another_process() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from tests.show.test_figure import drawn; "
        "import hashlib; print(hashlib.sha256(drawn().svg).hexdigest())"
    )
    here = str(ROOT)
    command = [sys.executable, "-c", code, here]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)
    )
    assert first == second
    svg = drawn().svg.decode()
    assert not re.search(r"<dc:date>|\d{4}-\d\d-\d\dT", svg)
    assert "<text" not in svg  # letters are outlines: no font is needed


def test_the_style_leaves_the_readers_settings_alone_and_does_not_follow_them() -> None:
    import matplotlib as mpl

    reference = drawn().svg
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "none", "axes.grid": False}):
        assert drawn().svg == reference
        assert mpl.rcParams["font.size"] == 30


def test_pyplot_is_not_imported_and_its_figures_are_closed() -> None:
    code = "import sys; from lepton_lab import show; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    fig, axes = pyplot.subplots()
    axes.plot([1, 2])
    assert show.figure(fig, "A line from 1 to 2.").text == "A line from 1 to 2."
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_a_figure_without_an_alt_text_is_refused(alt: str) -> None:
    fig, _ = show.axes(title="t", x="x", y="y")
    with pytest.raises(InvalidParameter):
        show.figure(fig, alt)


def test_an_alt_text_with_markup_stays_text() -> None:
    fig, _ = show.axes(title="t", x="x", y="y")
    (image,) = Tags(show.figure(fig, 'a < b & "c"').html)["img"]
    assert image["alt"] == 'a < b & "c"'


def test_a_picture_is_saved_as_it_is_shown(tmp_path: Path) -> None:
    picture = drawn()
    picture.save(tmp_path / "bars.svg")
    assert (tmp_path / "bars.svg").read_bytes() == picture.svg


def test_bars_of_two_series_say_which_is_which_and_what_was_not_measured() -> None:
    shown = show.bars(
        {"reference run": {"put": 557.0, "get": 680}, "this machine": {"put": 301.54, "get": None}},
        title="Slower.",
        unit="MB/s",
    )
    assert shown.text == (
        "Bar chart: Slower. In MB/s. reference run: put 557, get 680; this machine: put 302, get not measured."
    )


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ({}, False),
        ({"a": None}, False),
        ({"a": float("nan")}, False),
        ({"a": 0, "b": 2}, True),
        ({"s": {}}, False),
    ],
)
def test_bars_of_nothing_or_below_a_logarithm_are_refused(
    values: dict[str, None], log: bool
) -> None:
    with pytest.raises(InvalidParameter):
        show.bars(values, title="t", log=log)


def test_lines_are_read_out_when_short_and_summed_up_when_long() -> None:
    xs = np.arange(100)
    shown = show.lines(
        {"few": ([1, 1000], [0.5, 1234.5]), "many": (xs, (xs - 30) ** 2)},
        title="Growth",
        x="n",
        y="time / s",
        log="x",
    )
    assert shown.text == (
        "Line chart: Growth. time / s against n. few: 1 → 0.5, 1,000 → 1,230 ; "
        "many: 100 points from 0 → 900 to 99 → 4,761, lowest 30 → 0, highest 99 → 4,761."
    ).replace(" ;", ";")


@pytest.mark.parametrize("series", [{}, {"a": ([1, 2], [1])}, {"a": ([], [])}])
def test_lines_without_points_are_refused(
    series: dict[str, tuple[list[float], list[float]]],
) -> None:
    with pytest.raises(InvalidParameter):
        show.lines(series, title="t", x="x", y="y")


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        show.axes(title="t", x="x", y="y", log="z")


def test_a_table_has_scoped_headings_and_an_aligned_text() -> None:
    shown = show.table(
        [("put", 1.25, 4096, b"\xab\xcd", True), ("get <b>", None, 3, b"", False)],
        ["step", "time / s", "bytes", "tag", "held"],
        caption="What it costs",
        formats={"time / s": ".3f"},
    )
    assert shown.text.splitlines() == [
        "What it costs",
        "step     time / s  bytes  tag   held",
        "───────  ────────  ─────  ────  ────",
        "put         1.250  4,096  abcd  yes",
        "get <b>         –      3        no",
    ]
    tags = Tags(shown.html)
    assert [th["scope"] for th in tags["th"]] == ["col"] * 5 + ["row"] * 2
    assert len(tags["caption"]) == 1
    assert "get <b>" in tags.text
    assert not tags["b"]


def test_numpy_numbers_stand_on_the_right_as_others_do() -> None:
    shown = show.table([(np.int64(1234), np.float32(0.5))], ["a", "b"])
    assert shown.text.splitlines()[-1] == "1,234  0.5"


@pytest.mark.parametrize(
    ("rows", "formats"), [([(1,)], {}), ([(1, 2, 3)], {}), ([(1, 2)], {"c": ".1f"})]
)
def test_a_table_that_does_not_fit_its_columns_is_refused(
    rows: list[tuple[int, ...]], formats: dict[str, str]
) -> None:
    with pytest.raises(InvalidParameter):
        show.table(rows, ["a", "b"], formats=formats)


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
    tags = Tags(shown.html.split("<table>")[0])
    assert tags.text.splitlines() == shown.text.splitlines()[:2]
    assert [th["scope"] for th in Tags(shown.html)["th"]] == ["col"] * 3 + ["row"] * 4
    colours = [
        re.search(r"background-color: (#\w+)", str(span["style"]))[1] for span in tags["span"]
    ]  # type: ignore[index]
    assert len(set(colours)) == 4


def test_a_long_hexdump_says_what_it_leaves_out() -> None:
    shown = show.hexdump(bytes(5000), [(0, 4, "magic"), (4, 4000, "rest")], limit=32)
    assert shown.text.splitlines()[2] == "… 4,968 bytes more"
    assert (
        "4–4003  rest   00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 … (4,000 bytes)"
        in shown.text
    )


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


def test_text_is_no_bytes() -> None:
    with pytest.raises(InvalidParameter):
        show.hexdump("text")  # type: ignore[arg-type]


@given(st.binary(max_size=100))
def test_the_bytes_can_be_read_back_out_of_a_hexdump(data: bytes) -> None:
    lines = [line for line in show.hexdump(data).text.splitlines() if line[0].isdigit()]
    assert bytes.fromhex("".join(line[10:58] for line in lines)) == data


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1234567, "1,234,567"),
        (-3.0, "-3"),
        (0.0123456, "0.0123"),
        (12345.6, "12,300"),
        (9.999, "10"),
        (0.1 + 0.2, "0.3"),
        (1.5e-9, "1.50e-09"),
        (2**3072, "5.81e+924"),
        (float("inf"), "inf"),
        (np.float32(2.5), "2.5"),
        (np.int64(-1000), "-1,000"),
    ],
)
def test_numbers_are_rounded_for_reading(number: float, text: str) -> None:
    assert show.rounded(number) == text


@given(st.floats(min_value=1e-3, max_value=1e12))
def test_rounding_keeps_three_digits(number: float) -> None:
    assert float(show.rounded(number).replace(",", "")) == pytest.approx(number, rel=0.00501)
