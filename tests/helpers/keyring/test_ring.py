"""Tests lepton_lab.keyring.ring and lepton_lab.keyring.export: what each verb promises and refuses.

The file itself is tested in test_file, what was acknowledged in test_acknowledged.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import subprocess
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from lepton_lab import rsa, shamir
from lepton_lab.buffers import framed
from lepton_lab.errors import (
    DecryptionError,
    IntegrityError,
    InvalidKey,
    InvalidParameter,
    LabError,
    NotEnoughShards,
    NotFound,
    StaleVersion,
)
from lepton_lab.keyring import KeyRing, open_for
from lepton_lab.keyring import export as wrapping
from lepton_lab.keyring import file as ring_file
from lepton_lab.keyring.records import CONTEXT_LIMIT, TRAIL_LIMIT
from tests.support.paths import VECTORS
from tests.support.rings import CHEAP, WORDS

VECTORS = json.loads((VECTORS / "keywrap_aes256.json").read_text())["cases"]


@pytest.fixture
def path(ring_path):
    """Where the shared fixture `ring` has its file."""
    return ring_path


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(2048)


@pytest.fixture(scope="module")
def hybrid_parts():
    return mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate()


@pytest.fixture(scope="module")
def hybrid_key(hybrid_parts):
    return hpke.MLKEM768X25519PrivateKey(*hybrid_parts)


def altered(data: bytes, position: int, by: int = 1) -> bytes:
    changed = bytearray(data)
    changed[position] ^= by
    return bytes(changed)


# --- data keys -----------------------------------------------------------------------------------


def test_a_data_key_opens_again_after_the_ring_was_closed(ring, path):
    made = ring.new_data_key(b"context")
    assert len(made.key) == 32
    assert KeyRing.open(path, WORDS).unwrap(made.wrapped, b"context") == made.key


def test_every_data_key_is_its_own(ring):
    made = [ring.new_data_key(b"the same context") for _ in range(20)]
    assert (
        len({key.id for key in made})
        == len({key.key for key in made})
        == len({key.wrapped for key in made})
        == 20
    )


def test_the_id_is_read_from_the_wrapped_form(ring):
    made = ring.new_data_key(b"")
    assert KeyRing.data_key_id(made.wrapped) == made.id
    assert made.id in ring
    assert len(made.id) == 32
    for other in ("0" * 32, made.id.upper() + " ", made.id[:-1], "", b"\x00" * 16, None):
        assert other not in ring


@pytest.mark.parametrize(
    "wrapped",
    [
        b"",
        b"\x01",
        bytes(57),
        b"\x02" + bytes(56),
        b"\x01" + bytes(55),
        b"\x01" + bytes(56),
        b"\x01" + bytes(57),
    ],
    ids=lambda data: f"{data[:1].hex()} {len(data)}",
)
def test_a_malformed_wrapped_key_is_refused(ring, wrapped):
    with pytest.raises(DecryptionError):
        ring.unwrap(wrapped, b"")
    if len(wrapped) != 57 or wrapped[0] != 1:
        with pytest.raises(DecryptionError):
            KeyRing.data_key_id(wrapped)


def test_every_byte_of_a_wrapped_key_matters_and_all_failures_read_alike(ring):
    made, other = ring.new_data_key(b"context"), ring.new_data_key(b"context")
    messages = set()
    spliced = made.wrapped[:17] + other.wrapped[17:]
    for wrapped, context in [
        *((altered(made.wrapped, at), b"context") for at in range(len(made.wrapped))),
        (spliced, b"context"),
        (made.wrapped, b"contex"),
        (made.wrapped, b"contextt"),
        (made.wrapped, b""),
    ]:
        with pytest.raises(DecryptionError) as caught:
            ring.unwrap(wrapped, context)
        messages.add(str(caught.value))
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert messages == {"decryption failed"}


def test_context_and_id_cannot_be_shifted_into_each_other(ring):
    made = ring.new_data_key(b"ab")
    with pytest.raises(DecryptionError):
        ring.unwrap(made.wrapped, b"ab" + bytes.fromhex(made.id))


def test_another_rings_wrapped_key_is_refused(ring, tmp_path):
    with pytest.raises(DecryptionError):
        KeyRing.create(tmp_path / "other", WORDS, **CHEAP).unwrap(
            ring.new_data_key(b"c").wrapped, b"c"
        )


def test_contexts_are_found_by_prefix_in_order_of_creation(ring, path):
    made = [ring.new_data_key(context) for context in (b"b/1", b"a/1", b"b/2", b"", b"b")]
    assert ring.find(b"b/") == [(made[0].id, b"b/1"), (made[2].id, b"b/2")]
    assert KeyRing.open(path, WORDS).find(b"") == [
        (key.id, context)
        for key, context in zip(made, (b"b/1", b"a/1", b"b/2", b"", b"b"), strict=True)
    ]
    assert ring.find(b"c") == []


def test_contexts_and_secrets_lie_only_sealed_in_the_file(ring, path):
    made = ring.new_data_key(b"a context to look for")
    content = path.read_bytes()
    assert b"a context to look for" not in content
    assert bytes.fromhex(made.id) not in content
    for words in (
        repr(ring),
        repr(made),
        repr(ring._handle.content),
        repr(ring._handle.passphrase_key),
        repr(ring._handle.content.body),
    ):
        assert made.key.hex() not in words
        assert repr(made.key) not in words
    assert repr(ring._handle.content.master) not in repr(vars(ring._handle))
    assert repr(ring._handle.passphrase_key.stretched) not in repr(vars(ring._handle))


@pytest.mark.parametrize("context", ["text", None, 3])
def test_a_context_is_bytes(ring, context):
    with pytest.raises(InvalidParameter):
        ring.new_data_key(context)
    with pytest.raises(InvalidParameter):
        ring.find(context)
    with pytest.raises(InvalidParameter):
        ring.unwrap(b"", context)
    with pytest.raises(InvalidParameter):
        ring.derive(context)


def test_a_context_has_a_largest_size(ring):
    made = ring.new_data_key(bytes(CONTEXT_LIMIT))
    assert ring.unwrap(made.wrapped, bytearray(CONTEXT_LIMIT)) == made.key
    with pytest.raises(InvalidParameter):
        ring.new_data_key(bytes(CONTEXT_LIMIT + 1))
    assert ring.find(b"") == [(made.id, bytes(CONTEXT_LIMIT))]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["source"])
def test_key_wrap_matches_the_published_vectors(case, monkeypatch):
    monkeypatch.setattr(wrapping, "_wrapping_key", lambda *_: bytes.fromhex(case["kek"]))
    wrapped = b"\x01" + bytes(16) + bytes.fromhex(case["wrapped"])
    if case["key"] is None:
        with pytest.raises(DecryptionError):
            wrapping.unwrap(b"", wrapped, b"")
    else:
        assert wrapping.unwrap(b"", wrapped, b"").hex() == case["key"]
        assert wrapping.wrap(b"", bytes(16), b"", bytes.fromhex(case["key"])) == wrapped


def test_derived_keys_stay_and_differ_by_purpose(ring, path):
    first = ring.derive(b"names")
    ring.rotate()
    ring.change_passphrase("another", **CHEAP)
    again = KeyRing.open(path, "another")
    assert again.derive(b"names") == first == again.derive(b"names", 64)[:32]
    assert (
        len({first, again.derive(b"name"), again.derive(b""), again._handle.content.body.root}) == 4
    )
    assert [len(again.derive(b"", length)) for length in (1, 16, 8160)] == [1, 16, 8160]
    for length in (0, -1, 8161, 1.5, True, "32"):
        with pytest.raises(InvalidParameter):
            again.derive(b"", length)


def test_two_rings_derive_different_keys(ring, tmp_path):
    assert ring.derive(b"x") != KeyRing.create(tmp_path / "other", WORDS, **CHEAP).derive(b"x")


# --- shredding -----------------------------------------------------------------------------------


def test_a_shredded_key_is_gone_for_every_handle(ring, path):
    gone, kept = ring.new_data_key(b"gone"), ring.new_data_key(b"kept")
    other = KeyRing.open(path, WORDS)
    assert other.unwrap(gone.wrapped, b"gone") == gone.key
    ring.shred(gone.id)
    for handle in (ring, other, KeyRing.open(path, WORDS)):
        with pytest.raises(DecryptionError):
            handle.unwrap(gone.wrapped, b"gone")
        assert gone.id not in handle
        assert handle.find(b"") == [(kept.id, b"kept")]
        assert handle.unwrap(kept.wrapped, b"kept") == kept.key


def test_an_older_copy_with_its_passphrase_undoes_shredding(ring, path, tmp_path):
    made = ring.new_data_key(b"c")
    copy = Path(shutil.copy(path, tmp_path / "copy"))
    shares = ring.split(2, 3)
    ring.shred(made.id)
    ring.rotate()
    ring.change_passphrase("a new one", **CHEAP)
    assert KeyRing.open(copy, WORDS).unwrap(made.wrapped, b"c") == made.key
    assert (
        KeyRing.recover(copy, shares[:2], "mine now", **CHEAP).unwrap(made.wrapped, b"c")
        == made.key
    )


def test_a_handle_notices_that_its_file_was_put_back(ring, path, tmp_path):
    made = ring.new_data_key(b"c")
    copy = shutil.copy(path, tmp_path / "copy")
    ring.shred(made.id)
    shutil.copy(copy, path)
    with pytest.raises(StaleVersion):
        ring.unwrap(made.wrapped, b"c")
    with pytest.raises(StaleVersion):
        ring.new_data_key(b"d")
    assert KeyRing.open(path, WORDS).unwrap(made.wrapped, b"c") == made.key


def test_many_are_shredded_in_one_writing_or_none(ring, path):
    made = [ring.new_data_key(bytes((i,))) for i in range(5)]
    before = path.read_bytes()
    for ids in ((made[0].id, "0" * 32), (made[0].id, ""), ("0" * 32,), (made[0].id + " ",)):
        with pytest.raises(NotFound):
            ring.shred(*ids)
    for ids in ((), (made[0].id, 7), (b"0",), ([made[0].id],)):
        with pytest.raises(InvalidParameter):
            ring.shred(*ids)
    assert path.read_bytes() == before
    sequence = ring._handle.content.sealed.sequence
    ring.shred(*(key.id for key in made[:3]), made[0].id)
    assert ring._handle.content.sealed.sequence == sequence + 1
    assert [found for found, _ in ring.find(b"")] == [made[3].id, made[4].id]
    with pytest.raises(NotFound):
        ring.shred(made[0].id)


def test_shredding_removes_what_a_crash_left_beside_the_file(ring, path):
    made = ring.new_data_key(b"c")
    left = path.with_name(f".{path.name}.0123456789abcdef")
    others = [
        path.with_name(name)
        for name in ("ring.0123456789abcdef", ".ring.0123", ".other.0123456789abcdef")
    ]
    for file in (left, *others):
        shutil.copy(path, file)
    ring.shred(made.id)
    assert not left.exists()
    assert all(file.exists() for file in others)


# --- passphrases ---------------------------------------------------------------------------------


def test_a_wrong_passphrase_is_refused_in_one_message(ring, path):
    messages = set()
    for wrong in (WORDS + " ", WORDS.upper(), "x", "é" * 1000):
        with pytest.raises(DecryptionError) as caught:
            KeyRing.open(path, wrong)
        messages.add(str(caught.value))
    assert messages == {"decryption failed"}


@pytest.mark.parametrize("passphrase", ["", None, b"bytes", 5, "\ud800"])
def test_a_passphrase_is_a_non_empty_str(ring, path, tmp_path, passphrase):
    for call in (
        lambda: KeyRing.create(tmp_path / "new", passphrase, **CHEAP),
        lambda: KeyRing.open(path, passphrase),
        lambda: ring.change_passphrase(passphrase, **CHEAP),
        lambda: KeyRing.recover(path, ring.split(1, 1), passphrase, **CHEAP),
    ):
        with pytest.raises(InvalidParameter):
            call()
    assert not (tmp_path / "new").exists()


def test_composed_and_decomposed_letters_are_one_passphrase(tmp_path):
    KeyRing.create(tmp_path / "ring", "caf\u00e9", **CHEAP)
    KeyRing.open(tmp_path / "ring", "cafe\u0301")
    with pytest.raises(DecryptionError):
        KeyRing.open(tmp_path / "ring", "cafe")


def test_a_new_passphrase_replaces_the_old_and_leaves_the_rest(ring, path):
    made, shares, generation = ring.new_data_key(b"c"), ring.split(2, 2), ring.generation
    ring.change_passphrase("another", **CHEAP)
    with pytest.raises(DecryptionError):
        KeyRing.open(path, WORDS)
    again = KeyRing.open(path, "another")
    assert again.unwrap(made.wrapped, b"c") == ring.unwrap(made.wrapped, b"c") == made.key
    assert again.generation == generation
    assert KeyRing.recover(path, shares, "third", **CHEAP).unwrap(made.wrapped, b"c") == made.key


@pytest.mark.parametrize(
    "n", [0, 1, 1 << 13, (1 << 14) + 1, 1 << 20, -(1 << 14), 16384.0, "16384", None, True]
)
def test_scrypts_cost_has_a_floor_and_a_cap(tmp_path, n):
    with pytest.raises(InvalidParameter):
        KeyRing.create(tmp_path / "ring", WORDS, scrypt_n=n)
    assert list(tmp_path.iterdir()) == []


def test_the_default_cost_is_far_above_the_floor():
    assert ring_file.SCRYPT_N >= 8 << 14


# --- rotation and custodians ---------------------------------------------------------------------


def test_rotation_touches_no_wrapped_key_and_changes_the_master_key(ring, path):
    made, master = ring.new_data_key(b"c"), ring._handle.content.master
    ring.rotate()
    again = KeyRing.open(path, WORDS)
    assert again.unwrap(made.wrapped, b"c") == ring.unwrap(made.wrapped, b"c") == made.key
    assert again._handle.content.master != master
    assert again.generation == ring.generation == 2


@pytest.mark.parametrize(("threshold", "shares"), [(1, 1), (1, 3), (2, 3), (3, 5)])
def test_custodians_recover_the_ring_with_a_new_passphrase(ring, path, threshold, shares):
    made, given = ring.new_data_key(b"c"), ring.split(threshold, shares)
    carried = [shamir.Share.from_bytes(share.to_bytes()) for share in given[-threshold:]]
    recovered = KeyRing.recover(path, carried, "new words", **CHEAP)
    assert recovered.unwrap(made.wrapped, b"c") == made.key
    assert KeyRing.open(path, "new words").unwrap(made.wrapped, b"c") == made.key
    with pytest.raises(DecryptionError):
        KeyRing.open(path, WORDS)
    recovered.rotate()
    KeyRing.open(path, "new words")


def test_too_few_forged_or_mixed_shares_recover_nothing(ring, path):
    first, second, before = ring.split(3, 5), ring.split(3, 5), path.read_bytes()
    forged = shamir.Share.from_bytes(altered(first[0].to_bytes(), 40))
    for shares, error in [
        ([], NotEnoughShards),
        (first[:2], NotEnoughShards),
        ([first[0], first[0], first[1]], NotEnoughShards),
        ([forged, *first[1:3]], IntegrityError),
        ([*first[:2], second[2]], IntegrityError),
        ([1, 2, 3], InvalidParameter),
    ]:
        with pytest.raises(error):
            KeyRing.recover(path, shares, "mine", **CHEAP)
    assert path.read_bytes() == before


def test_outdated_shares_open_the_old_backup_and_say_why_they_do_not_open_the_file(
    ring, path, tmp_path
):
    made, old = ring.new_data_key(b"c"), ring.split(2, 3)
    backup = shutil.copy(path, tmp_path / "backup")
    ring.rotate()
    with pytest.raises(DecryptionError, match="generation 1, the key ring of 2"):
        KeyRing.recover(path, old[:2], "mine", **CHEAP)
    assert KeyRing.recover(backup, old[:2], "mine", **CHEAP).unwrap(made.wrapped, b"c") == made.key
    assert (
        KeyRing.recover(path, ring.split(2, 3)[1:], "mine", **CHEAP).unwrap(made.wrapped, b"c")
        == made.key
    )


def test_shares_of_another_ring_or_of_no_ring_are_refused(ring, path, tmp_path):
    foreign = KeyRing.create(tmp_path / "other", WORDS, **CHEAP).split(2, 2)
    of_no_ring = shamir.split(bytes(32), 2, 2)
    right_size = shamir.split(
        ring._handle.content.slot.ring_id + bytes(3) + b"\x01" + bytes(32), 2, 2
    )
    for shares, told in [
        (foreign, "not this key ring's"),
        (of_no_ring, "not this key ring's"),
        (right_size, "failed"),
    ]:
        with pytest.raises(DecryptionError, match=told):
            KeyRing.recover(path, shares, "mine", **CHEAP)
    KeyRing.open(path, WORDS)


def test_another_handle_follows_rotation_and_passphrase(ring, path):
    other, made = KeyRing.open(path, WORDS), ring.new_data_key(b"c")
    other.rotate()
    assert ring.unwrap(made.wrapped, b"c") == made.key
    ring.rotate()
    assert other.generation == ring.generation == 3
    other.change_passphrase("another", **CHEAP)
    second = ring.new_data_key(b"d")
    with pytest.raises(DecryptionError, match="open it again"):
        ring.rotate()
    other.rotate()
    with pytest.raises(DecryptionError, match="open it again"):
        ring.unwrap(made.wrapped, b"c")
    assert KeyRing.open(path, "another").unwrap(second.wrapped, b"d") == second.key


# --- export --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rsa_key", "hybrid_key"])
def test_a_recipient_opens_an_export_and_nobody_else(ring, request, kind):
    private = request.getfixturevalue(kind)
    made = ring.new_data_key(b"context")
    blob = ring.wrap_for(private.public_key(), made.wrapped, b"context")
    assert open_for(private, blob, b"context") == made.key
    stranger = (
        rsa.generate_private_key(2048)
        if kind == "rsa_key"
        else hpke.MLKEM768X25519PrivateKey(
            mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate()
        )
    )
    other_kind = request.getfixturevalue({"rsa_key": "hybrid_key", "hybrid_key": "rsa_key"}[kind])
    places = [*range(30), *range(30, len(blob), 41), len(blob) - 1]
    for key, data, context in [
        (stranger, blob, b"context"),
        (other_kind, blob, b"context"),
        (private, blob, b"Context"),
        (private, blob, b""),
        *((private, altered(blob, at), b"context") for at in places),
        *((private, blob[:size], b"context") for size in (0, 4, 11, 27, 28, len(blob) - 1)),
        (private, blob + b"\x00", b"context"),
    ]:
        with pytest.raises(DecryptionError) as caught:
            open_for(key, data, context)
        assert str(caught.value) == "decryption failed"


def test_no_data_key_is_exported_by_both_schemes(ring, path, rsa_key, hybrid_key):
    made, other = ring.new_data_key(b"c"), ring.new_data_key(b"c")
    ring.wrap_for(hybrid_key.public_key(), made.wrapped, b"c")
    ring.wrap_for(rsa_key.public_key(), other.wrapped, b"c")
    again = KeyRing.open(path, WORDS)
    with pytest.raises(InvalidParameter, match="never by both"):
        again.wrap_for(rsa_key.public_key(), made.wrapped, b"c")
    with pytest.raises(InvalidParameter, match="never by both"):
        again.wrap_for(hybrid_key.public_key(), other.wrapped, b"c")
    again.wrap_for(hybrid_key.public_key(), made.wrapped, b"c")
    assert again.unwrap(made.wrapped, b"c") == made.key


def test_an_export_outlives_shredding(ring, hybrid_key):
    made = ring.new_data_key(b"c")
    blob = ring.wrap_for(hybrid_key.public_key(), made.wrapped, b"c")
    ring.shred(made.id)
    assert open_for(hybrid_key, blob, b"c") == made.key
    with pytest.raises(DecryptionError):
        ring.wrap_for(hybrid_key.public_key(), made.wrapped, b"c")


def test_only_keys_of_the_two_schemes_are_taken(ring, path, rsa_key, hybrid_key, hybrid_parts):
    made, before = ring.new_data_key(b"c"), path.stat().st_ino
    blob = bytes(2000)
    unfit = [
        rsa_key,
        hybrid_key,
        *hybrid_parts,
        hybrid_parts[1].public_key(),
        ec.generate_private_key(ec.SECP256R1()),
        b"k",
    ]
    for key in unfit:
        with pytest.raises(InvalidKey):
            ring.wrap_for(key, made.wrapped, b"c")
    for key in (rsa_key.public_key(), hybrid_key.public_key(), *hybrid_parts, None):
        with pytest.raises(InvalidKey):
            open_for(key, blob, b"c")
    with pytest.raises(InvalidParameter):
        open_for(rsa_key, "text", b"c")
    with pytest.raises(DecryptionError):
        ring.wrap_for(rsa_key.public_key(), made.wrapped, b"d")
    assert path.stat().st_ino == before  # nothing was written


def test_an_exported_key_must_be_a_data_key(rsa_key):
    head, bound = wrapping._HEADS[wrapping.BY_RSA] + bytes(16), wrapping._bound(bytes(16), b"c")
    with pytest.raises(DecryptionError):
        open_for(rsa_key, head + rsa.encrypt(rsa_key.public_key(), bytes(31), bound), b"c")


def test_a_peer_reads_and_writes_the_hybrid_export(ring):
    enable = "pip install -e .[test] brings PyCryptodome, from 4.4 on with hybrid HPKE keys"
    hybrid = pytest.importorskip("Crypto.PublicKey.Hybrid", reason=enable)
    peer = pytest.importorskip("Crypto.Protocol.HPKE", reason=enable)
    seed = secrets.token_bytes(32)
    theirs = hybrid.generate(param_set=hybrid.MLKEM768_X25519, randfunc=lambda _: seed)
    expanded = hashlib.shake_256(seed).digest(
        96
    )  # draft-connolly-cfrg-xwing-kem, expandDecapsulationKey
    ours = hpke.MLKEM768X25519PrivateKey(
        mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
        x25519.X25519PrivateKey.from_private_bytes(expanded[64:]),
    )
    made = ring.new_data_key(b"context")
    blob = ring.wrap_for(ours.public_key(), made.wrapped, b"context")
    assert blob[:27] == b"LKX\x01\x02\x64\x7a\x00\x01\x00\x02" + bytes.fromhex(made.id)
    info = framed(b"lepton_lab data key export", bytes.fromhex(made.id), b"context")
    reader = peer.new(
        receiver_key=theirs, aead_id=peer.AEAD.AES256_GCM, enc=blob[27:-48], info=info
    )
    assert reader.unseal(blob[-48:]) == made.key
    writer = peer.new(receiver_key=theirs.public_key(), aead_id=peer.AEAD.AES256_GCM, info=info)
    sealed = writer.seal(made.key)
    assert open_for(ours, blob[:27] + writer.enc + sealed, b"context") == made.key


def test_openssl_reads_the_rsa_export(ring, rsa_key, tmp_path):
    made = ring.new_data_key(b"context")
    blob = ring.wrap_for(rsa_key.public_key(), made.wrapped, b"context")
    assert blob[:27] == b"LKX\x01\x01" + bytes(6) + bytes.fromhex(made.id)
    label = framed(b"lepton_lab data key export", bytes.fromhex(made.id), b"context")
    (tmp_path / "key.pem").write_bytes(rsa.to_pem(rsa_key))
    options = (
        "rsa_padding_mode:oaep",
        "rsa_oaep_md:sha256",
        "rsa_mgf1_md:sha256",
        f"rsa_oaep_label:{label.hex()}",
    )
    arguments = [part for option in options for part in ("-pkeyopt", option)]
    command = ["openssl", "pkeyutl", "-decrypt", "-inkey", tmp_path / "key.pem", *arguments]
    assert (
        subprocess.run(command, input=blob[27:], capture_output=True, check=True).stdout == made.key
    )


# --- the account ---------------------------------------------------------------------------------


def test_the_account_tells_what_was_done(path, rsa_key):
    began = datetime.now(UTC).replace(microsecond=0)
    ring = KeyRing.create(path, WORDS, **CHEAP)
    gone, kept = ring.new_data_key(b"gone"), ring.new_data_key(b"kept")
    ring.wrap_for(rsa_key.public_key(), gone.wrapped, b"gone")
    ring.shred(gone.id)
    shares = ring.split(1, 2)
    ring.change_passphrase("another", **CHEAP)
    again = KeyRing.recover(path, shares, WORDS, **CHEAP)
    again.rotate()
    told = again.audit()
    assert [(entry.event, entry.id) for entry in told if entry.event != "new data key"] == [
        ("created", ""),
        ("exported", gone.id),
        ("shredded", gone.id),
        ("split", shares[0].set_id.hex()),
        ("passphrase changed", ""),
        ("recovered", ""),
        ("rotated", ""),
    ]
    assert [entry.id for entry in told if entry.event == "new data key"] == [kept.id]
    assert all(began <= entry.time <= datetime.now(UTC) for entry in told)
    assert told == sorted(told, key=lambda entry: entry.time) == KeyRing.open(path, WORDS).audit()


def test_the_account_is_bounded_and_lets_the_oldest_go(ring):
    with ring._handle.changing() as draft:
        for _ in range(TRAIL_LIMIT + 10):
            draft.body.note("split", b"\x01" * 16)
    ring.rotate()
    told = ring.audit()
    assert len(told) == TRAIL_LIMIT
    assert (told[0].event, told[-1].event) == ("split", "rotated")


# --- sharing one ring ----------------------------------------------------------------------------


def test_threads_on_two_handles_lose_no_key(ring, path):
    handles, made, lock = (ring, KeyRing.open(path, WORDS)), {}, threading.Lock()

    def work(worker: int) -> None:
        for number in range(10):
            context = b"%d/%d" % (worker, number)
            key = handles[number % 2].new_data_key(context)
            if number % 5 == 4:
                handles[worker % 2].shred(key.id)
            else:
                with lock:
                    made[key.id] = context

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for handle in (*handles, KeyRing.open(path, WORDS)):
        assert dict(handle.find(b"")) == made


class TwoHandles(RuleBasedStateMachine):
    """Two handles on one file, in any order of verbs, hold what a plain dict holds."""

    keys = Bundle("keys")
    handle = st.integers(0, 1)

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "ring"
        self.handles = [KeyRing.create(path, WORDS, **CHEAP), KeyRing.open(path, WORDS)]
        self.model: dict[str, tuple[bytes, bytes, bytes]] = {}

    @rule(target=keys, handle=handle, context=st.binary(max_size=8))
    def make(self, handle, context):
        made = self.handles[handle].new_data_key(context)
        self.model[made.id] = (context, made.wrapped, made.key)
        return made

    @rule(handle=handle, made=consumes(keys))
    def shred(self, handle, made):
        self.handles[handle].shred(made.id)
        context, wrapped, _ = self.model.pop(made.id)
        with pytest.raises(DecryptionError):
            self.handles[1 - handle].unwrap(wrapped, context)

    @rule(handle=handle)
    def rotate(self, handle):
        self.handles[handle].rotate()

    @rule(handle=handle, made=keys, context=st.binary(max_size=8))
    def unwrap(self, handle, made, context):
        right, wrapped, key = self.model[made.id]
        if context == right:
            assert self.handles[handle].unwrap(wrapped, context) == key
        else:
            with pytest.raises(DecryptionError):
                self.handles[handle].unwrap(wrapped, context)

    @rule(handle=handle, wrapped=st.binary(max_size=80))
    def nonsense(self, handle, wrapped):
        with pytest.raises(LabError):
            self.handles[handle].unwrap(wrapped, b"")

    @invariant()
    def both_agree_with_the_model(self):
        for handle in getattr(self, "handles", ()):
            assert handle.find(b"") == [
                (found, context) for found, (context, _, _) in self.model.items()
            ]

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()


TwoHandles.TestCase.settings = settings(max_examples=12, stateful_step_count=20)
test_two_handles_in_any_order_hold_what_a_dict_holds = TwoHandles.TestCase
