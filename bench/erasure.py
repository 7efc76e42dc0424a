"""The erasure code beside zfec, on shards of 1 MiB as storage uses them: making parity, and two
data shards lost.

Ours writes into rows that are used again, as storage does; zfec can only return fresh bytes.
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
    """Megabytes of data a second, all in one thread; the ratio is to zfec where it is installed."""
    return [
        row
        for k, n in CODES
        for row in _rows(k, n, stripes=max(2, (12 if quick else 48) // k), quick=quick)
    ]


def _rows(k: int, n: int, stripes: int, quick: bool) -> list[Row]:
    data = np.random.default_rng(0).integers(0, 256, (stripes, k, SHARD), np.uint8)
    works = _ours(k, n, data)
    if find_spec("zfec"):
        works |= _zfec(k, n, data)
    seconds = interleaved(works, 3 if quick else 9)
    rows = []
    for work, baseline in (
        (f"{who} {what}", f"zfec {what}") for what in WORKS for who in ("lepton_lab", "zfec")
    ):
        if work in seconds:
            ratio = seconds[baseline] / seconds[work] if baseline in seconds else None
            speed = data.nbytes / 1e6 / seconds[work]
            rows.append(
                Row(
                    f"{k}-of-{n} {work}",
                    speed,
                    "MB/s",
                    ratio,
                    f"{k}-of-{n} {baseline}" if ratio else "",
                )
            )
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

    encoder, decoder = zfec.Encoder(k, n), zfec.Decoder(k, n)
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
