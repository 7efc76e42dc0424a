"""Other packages for encrypted sums beside phe, if installed: pip install 'lepton-lab[peers]'.

Each does what its interface allows: one number, and the job of two clients with an array of floats
each, on a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np

from bench.rows import Row, compared, cpu_rounds

JOB = "whole job, 2 clients"
_DRAWS = 10  # of phe's key generation, a lottery, for each of theirs, which may take seconds
DJN = "DCR on ⟨hⁿ⟩, short-exponent indistinguishability"


@dataclass(frozen=True)
class Peer:
    """What is measured of one package: single `works`, and the `job` of two clients.

    works: under the names that phe's have. job: takes the clients' arrays, of at most `sample`
    numbers each, and returns the sums. size: bytes of a ciphertext, or of each number in one.
    """

    name: str
    assumption: str
    size: float
    works: dict[str, Callable[[], object]]
    job: Callable[[Any], Any]
    sample: int
    note: str = ""


def rows(
    bits: int, rounds: int, values: Any, phe_works: dict[str, Callable[[], object]]
) -> Iterator[Row]:
    """Rows for every package that is there; `values` has an array for each client."""
    for module, prepare in (
        ("heu.phe", _heu), ("paillier", _pypaillier), ("lightphe", _lightphe), ("tenseal", _ckks),
    ):  # fmt: skip
        try:
            library = import_module(module)
        except ImportError:
            continue
        yield from _rows(prepare(library, bits), rounds, values[:2], phe_works)


def _rows(
    peer: Peer, rounds: int, values: Any, phe_works: dict[str, Callable[[], object]]
) -> Iterator[Row]:
    of_all = values.shape[1]
    sample = values[:, : min(peer.sample, of_all)]
    count = sample.shape[1]
    error = float(np.abs(np.asarray(peer.job(sample), float) - sample.sum(axis=0)).max())
    beside = {"bytes": peer.size, "error": error, "assumption": peer.assumption}
    for name, work in peer.works.items():
        draws = range(_DRAWS if name == "key generation" else 1)
        phes = {"phe": lambda name=name, draws=draws: [phe_works[name]() for _ in draws]}
        seconds = cpu_rounds({"theirs": work} | phes, 2 if len(draws) > 1 else rounds)
        theirs, each = seconds["theirs"], [taken / len(draws) for taken in seconds["phe"]]
        yield compared(f"{peer.name}: {name}", theirs, each, "phe", note=peer.note, **beside)
    works = {"theirs": lambda: peer.job(sample)} | {
        name: phe_works[name] for name in ("encrypt", "add", "decrypt")
    }
    seconds = cpu_rounds(works, rounds)
    theirs = [each * of_all / count for each in seconds["theirs"]]
    phes = [
        of_all * (2 * encrypt + add + decrypt)
        for encrypt, add, decrypt in zip(
            seconds["encrypt"], seconds["add"], seconds["decrypt"], strict=True
        )
    ]
    note = f"{of_all:,} floats a client, keys there" + (
        f"; measured on {count}" if count < of_all else ""
    )
    yield compared(f"{peer.name}: {JOB}", theirs, phes, "phe", note=note, **beside)


def _heu(heu: Any, bits: int) -> Peer:
    arrays = import_module("heu.numpy")
    kit = heu.setup(heu.SchemaType.ZPaillier, bits)
    many = arrays.setup(heu.SchemaType.ZPaillier, bits)
    encryptor = kit.encryptor()
    decryptor = kit.decryptor()
    evaluator = kit.evaluator()
    one = kit.float_encoder(2**32)
    coder = many.float_encoder(2**32)
    c = encryptor.encrypt(one.encode(3.14))

    def job(values: Any) -> Any:
        closed = [many.encryptor().encrypt(arrays.array(array, coder)) for array in values]
        return many.decryptor().decrypt(many.evaluator().add(*closed)).to_numpy(coder)

    works = {
        "key generation": lambda: heu.setup(heu.SchemaType.ZPaillier, bits),
        "encrypt": lambda: encryptor.encrypt(one.encode(3.14)),
        "decrypt": lambda: one.decode(decryptor.decrypt(c)),
        "add": lambda: evaluator.add(c, c),
        "times 12345": lambda: evaluator.mul(c, 12345),
    }
    return Peer("sf-heu ZPaillier", DJN, len(c.serialize()), works, job, 200)


def _pypaillier(library: Any, bits: int) -> Peer:
    public, private = library.generate_keypair(bits)
    c = bytes(library.encrypt_many(public, [3.14])[0])

    def job(values: Any) -> Any:
        closed = [library.encrypt_many(public, array.tolist(), scale_pow10=10) for array in values]
        sums = [
            library.add_many(public, [bytes(c) for c in pair]) for pair in zip(*closed, strict=True)
        ]
        opened = library.decrypt_exact_many(private, [bytes(c) for c in sums])
        return [float(Fraction(numerator, 10**power)) for numerator, power in opened]

    works = {
        "key generation": lambda: library.generate_keypair(bits),
        "encrypt": lambda: library.encrypt_many(public, [3.14]),
        "decrypt": lambda: library.decrypt(private, c),
        "add": lambda: library.add_many(public, [c, c]),
        "times 12345": lambda: library.multiply_integers_public(public, [c], [12345]),
    }
    return Peer(
        "pypaillier",
        "DCR, a short exponent on safe primes",
        len(c),
        works,
        job,
        200,
        "batches of one",
    )


def _lightphe(library: Any, bits: int) -> Peer:
    scheme = library.LightPHE(algorithm_name="Paillier", key_size=bits)
    n, c = scheme.cs.keys["public_key"]["n"], scheme.encrypt(314)

    def job(values: Any) -> Any:
        # fixed point by hand, because its own encoding of floats cannot open a sum
        closed = [
            [scheme.encrypt(round(x * 2**32) % n) for x in array.tolist()] for array in values
        ]
        opened = [scheme.decrypt(a + b) for a, b in zip(*closed, strict=True)]
        return [(m if 2 * m < n else m - n) / 2**32 for m in opened]

    works = {
        "key generation": lambda: library.LightPHE(algorithm_name="Paillier", key_size=bits),
        "encrypt": lambda: scheme.encrypt(314),
        "decrypt": lambda: scheme.decrypt(c),
        "add": lambda: c + c,
        "times 12345": lambda: c * 12345,
    }
    note = "integers; r from a generator that is no secret"
    return Peer("lightphe", "DCR, and Python's random", bits / 4, works, job, 3, note)


def _ckks(tenseal: Any, bits: int) -> Peer:
    """Another scheme: approximate, on vectors, and believed to withstand a quantum computer.

    `bits` is unused: there is no n.
    """
    del bits

    def context() -> Any:
        made = tenseal.context(tenseal.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 60])
        made.global_scale = 2**40
        return made

    key = context()
    one = tenseal.ckks_vector(key, [3.14])
    whole = tenseal.ckks_vector(key, [3.14] * 4096)

    def job(values: Any) -> Any:
        pieces = range(0, values.shape[1], 4096)
        closed = [
            [tenseal.ckks_vector(key, array[at : at + 4096].tolist()) for at in pieces]
            for array in values
        ]
        return np.concatenate([(a + b).decrypt() for a, b in zip(*closed, strict=True)])

    works = {
        "key generation": context,
        "encrypt": lambda: tenseal.ckks_vector(key, [3.14]),
        "decrypt": one.decrypt,
        "add": lambda: one + one,
        "times 12345": lambda: one * 12345,
    }
    data = len(whole.serialize()) / 4096
    note = "another scheme, approximate; one number fills a ciphertext of 4096"
    return Peer(
        "TenSEAL CKKS", "RLWE; shown results must be blurred", data, works, job, 1 << 30, note
    )
