"""Resolve pyproject.toml into requirements.lock: every platform, every package by its hash, no host and no path in it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = "--universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --all-extras --upgrade"


def main() -> int:
    """uv resolves for all platforms at once, which pip cannot; it is fetched for this and not kept."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "uv"]
        subprocess.run(pip, check=True)
        compile_ = [f"{folder}/bin/uv", "pip", "compile", "--quiet", *OPTIONS.split(), "pyproject.toml"]
        return subprocess.run([*compile_, "-o", "requirements.lock"], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
