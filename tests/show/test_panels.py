"""Pictures of numbers side by side: drawn for the eye, counted for whoever does not see them."""

from __future__ import annotations

import numpy as np
import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.show.panels import panels


def test_the_alt_text_says_what_is_seen_and_counts_it() -> None:
    chart, noise = np.array([[0, 0, 9], [0, 9, 9]]), np.arange(6).reshape(2, 3)
    shown = panels({"the chart": chart, "sealed": noise}, title="It shows through.", said="A step.")
    expected = "the chart: 3 by 2, 2 different values; sealed: 3 by 2, 6 different values."
    assert repr(shown) == f"Pictures: It shows through. A step. {expected}"
    assert shown.svg.count(b"<image") == 2
    assert repr(shown) in shown.html


def test_values_count_and_not_their_size() -> None:
    small = panels({"a": np.array([[1, 2]])}, title="t", said="s")
    large = panels({"a": np.array([[1, 2000]])}, title="t", said="s")
    assert small.svg == large.svg


@pytest.mark.parametrize("wrong", [{}, {"flat": np.arange(3)}, {"empty": np.zeros((0, 3))}])
def test_what_is_no_picture_is_refused(wrong: dict[str, np.ndarray]) -> None:
    with pytest.raises(InvalidParameter):
        panels(wrong, title="t", said="s")
