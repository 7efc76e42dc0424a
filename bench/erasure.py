"""The erasure code beside zfec, on shards of 1 MiB: making parity, and two data shards lost.

Ours writes into buffers that are used again, as storage does; zfec can only return new bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from bench.rows import Row, interleaved
from lepton_lab.erasure import Code

SHARD = 2**20
CODES = ((3, 5), (4, 6), (10, 14))
WORKS = ("encode", "decode, two lost")


def run(quick: bool) -> list[Row]:
    """Measure megabytes of data per second in one thread; the ratio is to zfec, if installed."""
    rows = []
    for k, n in CODES:
        stripes = max(2, (12 if quick else 48) // k)
        rows += _rows(k, n, stripes, quick)
    return rows


def _rows(k: int, n: int, stripes: int, quick: bool) -> list[Row]:
    data = np.random.default_rng(0).integers(0, 256, (stripes, k, SHARD), np.uint8)
    works = _ours(k, n, data)
    if find_spec("zfec"):
        works |= _zfec(k, n, data)
    seconds = interleaved(works, 3 if quick else 9)
    rows = []
    for what in WORKS:
        theirs = seconds.get(f"zfec {what}")
        for who in ("lepton_lab", "zfec"):
            taken = seconds.get(f"{who} {what}")
            if taken is None:
                continue  # zfec is not installed
            name = f"{k}-of-{n} {who} {what}"
            speed = data.nbytes / 1e6 / taken
            if theirs is None:
                rows.append(Row(name, speed, "MB/s"))
            else:
                rows.append(Row(name, speed, "MB/s", theirs / taken, f"{k}-of-{n} zfec {what}"))
    return rows


def _ours(k: int, n: int, data: np.ndarray) -> dict[str, Callable[[], object]]:
    code = Code(k, n)
    parity = np.empty((len(data), n - k, SHARD), np.uint8)
    lost = np.empty((2, SHARD), np.uint8)

    def encode() -> None:
        for shards, made in zip(data, parity, strict=True):
            code.encode_rows([*shards], [*made])

    def decode() -> None:
        for shards, made in zip(data, parity, strict=True):
            have = {index: shards[index] for index in range(2, k)} | {k: made[0], k + 1: made[1]}
            code.recover_rows(have, {0: lost[0], 1: lost[1]})

    return {"lepton_lab encode": encode, "lepton_lab decode, two lost": decode}


def _zfec(k: int, n: int, data: np.ndarray) -> dict[str, Callable[[], object]]:
    import zfec

    encoder = zfec.Encoder(k, n)
    decoder = zfec.Decoder(k, n)
    parities = list(range(k, n))
    made = [encoder.encode([*shards], parities) for shards in data]
    indexes = [k, k + 1, *range(2, k)]

    def encode() -> None:
        for shards in data:
            encoder.encode([*shards], parities)

    def decode() -> None:
        for shards, parity in zip(data, made, strict=True):
            decoder.decode([*parity[:2], *shards[2:]], indexes)

    return {"zfec encode": encode, "zfec decode, two lost": decode}
