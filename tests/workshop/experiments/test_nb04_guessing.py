"""Tests lepton_lab.workshop.experiments.nb04_guessing: every function is measured and is one."""

from __future__ import annotations

import pytest

from lepton_lab.workshop.experiments import nb04_guessing as guessing


def test_every_stretching_is_a_function_of_the_passphrase_and_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = {name: stretch(b"dragon") for name, stretch in guessing.stretches().items()}
    assert {len(key) for key in first.values()} == {32}
    assert len(set(first.values())) == len(first)
    quick = {
        name: stretch
        for name, stretch in guessing.stretches().items()
        if name in ("SHA-256", "scrypt, 16 MiB")
    }
    assert all(
        first[name] == stretch(b"dragon") != stretch(b"dragoon") for name, stretch in quick.items()
    )
    monkeypatch.setattr(guessing, "stretches", lambda: quick)
    found = guessing.costs(2)
    assert 0 < found["SHA-256"] < found["scrypt, 16 MiB"]
