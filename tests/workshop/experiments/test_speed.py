"""Tests lepton_lab.workshop.experiments.speed: the ciphers in a race are what they say."""

from __future__ import annotations

import hmac

import pytest

from lepton_lab import data
from lepton_lab.workshop.experiments import speed
from lepton_lab.workshop.experiments.speed import ciphers, coding, milliseconds, rates


def test_every_cipher_hides_and_never_repeats_itself() -> None:
    overheads = {
        "AES-GCM (lepton_lab)": 28,
        "ChaCha20-Poly1305": 28,
        "AES-CBC + HMAC-SHA256": 16 + 16 + 32,
    }
    works = ciphers()
    assert set(works) == set(overheads)
    for name, seal in works.items():
        message = b"sixteen letters." * 4
        one, two = seal(message), seal(message)
        assert one != two
        assert message[:16] not in one
        assert len(one) == len(message) + overheads[name]


def test_cbc_is_authenticated_after_it_was_encrypted() -> None:
    sealed = ciphers()["AES-CBC + HMAC-SHA256"](b"message")
    assert len(sealed[:-32]) % 16 == 0
    assert len(sealed[-32:]) == len(hmac.digest(b"key", b"", "sha256"))


def test_rates_are_found_for_every_size() -> None:
    asked: list[int] = []
    found = rates(
        {"nothing": lambda message: asked.append(len(message)) or b""}, [16, 64], rounds=2
    )
    assert set(asked) == {16, 64}
    assert len(found["nothing"]) == 2
    assert all(rate > 0 for rate in found["nothing"])


def test_milliseconds_are_the_best_round_of_works_that_take_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, asked = [0.0], []

    def work(name: str, *seconds: float) -> None:
        now[0] += seconds[asked.count(name)]
        asked.append(name)

    monkeypatch.setattr(speed.time, "process_time", lambda: now[0])
    works = {"a": lambda: work("a", 5.0, 0.25, 1.0), "b": lambda: work("b", 0.5, 2.0, 0.125)}
    assert milliseconds(works, rounds=3) == {"a": 250.0, "b": 125.0}
    assert asked == ["a", "b"] * 3


@pytest.mark.parametrize(("k", "n"), [(3, 5), (10, 14)])
def test_what_is_coded_is_what_the_reference_run_coded_and_comes_back(
    k: int, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [row["name"].replace(" lepton_lab", ":") for row in data.reference("erasure")["rows"]]
    recovered: list[bool] = []
    recover = speed.Code.recover_rows

    def watched(code: speed.Code, have: dict, lost: dict) -> None:
        recover(code, have, lost)
        rows = speed.np.random.default_rng(0).integers(0, 256, (k, speed.SHARD), speed.np.uint8)
        recovered.extend((row == rows[index]).all() for index, row in lost.items())

    monkeypatch.setattr(speed.Code, "recover_rows", watched)
    works = coding(k, n)
    assert set(works) <= set(names)
    for work in works.values():
        work()
    assert recovered == [True, True]
