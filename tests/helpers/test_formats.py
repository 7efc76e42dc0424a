"""Tests lepton_lab.keyring, lepton_lab.sharding and others: files of the first release are read.

`vectors/formats_1.zip` holds what the first release wrote: a key ring, five directory nodes with
objects on them, receipts, a certificate authority, and, in `formats.json`, everything that travels
as bytes. Its keys were made for this test and protect nothing.
"""

from __future__ import annotations

import base64
import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lepton_lab import aes, erasure, paillier, rsa, shamir, tls
from lepton_lab.cli.receipts import Receipts
from lepton_lab.elections import ballot
from lepton_lab.errors import NotFound
from lepton_lab.keyring import KeyRing, open_for
from lepton_lab.nodes import DirectoryNode
from lepton_lab.sharding import Receipt, ShardedStore
from tests.support.paths import VECTORS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with zipfile.ZipFile(VECTORS / "formats_1.zip") as archive:
        archive.extractall(tmp_path)
    for path in tmp_path.rglob("*"):
        path.chmod(stat.S_IRWXU if path.is_dir() else stat.S_IRUSR | stat.S_IWUSR)
    return tmp_path


@pytest.fixture
def written(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "formats.json").read_text())
    return found


def opened(folder: Path, passphrase: str) -> ShardedStore:
    nodes = [DirectoryNode(folder / "nodes" / f"node-{index}") for index in range(5)]
    return ShardedStore(nodes, KeyRing.open(folder / "ring", passphrase), k=3)


def test_objects_rings_and_receipts_are_read(folder: Path, written: dict[str, Any]) -> None:
    store = opened(folder, written["passphrase"])
    receipts = {entry[0]: Receipt(*entry) for entry in written["receipts"]}
    assert store.names() == sorted(written["objects"])
    for name, content in written["objects"].items():
        assert store.get(name, receipt=receipts[name]) == base64.b64decode(content)
        assert store.check(name).intact
        assert Receipts(store.keyring)[name] == receipts[name]
    for name in written["deleted"] + written["shredded"]:
        with pytest.raises(NotFound):
            store.get(name)


def test_what_was_written_then_can_be_changed_and_repaired_now(
    folder: Path, written: dict[str, Any]
) -> None:
    store = opened(folder, written["passphrase"])
    long = base64.b64decode(written["objects"]["long"])
    store.nodes[1].clear()
    assert set(store.repair("long").rebuilt) == {store.nodes[1].name}
    assert store.check("long").intact
    for index in (0, 2):
        store.nodes[index].clear()
    assert store.get("long") == long
    receipt = store.put("patients", b"third version")
    assert receipt.version > next(
        entry[1] for entry in written["receipts"] if entry[0] == "patients"
    )
    assert (
        opened(folder, written["passphrase"]).get("patients", receipt=receipt) == b"third version"
    )
    store.delete("empty")
    store.shred("patients")
    assert store.names() == ["long"]


def test_custodians_and_recipients_still_open_the_ring(
    folder: Path, written: dict[str, Any]
) -> None:
    shares = [shamir.Share.from_bytes(bytes.fromhex(each)) for each in written["shares"]]
    ring = KeyRing.recover(folder / "ring", shares[:2], "another passphrase", scrypt_n=1 << 14)
    exported = {name: bytes.fromhex(value) for name, value in written["data_key"].items()}
    assert ring.unwrap(exported["wrapped"], exported["context"]) == exported["key"]
    private = rsa.from_pem(written["rsa"]["pem"].encode(), written["passphrase"])
    assert open_for(private, exported["for_rsa"], exported["context"]) == exported["key"]
    secret = [shamir.Share.from_bytes(bytes.fromhex(each)) for each in written["secret_shares"]]
    assert shamir.combine(secret[1:]) == b"a secret"


def test_messages_streams_signatures_and_shards_are_read(written: dict[str, Any]) -> None:
    key = bytes.fromhex(written["aes"]["key"])
    assert aes.decrypt(key, bytes.fromhex(written["aes"]["message"]), b"ad") == b"hello"
    sink = io.BytesIO()
    aes.decrypt_stream(key, io.BytesIO(bytes.fromhex(written["aes"]["stream"])), sink, b"ad")
    assert sink.getvalue() == bytes(written["aes"]["stream_plaintext_length"])
    private = rsa.from_pem(written["rsa"]["pem"].encode(), written["passphrase"])
    ciphertext = bytes.fromhex(written["rsa"]["ciphertext"])
    assert rsa.decrypt(private, ciphertext, b"label") == b"hello"
    rsa.verify(rsa.public_key(private), b"hello", bytes.fromhex(written["rsa"]["signature"]))
    shards = [bytes.fromhex(each) for each in written["erasure"]]
    code = erasure.Code(3, 5)
    assert code.decode({0: shards[0], 3: shards[3], 4: shards[4]}) == b"coded by version 1"


def test_paillier_numbers_vectors_and_ballots_are_read(written: dict[str, Any]) -> None:
    found = written["paillier"]
    public = paillier.PublicKey.from_bytes(bytes.fromhex(found["public"]))
    private = paillier.PrivateKey(int(found["p"], 16), int(found["q"], 16))
    number = paillier.EncryptedNumber.from_bytes(bytes.fromhex(found["number"]), public)
    assert private.decrypt(number) == found["value"]
    layout = paillier.Layout(bits=32, fraction_bits=8, additions=4)
    vector = paillier.PackedVector.from_bytes(bytes.fromhex(found["vector"]), public, layout)
    assert np.array_equal(private.decrypt_vector(vector), found["values"])
    context = ballot.BallotContext("election", "voter", "question")
    cast = ballot.verify(public, bytes.fromhex(found["ballot"]), context)
    assert private.decrypt(cast) == 1


def test_the_certificate_authority_is_read(folder: Path) -> None:
    identity = tls.LabCA.load(folder / "ca").issue("localhost")
    assert "localhost" in identity.names
