"""`make fuzz`: run atheris on every target in turn.

    python -m tests.fuzz.run [--seconds 60] [target …]

Inputs that break a target are kept in corpus/, and tests/helpers/test_fuzz.py replays them.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def fuzz_one(name: str, seconds: int, folder: str) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["lepton_lab"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    for number, seed in enumerate(target.seeds()):
        Path(folder, f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=512"]
    options += [f"-artifact_prefix={folder}/found-", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([name, *options, folder], target)
    atheris.Fuzz()


def main() -> int:
    """Fuzz the targets named on the command line, or all; return 0 only if nothing was found."""
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
            command = [sys.executable, "-m", "tests.fuzz.run", name]
            command += ["--seconds", str(asked.seconds), "--one", folder]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", ran.stderr)
            found = sorted(Path(folder).glob("found-*"))
            print(f"{name}: {runs[1] if runs else '?'} inputs, {len(found)} found", flush=True)
            for case in found:
                content = case.read_bytes()
                place = CORPUS / re.sub(r"\W+", "-", name).lower()
                place.mkdir(parents=True, exist_ok=True)
                kept = place / hashlib.sha256(content).hexdigest()[:16]
                kept.write_bytes(content)
                print(f"  kept as {kept}")
            if found or ran.returncode:
                failed += 1
                print(ran.stderr[-2000:])
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
