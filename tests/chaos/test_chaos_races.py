"""Tests lepton_lab.sharding.versions and lepton_lab.sharding.commit: two clients that meet.

Chaos finds these meetings by chance; here each happens at its exact moment.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from lepton_lab.errors import WriteConflict
from lepton_lab.keyring import KeyRing
from lepton_lab.nodes import MemoryNode
from lepton_lab.sharding import ShardedStore, commit
from lepton_lab.sharding.verifier import Verifier
from lepton_lab.sharding.versions import Versions


@pytest.fixture
def stores(tmp_path) -> tuple[ShardedStore, ShardedStore]:
    """Two clients of the same nodes and the same ring; a few hundred bytes have many stripes."""
    nodes = [MemoryNode(f"node-{index}") for index in range(5)]
    ring = KeyRing.create(tmp_path / "ring", "a passphrase", scrypt_n=1 << 14)
    return ShardedStore(nodes, ring, segment=64), ShardedStore(nodes, ring, segment=64)


def first(
    owner: object, name: str, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]
) -> None:
    """Before the next call of this function of `owner` another client does something, once."""
    honest = getattr(owner, name)

    def interrupted(*arguments):
        monkeypatch.setattr(owner, name, honest)
        meanwhile()
        return honest(*arguments)

    monkeypatch.setattr(owner, name, interrupted)


def test_two_writers_who_replace_the_same_version_are_both_answered(stores, monkeypatch):
    ours, theirs = stores
    ours.put("x", b"old")
    first(commit, "publish_first", monkeypatch, lambda: theirs.put("x", b"theirs"))
    receipt = ours.put("x", b"ours")
    assert receipt.version == 2
    assert ours.get("x", receipt=receipt) == b"theirs"  # version 3: theirs counts as the later one


@pytest.mark.parametrize("before", [1, 12])
def test_a_reader_whose_version_is_retired_reads_the_next(stores, monkeypatch, before):
    ours, theirs = stores
    for version in range(before):
        ours.put("x", b"%d" % version)
    first(Verifier, "verified", monkeypatch, lambda: theirs.put("x", b"new" * 100))
    assert ours.get("x") == b"new" * 100
    first(
        Versions,
        "_hold_against_receipt",
        monkeypatch,
        lambda: theirs.put("x", b"newer" * 100),
    )
    assert ours.get("x", receipt=theirs.put("x", b"between" * 100)) == b"newer" * 100


def test_a_reader_who_has_begun_to_write_to_a_sink_is_told_to_begin_again(stores):
    ours, theirs = stores
    ours.put("x", b"old" * 1000)

    class Slow(io.BytesIO):
        def write(self, data) -> int:
            if not self.tell():
                theirs.put("x", b"new" * 1000)
            return super().write(data)

    with pytest.raises(WriteConflict, match="read again"):
        ours.get("x", Slow())
    sink = io.BytesIO()
    assert ours.get("x", sink) == 3000
    assert sink.getvalue() == b"new" * 1000
