"""Tests lepton_lab.show.figure: what is drawn can be read, and looks the same everywhere."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lepton_lab import show
from lepton_lab.errors import InvalidParameter
from tests.support.html_tags import Tags
from tests.support.paths import ROOT


def drawn() -> show.Picture:
    values = {"encrypt": 12.5, "decrypt": 3.14159}
    return show.bars(values, title="Encrypting costs more", unit="time / ms")


def test_a_figure_is_an_image_with_its_alt_text_and_its_text_is_that_alt_text() -> None:
    shown = drawn()._repr_mimebundle_()
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
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "from tests.show.test_figure import drawn; "
        "import hashlib; print(hashlib.sha256(drawn().svg).hexdigest())"
    )
    command = [sys.executable, "-c", code, str(ROOT)]
    digests = set()
    for _ in range(2):
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        digests.add(run.stdout)
    assert len(digests) == 1
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


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        show.axes(title="t", x="x", y="y", log="z")
