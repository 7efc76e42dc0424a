"""`make bundle`: put the project and every wheel that it needs into build/bundle/lepton_lab.

Carry that folder to a machine without a network. There, `make lab OFFLINE=1` (or `make test
OFFLINE=1`) sets up from its wheelhouse. A wheelhouse serves the system and the version of Python
that it was made with; to make one for another system or version, give pip's own options:

    python -m tools.bundle --platform win_amd64 --python-version 3.12
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUNDLE = ROOT / "build" / "bundle" / "lepton_lab"
LOCKS = (ROOT / "requirements.lock", ROOT / "tools" / "builders.lock")


def carry_project(target: Path) -> None:
    """Unpack the source distribution into `target`, without its outer folder."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist"]
        build += ["--directory", folder]
        subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        unpacked = next(path for path in Path(folder).iterdir() if path.is_dir())
        shutil.copytree(unpacked, target, dirs_exist_ok=True)


def fetch_wheels(target: Path, options: list[str], locks: Iterable[Path] = LOCKS) -> None:
    """Download the files that the locks name into `target` and check their hashes.

    options: pip's own, to download for another system or version of Python than this one.
    Raises CalledProcessError when pip cannot get a file, or its hash is another.
    """
    target.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pip += ["--dest", str(target), *options]
    if options:  # pip builds packages for this machine only, so all must be wheels
        pip.append("--only-binary=:all:")
    for lock in locks:  # --no-deps: the locks name every package, nothing else is looked up
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", str(lock)], check=True)


def main(arguments: list[str] | None = None) -> int:
    """Write the bundle; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.bundle", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--platform", help="as pip takes it: win_amd64, macosx_11_0_arm64, manylinux_2_28_x86_64"
    )
    parser.add_argument("--python-version", help="of the other machine: 3.11, 3.12, …")
    given = parser.parse_args(arguments)
    options = []
    for name, value in vars(given).items():
        if value:
            options.append(f"--{name.replace('_', '-')}={value}")
    shutil.rmtree(BUNDLE, ignore_errors=True)
    carry_project(BUNDLE)
    fetch_wheels(BUNDLE / "wheelhouse", options)
    size = sum(path.stat().st_size for path in BUNDLE.rglob("*") if path.is_file()) / 2**20
    print(f"{BUNDLE.relative_to(ROOT)}: {size:,.0f} MiB. Copy it, then run: make lab OFFLINE=1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
