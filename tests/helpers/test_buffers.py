"""Tests lepton_lab.buffers: bytes of every kind, whole numbers, and files that misbehave."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab import aes
from lepton_lab.buffers import framed, read_into, unframed, view_of, whole_number, write_all
from lepton_lab.erasure import Code
from lepton_lab.errors import DecryptionError, InvalidParameter
from lepton_lab.shamir import combine, split

KEY = bytes(range(32))


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_framed_parts_come_apart_again(parts):
    assert unframed(framed(*parts)) == parts


@pytest.mark.parametrize("cut", [*range(1, 9), *range(10, 20)])  # 9: without the last part
def test_parts_that_end_too_early_are_a_value_error(cut):
    with pytest.raises(ValueError, match="inside a part"):
        unframed(framed(b"abc", b"d")[:-cut])


NUMBERS = np.arange(24, dtype=np.uint8)
VIEWS = {
    "bytes": b"\x00\x01",
    "a bytearray": bytearray(b"\x00\x01"),
    "a slice": memoryview(b"abcd")[1:3],
    "with gaps": memoryview(b"a-b-c-")[::2],
    "backwards": memoryview(b"abc")[::-1],
    "two axes": memoryview(NUMBERS.reshape(4, 6)),
    "columns first": memoryview(NUMBERS.reshape(4, 6).T),
    "three axes with gaps": memoryview(NUMBERS.reshape(2, 3, 4)[:, :, ::2]),
    "no axis": memoryview(np.array(7, np.uint16)),
    "big-endian": memoryview(np.array([1, 2], ">u4")),
    "records": memoryview(np.zeros(3, [("a", "u1"), ("b", ">u2")])),
    "complex": memoryview(np.array([1j])),
    "empty": memoryview(b""),
    "empty, two axes": memoryview(np.zeros((0, 3), np.uint8)),
}


@pytest.mark.parametrize("data", VIEWS.values(), ids=VIEWS)
def test_every_view_is_read_as_its_bytes(data):
    view = view_of(data)
    expected = data.tobytes() if isinstance(data, memoryview) else bytes(data)
    assert bytes(view) == expected
    assert (view.ndim, view.format, view.c_contiguous) == (1, "B", True)
    assert aes.decrypt(KEY, aes.encrypt(KEY, data, data), data) == expected
    if expected:
        assert combine(split(data, 2, 2)) == expected
    assert Code(2, 3).decode(dict(enumerate(Code(2, 3).encode(data)[1:], 1))) == expected


def test_a_view_whose_memory_was_given_back_is_refused():
    view = memoryview(bytes(32))
    view.release()
    for call in (lambda: view_of(view), lambda: aes.encrypt(KEY, view)):
        with pytest.raises(InvalidParameter, match="released"):
            call()


@pytest.mark.parametrize("data", ["text", None, 3, [1], np.zeros(3, np.uint8)])
def test_what_is_not_bytes_is_refused(data):
    with pytest.raises(InvalidParameter, match="bytes are needed"):
        view_of(data)


@pytest.mark.parametrize("number", [3, np.int8(3), np.uint64(3), np.int64(3)])
def test_whole_numbers_of_numpy_are_whole_numbers(number):
    found = whole_number(number, "a number", 3, 3)
    assert found == 3
    assert type(found) is int
    code = Code(number, np.int16(5))
    assert code == Code(3, 5)
    assert (type(code.k), type(code.n)) == (int, int)
    assert {share.threshold for share in split(b"secret", number, np.int32(4))} == {3}


@pytest.mark.parametrize(
    "number", [2, 5, -3, 3.0, True, np.bool_(True), np.float64(3), "3", None, 1 << 70, b"3"]
)
def test_what_is_not_a_whole_number_in_bounds_is_refused(number):
    with pytest.raises(InvalidParameter, match="a number is a whole number from 3 to 4"):
        whole_number(number, "a number", 3, 4)


# --- files of the caller's own -------------------------------------------------------------------


class Claims:
    """A source whose `readinto` says whatever number it was given."""

    def __init__(self, count):
        self.count = count

    def readinto(self, buffer):
        return self.count


class Gives:
    """A source that has only `read`."""

    def __init__(self, data):
        self.data = data

    def read(self, size):
        data, self.data = self.data, b""
        return data


@pytest.mark.parametrize(
    "source",
    [
        Claims(None),
        Claims(-1),
        Claims(2**20 + 7),
        Claims("12"),
        Claims(1.0),
        Gives(None),
        Gives("text"),
        Gives(bytes(2**20 + 1)),
        Gives([1, 2]),
    ],
    ids=lambda source: f"{type(source).__name__} {str(vars(source))[:20]}",
)
def test_a_source_that_misbehaves_is_refused(source):
    with pytest.raises(InvalidParameter):
        read_into(source, memoryview(bytearray(2**20)))
    if isinstance(source, Gives):
        source.data = bytes(2**20 + 1)
    for call in (aes.encrypt_stream, aes.decrypt_stream):
        with pytest.raises((InvalidParameter, DecryptionError)):
            call(KEY, source, io.BytesIO())


class Takes:
    """A sink whose `write` says whatever number it was given."""

    def __init__(self, count):
        self.count = count

    def write(self, data):
        return self.count


class NonBlocking(io.RawIOBase):
    def writable(self):
        return True

    def write(self, data):
        return None


@pytest.mark.parametrize(
    "sink",
    [Takes(0), Takes(-5), Takes(1000), Takes("3"), Takes(1.5), NonBlocking()],
    ids=lambda sink: f"{type(sink).__name__} {str(vars(sink))[:20]}",
)
def test_a_sink_that_misbehaves_is_refused(sink):
    with pytest.raises(InvalidParameter):
        write_all(sink, memoryview(b"abc"))
    with pytest.raises(InvalidParameter):
        aes.encrypt_stream(KEY, io.BytesIO(b"abc"), sink)


def test_a_sink_that_returns_nothing_has_taken_all():
    write_all(Takes(None), memoryview(b"abc"))
