"""Resolve pyproject.toml into requirements.lock: for every platform, by hash, with no host and no
path in it.

The extra `test` takes in all others but `peers`, of which not everything installs everywhere.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = "--universal --python-version 3.11 --generate-hashes --no-header --extra test --upgrade"


def main() -> int:
    """Resolve with uv, which does it for all platforms at once; it is fetched for this and not
    kept.
    """
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "uv"]
        subprocess.run(pip, check=True)
        compile_ = [
            f"{folder}/bin/uv",
            "pip",
            "compile",
            "--quiet",
            *OPTIONS.split(),
            "pyproject.toml",
        ]
        return subprocess.run(
            [*compile_, "-o", "requirements.lock"], cwd=ROOT, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
