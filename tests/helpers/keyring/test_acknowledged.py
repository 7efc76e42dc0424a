"""Tests lepton_lab.keyring.acknowledged, lepton_lab.keyring.ring and lepton_lab.keyring.handle.

What was acknowledged, what is shredded with it, and what makes an older file noticed.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from lepton_lab.errors import (
    DecryptionError,
    IntegrityError,
    InvalidParameter,
    NotFound,
    StaleVersion,
)
from lepton_lab.keyring import Acknowledged, KeyRing
from lepton_lab.keyring import handle as ring_handle
from lepton_lab.keyring.acknowledged import SUBJECT_LIMIT
from lepton_lab.keyring.file import SealedFile
from lepton_lab.keyring.records import HISTORY_LIMIT, RingBody
from tests.support.paths import VECTORS
from tests.support.rings import CHEAP, WORDS

FIRST = bytes(32)
SECOND = bytes(31) + b"\x01"
THIRD = bytes(31) + b"\x02"


def version_of(name: bytes):
    """Versions in contexts `name/version`, as a store of objects might write them."""

    def parse(context: bytes) -> int | None:
        found, _, version = context.partition(b"/")
        return int(version) if found == name else None

    return parse


def contexts(ring):
    return [context for _, context in ring.find(b"")]


# --- acknowledging -------------------------------------------------------------------------------


def test_what_was_acknowledged_is_known_to_every_handle(ring, ring_path):
    other = KeyRing.open(ring_path, WORDS)
    assert ring.acknowledged(b"name") is None
    ring.acknowledge(b"name", 1, FIRST, version_of=version_of(b"name"))
    ring.acknowledge(b"gone", 4, SECOND, deleted=True, version_of=version_of(b"gone"))
    for handle in (ring, other, KeyRing.open(ring_path, WORDS)):
        assert handle.acknowledged(b"name") == Acknowledged(1, FIRST, False) == (1, FIRST, False)
        assert handle.acknowledged(b"gone") == Acknowledged(4, SECOND, True)
        assert handle.acknowledged(b"nam") is None


def test_every_older_key_of_the_subject_is_shredded_in_the_same_writing(ring):
    for context in (b"name/1", b"name/2", b"name/2", b"other/1", b"name/3", b"name/4"):
        ring.new_data_key(context)
    sequence = ring._handle.content.sealed.sequence
    ring.acknowledge(b"name", 3, THIRD, version_of=version_of(b"name"))
    assert ring._handle.content.sealed.sequence == sequence + 1
    assert contexts(ring) == [b"other/1", b"name/3", b"name/4"]
    assert [entry.event for entry in ring.audit()].count("shredded") == 3


def test_an_older_acknowledgement_changes_no_record_and_still_shreds(ring):
    ring.acknowledge(b"name", 5, FIRST, version_of=version_of(b"name"))
    made = [ring.new_data_key(b"name/%d" % version) for version in (3, 4, 5)]
    ring.acknowledge(b"name", 4, SECOND, version_of=version_of(b"name"))
    assert ring.acknowledged(b"name") == (5, FIRST, False)
    assert ring.find(b"") == [(made[2].id, b"name/5")]


def test_the_same_version_with_another_digest_is_refused_and_nothing_changes(ring, ring_path):
    ring.acknowledge(b"name", 2, FIRST, version_of=version_of(b"name"))
    ring.new_data_key(b"name/1")
    before = ring_path.read_bytes()
    for digest, deleted in ((SECOND, False), (FIRST, True)):
        with pytest.raises(IntegrityError):
            ring.acknowledge(b"name", 2, digest, deleted=deleted, version_of=version_of(b"name"))
    assert ring_path.read_bytes() == before


def test_nothing_is_written_when_nothing_would_change(ring, ring_path):
    ring.acknowledge(b"name", 2, FIRST, version_of=version_of(b"name"))
    ring.new_data_key(b"name/2")
    before = ring_path.read_bytes()
    ring.acknowledge(b"name", 2, FIRST, version_of=version_of(b"name"))
    ring.acknowledge(b"name", 1, SECOND, version_of=version_of(b"name"))
    assert ring.forget(b"another", b"another/") == 0
    assert ring_path.read_bytes() == before


def test_a_version_whose_own_data_key_was_shredded_is_not_acknowledged(ring, ring_path):
    data_key = ring.new_data_key(b"name/2")
    ring.forget(b"name", b"name/")
    before = ring_path.read_bytes()
    with pytest.raises(NotFound):
        ring.acknowledge(b"name", 2, FIRST, version_of=version_of(b"name"), data_key_id=data_key.id)
    assert ring_path.read_bytes() == before
    # A newer version was noted: that is why the key is gone, and nothing is wrong.
    ring.acknowledge(b"name", 3, SECOND, version_of=version_of(b"name"))
    ring.acknowledge(b"name", 2, FIRST, version_of=version_of(b"name"), data_key_id=data_key.id)
    assert ring.acknowledged(b"name").version == 3


def test_an_empty_prefix_is_refused(ring, ring_path):
    ring.new_data_key(b"name/1")
    before = ring_path.read_bytes()
    with pytest.raises(InvalidParameter, match="every data key"):
        ring.forget(b"name", b"")
    assert ring_path.read_bytes() == before


def test_an_error_of_the_callers_parser_changes_nothing(ring, ring_path):
    ring.new_data_key(b"name/not a number")
    before = ring_path.read_bytes()
    with pytest.raises(ValueError, match="not a number"):
        ring.acknowledge(b"name", 1, FIRST, version_of=version_of(b"name"))
    assert ring_path.read_bytes() == before


def test_acknowledged_subjects_are_sorted_and_without_the_deleted(ring):
    assert ring.acknowledged_subjects() == []
    for name in (b"b", b"\xff", b"a", b"gone"):
        ring.acknowledge(name, 1, FIRST, version_of=version_of(name))
    ring.acknowledge(b"gone", 2, SECOND, deleted=True, version_of=version_of(b"gone"))
    assert ring.acknowledged_subjects() == [b"a", b"b", b"\xff"]
    ring.acknowledge(b"gone", 3, THIRD, version_of=version_of(b"gone"))
    assert ring.acknowledged_subjects() == [b"a", b"b", b"gone", b"\xff"]


def test_forgetting_removes_the_record_and_the_keys_in_one_writing(ring, ring_path):
    made = [ring.new_data_key(b"name/%d" % version) for version in (1, 2)]
    kept = ring.new_data_key(b"other/1")
    ring.acknowledge(b"name", 1, FIRST, version_of=version_of(b"name"))
    sequence = ring._handle.content.sealed.sequence
    assert ring.forget(b"name", b"name/") == len(made)
    assert ring._handle.content.sealed.sequence == sequence + 1
    assert ring.acknowledged(b"name") is None
    assert ring.find(b"") == [(kept.id, b"other/1")]
    with pytest.raises(DecryptionError):
        ring.unwrap(made[0].wrapped, b"name/1")
    left = ring_path.with_name(f".{ring_path.name}.0123456789abcdef")
    shutil.copy(ring_path, left)
    ring.acknowledge(b"name", 3, FIRST, version_of=version_of(b"name"))
    assert left.exists()
    ring.forget(b"name", b"name/")
    assert not left.exists()  # it held what was forgotten


@pytest.mark.parametrize("subject", [b"", bytes(SUBJECT_LIMIT + 1), "name", None, 3])
def test_a_subject_is_some_bytes(ring, ring_path, subject):
    before = ring_path.read_bytes()
    for call in (
        lambda: ring.acknowledge(subject, 1, FIRST, version_of=lambda _: None),
        lambda: ring.acknowledged(subject),
        lambda: ring.forget(subject, b"name/"),
    ):
        with pytest.raises(InvalidParameter):
            call()
    assert ring_path.read_bytes() == before


def test_the_largest_subject_and_version_are_read_again(ring, ring_path):
    subject = bytes(SUBJECT_LIMIT)
    ring.acknowledge(subject, (1 << 64) - 1, SECOND, version_of=lambda _: None)
    found = KeyRing.open(ring_path, WORDS).acknowledged(subject)
    assert found == ((1 << 64) - 1, SECOND, False)


@pytest.mark.parametrize(
    ("version", "digest", "deleted"),
    [
        (-1, FIRST, False),
        (1 << 64, FIRST, False),
        (1.0, FIRST, False),
        (True, FIRST, False),
        ("1", FIRST, False),
        (1, FIRST[1:], False),
        (1, FIRST + b"\0", False),
        (1, "0" * 32, False),
        (1, FIRST, 1),
        (1, FIRST, None),
    ],
)
def test_a_state_is_a_version_a_digest_and_a_bool(ring, ring_path, version, digest, deleted):
    before = ring_path.read_bytes()
    with pytest.raises(InvalidParameter):
        ring.acknowledge(b"name", version, digest, deleted=deleted, version_of=lambda _: None)
    assert ring_path.read_bytes() == before


def test_names_lie_only_sealed_in_the_file(ring, ring_path):
    ring.acknowledge(b"a name to look for", 1, FIRST, version_of=lambda _: None)
    assert b"a name to look for" not in ring_path.read_bytes()
    assert "look for" not in repr(ring) + repr(ring._handle.content)


def test_acknowledgements_survive_rotation_passphrases_and_custodians(ring, ring_path):
    ring.acknowledge(b"name", 1, FIRST, version_of=lambda _: None)
    ring.rotate()
    ring.change_passphrase("another", **CHEAP)
    shares = ring.split(2, 2)
    assert KeyRing.open(ring_path, "another").acknowledged(b"name") == (1, FIRST, False)
    recovered = KeyRing.recover(ring_path, shares, "third", **CHEAP)
    assert recovered.acknowledged(b"name") == (1, FIRST, False)
    assert ring.acknowledged(b"name") == (1, FIRST, False)


# --- rings of the first release ------------------------------------------------------------------


@pytest.fixture
def old_ring(tmp_path):
    """A ring that the first release wrote, and its passphrase."""
    with zipfile.ZipFile(VECTORS / "formats_1.zip") as archive:
        name = next(name for name in archive.namelist() if Path(name).name == "ring")
        path = tmp_path / "old"
        path.write_bytes(archive.read(name))
    path.chmod(0o600)
    return path, "correct horse battery staple"


def test_a_ring_of_the_first_release_opens_and_is_rewritten_at_the_next_change(old_ring):
    path, words = old_ring
    before = path.read_bytes()
    assert before[139] == 0
    ring = KeyRing.open(path, words)
    held = ring.find(b"")
    account = ring.audit()
    assert held
    assert ring.acknowledged_subjects() == []
    assert path.read_bytes() == before  # reading changes nothing
    other = KeyRing.open(path, words)
    ring.acknowledge(b"name", 1, FIRST, version_of=lambda _: None)
    assert path.read_bytes()[139] == 1
    for handle in (ring, other, KeyRing.open(path, words)):
        assert handle.find(b"") == held
        assert handle.audit() == account
        assert handle.acknowledged_subjects() == [b"name"]


def test_the_old_ring_in_place_of_its_successor_is_noticed(old_ring):
    path, words = old_ring
    before = path.read_bytes()
    ring = KeyRing.open(path, words)
    ring.new_data_key(b"c")
    path.write_bytes(before)
    with pytest.raises(StaleVersion):
        ring.find(b"")


def test_the_body_format_is_authentic(ring, ring_path):
    content = ring_path.read_bytes()
    for body_format, told in ((0, "failed"), (2, "format 2")):
        ring_path.write_bytes(content[:139] + bytes((body_format,)) + content[140:])
        with pytest.raises(DecryptionError, match=told):
            KeyRing.open(ring_path, WORDS)
        with pytest.raises(DecryptionError, match=told):
            ring.find(b"")


# --- an older file, written on -------------------------------------------------------------------


def test_a_handle_notices_an_older_file_that_others_went_on_writing(ring, ring_path, tmp_path):
    secret = ring.new_data_key(b"contract")
    backup = shutil.copy(ring_path, tmp_path / "backup")
    ring.shred(secret.id)
    later = ring.new_data_key(b"later")
    shutil.copy(backup, ring_path)
    other = KeyRing.open(ring_path, WORDS)
    for _ in range(5):
        other.new_data_key(b"c")
        for call in (
            lambda: secret.id in ring,
            lambda: ring.unwrap(secret.wrapped, b"contract"),
            lambda: ring.new_data_key(b"d"),
            lambda: ring.derive(b"purpose"),
        ):
            with pytest.raises(StaleVersion, match="open it again"):
                call()
    assert later.id not in other
    assert secret.id in KeyRing.open(ring_path, WORDS)  # opened again, by whoever means it


def test_two_branches_of_one_ring_are_told_apart_after_rotation_too(ring, ring_path, tmp_path):
    backup = shutil.copy(ring_path, tmp_path / "backup")
    ring.rotate()
    shutil.copy(backup, ring_path)
    other = KeyRing.open(ring_path, WORDS)
    other.rotate()
    other.rotate()
    with pytest.raises(StaleVersion):
        ring.find(b"")


def written_on(path, times):
    """Write the ring as others would have left it after so many writings."""
    master = KeyRing.open(path, WORDS)._handle.content.master
    last = SealedFile.read(path.read_bytes())
    body = last.open(master)
    for number in range(1, times):
        body.follow(last.writing_id if number == 1 else number.to_bytes(8, "big"))
    if times > 1:
        last = SealedFile.seal(last.slot, last.sequence + times - 1, master, body)
    return ring_handle.write_ring(path, last.slot, master, body, last)


@pytest.mark.parametrize("times", [1, 2, HISTORY_LIMIT])
def test_a_handle_follows_as_many_writings_as_the_file_names(ring, ring_path, times):
    written_on(ring_path, times)
    assert ring.find(b"") == []
    assert ring._handle.content.sealed.sequence == 1 + times
    assert len(ring._handle.content.body.history) <= 8 * HISTORY_LIMIT


def test_a_handle_that_missed_more_writings_than_the_file_names_says_so(ring, ring_path):
    size = ring_path.stat().st_size
    written_on(ring_path, HISTORY_LIMIT + 1)
    with pytest.raises(StaleVersion, match="written 2049 times"):
        ring.find(b"")
    assert KeyRing.open(ring_path, WORDS).find(b"") == []
    assert ring_path.stat().st_size <= size + 8 * HISTORY_LIMIT


def test_the_history_is_bounded():
    body = RingBody.new()
    for number in range(1, 2 * HISTORY_LIMIT + 1):
        body.follow(number.to_bytes(8, "big"))
    assert len(body.history) == 8 * HISTORY_LIMIT
    assert body.writing_before(1) == (2 * HISTORY_LIMIT).to_bytes(8, "big")
    assert body.writing_before(HISTORY_LIMIT) == (HISTORY_LIMIT + 1).to_bytes(8, "big")
    assert body.writing_before(HISTORY_LIMIT + 1) is None
    assert RingBody.from_bytes(body.to_bytes()) == body
