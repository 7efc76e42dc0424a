"""Paillier beside phe with gmpy2 in the same run, and beside other packages if installed.

Times are CPU time of this process, because the machine may be busy. Ours and theirs are taken in
turn, and a ratio is the median of the rounds' ratios. What would take phe minutes is measured on a
sample of its work and multiplied; the note says so. Losses are shown as losses.
"""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any
from unittest.mock import patch

import numpy as np
import phe

from bench import paillier_peers
from bench.rows import Row, compared, cpu, cpu_rounds
from lepton_lab import paillier
from lepton_lab.paillier import EncryptedNumber, Layout, PrivateKey, PublicKey, secret_power
from lepton_lab.paillier.vectors import pack

LAYOUT = Layout(bits=64, fraction_bits=32, additions=1024)
DJN = "DCR on ⟨hⁿ⟩, short-exponent indistinguishability"
DCR = "DCR"
SAMPLE = 200  # of phe's numbers, where it has the same to do for each
Times = dict[str, list[float]]


def run(quick: bool) -> list[Row]:
    """Every figure with its ratio to phe's, 2048 bits and, unless `quick`, 3072 bits."""
    rows: list[Row] = []
    for bits in (2048,) if quick else (2048, 3072):
        of_size = _size(bits, 3 if quick else 11, 2000 if quick else 10_000)
        rows += [replace(row, name=f"{bits}: {row.name}") for row in of_size]
    return rows


def _size(bits: int, rounds: int, count: int) -> Iterator[Row]:
    yield from _generation(bits, 60 if rounds == 3 else 100)
    bench = _Bench(bits, rounds, count)
    yield from bench.single_numbers()
    yield from bench.cold()
    yield from bench.vectors()
    yield from bench.jobs()
    yield from bench.many()
    yield from bench.dot_products()
    yield from bench.two_workers()
    yield from paillier_peers.rows(bits, min(rounds, 5), bench.values, bench.phe_works())


def _generation(bits: int, rounds: int) -> Iterator[Row]:
    """The search for primes is a lottery: the mean of many draws says more than a median of few."""
    ours = []
    theirs = []
    for _ in range(rounds):
        ours.append(cpu(lambda: paillier.generate_keypair(bits)))
        theirs.append(cpu(lambda: phe.generate_paillier_keypair(n_length=bits)))
    note = f"mean of {rounds}; Blum primes with gcd(p−1, q−1) = 2"
    means = [statistics.mean(ours)], [statistics.mean(theirs)]
    yield compared("key generation", *means, "phe", note=note, size=bits / 8)


class _Bench:
    """One key pair, known to both packages, and the works that are measured under it."""

    def __init__(self, bits: int, rounds: int, count: int) -> None:
        self.bits = bits
        self.rounds = rounds
        self.count = count
        self.public, self.private = paillier.generate_keypair(bits)
        self.phe_public = self.public.to_phe()
        self.phe_private = self.private.to_phe()
        # an array for each of ten clients
        self.values = np.random.default_rng(1999).normal(0, 1000, (10, count))
        self.size = 2.0 * self.public.size

    def fresh_key(self) -> PublicKey:
        """The same key as a client has it that starts: without tables."""
        return PublicKey(self.public.n, "short")

    def phe_works(self) -> dict[str, Callable[[], object]]:
        """What phe does for one number; `paillier_peers` is compared with it."""
        theirs = self.phe_public.encrypt(1.5)
        return {
            "key generation": lambda: phe.generate_paillier_keypair(n_length=self.bits),
            "encrypt": lambda: self.phe_public.encrypt(3.14),
            "decrypt": lambda: self.phe_private.decrypt(theirs),
            "add": lambda: theirs + theirs,
            "times 12345": lambda: theirs * 12345,
        }

    def single_numbers(self) -> Iterator[Row]:
        self.public.precompute()
        with patch.object(secret_power, "_LIB", None):  # as where OpenSSL does not load
            without = PrivateKey(self.private.p, self.private.q)
        ours, phes = self.public.encrypt(1.5), self.phe_works()
        theirs = self.phe_public.encrypt(1.5)
        widest = self.public.encrypt(1, limit=self.public.max_int, exponent=0)
        half, full = "modulo p alone within the declared bound", "modulo p and q"
        gmp = "OpenSSL not loadable: gmpy2.powmod_sec, "
        works: dict[str, tuple[Callable[[], object], str, str, str]] = {
            "encrypt": (lambda: self.public.encrypt(3.14), "encrypt", "tables made", DJN),
            "encrypt as the key's owner": (
                lambda: self.private.encrypt(3.14),
                "encrypt",
                "by the CRT, no tables",
                DCR,
            ),
            "encrypt as the key's owner, without OpenSSL": (
                lambda: without.encrypt(3.14),
                "encrypt",
                gmp,
                DCR,
            ),
            "decrypt": (
                lambda: self.private.decrypt(ours),
                "decrypt",
                f"{secret_power.BACKEND}, {half}",
                "",
            ),
            "decrypt, without OpenSSL": (lambda: without.decrypt(ours), "decrypt", gmp + half, ""),
            "decrypt, bound as wide as the key": (
                lambda: self.private.decrypt(widest),
                "decrypt",
                f"{secret_power.BACKEND}, {full}",
                "",
            ),
            "decrypt, bound as wide as the key, without OpenSSL": (
                lambda: without.decrypt(widest),
                "decrypt",
                gmp + full,
                "",
            ),
            "add": (lambda: ours + ours, "add", "", ""),
            "times 12345": (lambda: ours * 12345, "times 12345", "", ""),
            "times 0.1 at 64 bits": (
                lambda: ours.times(0.1, exponent=-16),
                "times 0.1",
                "the factor's exponent declared shallower",
                "",
            ),
            "times 0.1": (
                lambda: ours * 0.1,
                "times 0.1",
                "a factor of 126 bits, for all floats alike; phe: 53",
                "",
            ),
        }
        phes["times 0.1"] = lambda: theirs * 0.1
        sample = self.values[0, :20].tolist()
        error = max(abs(self.private.decrypt(self.public.encrypt(x)) - x) for x in sample)
        for name, (work, phe_work, note, assumption) in works.items():
            seconds = cpu_rounds({"ours": work, "phe": phes[phe_work]}, 2 * self.rounds)
            beside = {
                "note": note.removesuffix(", "),
                "assumption": assumption,
                "bytes": self.size,
                "error": error,
            }
            yield compared(name, seconds["ours"], seconds["phe"], "phe", **beside)

    def cold(self) -> Iterator[Row]:
        """What a new client pays: the tables, where they come, are in the figure."""
        beside = {"bytes": self.size, "assumption": DJN}
        beside["note"] = (
            "each; the first two without tables, then small ones, full ones some 32 later"
        )
        for count in (1, 10, 100, self.count):
            encrypt = {"ours": lambda count=count: _encrypt(self.fresh_key(), count)}
            encrypt["phe"] = lambda: self.phe_public.encrypt(3.14)
            seconds = cpu_rounds(encrypt, self.rounds if count <= 100 else max(1, self.rounds // 3))
            phes = [count * each for each in seconds["phe"]]
            yield compared(
                f"encrypt {count:,} numbers, cold",
                seconds["ours"],
                phes,
                "phe",
                per=count,
                **beside,
            )
        key, spent, paid_back = self.fresh_key(), 0.0, None
        phe_encrypt = statistics.median(seconds["phe"])
        for number in range(1, 201):
            spent += cpu(lambda: key.encrypt(3.14))
            ahead = spent < number * phe_encrypt
            paid_back = (paid_back or number) if ahead else None
        yield Row(
            "tables are paid back for good after", paid_back or 200, "encryptions", assumption=DJN
        )

    def vectors(self) -> Iterator[Row]:
        a, count = self.values[0], self.count
        vector = self.public.encrypt_vector(a, LAYOUT)
        packed, _ = pack(a, LAYOUT, self.bits)
        raw, of_all = [whole % self.public.n for whole in packed[:20]], len(packed) / 20
        ciphertexts = vector.ciphertexts()[:20]
        theirs, sample = [self.phe_public.encrypt(float(x)) for x in a[:SAMPLE]], a[:20].tolist()
        packs = {
            "encrypt": lambda: [
                self.phe_public.raw_encrypt(m, secrets.randbelow(self.public.n)) for m in raw
            ],
            "decrypt": lambda: [self.phe_private.raw_decrypt(c) for c in ciphertexts],
        }
        phes = {
            "encrypt": lambda: [self.phe_public.encrypt(x) for x in sample],
            "decrypt": lambda: [self.phe_private.decrypt(x) for x in theirs],
            "add": lambda: [x + x for x in theirs],
        }
        ours = {
            "encrypt": lambda: self.public.encrypt_vector(a, LAYOUT),
            "decrypt": lambda: self.private.decrypt_vector(vector),
            "add": lambda: vector + vector,
        }
        error = float(np.abs(self.private.decrypt_vector(vector) - a).max())
        beside = {"bytes": len(vector.to_bytes()) / count, "error": error}
        for name, of_phe in (("encrypt", len(sample)), ("decrypt", SAMPLE), ("add", SAMPLE)):
            works = {"ours": ours[name], "phe": phes[name]} | (
                {"packed": packs[name]} if name in packs else {}
            )
            seconds = cpu_rounds(works, self.rounds)
            beside["assumption"] = DJN if name == "encrypt" else ""
            label = f"vector {name}, tables made" if name == "encrypt" else f"vector {name}"
            phe_all = [each * count / of_phe for each in seconds["phe"]]
            note = f"each of {count:,}; phe: a sample, {self.size:.0f} bytes a number"
            yield compared(label, seconds["ours"], phe_all, "phe", per=count, note=note, **beside)
            if name in packs:
                note = (
                    f"each; what packing alone brings: phe's raw_{name} of the same "
                    "packed integers, a sample"
                )
                packed_all = [each * of_all for each in seconds["packed"]]
                label = f"phe with the same packing, {name}"
                fields = beside | {"note": note, "assumption": DCR if name == "encrypt" else ""}
                yield compared(label, packed_all, phe_all, "phe", per=count, **fields)

    def jobs(self) -> Iterator[Row]:
        """Measure the whole job, from keys without tables to the decrypted sum of the arrays."""
        theirs = [self.phe_public.encrypt(float(x)) for x in self.values[0, :50]]
        sample = self.values[0, :20].tolist()
        for clients in (2, 10):
            works = {
                "ours": lambda clients=clients: self._job(clients),
                "encrypt": lambda: [self.phe_public.encrypt(x) for x in sample],
                "add": lambda: [x + x for x in theirs],
                "decrypt": lambda: [self.phe_private.decrypt(x) for x in theirs],
            }
            seconds = cpu_rounds(works, max(3, self.rounds // 2))
            phes = [
                self.count
                * (clients * encrypt / len(sample) + ((clients - 1) * add + decrypt) / len(theirs))
                for encrypt, add, decrypt in zip(
                    seconds["encrypt"], seconds["add"], seconds["decrypt"], strict=True
                )
            ]
            total = self.values[:clients].sum(axis=0)
            error = float(np.abs(self._job(clients) - total).max())
            note = (
                f"{self.count:,} floats a client; key checks, tables, encryption, sum, "
                "decryption; phe: a sample"
            )
            data = len(self.public.encrypt_vector(total, LAYOUT).to_bytes()) / self.count
            beside = {"note": note, "bytes": data, "error": error, "assumption": DJN}
            yield compared(
                f"whole job, {clients} clients, cold", seconds["ours"], phes, "phe", **beside
            )

    def _job(self, clients: int) -> Any:
        total = sum(
            self.fresh_key().encrypt_vector(array, LAYOUT) for array in self.values[:clients]
        )
        return self.private.decrypt_vector(total)

    def many(self) -> Iterator[Row]:
        """Measure `decrypt_many` on distinct ciphertexts like phe's, made with our faster noise."""
        pool = [self._as_phes(float(x)) for x in self.values[0]]
        numbers = [EncryptedNumber.from_phe(number, public_key=self.public) for number in pool]
        works = {"ours": lambda: self.private.decrypt_many(numbers, 2**64)}
        works["phe"] = lambda: [self.phe_private.decrypt(number) for number in pool[:SAMPLE]]
        seconds = cpu_rounds(works, max(3, self.rounds // 2))
        error = float(
            np.abs(np.array(self.private.decrypt_many(numbers, 2**64)) - self.values[0]).max()
        )
        note = (
            f"each of {len(pool):,}, the check against cheating included; bound 2^64; phe: a sample"
        )
        phes = [each * len(pool) / SAMPLE for each in seconds["phe"]]
        beside = {"bytes": self.size, "error": error}
        name = "decrypt_many of phe's ciphertexts"
        yield compared(name, seconds["ours"], phes, "phe", per=len(pool), note=note, **beside)

    def _as_phes(self, x: float) -> Any:
        """phe's encryption of a float: its encoding and its exponent."""
        encoded = phe.EncodedNumber.encode(self.phe_public, x)
        integer = encoded.encoding if x >= 0 else encoded.encoding - self.public.n
        number = self.public.encrypt(integer, limit=2**64, exponent=0).to_phe()
        return phe.EncryptedNumber(
            self.phe_public, number.ciphertext(be_secure=False), encoded.exponent
        )

    def dot_products(self) -> Iterator[Row]:
        whole = [int(x) for x in self.values[0, :1000]]
        pool = [self.public.encrypt(x, exponent=0) for x in whole]
        theirs = [number.to_phe() for number in pool[:100]]
        for terms in (100, 1000):
            for bits in (16, 32, 53):
                weights = [secrets.randbits(bits + 1) - (1 << bits) for _ in range(terms)]
                ours, sample = pool[:terms], list(zip(theirs, weights, strict=False))
                works = {"ours": lambda w=weights, e=ours: paillier.dot(w, e)}
                works["phe"] = lambda s=sample: sum(number * weight for number, weight in s)
                seconds = cpu_rounds(works, max(3, self.rounds // 2))
                right = sum(w * x for w, x in zip(weights, whole, strict=False))
                error = abs(self.private.decrypt(paillier.dot(weights, ours)) - right)
                note = "Pippenger" + ("; phe: a sample" if terms > 100 else "")
                phes = [each * terms / 100 for each in seconds["phe"]]
                beside = {"note": note, "bytes": self.size, "error": float(error)}
                name = f"dot product, {terms} terms, {bits}-bit weights"
                yield compared(name, seconds["ours"], phes, "phe", **beside)

    def two_workers(self) -> Iterator[Row]:
        """Wall time here, since the work is elsewhere."""
        a, vector = self.values[0], self.public.encrypt_vector(self.values[0], LAYOUT)
        with (
            ProcessPoolExecutor(2, get_context("spawn")) as processes,
            ThreadPoolExecutor(2) as threads,
        ):
            first = wall(lambda: self.public.encrypt_vector(a, LAYOUT, processes))
            note = "their start and their tables included"
            yield Row("vector encrypt, two processes, the first time", first * 1e3, "ms", note=note)
            works: dict[str, Callable[[], object]] = {
                "encrypt": lambda: self.public.encrypt_vector(a, LAYOUT),
                "encrypt, two processes": lambda: self.public.encrypt_vector(a, LAYOUT, processes),
                "encrypt, two threads": lambda: self.public.encrypt_vector(a, LAYOUT, threads),
                "decrypt": lambda: self.private.decrypt_vector(vector),
                "decrypt, two threads": lambda: self.private.decrypt_vector(vector, threads),
            }
            times: Times = {name: [] for name in works}
            for counted in [False] + [True] * self.rounds:
                for name, work in works.items():
                    taken = wall(work)
                    times[name] += [taken] * counted
        note = "wall time of the vector; workers and their tables are there"
        for name in ("encrypt, two processes", "encrypt, two threads", "decrypt, two threads"):
            alone = times[name.split(",")[0]]
            yield compared(f"vector {name}", times[name], alone, "one core", note=note)


def wall(work: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _encrypt(key: PublicKey, count: int) -> None:
    for _ in range(count):
        key.encrypt(3.14)
