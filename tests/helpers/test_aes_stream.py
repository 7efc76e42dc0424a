"""Tests lepton_lab.aes, streams: Tink reads and writes them, no splice passes."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import threading
import tracemalloc
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab import aes
from lepton_lab.errors import DecryptionError, InvalidKey, InvalidParameter, MessageTooLarge
from tests.support.paths import VECTORS

VECTORS = json.loads((VECTORS / "aes_stream_tink.json").read_text())
KEY = bytes(range(32))
SEGMENT = 2**20
FIRST = SEGMENT - 40 - 16  # plaintext of the first segment
SMALL = 128  # segments of the tests that try everything
SMALL_FIRST = SMALL - 40 - 16


@pytest.fixture
def small_segments(monkeypatch):
    """The same format with segments of 128 bytes: so every byte of many segments can be tried."""
    monkeypatch.setattr(aes, "SEGMENT_SIZE", SMALL)


def encrypted(plaintext: bytes, associated_data: bytes = b"object 1", key: bytes = KEY) -> bytes:
    sink = io.BytesIO()
    assert aes.encrypt_stream(key, io.BytesIO(plaintext), sink, associated_data) == len(
        sink.getvalue()
    )
    return sink.getvalue()


def decrypted(stream: bytes, associated_data: bytes = b"object 1", key: bytes = KEY) -> bytes:
    sink = io.BytesIO()
    assert aes.decrypt_stream(key, io.BytesIO(stream), sink, associated_data) == len(
        sink.getvalue()
    )
    return sink.getvalue()


def refused(stream: bytes, associated_data: bytes = b"object 1", key: bytes = KEY) -> bytes:
    """Decryption fails with the one error and message; what the sink holds then is returned."""
    sink = io.BytesIO()
    with pytest.raises(DecryptionError) as caught:
        aes.decrypt_stream(key, io.BytesIO(stream), sink, associated_data)
    assert str(caught.value) == "decryption failed"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return sink.getvalue()


def pattern(length: int) -> bytes:
    return (bytes(range(251)) * (length // 251 + 1))[:length]


# --- Tink ----------------------------------------------------------------------------------------


class Tink:
    """The same format by Google's implementation in C++."""

    def __init__(self, key: bytes, segment: int = SEGMENT):
        tink = pytest.importorskip(
            "tink", reason="pip install -e .[test] brings tink, which has no wheel for Windows"
        )
        from tink import secret_key_access, streaming_aead
        from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

        streaming_aead.register()
        params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
            ciphertext_segment_size=segment, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
        )
        value = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(
            version=0, params=params, key_value=key
        )
        keyset = tink_pb2.Keyset(primary_key_id=1)
        entry = keyset.key.add(key_id=1, status=tink_pb2.ENABLED, output_prefix_type=tink_pb2.RAW)
        entry.key_data.type_url = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"
        entry.key_data.value = value.SerializeToString()
        entry.key_data.key_material_type = tink_pb2.KeyData.SYMMETRIC
        handle = tink.proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
        self.primitive = handle.primitive(streaming_aead.StreamingAead)
        self.error = tink.TinkError

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        sink = io.BytesIO()
        sink.close, close = (lambda: None), sink.close  # Tink closes what it wrote to
        with self.primitive.new_encrypting_stream(sink, associated_data) as stream:
            stream.write(plaintext)
        data = sink.getvalue()
        close()
        return data

    def decrypt(self, stream: bytes, associated_data: bytes) -> bytes:
        with self.primitive.new_decrypting_stream(io.BytesIO(stream), associated_data) as plaintext:
            return plaintext.read()


BOUNDARIES = [
    0,
    1,
    100,
    FIRST - 1,
    FIRST,
    FIRST + 1,
    SEGMENT,
    FIRST + SEGMENT - 16,
    FIRST + SEGMENT - 15,
    3 * SEGMENT + 7,
]


@pytest.mark.parametrize("length", BOUNDARIES)
def test_tink_opens_ours_and_we_open_its(length):
    tink, plaintext = Tink(KEY), pattern(length)
    assert tink.decrypt(encrypted(plaintext), b"object 1") == plaintext
    assert decrypted(tink.encrypt(plaintext, b"object 1")) == plaintext


def test_tink_agrees_at_every_length_up_to_four_small_segments(small_segments):
    tink = Tink(KEY, SMALL)
    for length in range(4 * SMALL):
        plaintext = os.urandom(length)
        assert tink.decrypt(encrypted(plaintext), b"object 1") == plaintext
        assert decrypted(tink.encrypt(plaintext, b"object 1")) == plaintext


def test_tink_refuses_what_we_refuse():
    tink, stream = Tink(KEY), encrypted(b"x")
    for altered, associated in (
        (stream, b"object 2"),
        (stream[:-1], b"object 1"),
        (stream[:40], b"object 1"),
        (b"", b""),
    ):
        refused(altered, associated)
        with pytest.raises(tink.error):
            tink.decrypt(altered, associated)


def test_recorded_tink_streams_open():
    for case in VECTORS["streams"]:
        key, associated, plaintext, stream = (
            bytes.fromhex(case[name]) for name in ("key", "associated_data", "plaintext", "stream")
        )
        assert decrypted(stream, associated, key) == plaintext


def test_with_tinks_salt_and_prefix_we_write_tinks_bytes(monkeypatch):
    for case in VECTORS["digests"]:
        header, associated = bytes.fromhex(case["header"]), bytes.fromhex(case["associated_data"])
        drawn = {32: header[1:33], 7: header[33:]}
        monkeypatch.setattr(aes.secrets, "token_bytes", drawn.__getitem__)
        stream = encrypted(pattern(case["length"]), associated, bytes.fromhex(case["key"]))
        assert hashlib.sha256(stream).hexdigest() == case["sha256"]


# --- round trips ---------------------------------------------------------------------------------


@given(st.binary(max_size=700), st.binary(max_size=40), st.binary(min_size=32, max_size=32))
def test_what_is_encrypted_comes_back(small_segments, plaintext, associated_data, key):
    stream = encrypted(plaintext, associated_data, key)
    segments = max(1, -(-(len(plaintext) - SMALL_FIRST) // (SMALL - 16)) + 1)
    assert len(stream) == 40 + len(plaintext) + 16 * segments
    assert decrypted(stream, associated_data, key) == plaintext


def test_two_streams_of_the_same_file_share_nothing():
    first, second = encrypted(bytes(1000)), encrypted(bytes(1000))
    assert first[0] == second[0] == 0x28
    assert first[1:33] != second[1:33]
    assert first[33:40] != second[33:40]
    assert not {first[i : i + 16] for i in range(40, 1000)} & {
        second[i : i + 16] for i in range(40, 1000)
    }


def test_every_segment_has_a_nonce_of_its_own(small_segments, monkeypatch):
    nonces = []

    class Recorder:
        def __init__(self, key):
            self.cipher = AESGCM(key)

        def encrypt_into(self, nonce, *rest):
            nonces.append(nonce)
            return self.cipher.encrypt_into(nonce, *rest)

    monkeypatch.setattr(aes, "AESGCM", Recorder)
    stream = encrypted(bytes(1000))
    count = -(-len(stream) // SMALL)
    assert nonces == [stream[33:40] + bytes([0, 0, 0, i, i == count - 1]) for i in range(count)]


def test_a_constant_nonce_would_be_caught(small_segments, monkeypatch):
    monkeypatch.setattr(
        aes, "_segment_nonce", lambda prefix, number, last: prefix + bytes(5)
    )  # the planted fault
    with pytest.raises(AssertionError):
        test_every_segment_has_a_nonce_of_its_own(small_segments, monkeypatch)


def test_the_number_fills_four_bytes_of_the_nonce():
    assert aes._segment_nonce(b"prefix!", 2**32 - 1, True) == b"prefix!\xff\xff\xff\xff\x01"
    assert aes._segment_nonce(b"prefix!", 258, False) == b"prefix!\x00\x00\x01\x02\x00"


def test_a_stream_ends_before_its_number_would_repeat(small_segments, monkeypatch):
    exactly, longer = SMALL_FIRST + 2 * (SMALL - 16), SMALL_FIRST + 2 * (SMALL - 16) + 1
    too_long = encrypted(bytes(longer))
    monkeypatch.setattr(aes, "_MOST_SEGMENTS", 3)
    assert decrypted(encrypted(bytes(exactly))) == bytes(exactly)
    with pytest.raises(MessageTooLarge):
        encrypted(bytes(longer))
    assert refused(too_long) == bytes(exactly)


# --- what must be refused ------------------------------------------------------------------------


def by_hand(
    *segments: tuple[int, int, bytes], salt: bytes = bytes(32), prefix: bytes = bytes(7)
) -> bytes:
    """A stream put together from (number, last, plaintext), as only somebody with the key can."""
    cipher = AESGCM(HKDF(SHA256(), 32, salt, b"object 1").derive(KEY))
    return (bytes([40]) + salt + prefix) + b"".join(
        cipher.encrypt(prefix + number.to_bytes(4, "big") + bytes([last]), plaintext, None)
        for number, last, plaintext in segments
    )


def test_every_altered_byte_is_refused_and_what_came_before_it_is_authentic(small_segments):
    plaintext = os.urandom(500)
    stream = encrypted(plaintext)
    for position in range(len(stream)):
        altered = bytearray(stream)
        altered[position] ^= 1 << position % 8
        whole_segments = (
            0 if position < SMALL else SMALL_FIRST + (position // SMALL - 1) * (SMALL - 16)
        )
        assert refused(bytes(altered)) == plaintext[:whole_segments]


def test_every_truncation_is_refused_and_what_came_before_it_is_authentic(small_segments):
    plaintext = os.urandom(SMALL_FIRST + 3 * (SMALL - 16))
    stream = encrypted(plaintext)
    for length in range(len(stream)):
        assert plaintext.startswith(refused(stream[:length]))


def test_segments_swapped_repeated_or_left_out_are_refused(small_segments):
    stream = encrypted(os.urandom(SMALL_FIRST + 3 * (SMALL - 16)))
    segments = [stream[i : i + SMALL] for i in range(0, len(stream), SMALL)]
    assert len(segments) == 4
    orders = {
        order for count in (3, 4, 5) for order in itertools.product(range(4), repeat=count)
    } - {(0, 1, 2, 3)}
    for order in orders:
        refused(b"".join(segments[i] for i in order))


def test_what_is_appended_is_refused(small_segments):
    for plaintext in (b"", os.urandom(SMALL_FIRST), os.urandom(300)):
        stream = encrypted(plaintext)
        for more in (b"\0", bytes(16), bytes(SMALL), stream[-16:], stream[-SMALL:], stream):
            refused(stream + more)


def test_parts_of_another_stream_under_the_same_key_are_refused(small_segments):
    one, other = encrypted(os.urandom(500)), encrypted(os.urandom(500))
    for cut in (33, 40, SMALL, 2 * SMALL, 3 * SMALL, len(one) - 16):
        refused(one[:cut] + other[cut:])
    refused(one[:SMALL] + other[SMALL : 2 * SMALL] + one[2 * SMALL :])


def test_another_key_context_or_format_is_refused():
    stream = encrypted(b"plain")
    assert refused(stream, key=aes.generate_key()) == b""
    assert refused(stream, associated_data=b"object 2") == b""
    assert refused(stream, associated_data=b"") == b""
    refused(aes.encrypt(KEY, bytes(100), b"object 1"))
    with pytest.raises(DecryptionError):
        aes.decrypt(KEY, stream, b"object 1")


@pytest.mark.parametrize(
    "stream", [b"", b"\x28", bytes(40), b"\x28" + bytes(39), b"\x28" + bytes(54), bytes(2000)]
)
def test_what_never_was_a_stream_is_refused(stream):
    assert refused(stream) == b""


def test_the_last_flag_belongs_to_the_end(small_segments):
    first, full = bytes(SMALL_FIRST), bytes(SMALL - 16)
    assert decrypted(by_hand((0, 0, first), (1, 1, full))) == first + full
    assert refused(by_hand((0, 0, first))) == b""  # cut at a segment
    assert refused(by_hand((0, 1, first), (1, 1, full))) == b""  # two ends
    assert refused(by_hand((0, 0, first), (1, 0, full))) == first
    assert refused(by_hand((0, 0, first), (2, 1, full))) == first  # a number left out
    assert refused(by_hand((1, 0, first), (2, 1, full))) == b""
    assert (
        refused(by_hand((0, 0, first[1:]), (1, 1, full))) == b""
    )  # a short segment before the end


def test_an_empty_last_segment_opens_as_it_does_in_tink(small_segments):
    stream = by_hand(
        (0, 0, bytes(SMALL_FIRST)), (1, 1, b"")
    )  # neither writes it; only who has the key can
    assert decrypted(stream) == Tink(KEY, SMALL).decrypt(stream, b"object 1") == bytes(SMALL_FIRST)


def test_at_full_size_each_region_is_protected_and_the_sink_keeps_an_authentic_beginning():
    plaintext = pattern(2 * SEGMENT + 1000)
    stream = encrypted(plaintext)
    second, third = FIRST, FIRST + SEGMENT - 16
    authentic = {
        5: 0,
        36: 0,
        40: 0,
        SEGMENT - 1: 0,
        SEGMENT: second,
        2 * SEGMENT - 1: second,
        2 * SEGMENT: third,
    }
    for position, kept in (authentic | {len(stream) - 1: third}).items():
        altered = bytearray(stream)
        altered[position] ^= 0x80
        assert refused(bytes(altered)) == plaintext[:kept]
    for length, kept in {
        SEGMENT: 0,
        SEGMENT + 16: second,
        2 * SEGMENT: second,
        2 * SEGMENT + 5: third,
    }.items():
        assert refused(stream[:length]) == plaintext[:kept]


# --- files of every kind -------------------------------------------------------------------------


class Trickle(io.RawIOBase):
    """A raw file that gives and takes only a few bytes at a time."""

    def __init__(self, data: bytes = b""):
        self.file, self.taken = io.BytesIO(data), bytearray()

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.file.readinto(memoryview(buffer)[:7])

    def write(self, data):
        self.taken += bytes(data[:11])
        return min(11, len(data))


class OnlyRead:
    """The least a source can be."""

    def __init__(self, data: bytes):
        self.file = io.BytesIO(data)

    def read(self, size):
        return self.file.read(min(size, 13))


class OnlyWrite:
    """The least a sink can be; it returns nothing."""

    def __init__(self):
        self.taken = bytearray()

    def write(self, data):
        self.taken += data


@pytest.mark.parametrize("length", [0, 1, SMALL_FIRST, 500])
def test_short_reads_and_writes_change_nothing(small_segments, length):
    plaintext = os.urandom(length)
    stream, opened = Trickle(), Trickle()
    written = aes.encrypt_stream(KEY, Trickle(plaintext), stream)
    assert written == len(stream.taken)
    assert aes.decrypt_stream(KEY, Trickle(bytes(stream.taken)), opened) == length
    assert opened.taken == plaintext


def test_the_least_of_files_will_do(small_segments):
    plaintext = os.urandom(500)
    stream, opened = OnlyWrite(), OnlyWrite()
    assert aes.encrypt_stream(KEY, OnlyRead(plaintext), stream) == len(stream.taken)
    assert aes.decrypt_stream(KEY, OnlyRead(bytes(stream.taken)), opened) == 500
    assert opened.taken == plaintext


def test_files_on_disk_are_neither_closed_nor_rewound(tmp_path):
    (tmp_path / "plain").write_bytes(b"skipped" + pattern(100_000))
    with (
        open(tmp_path / "plain", "rb", buffering=0) as source,
        open(tmp_path / "stream", "xb") as sink,
    ):
        source.seek(7)
        sink.write(b"before")
        aes.encrypt_stream(KEY, source, sink)
        sink.write(b"after")
    data = (tmp_path / "stream").read_bytes()
    assert data.startswith(b"before\x28")
    assert data.endswith(b"after")
    assert decrypted(data[6:-5], b"") == pattern(100_000)


def through_a_pipe(source, sink) -> int:
    """Encrypt in one thread and decrypt in this one, with a pipe between."""
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb", buffering=0) as pipe:
            aes.encrypt_stream(KEY, source, pipe)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        with open(reading, "rb", buffering=0) as pipe:
            return aes.decrypt_stream(KEY, pipe, sink)
    finally:
        thread.join()


def test_a_pipe_carries_a_stream():
    plaintext, opened = pattern(3 * SEGMENT), io.BytesIO()
    assert through_a_pipe(io.BytesIO(plaintext), opened) == len(plaintext)
    assert opened.getvalue() == plaintext


class Zeros:
    """A source of so many zeros, and a sink that only counts: neither takes memory."""

    def __init__(self, length: int = 0):
        self.left, self.taken = length, 0

    def readinto(self, buffer):
        count = min(len(buffer), self.left)
        self.left -= count
        return count

    def write(self, data):
        self.taken += len(data)


def test_memory_is_constant_for_256_mib():
    sink = Zeros()
    tracemalloc.start()
    try:
        assert through_a_pipe(Zeros(256 * SEGMENT), sink) == sink.taken == 256 * SEGMENT
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * SEGMENT  # three buffers on either side of the pipe


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33), "k" * 32, None])
def test_a_key_that_is_not_32_bytes_is_refused_before_anything_is_written(wrong):
    sink = io.BytesIO()
    for call in (aes.encrypt_stream, aes.decrypt_stream):
        with pytest.raises(InvalidKey):
            call(wrong, io.BytesIO(b"x"), sink)
    assert sink.getvalue() == b""


@pytest.mark.parametrize("wrong", [b"bytes", "name", Path("name"), None, 3, io.StringIO("text")])
def test_what_is_not_a_binary_file_is_refused_before_anything_is_written(wrong):
    for call in (aes.encrypt_stream, aes.decrypt_stream):
        sink = io.BytesIO()
        with pytest.raises(InvalidParameter):
            call(KEY, wrong, sink)
        assert sink.getvalue() == b""
        with pytest.raises(InvalidParameter):
            call(KEY, io.BytesIO(b"x"), wrong)


def test_associated_data_that_is_not_bytes_or_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(aes, "_ONE_CALL", 100)
    for call in (aes.encrypt_stream, aes.decrypt_stream):
        with pytest.raises(InvalidParameter):
            call(KEY, io.BytesIO(), io.BytesIO(), "text")
        with pytest.raises(MessageTooLarge):
            call(KEY, io.BytesIO(), io.BytesIO(), bytes(101))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_bytearray_and_memoryview_are_bytes(kind):
    sink = io.BytesIO()
    aes.encrypt_stream(kind(KEY), io.BytesIO(b"plain"), sink, kind(b"object 1"))
    assert decrypted(sink.getvalue(), kind(b"object 1"), kind(KEY)) == b"plain"


class Broken:
    def readinto(self, buffer):
        raise OSError("the disk is gone")

    def write(self, data):
        raise OSError("the disk is full")


def test_what_the_files_raise_comes_through():
    with pytest.raises(OSError, match="gone"):
        aes.encrypt_stream(KEY, Broken(), io.BytesIO())
    with pytest.raises(OSError, match="full"):
        aes.encrypt_stream(KEY, io.BytesIO(), Broken())
    with pytest.raises(OSError, match="gone"):
        aes.decrypt_stream(KEY, Broken(), io.BytesIO())
    with pytest.raises(OSError, match="full"):
        aes.decrypt_stream(KEY, io.BytesIO(encrypted(b"x", b"")), Broken())
