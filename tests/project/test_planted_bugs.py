"""Tests that known bugs are caught: each is planted in a copy of the package, and a test must fail.

They are bugs that packages like this one have had. Each has a file, the text that is replaced, the
text that replaces it, and the tests of which at least one must fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.paths import ROOT

TESTS_FAILED = pytest.ExitCode.TESTS_FAILED


@dataclass(frozen=True)
class Bug:
    """One mistake, as small as a programmer would make it."""

    file: str
    right: str
    wrong: str
    caught_by: tuple[str, ...]


BUGS = {
    "constant IV": Bug(
        "aes.py",
        "nonce = secrets.token_bytes(NONCE_SIZE)",
        "nonce = bytes(NONCE_SIZE)",
        ("helpers/test_aes.py::test_no_nonce_repeats",),
    ),
    "missing tag check": Bug(
        "aes.py",
        "return cipher.decrypt(message[:NONCE_SIZE], message[NONCE_SIZE:], associated)",
        "from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\n"
        "        counter = modes.CTR(bytes(message[:NONCE_SIZE]) + bytes((0, 0, 0, 2)))\n"
        "        return Cipher(algorithms.AES256(key), "
        "counter).decryptor().update(message[NONCE_SIZE:-TAG_SIZE])",
        ("helpers/test_aes.py::test_every_flipped_bit_is_refused",),
    ),
    "unbound associated data": Bug(
        "aes.py",
        "return nonce + cipher.encrypt(nonce, message, associated)",
        'return nonce + cipher.encrypt(nonce, message, b"")',
        ("helpers/test_aes.py::test_what_is_encrypted_comes_back",),
    ),
    "wrong padding hash": Bug(
        "rsa.py",
        "return padding.OAEP(padding.MGF1(SHA256()), SHA256(), ",
        "from cryptography.hazmat.primitives.hashes import SHA1\n"
        "    return padding.OAEP(padding.MGF1(SHA1()), SHA256(), ",
        ("helpers/test_rsa.py::test_oaep_matches_wycheproof",),
    ),
    "off by one in the parity matrix": Bug(
        "erasure.py",
        "cauchy = _INVERSE[np.arange(k, n, dtype=np.uint8)[:, None] ^ data]",
        "cauchy = _INVERSE[np.arange(k - 1, n - 1, dtype=np.uint8)[:, None] ^ data]",
        ("helpers/test_erasure.py::test_code_1_is_this_code_for_ever",),
    ),
    "threshold ignored": Bug(
        "shamir.py",
        "if len(by_index) < first.threshold:",
        "if False:",
        (
            "helpers/test_shamir.py::test_every_set_of_enough_shares_gives_the_secret_and_no_smaller_one",
        ),
    ),
    "stale version accepted": Bug(
        "sharding/versions.py",
        "if version < receipt.version:",
        "if False:",
        (
            "helpers/sharding/test_store.py::test_a_rollback_that_the_ring_cannot_know_is_still_refused_by_the_receipt",
        ),
    ),
    "host name not checked": Bug(
        "tls/contexts.py",
        "context = _context(ssl.PROTOCOL_TLS_CLIENT, ca)",
        "(context := _context(ssl.PROTOCOL_TLS_CLIENT, ca)).check_hostname = False",
        (
            "helpers/tls/test_contexts.py::test_contexts_are_tls_1_3_only_verify_and_keep_no_key_log",
        ),
    ),
    "key kept after shred": Bug(
        "sharding/store.py",
        "        shredded = self.keyring.forget(encoded, context(encoded))\n",
        "        shredded = 1\n",
        (
            "helpers/sharding/test_store.py::test_a_shredded_object_is_unreadable_even_when_its_shards_return",
        ),
    ),
    "packing without guard bits": Bug(
        "paillier/vectors.py",
        "return int((1 << self.bits - 1) - 1) // self.additions",
        "return int((1 << self.bits - 1) - 1)",
        (
            "helpers/paillier/test_vectors.py::test_weighted_sums_are_exact_as_long_as_the_budget_holds",
        ),
    ),
    "no fsync before the rename": Bug(
        "files.py",
        "            if sync:\n                os.fsync(file.fileno())\n",
        "",
        (
            "helpers/keyring/test_power_cuts.py::test_a_power_cut_that_loses_what_was_not_synced_leaves_the_old_ring_or_the_new",
        ),
    ),
}
VARIANTS = {
    "associated data unbound on both sides": Bug(
        "aes.py",
        "message = _checked(plaintext, _ONE_CALL)\n"
        "    associated = _checked(associated_data, _ONE_CALL)",
        'message = _checked(plaintext, _ONE_CALL)\n    associated = _checked(b"", _ONE_CALL)',
        (
            "helpers/test_aes.py::test_another_key_context_or_tag_is_refused",
            "helpers/test_aes.py::test_chosen_nist_vectors_both_ways",
        ),
    ),
    "off by one in the parity's powers": Bug(
        "erasure.py",
        "_EXP[np.outer(np.arange(n - k), data)]",
        "_EXP[np.outer(np.arange(n - k), data // 2)]",
        ("helpers/test_erasure.py::test_every_k_of_up_to_8_shards_give_everything_back",),
    ),
    "threshold ignored when sharing": Bug(
        "shamir.py",
        "for _ in range(threshold - 1):",
        "for _ in range(min(1, threshold - 1)):",
        ("helpers/test_shamir.py::test_two_shares_of_three_fit_every_secret_equally_often",),
    ),
    "host name not checked, and the self-check gone": Bug(
        "tls/contexts.py",
        "if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:",
        "context.check_hostname = False\n    if False:",
        ("helpers/tls/test_wrong_peers.py::test_a_wrong_server_is_refused_and_the_error_says_why",),
    ),
    "a format that changed for writer and reader alike": Bug(
        "sharding/codec.py",
        'stripe.to_bytes(8, "big") + index.to_bytes(4, "big")',
        'stripe.to_bytes(8, "little") + index.to_bytes(4, "big")',
        (
            "helpers/sharding/test_second_reader.py::test_a_second_reader_opens_what_the_store_wrote",
        ),
    ),
    "no fsync before the rename, on a node": Bug(
        "nodes/folders.py",
        "                if sync:\n                    os.fsync(file.fileno())\n",
        "",
        (
            "helpers/nodes/test_directory.py::test_a_power_cut_leaves_the_old_value_or_the_new_and_undoes_no_answer",
        ),
    ),
    "no fsync of the folder": Bug(
        "files.py",
        "    if sync:\n        sync_folder(path.parent)\n",
        "",
        (
            "helpers/keyring/test_power_cuts.py::test_a_power_cut_that_loses_what_was_not_synced_leaves_the_old_ring_or_the_new",
        ),
    ),
    "no fsync of the folder, on a node": Bug(
        "nodes/folders.py",
        "            raise\n        if sync:\n            self.sync()\n",
        "            raise\n",
        (
            "helpers/nodes/test_directory.py::test_a_power_cut_leaves_the_old_value_or_the_new_and_undoes_no_answer",
        ),
    ),
    "no fsync of the folder behind a claim": Bug(
        "nodes/folders.py",
        "        if sync:\n            self.sync()\n        return True\n",
        "        return True\n",
        (
            "helpers/nodes/test_directory.py::test_a_power_cut_leaves_the_old_value_or_the_new_and_undoes_no_answer",
        ),
    ),
    "no fsync of the folder above a new one": Bug(
        "nodes/folders.py",
        "        if sync:\n            self.sync()\n        return self.folder(name)\n",
        "        return self.folder(name)\n",
        (
            "helpers/nodes/test_directory.py::test_a_power_cut_leaves_the_old_value_or_the_new_and_undoes_no_answer",
        ),
    ),
}


def run(package: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run these tests of the project on the copy of the package in the folder `package`."""
    command = [sys.executable, "-P", "-m", "pytest", "-x", "-q", "--import-mode=append"]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", "-c", str(ROOT / "pyproject.toml")]
    command += [str(ROOT / "tests" / test) for test in tests]
    search_path = f"{package}{os.pathsep}{ROOT}"  # the copy before the checkout
    environment = os.environ | {"PYTHONPATH": search_path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=package, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lepton_lab", tmp_path / "lepton_lab", ignore=ignore)
    return tmp_path


# Every bug costs a run of its tests, so most of them are tested only in the slow run.
QUICK = list(BUGS)[:3]
SLOW = [bug for bug in (*BUGS, *VARIANTS) if bug not in QUICK]


@pytest.mark.parametrize(
    "bug", [*QUICK, *(pytest.param(bug, marks=pytest.mark.slow) for bug in SLOW)]
)
def test_a_planted_bug_is_caught(copy, bug):
    planted = (BUGS | VARIANTS)[bug]
    file = copy / "lepton_lab" / planted.file
    text = file.read_text()
    advice = f"{planted.file} has changed: plant this bug in another place"
    assert text.count(planted.right) == 1, advice
    file.write_text(text.replace(planted.right, planted.wrong))
    ran = run(copy, planted.caught_by)
    assert ran.returncode == TESTS_FAILED, ran.stdout + ran.stderr


def test_without_a_bug_such_a_test_holds_and_it_is_the_copy_that_it_tests(copy):
    """The other tests hold without a bug as well: the rest of the suite runs them."""
    ran = run(copy, BUGS["constant IV"].caught_by)
    assert ran.returncode == pytest.ExitCode.OK, ran.stdout + ran.stderr
    (copy / "lepton_lab" / "buffers.py").write_text("raise SystemError('this is the copy')")
    ran = run(copy, BUGS["constant IV"].caught_by)
    assert "this is the copy" in ran.stdout + ran.stderr
