"""Every parser of outside bytes: only typed errors, in bounded time and memory.

The targets are in fuzz/targets.py. Hypothesis edits the seeds and makes bytes up. `make fuzz` goes
on for longer with atheris, led by the lines that an input reaches; what it finds is put into
fuzz/corpus/<target>/ and replayed here from then on.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tracemalloc
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS
from tests.support.paths import ROOT, TESTS

FUZZ = TESTS / "fuzz"
SECONDS, BYTES = 10.0, 64 << 20  # far above what any parser takes for inputs of this size


def folder_of(name: str) -> Path:
    return FUZZ / "corpus" / re.sub(r"\W+", "-", name).lower()


@st.composite
def edited(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed with a few edits (flipped, cut, inserted, repeated, made extreme), or any bytes."""
    data = bytearray(
        draw(st.sampled_from(seeds)) if draw(st.integers(0, 9)) else draw(st.binary(max_size=400))
    )
    for _ in range(draw(st.integers(1, 4))):
        start = draw(
            st.integers(0, max(0, min(len(data), 200) if draw(st.booleans()) else len(data)))
        )
        end = min(len(data), start + draw(st.sampled_from([1, 1, 2, 4, 8, 16, 33])))
        kind = draw(st.sampled_from(["flip", "set", "extreme", "cut", "insert", "repeat", "end"]))
        if kind == "flip" and start < len(data):
            data[start] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set" and start < len(data):
            data[start] = draw(st.integers(0, 255))
        elif kind == "extreme":
            fill = draw(st.sampled_from([b"\0", b"\xff", b"\x7f", b"\x80", b"\x01"]))
            data[start:end] = fill * (end - start)
        elif kind == "cut":
            del data[start:end]
        elif kind == "insert":
            data[start:start] = draw(st.binary(max_size=20))
        elif kind == "repeat":
            data[start:start] = data[start:end]
        elif kind == "end":
            del data[start:]
    return bytes(data)


def fed(name: str, data: bytes) -> None:
    start = time.process_time()
    TARGETS[name](data)
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_written_is_read(name):
    """So that no target refuses everything, and its edits begin near the truth."""
    for seed in TARGETS[name].seeds():
        TARGETS[name].read(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_read_or_refused_with_a_typed_error(name):
    seeds = TARGETS[name].seeds()

    @settings(max_examples=80)
    @given(edited(seeds))
    def feed(data: bytes) -> None:
        fed(name, data)

    feed()


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_read_or_refused_with_a_typed_error_many_times(name):
    seeds = TARGETS[name].seeds()

    @settings(max_examples=800)
    @given(edited(seeds))
    def feed(data: bytes) -> None:
        fed(name, data)

    feed()


def grown(seeds: list[bytes]) -> list[bytes]:
    """Seeds with large numbers, at most 24: lengths are what makes a parser allocate."""
    made = []
    for seed in seeds[:4]:
        for at in (*range(0, min(len(seed), 32), 8), len(seed) // 2, max(0, len(seed) - 20)):
            made.append(seed[:at] + b"\x7f\xff\xff\xff" + seed[at + 4 :])
    return made


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_once_found_stays_fixed_and_memory_is_bounded(name):
    cases = sorted(folder_of(name).glob("*")) if folder_of(name).exists() else []
    seeds = TARGETS[name].seeds()
    tracemalloc.start()
    try:
        for data in [
            *(case.read_bytes() for case in cases),
            *(seed[: len(seed) // 2] for seed in seeds),
        ]:
            fed(name, data)
        for data in grown(seeds):
            fed(name, data)
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()


def test_every_folder_of_the_corpus_belongs_to_a_target():
    assert {path.name for path in (FUZZ / "corpus").iterdir() if path.is_dir()} <= {
        folder_of(name).name for name in TARGETS
    }


@pytest.mark.slow
def test_atheris_finds_nothing_in_a_short_while():
    if find_spec("atheris") is None:
        pytest.skip(
            "optional peer: atheris, led by the lines that it reaches, has no wheel for this system"
        )
    command = [sys.executable, "-m", "tests.fuzz.run", "--seconds", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
