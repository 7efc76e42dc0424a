"""`make fuzz`: atheris on every target in turn.

What it finds is kept in corpus/ and replayed by helpers/test_fuzz.py.

python -m tests.fuzz.run [--seconds 60] [target …]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def fuzz_one(name: str, seconds: int, folder: str) -> None:
    """In a process of its own: libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["lepton_lab"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    for number, seed in enumerate(target.seeds()):
        Path(folder, f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        "-timeout=20",
        "-rss_limit_mb=512",
        f"-artifact_prefix={folder}/found-",
    ]
    atheris.Setup([name, *options, "-print_final_stats=1", "-verbosity=0", folder], target)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--one", metavar="FOLDER", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        fuzz_one(asked.targets[0], asked.seconds, asked.one)
    from tests.fuzz.targets import TARGETS

    failed = 0
    for name in asked.targets or TARGETS:
        with tempfile.TemporaryDirectory(prefix="lepton-lab-fuzz-") as folder:
            command = [
                sys.executable,
                "-m",
                "tests.fuzz.run",
                name,
                "--seconds",
                str(asked.seconds),
                "--one",
                folder,
            ]
            ran = subprocess.run(
                command, env=os.environ, capture_output=True, text=True, check=False
            )
            runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", ran.stderr)
            found = sorted(Path(folder).glob("found-*"))
            print(f"{name}: {runs[1] if runs else '?'} inputs, {len(found)} found", flush=True)
            for case in found:
                kept = (
                    CORPUS
                    / re.sub(r"\W+", "-", name).lower()
                    / hashlib.sha256(case.read_bytes()).hexdigest()[:16]
                )
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(case.read_bytes())
                print(f"  kept as {kept}")
            if found or ran.returncode:
                failed += 1
                print(ran.stderr[-2000:])
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
