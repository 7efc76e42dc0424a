"""Tests lepton_lab.errors: one root for all errors, and messages that name what failed."""

from __future__ import annotations

import inspect

import pytest

from lepton_lab import errors

ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_is_caught_as_a_lab_error_and_says_when_it_is_raised(kind):
    assert issubclass(kind, errors.LabError)
    assert kind.__doc__


def test_a_failed_decryption_has_one_message_without_a_reason():
    assert str(errors.DecryptionError()) == "decryption failed"


def test_too_few_shards_are_counted_and_every_failed_node_is_named_with_its_reason():
    failures = {"node-1": "timed out", "node-4": "connection refused"}
    error = errors.NotEnoughShards("shards of 'x'", found=2, needed=3, failures=failures)
    assert (error.found, error.needed, error.failures) == (2, 3, failures)
    assert str(error) == (
        "shards of 'x': 2 found, 3 needed (node-1: timed out; node-4: connection refused)"
    )
    failures.clear()
    assert len(error.failures) == 2  # the error keeps a copy
    assert str(errors.NotEnoughShards("nodes", needed=3)) == "nodes: 0 found, 3 needed"


@pytest.mark.parametrize("kind", [errors.NodeError, errors.UnreadableValue, errors.OversizedValue])
def test_the_failure_of_a_node_names_the_node(kind):
    error = kind("node-2", "timed out")
    assert (error.node, error.reason, str(error)) == ("node-2", "timed out", "node-2: timed out")


def test_an_invalid_parameter_is_a_value_error_too():
    assert issubclass(errors.InvalidParameter, ValueError)
