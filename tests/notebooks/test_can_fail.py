"""Tests tools.notebook_run and the strict run of the notebooks: they notice a broken package.

In a copy of the project one line of the package is broken at a time, and a notebook goes red.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import tiny_notebook
from tests.support.paths import ROOT
from tools.notebook_run import run

# Its name has no number, because notebook 00 shows a map of the notebooks that have one.
TINY = "tiny.ipynb"
START = "00_start_here.ipynb"


class Broken(NamedTuple):
    """A fault: in `file`, `old` becomes `new`, and `notebook` must notice."""

    file: str
    old: str
    new: str
    notebook: str


QUICK = {
    "another polynomial in an exercise": Broken(
        "workshop/exercises/aes.py", "0x11B if b", "0x11D if b", TINY
    ),
    "a data set cut short": Broken(
        "data/__init__.py", ".read_bytes()", ".read_bytes()[:1000]", TINY
    ),
}
SLOW = {
    "a number in the data": Broken("data/breast_cancer.csv", "17.99,", "27.99,", START),
    "a nonce that is always the same": Broken(
        "aes.py", "nonce = secrets.token_bytes(NONCE_SIZE)", "nonce = bytes(NONCE_SIZE)", START
    ),
    "a tag whose failure is passed over": Broken(
        "aes.py",
        "associated)\n    except InvalidTag:\n        raise DecryptionError from None",
        "associated)\n    except InvalidTag:\n        return bytes(message)",
        START,
    ),
    "parity by OR": Broken("erasure.py", "np.bitwise_xor(blocks", "np.bitwise_or(blocks", START),
    "shards that nobody authenticates": Broken(
        "sharding/codec.py",
        "self._authenticator.decrypt(shard_nonce(stripe, index), tag, shard.data)",
        "pass",
        START,
    ),
    "nodes that are sent nothing": Broken(
        "sharding/stripes.py", "node.write(key, row.data)", "pass", START
    ),
    "a client that trusts everybody": Broken(
        "tls/contexts.py",
        "context = _context(ssl.PROTOCOL_TLS_CLIENT, ca)",
        "context = _context(ssl.PROTOCOL_TLS_CLIENT, ca)\n"
        "    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE",
        START,
    ),
    "ciphertexts added where they are multiplied": Broken(
        "paillier/public.py",
        "self.raw_ciphertext * other.raw_ciphertext % key",
        "(self.raw_ciphertext + other.raw_ciphertext) % key",
        START,
    ),
    "a key that is shredded in words only": Broken(
        "keyring/ring.py",
        "del draft.body.records[data_key_id]",
        "draft.body.records.get(data_key_id)",
        START,
    ),
    "numbers rounded otherwise": Broken(
        "show/table.py", "digits: int = 3", "digits: int = 2", START
    ),
    "a curve with another constant": Broken(
        "textbook/primitives/x25519.py", "121665  #", "121666  #", "06_tls.ipynb"
    ),
    "an authority that certifies any name": Broken(
        "tls/ca.py", "require_permitted(host, self._constraints)", "pass", "06_tls.ipynb"
    ),
    "another constant in the S-box": Broken(
        "textbook/primitives/aes.py", "& 0xFF ^ 0x63", "& 0xFF ^ 0x62", "01_aes.ipynb"
    ),
    "small exponents taken": Broken("rsa.py", "if not 65537 <= e", "if not 3 <= e", "02_rsa.ipynb"),
    "a signature's salt of another length": Broken(
        "rsa.py",
        "padding.PSS(padding.MGF1(SHA256()), 32)",
        "padding.PSS(padding.MGF1(SHA256()), 20)",
        "02_rsa.ipynb",
    ),
    "an overflow that nobody sees": Broken(
        "paillier/private.py", "if abs(encoded) > number.bound:", "if False:", "03_paillier.ipynb"
    ),
    "a forged share believed": Broken(
        "shamir.py", "if not (honest and agree)", "if not agree", "05_sharding.ipynb"
    ),
}
BROKEN = [pytest.param(broken, id=name) for name, broken in QUICK.items()]
BROKEN += [pytest.param(broken, id=name, marks=pytest.mark.slow) for name, broken in SLOW.items()]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and the notebooks, with a tiny notebook among them."""
    copy = tmp_path_factory.mktemp("copy")
    for folder in ("lepton_lab", "notebooks"):
        shutil.copytree(
            ROOT / folder,
            copy / folder,
            ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"),
        )
    shutil.copy(ROOT / "pyproject.toml", copy)
    run(tiny_notebook.write(copy / "notebooks" / TINY))
    return copy


def strict(project: Path, notebook: str) -> subprocess.CompletedProcess[str]:
    """Run one notebook strictly, with the copy's package and no compiled files."""
    environment = os.environ | {"PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--color=no",
        "-o",
        "addopts=",
        "-x",
        "--nbval",
    ]
    command += ["--nbval-sanitize-with", "notebooks/sanitize.cfg", f"notebooks/{notebook}"]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )


@contextmanager
def applied(project: Path, broken: Broken) -> Iterator[None]:
    """Break one line of the copy inside the block."""
    path = project / "lepton_lab" / broken.file
    whole = path.read_text()
    path.write_text(whole.replace(broken.old, broken.new, 1))
    try:
        yield
    finally:
        path.write_text(whole)


@pytest.mark.parametrize("broken", [*QUICK.values(), *SLOW.values()], ids=[*QUICK, *SLOW])
def test_every_line_to_break_is_there_once_and_so_is_its_notebook(broken: Broken) -> None:
    text = (ROOT / "lepton_lab" / broken.file).read_text()
    # In a data set the same digits may come again; the first ones are altered.
    assert text.count(broken.old) == 1 or (broken.file.endswith(".csv") and broken.old in text)
    assert broken.notebook == TINY or (ROOT / "notebooks" / broken.notebook).exists()


@pytest.mark.parametrize("notebook", [TINY, pytest.param(START, marks=pytest.mark.slow)])
def test_unbroken_the_copy_is_green(project: Path, notebook: str) -> None:
    result = strict(project, notebook)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("broken", BROKEN)
def test_with_one_line_broken_the_notebook_goes_red(project: Path, broken: Broken) -> None:
    with applied(project, broken):
        result = strict(project, broken.notebook)
    assert result.returncode == 1, result.stdout
    # It is red for what the line does, and not because the copy can no longer be imported.
    assert not re.search(
        r"SyntaxError|IndentationError|ImportError|ModuleNotFoundError", result.stdout
    )
    assert re.search(r"\d+ passed", result.stdout)
