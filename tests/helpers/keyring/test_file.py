"""Tests lepton_lab.keyring.file, lepton_lab.keyring.records and lepton_lab.keyring.handle.

The file is read by a second implementation, altered, refused, interrupted, and written by many.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton_lab import files, shamir
from lepton_lab.buffers import framed
from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, NotFound
from lepton_lab.keyring import KeyRing
from lepton_lab.keyring import file as ring_file
from lepton_lab.keyring.acknowledged import SUBJECT_LIMIT, Acknowledged
from lepton_lab.keyring.records import HISTORY_LIMIT, TRAIL_LIMIT, KeyRecord, RingBody
from tests.support.rings import CHEAP, WORDS

on_posix = pytest.mark.skipif(os.name == "nt", reason="only on POSIX: Windows has no such call")


@pytest.fixture
def path(ring_path):
    """Where the shared fixture `ring` has its file."""
    return ring_path


# --- a second implementation, from the tables alone ----------------------------------------------


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 with SHA-256."""
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    blocks, block = b"", b""
    while len(blocks) < length:
        block = hmac.digest(key, block + info + bytes((len(blocks) // 32 + 1,)), "sha256")
        blocks += block
    return blocks[:length]


def gcm_open(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    from Crypto.Cipher import AES

    cipher = AES.new(key, AES.MODE_GCM, nonce=sealed[:12])
    cipher.update(associated)
    return cipher.decrypt_and_verify(sealed[12:-16], sealed[-16:])


def key_unwrap(key: bytes, wrapped: bytes) -> bytes:
    """RFC 3394 §2.2.2, the index-based form."""
    from Crypto.Cipher import AES

    cipher, blocks = (
        AES.new(key, AES.MODE_ECB),
        [wrapped[at : at + 8] for at in range(0, len(wrapped), 8)],
    )
    register, values = blocks[0], blocks[1:]
    for step in range(6 * len(values), 0, -1):
        index = (step - 1) % len(values)
        mixed = (int.from_bytes(register, "big") ^ step).to_bytes(8, "big")
        opened = cipher.decrypt(mixed + values[index])
        register, values[index] = opened[:8], opened[8:]
    assert register == bytes.fromhex("a6a6a6a6a6a6a6a6")
    return b"".join(values)


def test_a_second_implementation_reads_the_file_from_its_tables(ring, path):
    pytest.importorskip("Crypto.Cipher.AES", reason="pip install -e .[test] brings PyCryptodome")
    made = [ring.new_data_key(context) for context in (b"first", b"second")]
    ring.shred(made[0].id)
    earlier = path.read_bytes()[147:155]
    digest = bytes(range(32))
    ring.acknowledge(b"subject", 7, digest, deleted=True, version_of=lambda _: None)
    content = path.read_bytes()
    assert content[:11] == b"LEPTRING\x01\x01\x0e"
    assert content[27:31] == b"\x00\x00\x00\x01"
    stretched = hashlib.scrypt(
        WORDS.encode(), salt=content[31:47], n=1 << 14, r=8, p=1, maxmem=1 << 26, dklen=32
    )
    slot = hkdf(stretched, b"", framed(b"lepton_lab key ring", b"passphrase"), 64)
    assert content[47:79] == slot[32:]
    master = gcm_open(slot[:32], content[79:139], content[:47])
    assert content[139:147] == b"\x01\x00\x00\x00\x00\x00\x00\x05"
    body_key = hkdf(master, content[147:179], framed(b"lepton_lab key ring", b"body"), 64)
    assert content[179:211] == body_key[32:]
    body = gcm_open(body_key[:32], content[211:], content[:211])

    assert ring.derive(b"purpose") == hkdf(
        body[:32], b"", framed(b"lepton_lab derive", b"purpose"), 32
    )
    assert body[32:36] == b"\x00\x00\x00\x01"
    record, events = body[36 : 36 + 55 + 6], body[36 + 55 + 6 :]
    assert record[:16].hex() == made[1].id
    assert abs(int.from_bytes(record[16:20], "big") - time.time()) < 600
    assert record[20] == 0
    assert record[53:] == b"\x00\x06second"
    assert events[:4] == b"\x00\x00\x00\x02"
    assert [events[4 + 21 * i :][4:21] for i in range(2)] == [
        b"\x00" * 17,
        b"\x06" + bytes.fromhex(made[0].id),
    ]
    states = events[4 + 2 * 21 :]
    assert states[:4] == b"\x00\x00\x00\x01"
    assert states[4:12] == b"\x00\x00\x00\x00\x00\x00\x00\x07"
    assert states[12:44] == digest
    assert states[44:54] == b"\x01\x00\x07subject"
    history = states[54:]
    assert history[:4] == b"\x00\x00\x00\x04"
    assert len(history) == 4 + 4 * 8
    assert history[-8:] == earlier

    wrapped = made[1].wrapped
    assert wrapped[:17] == b"\x01" + record[:16]
    wrapping_key = hkdf(
        record[21:53], b"", framed(b"lepton_lab data key", b"second", record[:16]), 32
    )
    assert key_unwrap(wrapping_key, wrapped[17:]) == made[1].key

    shared = shamir.combine(ring.split(2, 3)[:2])
    assert shared == content[11:31] + master


# --- altered, truncated, foreign -----------------------------------------------------------------


def test_every_altered_byte_is_refused(ring, path, stretched_once):
    ring.new_data_key(b"context")
    content = path.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(DecryptionError):
            KeyRing.open(path, WORDS)
    path.write_bytes(content)
    KeyRing.open(path, WORDS)


@settings(max_examples=60)
@given(data=st.data())
def test_any_alteration_is_refused_and_in_bounded_time(data, ring, path, stretched_once):
    content = path.read_bytes()
    position = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(0, 40))
    piece = data.draw(st.binary(max_size=40))
    changed = content[:position] + piece + content[position + length :]
    if (
        changed != content and changed[31:47] == content[31:47] and changed[10] <= 15
    ):  # a new salt costs a stretching
        other = path.with_name("other")
        other.write_bytes(changed)
        with pytest.raises(DecryptionError):
            KeyRing.open(other, WORDS)


def test_every_truncation_is_refused(ring, path, stretched_once):
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(DecryptionError):
            KeyRing.open(path, WORDS)
    path.write_bytes(content + b"\x00")
    with pytest.raises(DecryptionError):
        KeyRing.open(path, WORDS)


def test_parts_of_two_writings_do_not_mix(ring, path, stretched_once):
    first = path.read_bytes()
    ring.new_data_key(b"c")
    ring.rotate()
    second = path.read_bytes()
    ring.change_passphrase(WORDS, **CHEAP)
    third = path.read_bytes()
    for before, after in itertools.permutations((first, second, third), 2):
        for cut in (31, 47, 79, 139, 147, 179, 211, 223):
            mixed = before[:cut] + after[cut:]
            if mixed in (before, after):
                continue
            path.write_bytes(mixed)
            with pytest.raises(DecryptionError):
                KeyRing.open(path, WORDS)


def test_what_an_unproven_file_asks_of_scrypt_is_bounded(ring, path, monkeypatch):
    content, asked = path.read_bytes(), []

    def stretch(passphrase, salt, log2_n):
        asked.append(log2_n)
        raise DecryptionError

    monkeypatch.setattr(ring_file.PassphraseKey, "of", stretch)
    for log2_n in range(256):
        path.write_bytes(content[:10] + bytes((log2_n,)) + content[11:])
        with pytest.raises(DecryptionError):
            KeyRing.open(path, WORDS)
    assert asked == [14, 15, 16, 17, 18, 19]


def test_a_cheaper_slot_does_not_pass_for_the_ring(path):
    """The cost is bound to the slot: nobody makes a file cheaper to guess without it."""
    KeyRing.create(path, WORDS, scrypt_n=1 << 15)
    content = path.read_bytes()
    path.write_bytes(content[:10] + b"\x0e" + content[11:])
    with pytest.raises(DecryptionError):
        KeyRing.open(path, WORDS)


def test_a_newer_format_is_named(ring, path):
    content = path.read_bytes()
    path.write_bytes(content[:8] + b"\x02" + content[9:])
    with pytest.raises(DecryptionError, match="format 2"):
        KeyRing.open(path, WORDS)
    with pytest.raises(DecryptionError, match="format 2"):
        ring.new_data_key(b"c")


@pytest.mark.parametrize(
    "content", [b"", b"LEPTRING", b"-----BEGIN PRIVATE KEY-----", bytes(4096), b"\xff" * 300]
)
def test_what_is_no_ring_is_refused(ring, path, content):
    shares = ring.split(1, 1)
    path.write_bytes(content)
    for call in (
        lambda: KeyRing.open(path, WORDS),
        lambda: KeyRing.recover(path, shares, WORDS, **CHEAP),
        lambda: ring.new_data_key(b"c"),
        lambda: ring.unwrap(bytes(57), b"c"),
        lambda: ring.derive(b"purpose"),
        ring.acknowledged_subjects,
    ):
        with pytest.raises(DecryptionError):
            call()
    assert path.read_bytes() == content


def test_another_ring_in_the_place_of_this_one_is_noticed(ring, path, tmp_path):
    KeyRing.create(tmp_path / "other", WORDS, **CHEAP)
    shutil.copy(tmp_path / "other", path)
    with pytest.raises(DecryptionError):
        ring.new_data_key(b"c")


@on_posix
def test_a_file_of_absurd_size_is_not_read(ring, path):
    os.truncate(path, 1 << 40)
    with pytest.raises(DecryptionError):
        KeyRing.open(path, WORDS)


def test_the_commitment_is_compared_before_gcm_is_asked(ring, path, monkeypatch):
    asked = []
    monkeypatch.setattr(ring_file.aes, "decrypt", lambda *_: asked.append(1))
    with pytest.raises(DecryptionError):
        KeyRing.open(path, "wrong")
    content = path.read_bytes()
    sealed = ring_file.SealedFile.read(content)
    with pytest.raises(DecryptionError):
        sealed.open(bytes(32))
    assert asked == []


def test_no_two_writings_share_a_key(ring, path):
    seen = set()
    for _ in range(20):
        ring.new_data_key(b"c")
        content = path.read_bytes()
        seen |= {content[147:179], content[179:211], content[211:223]}
    assert len(seen) == 60


# --- the body, once open -------------------------------------------------------------------------

contexts = st.lists(st.binary(max_size=300), max_size=6)


@given(contexts)
def test_a_body_is_read_as_it_was_written(found):
    body = RingBody.new()
    for context in found:
        record = KeyRecord.new(context)
        body.records[record.id] = record
        body.note("exported", record.id)
        body.acknowledged.set(context + b"!", Acknowledged(len(context), bytes(32), False))
        body.follow(record.id[:8])
    again = RingBody.from_bytes(body.to_bytes())
    assert again == body
    assert [record.context for record in again.records.values()] == found


@given(contexts, st.data())
def test_a_body_of_another_shape_is_a_decryption_error(found, data):
    """Only the holder of the master key can send one; it must still end in a typed error."""
    body = RingBody.new()
    for context in found:
        record = KeyRecord.new(context)
        body.records[record.id] = record
    body.note("created")
    body.acknowledged.set(b"subject", Acknowledged(3, bytes(32), True))
    body.follow(b"8 bytes.")
    raw = body.to_bytes()
    position = data.draw(st.integers(32, len(raw) - 1))
    for changed in (raw[:position], raw[:position] + data.draw(st.binary(max_size=60))):
        try:
            again = RingBody.from_bytes(changed)
        except DecryptionError:
            continue
        assert again.to_bytes() == changed
    with pytest.raises(DecryptionError):
        RingBody.from_bytes(raw + b"\x00")


@pytest.mark.parametrize(
    "raw", [b"", bytes(31), bytes(36), bytes(40), bytes(44), bytes(32) + b"\xff" * 8]
)
def test_a_short_body_is_a_decryption_error(raw):
    with pytest.raises(DecryptionError):
        RingBody.from_bytes(raw)


def counted(number: int) -> bytes:
    return number.to_bytes(4, "big")


ROOT = bytes(32)
NONE = counted(0)
STATE = bytes(40) + b"\x00\x00\x01s"


@pytest.mark.parametrize(
    "raw",
    {
        "a data key twice": ROOT + counted(2) + KeyRecord.new(b"").data * 2 + NONE + NONE + NONE,
        "an unknown event": ROOT + NONE + counted(1) + bytes(4) + b"\x07" + bytes(16) + NONE + NONE,
        "a subject twice": ROOT + NONE + NONE + counted(2) + STATE * 2 + NONE,
        "an empty subject": ROOT + NONE + NONE + counted(1) + bytes(43) + NONE,
        "half deleted": ROOT + NONE + NONE + counted(1) + bytes(40) + b"\x02\x00\x01s" + NONE,
        "half a subject": ROOT + NONE + NONE + counted(1) + bytes(40) + b"\x00\x00\x09s" + NONE,
        "half a writing": ROOT + NONE + NONE + NONE + counted(1) + bytes(7),
        "more behind the end": ROOT + NONE + NONE + NONE + NONE + b"\x00",
    }.items(),
    ids=lambda item: item[0],
)
def test_a_body_that_no_release_writes_is_a_decryption_error(raw):
    with pytest.raises(DecryptionError):
        RingBody.from_bytes(raw[1])


def body_with(events: int, subject: int, writings: int) -> bytes:
    """An empty ring's body with so many events, a subject of so many bytes, so many writings."""
    state = bytes(41) + subject.to_bytes(2, "big") + bytes(subject)
    trail = counted(events) + bytes(21 * events)
    return ROOT + NONE + trail + counted(1) + state + counted(writings) + bytes(8 * writings)


def test_the_largest_tables_are_read_and_no_larger():
    largest = (TRAIL_LIMIT, SUBJECT_LIMIT, HISTORY_LIMIT)
    body = RingBody.from_bytes(body_with(*largest))
    assert len(body.trail) == TRAIL_LIMIT
    assert body.acknowledged.subjects() == [bytes(SUBJECT_LIMIT)]
    assert len(body.history) == 8 * HISTORY_LIMIT
    assert body.to_bytes() == body_with(*largest)
    for which in range(3):
        sizes = list(largest)
        sizes[which] += 1
        with pytest.raises(DecryptionError):
            RingBody.from_bytes(body_with(*sizes))


# --- places --------------------------------------------------------------------------------------


def test_a_ring_is_never_written_over(ring, path):
    before = path.read_bytes()
    with pytest.raises(InvalidParameter, match="exists already"):
        KeyRing.create(path, WORDS, **CHEAP)
    with pytest.raises(InvalidParameter):
        KeyRing.create(path.parent, WORDS, **CHEAP)
    assert path.read_bytes() == before


def test_an_absent_file_or_folder_is_not_found(tmp_path, path):
    shares = shamir.split(bytes(52), 1, 1)
    (tmp_path / "file").write_bytes(b"")
    for place in (path, tmp_path / "no" / "ring", tmp_path / "file" / "ring"):
        with pytest.raises(NotFound):
            KeyRing.open(place, WORDS)
        with pytest.raises(NotFound):
            KeyRing.recover(place, shares, WORDS, **CHEAP)
    for place in (tmp_path / "no" / "ring", tmp_path / "file" / "ring"):
        with pytest.raises(NotFound):
            KeyRing.create(place, WORDS, **CHEAP)
    with pytest.raises(InvalidParameter):
        KeyRing.open(tmp_path, WORDS)


def put_a_socket(path):
    before = Path.cwd()
    os.chdir(path.parent)  # a socket's path may be only some hundred bytes long
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(before)


NO_FILES = {
    "a pipe": os.mkfifo if os.name == "posix" else None,
    "a socket": put_a_socket,
    "a link to an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
}


@pytest.mark.skipif(os.name == "nt", reason="only on Windows are there no such files")
@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES.keys())
def test_what_is_not_a_regular_file_is_refused_at_once(ring, path, make):
    made = ring.new_data_key(b"c")
    path.unlink()
    make(path)
    shares = shamir.split(bytes(52), 1, 1)
    for call in (
        lambda: KeyRing.open(path, WORDS),
        lambda: KeyRing.recover(path, shares, WORDS, **CHEAP),
        lambda: ring.unwrap(made.wrapped, b"c"),
        lambda: ring.new_data_key(b"d"),
    ):
        began = time.monotonic()
        with pytest.raises(InvalidParameter, match="where a regular file is needed"):
            call()
        assert time.monotonic() - began < 5


def test_a_file_that_is_longer_than_it_says_is_not_read_to_its_end(ring, path):
    class Endless(io.RawIOBase):
        taken = 0

        def fileno(self):
            return descriptor

        def read(self, size=-1):
            assert size >= 0
            self.taken += size
            return bytes(size)

    with path.open("rb") as file:
        descriptor = file.fileno()
        endless = Endless()
        with pytest.raises(DecryptionError):
            ring_file.read_rest(endless)
        assert endless.taken <= path.stat().st_size + 1


def test_a_ring_that_was_removed_is_not_found(ring, path):
    made = ring.new_data_key(b"c")
    path.unlink()
    for call in (
        lambda: ring.new_data_key(b"d"),
        lambda: ring.unwrap(made.wrapped, b"c"),
        lambda: ring.derive(b"purpose"),
        lambda: ring.acknowledged(b"subject"),
        ring.rotate,
        ring.audit,
    ):
        with pytest.raises(NotFound):
            call()
    assert not path.exists()


@pytest.mark.parametrize("place", ["a\x00b", None, 7, b"bytes\x00"])
def test_a_path_is_a_path(place):
    for call in (KeyRing.create, KeyRing.open):
        with pytest.raises(InvalidParameter):
            call(place, WORDS)


def test_a_path_may_be_a_str(tmp_path):
    made = KeyRing.create(str(tmp_path / "ring"), WORDS, **CHEAP).new_data_key(b"c")
    assert made.id in KeyRing.open(str(tmp_path / "ring"), WORDS)


@on_posix
def test_a_link_stays_a_link(ring, path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    made = KeyRing.open(link, WORDS).new_data_key(b"c")
    assert link.is_symlink()
    assert made.id in ring


@on_posix
def test_the_file_is_its_owners_alone_after_every_writing(path):
    before = os.umask(0)
    try:
        ring = KeyRing.create(path, WORDS, **CHEAP)
        modes = {path.stat().st_mode & 0o777}
        ring.new_data_key(b"c")
        modes.add(path.stat().st_mode & 0o777)
    finally:
        os.umask(before)
    assert modes == {0o600}
    assert {file.name for file in path.parent.iterdir()} == {"ring", ".ring.lock"}
    assert path.with_name(".ring.lock").stat().st_mode & 0o777 == 0o600


@on_posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o644])
def test_a_ring_that_others_may_reach_is_refused_with_the_remedy(mode):
    with tempfile.TemporaryDirectory() as folder:
        if not all(above.stat().st_mode & 0o011 for above in Path(folder).resolve().parents):
            pytest.skip("only on POSIX with a temporary folder that is not private")
        path = Path(folder) / "ring"
        ring = KeyRing.create(path, WORDS, **CHEAP)
        shares = ring.split(1, 1)
        path.chmod(mode)
        # The folder is its owner's alone: nobody else gets as far as the file.
        KeyRing.open(path, WORDS)
        Path(folder).chmod(0o755)
        with pytest.raises(InvalidKey, match=f"chmod 600 {path}"):
            KeyRing.open(path, WORDS)
        with pytest.raises(InvalidKey, match="chmod 600"):
            KeyRing.recover(path, shares, "other", **CHEAP)
        path.chmod(0o600)
        KeyRing.open(path, WORDS)


# --- interrupted ---------------------------------------------------------------------------------


class FullDisk:
    """The `os` of `lepton_lab.files`: its n-th call raises, before it is made or right after."""

    def __init__(self, at: int, after: bool) -> None:
        self.left, self.after = at, after

    def __getattr__(self, name):
        genuine = getattr(os, name)
        if name not in {"open", "fsync", "replace", "close"}:
            return genuine

        def call(*arguments):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise OSError(28, "no space left")
            result = genuine(*arguments)
            if self.left == 0 and name != "open":
                raise OSError(5, "input/output error")
            return result

        return call


VERBS = {
    "new_data_key": lambda ring, _: ring.new_data_key(b"new"),
    "shred": lambda ring, made: ring.shred(made.id),
    "rotate": lambda ring, _: ring.rotate(),
    "split": lambda ring, _: ring.split(2, 3),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_failing_disk_leaves_the_old_ring_or_the_new(
    ring, path, verb, monkeypatch, stretched_once
):
    made = ring.new_data_key(b"old")
    outcomes = set()
    for at, after in itertools.product(range(1, 10), (False, True)):
        before = path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(files, "os", FullDisk(at, after))
            try:
                VERBS[verb](ring, made)
            except OSError:
                outcomes.add("raised, " + ("old" if path.read_bytes() == before else "new"))
            else:
                outcomes.add("done")
        assert {file.name for file in path.parent.iterdir()} == {"ring", ".ring.lock"}
        assert KeyRing.open(path, WORDS).find(b"") == ring.find(b"")
        if verb == "shred" and made.id not in ring:
            made = ring.new_data_key(b"old")
        assert ring.unwrap(made.wrapped, b"old") == made.key
    assert outcomes == {"raised, old", "raised, new", "done"}


POWER_CUT = """
import builtins, itertools, os, shutil, sys
from pathlib import Path
from lepton_lab import files
from lepton_lab.keyring import KeyRing

path, verb = Path(sys.argv[1]), sys.argv[2]
ring = KeyRing.open(path, "a passphrase for tests")
(old, _), = ring.find(b"")
saved = path.with_name("saved")
shutil.copy(path, saved)
calls = {"open", "write", "fsync", "replace", "close"}

def cut_at(step, half):
    left = [step]
    def dying(genuine):
        def call(*arguments):
            left[0] -= 1
            if left[0] == 0 and not half:
                os._exit(9)
            result = genuine(*arguments)
            if left[0] == 0:
                os._exit(9)
            return result
        return call
    class Os:
        def __getattr__(self, name):
            genuine = getattr(os, name)
            return dying(genuine) if name in calls else genuine
    class File:
        def __init__(self, *arguments, **options):
            self.file = builtins.open(*arguments, **options)
        def __enter__(self):
            return self
        def __exit__(self, *_):
            self.file.close()
        def fileno(self):
            return self.file.fileno()
        def write(self, view):
            return dying(self.file.write)(view[:100])
    files.os, files.open = Os(), File

for step, half in itertools.product(range(1, 40), (False, True)):
    shutil.copy(saved, path)
    child = os.fork()
    if not child:
        again = ring
        cut_at(step, half)
        {"new": lambda: ring.new_data_key(b"new"), "shred": lambda: ring.shred(old)}[verb]()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    shutil.copy(path, path.with_name(f"after-{step}-{int(half)}-{status}"))
"""


@on_posix
@pytest.mark.parametrize("verb", ["new", "shred"])
def test_a_power_cut_at_any_step_leaves_the_old_ring_or_the_new(ring, path, verb, stretched_once):
    made = ring.new_data_key(b"old")
    subprocess.run([sys.executable, "-c", POWER_CUT, path, verb], check=True)
    changed = {"new": [b"old", b"new"], "shred": []}[verb]
    states = {"9": set(), "0": set()}
    for copy in path.parent.glob("after-*"):
        found = [context for _, context in KeyRing.open(copy, WORDS).find(b"")]
        assert found in ([b"old"], changed)
        states[copy.name[-1]].add(found == changed)
    assert states == {"9": {False, True}, "0": {True}}
    left = [file for file in path.parent.iterdir() if re.fullmatch(r"\.ring\.\w{16}", file.name)]
    assert left or verb == "shred"  # shredding has swept what its own earlier tries left
    shutil.copy(path.with_name("saved"), path)
    KeyRing.open(path, WORDS).shred(made.id)
    assert not any(file.exists() for file in left)


# --- many writers --------------------------------------------------------------------------------

WRITER = """
import sys
from lepton_lab.keyring import KeyRing

ring = KeyRing.open(sys.argv[1], "a passphrase for tests")
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    made = ring.new_data_key(sys.argv[2].encode() + b"/%d" % number)
    if number % 5 == 0:
        ring.shred(made.id)
    else:
        print(made.id, made.wrapped.hex(), made.key.hex(), number, flush=True)
    if number == 12:
        ring.rotate()
"""


def test_two_processes_at_once_lose_no_key(ring, path):
    writers = {
        name: subprocess.Popen(
            [sys.executable, "-c", WRITER, path, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    }
    for writer in writers.values():
        assert writer.stdout.readline() == "ready\n"
    for writer in writers.values():
        writer.stdin.write("go\n")
        writer.stdin.flush()
    here = [ring.new_data_key(b"here/%d" % number).id for number in range(10)]
    made = {}
    for name, writer in writers.items():
        for line in writer.communicate()[0].splitlines():
            found, wrapped, key, number = line.split()
            made[found] = (f"{name}/{number}".encode(), bytes.fromhex(wrapped), bytes.fromhex(key))
        assert writer.returncode == 0
    again = KeyRing.open(path, WORDS)
    assert {found for found, _ in again.find(b"")} == {*made, *here}
    assert len(made) == 40
    assert again.generation == 3
    for context, wrapped, key in made.values():
        assert again.unwrap(wrapped, context) == ring.unwrap(wrapped, context) == key


def test_the_lock_is_held_while_a_change_is_made(ring, path, monkeypatch):
    held = []
    genuine = files.write_lock

    def watched(place):
        held.append(place)
        return genuine(place)

    monkeypatch.setattr("lepton_lab.keyring.handle.write_lock", watched)
    made = ring.new_data_key(b"c")
    ring.unwrap(made.wrapped, b"c")
    ring.find(b"")
    assert held == [path]


FORK = """
import os, sys, time
from pathlib import Path
from lepton_lab import files
from lepton_lab.keyring import KeyRing

ring = KeyRing.open(sys.argv[1], "a passphrase for tests")
children = []
genuine = files.os.replace

class Os:
    def __getattr__(self, name):
        return fork_and_replace if name == "replace" else getattr(os, name)

def fork_and_replace(*paths):
    child = os.fork()
    if not child:
        time.sleep(600)  # a worker that lives long and never heard of the ring
    children.append(child)
    genuine(*paths)
    if sys.argv[2] == "dies":
        print(*children, flush=True)
        os._exit(0)

files.os = Os()
ring.new_data_key(b"forked while this was written")
print(*children, flush=True)
sys.stdin.read()
"""


@on_posix
@pytest.mark.parametrize("parent", ["lives", "dies"])
def test_a_child_forked_while_the_ring_is_written_does_not_keep_it_locked(ring, path, parent):
    with subprocess.Popen(
        [sys.executable, "-c", FORK, path, parent],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        children = [int(number) for number in writer.stdout.readline().split()]
        try:
            assert len(children) == 1
            started = time.monotonic()
            ring.new_data_key(b"c")
            assert time.monotonic() - started < 10
        finally:
            for child in children:
                os.kill(child, 9)
            writer.stdin.close()
    assert len(ring.find(b"")) == 2


IN_A_FORK = """
import os, sys, threading, time
from lepton_lab.keyring import KeyRing

ring = KeyRing.open(sys.argv[1], "a passphrase for tests")
inside, leave = threading.Event(), threading.Event()

def hold():
    with ring._handle.changing():
        inside.set()
        leave.wait()

thread = threading.Thread(target=hold)
thread.start()
inside.wait()
child = os.fork()
if not child:
    print(len(ring.find(b"")), flush=True)  # no thread here holds the handle
    os._exit(0)
os.waitpid(child, 0)
leave.set()
thread.join()
"""


@on_posix
def test_a_forked_child_uses_a_ring_that_another_thread_was_changing(ring, path):
    ring.new_data_key(b"c")
    command = [sys.executable, "-c", IN_A_FORK, path]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout == b"1\n"


# --- the largest ring ----------------------------------------------------------------------------


def test_a_ring_is_never_written_larger_than_it_is_read(ring, path, monkeypatch):
    shares = ring.split(1, 1)
    ring.new_data_key(bytes(1000))
    limit = path.stat().st_size + 2 * (8 + 55 + 100)  # each key adds the name of a writing too
    monkeypatch.setattr(ring_file, "FILE_LIMIT", limit)
    made = [ring.new_data_key(bytes(100)) for _ in range(2)]
    assert path.stat().st_size == limit
    KeyRing.open(path, WORDS)
    before = path.read_bytes()
    for change in (
        lambda: ring.new_data_key(b""),
        lambda: ring.acknowledge(b"s", 1, bytes(32), version_of=lambda _: None),
        lambda: KeyRing.recover(path, shares, "another", **CHEAP),
        ring.rotate,
    ):
        with pytest.raises(InvalidParameter, match="full"):
            change()
        assert path.read_bytes() == before
    assert ring.unwrap(made[0].wrapped, bytes(100)) == made[0].key
    ring.shred(made[1].id)  # what makes room is possible
    ring.rotate()
    KeyRing.open(path, WORDS)
    monkeypatch.setattr(ring_file, "FILE_LIMIT", path.stat().st_size - 1)
    with pytest.raises(DecryptionError):
        KeyRing.open(path, WORDS)


@on_posix
def test_no_ring_is_made_where_permissions_are_not_kept(path, monkeypatch):
    """As on exFAT: every file is open to all, and `open` would refuse the ring for ever."""

    class NoModes:
        def __getattr__(self, name):
            return getattr(os, name)

        def open(self, place, flags, mode=0o777):
            descriptor = os.open(place, flags, mode)
            if flags & os.O_CREAT:
                os.fchmod(descriptor, 0o777)
            return descriptor

    monkeypatch.setattr(files, "os", NoModes())
    KeyRing.create(path, WORDS, **CHEAP)  # the folder is its owner's alone
    path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        if not all(above.stat().st_mode & 0o011 for above in Path(folder).resolve().parents):
            pytest.skip("only on POSIX with a temporary folder that is not private")
        Path(folder).chmod(0o755)
        place = Path(folder) / "ring"
        with pytest.raises(InvalidKey, match="keeps no permissions"):
            KeyRing.create(place, WORDS, **CHEAP)
        assert not place.exists()
