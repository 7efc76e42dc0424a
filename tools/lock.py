"""`make lock`: resolve pyproject.toml into requirements.lock, for every platform and with hashes.

The lock names neither a host nor a path. The extra `test` includes all others but `peers`, some of
whose packages do not install everywhere.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = "--universal --python-version 3.11 --generate-hashes --no-header --extra test --upgrade"


def main() -> int:
    """Fetch uv, which resolves for all platforms at once, and let it write the lock."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "uv"]
        subprocess.run(pip, check=True)
        resolve = [f"{folder}/bin/uv", "pip", "compile", "--quiet", *OPTIONS.split()]
        resolve += ["pyproject.toml", "-o", "requirements.lock"]
        return subprocess.run(resolve, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
