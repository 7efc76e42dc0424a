"""Tests lepton_lab.erasure: every k of n shards, two other implementations, what is malformed."""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab import erasure
from lepton_lab.erasure import Code
from lepton_lab.errors import IntegrityError, InvalidParameter, LabError, NotEnoughShards


def pattern(length: int) -> bytes:
    return (bytes(range(251)) * (length // 251 + 1))[:length]


def lowest(shards: list[bytes], *indexes: int) -> dict[int, bytes]:
    return {index: shards[index] for index in indexes}


# --- an independent peer: the same rows, symbol by symbol, with a multiplication by shift and add


def times(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product


INVERSE = {a: b for a in range(1, 256) for b in range(1, 256) if times(a, b) == 1}
ONES = {c: sum(times(c, 1 << j).bit_count() for j in range(8)) for c in range(256)}


def parity_rows(k: int, m: int) -> list[list[int]]:
    if m <= 2:
        powers = list(itertools.accumulate([2] * (k - 1), times, initial=1))
        return [[1] * k, powers][:m]
    plain = [[INVERSE[x ^ y] for y in range(k)] for x in range(k, k + m)]
    rows = [
        [times(value, INVERSE[first]) for value, first in zip(row, plain[0], strict=True)]
        for row in plain
    ]
    scaled = [[[times(value, INVERSE[pivot]) for value in row] for pivot in row] for row in rows]
    return [min(choices, key=lambda row: sum(ONES[value] for value in row)) for choices in scaled]


def symbols_of(shard: bytes) -> list[int]:
    """Packet i, an eighth of the shard, is bit i of every symbol."""
    packets = np.unpackbits(np.frombuffer(shard, np.uint8).reshape(8, -1), axis=1)
    return [int(symbol) for symbol in (packets << np.arange(8)[:, None]).sum(axis=0)]


@pytest.mark.parametrize(
    ("k", "n"), [(1, 2), (1, 5), (2, 3), (3, 5), (4, 6), (5, 12), (6, 9), (10, 14), (20, 30)]
)
def test_parity_is_what_the_field_says_symbol_by_symbol(k, n):
    shards = Code(k, n).encode(os.urandom(64 * k - 1))
    symbols = [symbols_of(shard) for shard in shards]
    for row, made in zip(parity_rows(k, n - k), symbols[k:], strict=True):
        expected = [
            reduce(int.__xor__, map(times, row, column))
            for column in zip(*symbols[:k], strict=True)
        ]
        assert made == expected


def test_the_bit_matrix_multiplies():
    for constant in range(256):
        matrix = erasure._bit_matrix(np.array([[constant]], np.uint8))
        for symbol in (1, 2, 0x80, 0xA7, 0xFF):
            bits = matrix @ [symbol >> j & 1 for j in range(8)] % 2
            assert sum(int(bit) << i for i, bit in enumerate(bits)) == times(constant, symbol)


@pytest.mark.parametrize(
    ("k", "n", "digest"),
    [
        (1, 1, "68564732abd8768f69a22689b7d613daf99f52f817dd4701c4beb5ec63c811c0"),
        (1, 3, "ee6ac88270b8762ccd5e404718d097613a49a4716ce70029f9aae60afedf6d08"),
        (3, 5, "728d4037c5cc05dacdf9a004ae94500d18eda6234a1bc8d9a130fe13d814a074"),
        (4, 6, "1108a932ff8bac30693309c4526f20d92311db220fc7444c9360c16b01117cab"),
        (6, 9, "323cf7e1acc93f92609387e9044906b73a9dc4a436e85d4b2fbc423637a82376"),
        (10, 14, "428353992bf9b45dc8462bdeca6adf1d561b2db7577f4d57632aa8475baa222e"),
        (20, 30, "0a53aa56150701d1ce60e86984b3f5ff1734f64bd7a42284fa8758230efb9341"),
    ],
)
def test_code_1_is_this_code_for_ever(k, n, digest):
    # A change of the field, the rows or the layout needs a new id: stored shards are decoded by it.
    assert Code(k, n).code_id == Code.code_id == 1
    assert hashlib.sha256(b"".join(Code(k, n).encode(pattern(5000)))).hexdigest() == digest


@pytest.mark.parametrize(("k", "n"), [(2, 3), (3, 5), (4, 6), (5, 9), (10, 14)])
def test_where_zfec_recovers_so_do_we(k, n):
    zfec = pytest.importorskip(
        "zfec", reason="pip install -e .[test] brings zfec, which has no wheel for Windows"
    )
    data = pattern(64 * k - 1)
    ours = Code(k, n).encode(data)
    peers = zfec.Encoder(k, n).encode(ours[:k])
    assert [bytes(shard) for shard in peers[:k]] == ours[
        :k
    ]  # both are systematic; their parities differ
    for have in itertools.islice(itertools.combinations(range(n), k), 0, None, 7 if n > 9 else 1):
        # zfec wants the data shards that it is given at their own places
        order = [
            index if index in have else next(spare)
            for spare in [iter([h for h in have if h >= k])]
            for index in range(k)
        ]
        assert [
            bytes(part) for part in zfec.Decoder(k, n).decode([peers[i] for i in order], order)
        ] == ours[:k]
        assert Code(k, n).decode(lowest(ours, *have)) == data


# --- any k of n ----------------------------------------------------------------------------------


def every_subset_gives_everything_back(k: int, n: int) -> None:
    code, data = Code(k, n), os.urandom(64 * k + 5)
    shards = code.encode(data)
    rows = [np.frombuffer(shard, np.uint8) for shard in shards]
    for have in itertools.combinations(range(n), k):
        assert code.decode(lowest(shards, *have)) == data
        again = np.zeros((n, len(rows[0])), np.uint8)
        code.recover_rows({index: rows[index] for index in have}, dict(enumerate(again)))
        assert [row.tobytes() for row in again] == shards


@pytest.mark.parametrize(("k", "n"), [(k, n) for n in range(1, 9) for k in range(1, n + 1)])
def test_every_k_of_up_to_8_shards_give_everything_back(k, n):
    every_subset_gives_everything_back(k, n)


@pytest.mark.slow
@pytest.mark.parametrize(("k", "n"), [(k, n) for n in range(9, 13) for k in range(1, n + 1)])
def test_every_k_of_up_to_12_shards_give_everything_back(k, n):
    every_subset_gives_everything_back(k, n)


@pytest.mark.parametrize(("k", "n"), [(3, 5), (3, 6)])
def test_rows_that_are_not_all_invertible_would_be_caught(monkeypatch, k, n):
    rows = erasure._generator(k, n).copy()
    rows[-1] = rows[-2]  # the planted fault: two parities alike
    monkeypatch.setattr(erasure, "_generator", lambda k, n: rows)
    erasure._plan.cache_clear()
    try:
        with pytest.raises((AssertionError, LabError)):
            every_subset_gives_everything_back(k, n)
    finally:
        erasure._plan.cache_clear()


@pytest.mark.parametrize(
    ("k", "n"), [(1, 255), (40, 60), (100, 120), (128, 255), (253, 255), (254, 255), (255, 255)]
)
def test_wide_codes_work(k, n):
    code, data = Code(k, n), pattern(200 * k)
    shards = code.encode(data)
    assert code.decode(lowest(shards, *range(n - k, n))) == data
    assert code.decode(lowest(shards, *sorted(range(n), key=lambda i: i * 97 % 251)[:k])) == data


@given(st.data(), st.binary(max_size=3000), st.integers(1, 20), st.integers(0, 8))
def test_what_is_coded_comes_back_from_any_k(data, raw, k, m):
    shards = Code(k, k + m).encode(raw)
    assert len(shards) == k + m
    assert {len(shard) for shard in shards} == {64 * (len(raw) // (64 * k) + 1)}
    assert b"".join(shards[:k]).startswith(raw + b"\x80")
    have = data.draw(st.permutations(range(k + m)))[: data.draw(st.integers(k, k + m))]
    assert Code(k, k + m).decode(lowest(shards, *have)) == raw
    lost = data.draw(st.integers(0, k + m - 1))
    others = [index for index in have if index != lost]
    if len(others) >= k:
        assert Code(k, k + m).repair(lost, lowest(shards, *others)) == shards[lost]


@pytest.mark.parametrize("length", [0, 1, 191, 192, 193, 10_000])
@pytest.mark.parametrize("filler", [b"\0", b"\x80", b"\xff"])
def test_the_exact_length_comes_back(length, filler):
    shards = Code(3, 5).encode(filler * length)
    assert Code(3, 5).decode(lowest(shards, 1, 3, 4)) == filler * length


def test_every_shard_is_repaired_byte_for_byte():
    code = Code(4, 7)
    shards = code.encode(pattern(1000))
    for index in range(7):
        others = lowest(shards, *(i for i in range(7) if i != index))
        assert code.repair(index, others) == shards[index]
        assert (
            code.repair(index, others | {index: b"what the dead node still holds"}) == shards[index]
        )


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_bytearray_and_memoryview_are_bytes(kind):
    shards = Code(2, 4).encode(kind(b"data"))
    assert all(isinstance(shard, bytes) for shard in shards)
    assert Code(2, 4).decode({i: kind(shards[i]) for i in (2, 3)}) == b"data"
    assert Code(2, 4).repair(0, {i: kind(shards[i]) for i in (2, 3)}) == shards[0]


# --- what is malformed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "n"),
    [
        (0, 1),
        (0, 0),
        (2, 1),
        (-1, 3),
        (1, 256),
        (256, 256),
        (1.0, 3),
        ("1", 3),
        (None, 3),
        (True, 3),
        (1, True),
    ],
)
def test_a_code_that_cannot_be_is_refused(k, n):
    with pytest.raises(InvalidParameter):
        Code(k, n)


def test_fewer_than_k_shards_say_how_many_are_needed():
    shards = Code(3, 5).encode(b"data")
    for have in ((), (0,), (1, 4)):
        with pytest.raises(NotEnoughShards) as caught:
            Code(3, 5).decode(lowest(shards, *have))
        assert (caught.value.found, caught.value.needed) == (len(have), 3)
    with pytest.raises(NotEnoughShards) as caught:
        Code(3, 5).repair(4, lowest(shards, 0, 1, 4))
    assert (caught.value.found, caught.value.needed) == (2, 3)


@pytest.mark.parametrize("index", [-1, 5, 255, "0", None, 1.0, True])
def test_an_index_that_cannot_be_is_refused(index):
    shards = Code(3, 5).encode(b"data")
    with pytest.raises(InvalidParameter):
        Code(3, 5).decode(lowest(shards, 0, 2) | {index: shards[0]})
    with pytest.raises(InvalidParameter):
        Code(3, 5).repair(index, lowest(shards, 0, 2, 3))


@pytest.mark.parametrize("wrong", ["text", None, 7, [1, 2]])
def test_what_is_not_bytes_is_refused(wrong):
    shards = Code(3, 5).encode(b"data")
    for call in (
        lambda: Code(3, 5).encode(wrong),
        lambda: Code(3, 5).decode(lowest(shards, 0, 1) | {2: wrong}),
        lambda: Code(3, 5).repair(4, lowest(shards, 0, 1) | {2: wrong}),
        lambda: Code(3, 5).decode(wrong),
        lambda: Code(3, 5).decode(shards),
    ):
        with pytest.raises(InvalidParameter):
            call()


def test_lengths_that_cannot_be_are_refused():
    shards = Code(3, 5).encode(pattern(1000))
    for cut in (
        lowest(shards, 0, 1) | {2: shards[2][:-64]},
        lowest(shards, 0, 1, 2) | {4: shards[4] + bytes(64)},
    ):
        with pytest.raises(IntegrityError):
            Code(3, 5).decode(cut)
    for length in (0, 1, 63, 65, 100):
        with pytest.raises(IntegrityError):
            Code(3, 5).decode({i: bytes(length) for i in range(3)})


def test_padding_that_cannot_be_is_refused():
    empty, far = bytes(64), b"\x80" + bytes(63)
    for shards in (
        (empty, empty, empty),
        (empty, empty, bytes(63) + b"\1"),
        (empty, empty, b"\x80" * 63 + b"\x40"),
    ):
        with pytest.raises(IntegrityError):
            Code(3, 5).decode(dict(enumerate(shards)))
    with pytest.raises(IntegrityError):  # 80 lies before the last 3·64 bytes
        Code(3, 5).decode({0: far + empty, 1: empty + empty, 2: empty + empty})
    assert Code(3, 5).decode({0: far, 1: empty, 2: empty}) == b""


def test_a_surplus_that_disagrees_is_refused_and_without_one_a_lie_goes_through():
    code = Code(3, 5)
    shards = code.encode(pattern(500))
    false = bytes([shards[0][0] ^ 1]) + shards[0][1:]
    for have in ((0, 1, 2, 3), (0, 1, 2, 4), (0, 2, 3, 4), (0, 1, 2, 3, 4)):
        with pytest.raises(IntegrityError):
            code.decode(lowest(shards, *have) | {0: false})
        with pytest.raises(IntegrityError):
            code.decode(
                lowest(shards, *have)
                | {have[-1]: bytes([shards[have[-1]][0] ^ 1]) + shards[have[-1]][1:]}
            )
    with pytest.raises(IntegrityError):
        code.repair(4, lowest(shards, 1, 2, 3) | {0: false})
    assert code.decode({0: false, 1: shards[1], 2: shards[2]}) == false[:1] + pattern(500)[1:]


# --- buffers -------------------------------------------------------------------------------------


def rows_of(count: int, length: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, length), np.uint8)


@pytest.mark.parametrize(("k", "n"), [(3, 5), (10, 14)])
def test_rows_longer_than_a_block_are_coded_whole(k, n):
    length = 8 * (2**17 + 2**16 + 24)
    rows = rows_of(n, length)
    data = rows[:k].copy()
    Code(k, n).encode_rows(list(rows[:k]), list(rows[k:]))
    assert (rows[k] == np.bitwise_xor.reduce(data)).all()
    want = {index: np.empty(length, np.uint8) for index in range(n - k)}
    Code(k, n).recover_rows({index: rows[index] for index in range(n - k, n)}, want)
    assert all((want[index] == data[index]).all() for index in want)


def test_the_size_of_a_block_changes_nothing(monkeypatch):
    expected = Code(6, 9).encode(pattern(40_000))
    for block in (16, 64, 200, 1 << 20):
        monkeypatch.setattr(erasure, "_BLOCK", block)
        assert Code(6, 9).encode(pattern(40_000)) == expected


def test_codes_of_many_shards_take_smaller_blocks_to_stay_in_the_cache(monkeypatch):
    widths, scratch = [], erasure._scratch
    monkeypatch.setattr(
        erasure, "_scratch", lambda slots, width: widths.append(width) or scratch(slots, width)
    )
    for k, n in ((3, 5), (8, 10)):
        rows = np.zeros((n, 8 << 18), np.uint8)
        Code(k, n).encode_rows([*rows[:k]], [*rows[k:]])
    assert widths == [1 << 17, 1 << 16]


@pytest.mark.parametrize(("k", "n", "most"), [(2, 3, 8), (3, 5, 48), (4, 6, 64), (10, 14, 535)])
def test_pairs_that_several_sums_hold_are_added_once(k, n, most):
    """How many XORs recover as many lost shards of data as the code bears: a plan must not grow."""
    lost = tuple(range(min(k, n - k)))
    assert len(erasure._plan(k, n, tuple(range(n - k, n)), lost).operations) <= most


def test_rows_may_lie_anywhere_and_what_lies_beside_them_is_left_alone():
    room = rows_of(5, 64 * 40 + 16)
    before = room.copy()
    rows = list(room[:, 3 : 3 + 64 * 40])  # not aligned to words
    Code(3, 5).encode_rows(rows[:3], rows[3:])
    assert (room[:3] == before[:3]).all()
    assert (room[:, :3] == before[:, :3]).all()
    assert (room[:, 3 + 64 * 40 :] == before[:, 3 + 64 * 40 :]).all()
    aligned = [row.copy() for row in rows]
    Code(3, 5).encode_rows(aligned[:3], aligned[3:])
    assert all((a == b).all() for a, b in zip(rows, aligned, strict=True))


def test_a_wanted_row_that_is_there_is_copied_and_none_wanted_is_no_work():
    rows = rows_of(5, 640)
    Code(3, 5).encode_rows(list(rows[:3]), list(rows[3:]))
    want = {index: np.empty(640, np.uint8) for index in (4, 0, 2)}
    Code(3, 5).recover_rows({1: rows[1], 4: rows[4], 0: rows[0], 3: rows[3]}, want)
    assert all((want[index] == rows[index]).all() for index in want)
    Code(3, 5).recover_rows({0: rows[0], 1: rows[1], 2: rows[2]}, {})
    Code(3, 3).encode_rows(list(rows[:3]), [])


def test_rows_that_cannot_be_are_refused():
    code, rows = Code(2, 3), list(rows_of(3, 128))
    locked = rows[2].copy()
    locked.flags.writeable = False
    wrong_rows = [
        rows[0].astype(np.uint16),
        rows[0].reshape(2, 64),
        np.zeros(256, np.uint8)[::2],
        np.zeros(64, np.uint8),
        np.zeros(0, np.uint8),
        rows[0].tobytes(),
        None,
    ]
    for wrong in wrong_rows:
        with pytest.raises(InvalidParameter):
            code.encode_rows([rows[0], wrong], [rows[2]])
        with pytest.raises(InvalidParameter):
            code.encode_rows(rows[:2], [wrong])
        with pytest.raises(InvalidParameter):
            code.recover_rows({0: wrong, 2: rows[2]}, {1: rows[1]})
    with pytest.raises(InvalidParameter):
        code.encode_rows(rows[:2], [locked])
    with pytest.raises(InvalidParameter):
        code.encode_rows([row[:100] for row in rows[:2]], [rows[2][:100]])
    for data, parity in ((rows[:1], rows[2:]), (rows[:2], []), (rows, rows[2:])):
        with pytest.raises(InvalidParameter):
            code.encode_rows(data, parity)
    for index in (3, -1, "0"):
        with pytest.raises(InvalidParameter):
            code.recover_rows({0: rows[0], 1: rows[1]}, {index: rows[2]})
        with pytest.raises(InvalidParameter):
            code.recover_rows({0: rows[0], index: rows[1]}, {2: rows[2]})
    with pytest.raises(NotEnoughShards):
        code.recover_rows({0: rows[0]}, {1: rows[1]})


def test_threads_share_a_code_and_its_plans():
    codes = [Code(3, 5), Code(6, 9), Code(10, 14)]
    data = pattern(300_000)
    expected = [code.encode(data) for code in codes]
    wrong: list[object] = []

    def work(turn: int) -> None:
        for step in range(12):
            which = (turn + step) % 3
            code, shards = codes[which], expected[which]
            try:
                if (
                    code.encode(data) != shards
                    or code.decode(lowest(shards, *range(code.n - code.k, code.n))) != data
                ):
                    wrong.append((turn, step))
            except LabError as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_code_is_a_value():
    assert Code(3, 5) == Code(3, 5) != Code(3, 6)
    assert len({Code(3, 5), Code(3, 5), Code(4, 5)}) == 2
    assert repr(Code(3, 5)) == "Code(k=3, n=5)"
    with pytest.raises(AttributeError):
        Code(3, 5).k = 4
