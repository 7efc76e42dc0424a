"""Tests lepton_lab.workshop.experiments.nb06_record_lengths: what is seen beside the content."""

from __future__ import annotations

import threading

import pytest

from lepton_lab.errors import InvalidParameter
from lepton_lab.workshop.experiments import nb06_record_lengths


def test_lengths_and_names_are_seen_and_the_content_is_not():
    messages = [b"benign", b"malignant", b"x" * 2**14] * 5
    glimpses, text = nb06_record_lengths.watched(messages, server_name="oncology.clinic.test")
    assert [glimpse.length - 17 for glimpse in glimpses] == [len(message) for message in messages]
    assert b"malignant" not in text
    assert b"oncology.clinic.test" in text
    assert [thread.name for thread in threading.enumerate() if "silent" in thread.name] == []


@pytest.mark.parametrize("message", [b"", bytes(2**14 + 1)])
def test_what_is_no_single_record_is_refused(message):
    with pytest.raises(InvalidParameter):
        nb06_record_lengths.watched([message])


def test_times_are_seen():
    glimpses, _ = nb06_record_lengths.watched([b"a", b"b", b"c"], [0, 0, 0.3])
    assert glimpses[0].time == 0
    assert glimpses[2].time - glimpses[1].time > 0.25
