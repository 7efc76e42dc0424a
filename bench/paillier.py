"""Paillier beside phe with gmpy2, always in the same run; other packages too where they are installed.

Times are CPU time of this process, medians of interleaved rounds: the machine may be shared. What would take phe
minutes is measured on a sample of its work and multiplied; the note says so. Losses are shown as losses.
"""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from typing import Any

import numpy as np
import phe

from bench.rows import Row
from lepton_lab import paillier
from lepton_lab.paillier import EncryptedNumber, Layout, PublicKey, modexp
from lepton_lab.paillier.packing import pack

LAYOUT = Layout(bits=64, fraction_bits=32, additions=1024)
DJN = "short exponents on a fixed base (DCR on ⟨hⁿ⟩, short-exponent indistinguishability)"
DCR = "uniform r (DCR)"
Works = Mapping[str, Callable[[], object]]


def run(quick: bool) -> list[Row]:
    """Every figure with its ratio to phe's, 2048 bits and, unless `quick`, 3072 bits."""
    rows: list[Row] = []
    for bits in (2048,) if quick else (2048, 3072):
        rows += [
            Row(f"{bits}: {row.name}", row.value, row.unit, row.ratio, row.baseline, row.note)
            for row in _size(bits, 3 if quick else 5, 2000 if quick else 10_000)
        ]
    return rows


def _size(bits: int, rounds: int, count: int) -> Iterator[Row]:
    yield from _generation(bits, 20 * rounds)
    bench = _Bench(bits, rounds, count)
    yield from bench.single_numbers()
    yield from bench.cold()
    yield from bench.vectors()
    yield from bench.many()
    yield from bench.dot_products()
    yield from bench.two_workers()
    yield from _peers(bits, rounds, bench.values, bench.phe_encrypt)


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU time that one call takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def medians(works: Works, rounds: int, calls: int = 1) -> dict[str, float]:
    """Median CPU seconds of a call, the works in turn, after one call each to warm up."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(cpu(lambda work=work: [work() for _ in range(calls)]) / calls)
    return {name: statistics.median(times) for name, times in taken.items()}


def _row(name: str, seconds: float, baseline: float, per: int = 1, note: str = "", against: str = "phe") -> Row:
    return Row(name, seconds / per * 1e3, "ms", baseline / seconds, against, note)


def _generation(bits: int, rounds: int) -> Iterator[Row]:
    """The search for primes is a lottery: the mean of many draws says more than a median of few."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(cpu(lambda: paillier.generate_keypair(bits)))
        theirs.append(cpu(lambda: phe.generate_paillier_keypair(n_length=bits)))
    note = f"mean of {rounds}; Blum primes with gcd(p−1, q−1) = 2"
    yield _row("key generation", statistics.mean(ours), statistics.mean(theirs), note=note)


class _Bench:
    """One key pair, known to both packages, and the works that are measured under it."""

    def __init__(self, bits: int, rounds: int, count: int) -> None:
        self.bits, self.rounds, self.count = bits, rounds, count
        self.public, self.private = paillier.generate_keypair(bits)
        self.phe_public, self.phe_private = self.public.to_phe(), self.private.to_phe()
        self.values = np.random.default_rng(1999).normal(0, 1000, count)
        sample = medians({"encrypt": lambda: self.phe_public.encrypt(3.14)}, rounds, 3)
        self.phe_encrypt = sample["encrypt"]

    def fresh_key(self) -> PublicKey:
        """The same key as a client has it that starts: without tables."""
        return PublicKey(self.public.n, "short")

    def single_numbers(self) -> Iterator[Row]:
        self.public.precompute()
        ours, theirs = self.public.encrypt(1.5), self.phe_public.encrypt(1.5)
        widest = self.public.encrypt(1, limit=self.public.max_int, exponent=0)
        works = {
            "encrypt": (
                lambda: self.public.encrypt(3.14),
                lambda: self.phe_public.encrypt(3.14),
                DJN + ", tables made",
            ),
            "encrypt as the key's owner": (lambda: self.private.encrypt(3.14), None, DCR + ", by the CRT, no tables"),
            "decrypt": (
                lambda: self.private.decrypt(ours),
                lambda: self.phe_private.decrypt(theirs),
                f"constant-time exponentiation by {modexp.BACKEND}, modulo p alone within the declared bound",
            ),
            "decrypt, bound as wide as the key": (
                lambda: self.private.decrypt(widest),
                lambda: self.phe_private.decrypt(theirs),
                f"constant-time exponentiation by {modexp.BACKEND}, modulo p and q",
            ),
            "add": (lambda: ours + ours, lambda: theirs + theirs, ""),
            "times 12345": (lambda: ours * 12345, lambda: theirs * 12345, ""),
            "times 0.1 at 64 bits": (
                lambda: ours.times(0.1, exponent=-16),
                lambda: theirs * 0.1,
                "with the factor's exponent declared shallower",
            ),
            "times 0.1": (
                lambda: ours * 0.1,
                lambda: theirs * 0.1,
                "a factor of 126 bits, for all floats alike; phe: 53",
            ),
        }
        for name, (our, their, note) in works.items():
            seconds = medians({"ours": our, "phe": their or (lambda: self.phe_public.encrypt(3.14))}, self.rounds, 3)
            yield _row(name, seconds["ours"], seconds["phe"], note=note)

    def cold(self) -> Iterator[Row]:
        """What a new client pays: the tables, where they come, are in the figure."""
        for count in (1, 10, 100, 10_000):
            key = self.fresh_key
            if count <= 100:
                seconds = medians({"ours": lambda key=key, count=count: _encrypt(key(), count)}, self.rounds)["ours"]
            else:
                seconds = cpu(lambda: _encrypt(self.fresh_key(), self.count)) * count / self.count
            note = "the first two without tables, then small ones, full ones some 32 later"
            yield _row(f"encrypt {count:,} numbers, cold", seconds, count * self.phe_encrypt, count, f"each; {note}")
        key, spent, paid_back = self.fresh_key(), 0.0, None
        for number in range(1, 201):
            spent += cpu(lambda: key.encrypt(3.14))
            ahead = spent < number * self.phe_encrypt
            paid_back = (paid_back or number) if ahead else None
        yield Row("tables are paid back for good after", paid_back or 200, "encryptions")

    def vectors(self) -> Iterator[Row]:
        a, count = self.values, self.count
        vector = self.public.encrypt_vector(a, LAYOUT)
        packed, _ = pack(a, LAYOUT, self.bits)
        raw, cut = [whole % self.public.n for whole in packed[:2]], len(packed) / 2
        theirs = [self.phe_public.encrypt(float(x)) for x in a[:200]]  # as long a piece of work as ours
        seconds = medians(
            {
                "encrypt": lambda: self.public.encrypt_vector(a, LAYOUT),
                "decrypt": lambda: self.private.decrypt_vector(vector),
                "add": lambda: vector + vector,
                "phe decrypt": lambda: [self.phe_private.decrypt(x) for x in theirs],
                "phe add": lambda: [x + x for x in theirs],
                "phe packed": lambda: [self.phe_public.raw_encrypt(m, secrets.randbelow(self.public.n)) for m in raw],
            },
            self.rounds,
        )
        phe_packed = seconds["phe packed"] * cut
        error = float(np.abs(self.private.decrypt_vector(vector) - a).max())
        note = f"each of {count:,}; {len(vector.to_bytes()) / count:.1f} octets a number; largest error {error:.1g}"
        theirs_size = self.public.size * 2
        yield _row("vector encrypt, tables made", seconds["encrypt"], self.phe_encrypt * count, count, f"{note}; {DJN}")
        per = f"each; phe: sampled, {theirs_size} octets a number"
        yield _row("vector decrypt", seconds["decrypt"], seconds["phe decrypt"] * count / len(theirs), count, per)
        yield _row("vector add", seconds["add"], seconds["phe add"] * count / len(theirs), count, per)
        note = "each; what packing alone brings: phe's raw_encrypt of the same packed integers, sampled"
        yield _row("phe with the same packing, encrypt", phe_packed, self.phe_encrypt * count, count, note)
        for clients in (2, 10):
            phe_job = count * (clients * self.phe_encrypt + (clients - 1) * seconds["phe add"] / len(theirs))
            phe_job += count * seconds["phe decrypt"] / len(theirs)
            ours = medians({"ours": lambda clients=clients: self._job(clients)}, max(1, self.rounds // 3))["ours"]
            note = f"{count:,} floats a client; key checks, tables, encryption, sum, decryption; phe: sampled"
            yield _row(f"whole job, {clients} clients, cold", ours, phe_job, note=note)

    def _job(self, clients: int) -> object:
        total = sum(self.fresh_key().encrypt_vector(self.values, LAYOUT) for _ in range(clients))
        return self.private.decrypt_vector(total)

    def many(self) -> Iterator[Row]:
        """Ordinary ciphertexts of phe, a pool of distinct ones used in turn."""
        pool = [self.phe_public.encrypt(float(x)) for x in self.values[:64]]
        taken = [EncryptedNumber.from_phe(number, public_key=self.public) for number in pool]
        numbers = (taken * (1 + self.count // len(taken)))[: self.count]
        works = {"ours": lambda: self.private.decrypt_many(numbers[:2048], 2**64)}
        works["phe"] = lambda: [self.phe_private.decrypt(number) for number in pool[:20]]
        seconds = medians(works, self.rounds)
        done = len(numbers[:2048])
        note = f"each of {done}, the check against cheating included; bound 2^64; phe: sampled"
        yield _row("decrypt_many of phe's ciphertexts", seconds["ours"], seconds["phe"] * done / 20, done, note)

    def dot_products(self) -> Iterator[Row]:
        pool = [self.public.encrypt(int(x), exponent=0) for x in self.values[:100]]
        theirs = [number.to_phe() for number in pool]
        for terms in (100, 1000):
            for bits in (16, 32, 53):
                weights = [secrets.randbits(bits + 1) - (1 << bits) for _ in range(terms)]
                ours, sample = (pool * 10)[:terms], list(zip(theirs, weights, strict=False))
                works = {"ours": lambda w=weights, e=ours: paillier.dot(w, e)}
                works["phe"] = lambda s=sample: sum(number * weight for number, weight in s)
                seconds = medians(works, max(3, self.rounds // 2))
                note = "Pippenger" + ("; phe: sampled" if terms > 100 else "")
                baseline = seconds["phe"] * terms / 100
                yield _row(f"dot product, {terms} terms, {bits}-bit weights", seconds["ours"], baseline, note=note)

    def two_workers(self) -> Iterator[Row]:
        """Wall time here, since the work is elsewhere; the workers have started and made their tables before."""
        vector = self.public.encrypt_vector(self.values, LAYOUT)
        with ProcessPoolExecutor(2) as processes, ThreadPoolExecutor(2) as threads:
            works: dict[str, Callable[[], object]] = {
                "encrypt": lambda: self.public.encrypt_vector(self.values, LAYOUT),
                "encrypt, two processes": lambda: self.public.encrypt_vector(self.values, LAYOUT, processes),
                "decrypt": lambda: self.private.decrypt_vector(vector),
                "decrypt, two threads": lambda: self.private.decrypt_vector(vector, threads),
            }
            walls: dict[str, list[float]] = {name: [] for name in works}
            for _ in range(self.rounds + 1):
                for name, work in works.items():
                    start = time.perf_counter()
                    work()
                    walls[name].append(time.perf_counter() - start)
        wall = {name: statistics.median(times[1:]) for name, times in walls.items()}
        for name, alone in (("encrypt, two processes", "encrypt"), ("decrypt, two threads", "decrypt")):
            yield _row(f"vector {name}", wall[name], wall[alone], note="wall time of the vector", against="one core")


def _encrypt(key: PublicKey, count: int) -> None:
    for _ in range(count):
        key.encrypt(3.14)


def _peers(bits: int, rounds: int, values: Any, phe_encrypt: float) -> Iterator[Row]:
    """Single encryption by other packages, and CKKS on the whole array, as far as they are installed."""
    for name, module, prepare, note in (
        ("sf-heu ZPaillier", "heu.phe", _heu, DJN),
        ("pypaillier", "paillier", _pypaillier, "a short exponent on safe primes; per number, of a batch of 32"),
        ("lightphe", "lightphe", _lightphe, DCR),
    ):
        if (library := _installed(module)) is not None:
            encrypt, per = prepare(library, bits)
            seconds = medians({"theirs": encrypt}, rounds)["theirs"] / per
            yield _row(f"{name}: encrypt", seconds, phe_encrypt, note=note)
    if (tenseal := _installed("tenseal")) is not None:
        yield from _ckks(tenseal, rounds, values, phe_encrypt)


def _installed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        return None


def _heu(heu: Any, bits: int) -> tuple[Callable[[], object], int]:
    kit = heu.setup(heu.SchemaType.ZPaillier, bits)
    encryptor = kit.encryptor()
    return lambda: encryptor.encrypt_raw(314), 1


def _pypaillier(library: Any, bits: int) -> tuple[Callable[[], object], int]:
    public, _ = library.generate_keypair(bits)
    return lambda: library.encrypt_many(public, [3.14] * 32), 32


def _lightphe(library: Any, bits: int) -> tuple[Callable[[], object], int]:
    scheme = library.LightPHE(algorithm_name="Paillier", key_size=bits)
    return lambda: scheme.encrypt(314), 1


def _ckks(tenseal: Any, rounds: int, values: Any, phe_encrypt: float) -> Iterator[Row]:
    context = tenseal.context(tenseal.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 60])
    context.global_scale = 2**40
    pieces = [values[start : start + 4096].tolist() for start in range(0, len(values), 4096)]
    sealed = [tenseal.ckks_vector(context, piece) for piece in pieces]
    seconds = medians(
        {
            "encrypt": lambda: [tenseal.ckks_vector(context, piece) for piece in pieces],
            "decrypt": lambda: [vector.decrypt() for vector in sealed],
        },
        rounds,
    )
    error = np.abs(np.concatenate([vector.decrypt() for vector in sealed]) - values).max()
    size = sum(len(vector.serialize()) for vector in sealed) / len(values)
    note = f"each; another scheme, approximate: largest error {error:.1g}, {size:.0f} octets a number; RLWE"
    yield _row("TenSEAL CKKS: encrypt", seconds["encrypt"], phe_encrypt * len(values), len(values), note)
    yield Row("TenSEAL CKKS: decrypt", seconds["decrypt"] / len(values) * 1e3, "ms", note=note)
