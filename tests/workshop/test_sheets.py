"""Tests lepton_lab.workshop.sheets and lepton_lab.workshop.sheet_tasks.

A sheet is solved by its owner, useless to anybody else, and holds no answer.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lepton_lab import aes
from lepton_lab.errors import InvalidParameter, NotFound
from lepton_lab.textbook.primitives import numtheory, shamir
from lepton_lab.textbook.primitives.modes import xor_bytes
from lepton_lab.workshop.sheet_tasks import TASKS, SeededBytes
from lepton_lab.workshop.sheets import Sheet, make_sheet, sheet
from tools import instances

SEED = bytes(range(32))


def as_bytes(number: int) -> bytes:
    return number.to_bytes(-(-number.bit_length() // 8), "big")


def shared_prime(n: int, n_of_another: int, e: int, c: int) -> bytes:
    p = math.gcd(n, n_of_another)
    return as_bytes(pow(c, pow(e, -1, (p - 1) * (n // p - 1)), n))


def total(p: int, q: int, ciphertexts: list[int]) -> int:
    n = p * q
    product = math.prod(pow(c, i, n * n) for i, c in enumerate(ciphertexts, 1)) % (n * n)
    order = math.lcm(p - 1, q - 1)
    return (pow(product, order, n * n) - 1) // n * pow(order, -1, n) % n


def derived(secret: bytes, salt: bytes, info: bytes) -> str:
    return hashlib.sha256(HKDF(hashes.SHA256(), 16, salt, info).derive(secret)).hexdigest()


SOLVERS: dict[str, Callable[..., Any]] = {
    "aes.open": aes.decrypt,
    "aes.two_times": lambda known, first, second: xor_bytes(known, xor_bytes(first, second)),
    "keys.derive": derived,
    "rsa.cube": lambda n, e, c: as_bytes(numtheory.integer_root(c, e)),
    "rsa.shared_prime": shared_prime,
    "keys.custodians": lambda xs, shares: (
        shamir.combine_bytes(dict(zip(xs, shares, strict=True))).result
    ),
    "paillier.total": total,
}


def solved(of: Sheet, name: str) -> Any:
    given = dict(of[name].given)
    if name == "aes.open":
        return aes.decrypt(given["key"], given["message"], given["associated_data"])
    return SOLVERS[name](**given)


@pytest.fixture(scope="module")
def alice() -> Sheet:
    return make_sheet(SEED, "alice")


@pytest.fixture(scope="module")
def bob() -> Sheet:
    return make_sheet(SEED, "bob")


@pytest.mark.parametrize("name", TASKS)
def test_an_answer_is_right_for_its_owner_and_for_nobody_else(
    name: str, alice: Sheet, bob: Sheet
) -> None:
    answer = solved(alice, name)
    assert alice.check(name, answer).done
    copied = bob.check(name, answer)
    assert not copied.done
    assert TASKS[name].hint in copied.hint
    assert bob.check(name, solved(bob, name)).done


def test_the_same_seed_and_id_give_the_same_sheet_and_others_give_others(alice: Sheet) -> None:
    assert make_sheet(SEED, "alice").to_json() == alice.to_json()
    other = make_sheet(SEED[::-1], "alice")
    for name in TASKS:
        assert other[name].given != alice[name].given
        assert other[name].verifier != alice[name].verifier


def test_no_answer_stands_in_the_sheet_nor_in_what_is_printed(alice: Sheet) -> None:
    text = alice.to_json()
    for name in TASKS:
        answer = solved(alice, name)
        written = (
            answer
            if isinstance(answer, str)
            else str(answer)
            if isinstance(answer, int)
            else answer.hex()
        )
        assert written not in text
        assert written not in repr(alice[name])
        assert "verifier" not in repr(alice[name])


def test_a_sheet_comes_back_from_its_file(alice: Sheet, tmp_path: Path) -> None:
    (tmp_path / "alice.json").write_text(alice.to_json())
    mine = sheet(tmp_path / "alice.json")
    assert mine == alice
    assert mine.check(
        "rsa.cube", solved(mine, "rsa.cube").decode() + "\n"
    ).done  # a text, as it was printed


@pytest.mark.parametrize(
    "answer",
    [..., None, 1.5, True, [], {}, object(), int, "", b"", 0, -1, 1 << 20_000, "right"],
    ids=lambda answer: type(answer).__name__,
)
def test_a_check_never_raises(answer: Any, alice: Sheet) -> None:
    verdict = alice.check("paillier.total", answer)
    assert not verdict.done
    assert verdict.hint


def test_a_task_that_is_not_there_is_said_to_be_so(alice: Sheet) -> None:
    assert "aes.open" in alice.check("aes.shut", 1).hint
    assert not alice.check([], 1).done  # type: ignore[arg-type]
    with pytest.raises(InvalidParameter, match=r"aes\.open"):
        alice["aes.shut"]


@pytest.mark.parametrize("learner", ["", "../eve", "a b", "é", "a" * 65, "a\n", None])
def test_an_id_that_makes_no_name_of_a_file_is_refused(learner: Any) -> None:
    with pytest.raises(InvalidParameter):
        make_sheet(SEED, learner)


@pytest.mark.parametrize("seed", [b"", bytes(15), "a text of more than 16 letters"])
def test_a_seed_that_can_be_guessed_is_refused(seed: Any) -> None:
    with pytest.raises(InvalidParameter):
        make_sheet(seed, "alice")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "learner": "a", "tasks": 3}']
)
def test_what_is_no_sheet_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InvalidParameter):
        sheet(tmp_path / "x.json")
    with pytest.raises(NotFound):
        sheet(tmp_path / "none.json")


def test_a_sheet_whose_fields_are_damaged_is_refused(alice: Sheet, tmp_path: Path) -> None:
    for path, value in (
        ("salt", "zz"),
        ("salt", None),
        ("given", {"key": "else:1"}),
        ("given", {"key": 1}),
    ):
        page = json.loads(alice.to_json())
        page["tasks"]["aes.open"][path] = value
        (tmp_path / "x.json").write_text(json.dumps(page))
        with pytest.raises(InvalidParameter):
            sheet(tmp_path / "x.json")


def test_the_stream_and_the_bytes_of_a_source_never_repeat_between_purposes() -> None:
    source = SeededBytes(SEED, "alice", "aes.open")
    following = source.stream("key")
    assert following(7) + following(40) + following(1) == source.draw_bytes("key", 48)
    assert source.draw_bytes("key", 32) != source.draw_bytes("nonce", 32)
    assert source.draw_bytes("key", 32) != SeededBytes(SEED, "alice", "rsa.cube").draw_bytes(
        "key", 32
    )
    assert source.draw_bytes("key", 32) != SeededBytes(SEED, "alicea", "es.open").draw_bytes(
        "key", 32
    )
    assert len(source.text("text")) == 64


def test_the_command_writes_a_sheet_for_everybody_and_keeps_the_seed(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("alice\n")
    command = [
        "--seed",
        str(tmp_path / "seed"),
        "--learners",
        str(tmp_path / "ids.txt"),
        "--to",
        str(tmp_path / "to"),
    ]
    assert instances.main(command) == 0
    first = {path.name: path.read_text() for path in (tmp_path / "to").iterdir()}
    assert set(first) == {"alice.json"}
    assert instances.main(command) == 0
    assert {path.name: path.read_text() for path in (tmp_path / "to").iterdir()} == first
    assert len(bytes.fromhex((tmp_path / "seed").read_text())) == 32
