"""Tests lepton_lab.keyring.handle and lepton_lab.files on a disk that loses what was not synced.

Whenever the power goes, the old ring or the new one is there.
"""

from __future__ import annotations

import os

import pytest

from lepton_lab.errors import NotFound
from lepton_lab.keyring import KeyRing
from tests.support import power
from tests.support.rings import CHEAP, WORDS

pytestmark = [
    pytest.mark.skipif(
        os.name == "nt", reason="only on Windows does the file system log its renames itself"
    ),
    pytest.mark.usefixtures("stretched_once"),
]


@pytest.fixture
def place(tmp_path):
    folder = tmp_path.resolve() / "disk"
    folder.mkdir()
    return folder / "ring"


def seen(folder):
    """A ring's generation and the keys that it opens; None when there is no ring in the folder."""
    try:
        ring = KeyRing.open(folder / "ring", WORDS)
    except NotFound:
        return None
    return ring.generation, tuple(context for _, context in ring.find(b""))


def outcomes(journal, tmp_path):
    """After no call, after the first, … after all: what the ring knows in each state."""
    for cut, states in enumerate(journal.after_cuts()):
        found = set()
        for number, state in enumerate(states):
            folder = tmp_path / f"{cut}-{number}"
            folder.mkdir()
            found.add(seen(power.write_out(state, folder)))
        yield found


VERBS = {
    "new_data_key": (lambda ring, _: ring.new_data_key(b"new"), (1, (b"old", b"new"))),
    "shred": (lambda ring, made: ring.shred(made.id), (1, ())),
    "rotate": (lambda ring, _: ring.rotate(), (2, (b"old",))),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_power_cut_that_loses_what_was_not_synced_leaves_the_old_ring_or_the_new(
    place, tmp_path, verb
):
    ring, (change, new) = KeyRing.create(place, WORDS, **CHEAP), VERBS[verb]
    made, old = ring.new_data_key(b"old"), (1, (b"old",))
    with power.journal(place.parent) as journal:
        change(ring, made)
    assert {"open", "write", "replace"} < {*journal.names}
    first, *between, last = outcomes(journal, tmp_path)
    assert (first, last) == ({old}, {new})  # a call that has returned is never undone
    assert all(found in ({old}, {old, new}, {new}) for found in between)
    assert {old, new} in between


def test_a_power_cut_while_a_ring_is_made_leaves_none_or_a_whole_one(place, tmp_path):
    with power.journal(place.parent) as journal:
        KeyRing.create(place, WORDS, **CHEAP)
    first, *between, last = outcomes(journal, tmp_path)
    assert (first, last) == ({None}, {(1, ())})
    assert all(found <= {None, (1, ())} for found in between)


def test_such_a_disk_forgets_what_was_not_synced(tmp_path):
    """So that the tests above can fail: without `fsync` of the file a name may hold nothing."""
    root = tmp_path.resolve()
    with power.journal(root) as journal:
        descriptor = os.open(root / "a", os.O_WRONLY | os.O_CREAT)
        with power.files.open(descriptor, "wb", buffering=0) as file:
            file.write(memoryview(b"bytes"))
        os.replace(root / "a", root / "b")
    assert journal.names == ["open", "write", "replace"]
    *_, last = journal.after_cuts()
    assert {state.get("b") for state in last} == {None, b"", b"by", b"bytes"}
    assert {state.get("a") for state in last} == {None, b"", b"by", b"bytes"}
