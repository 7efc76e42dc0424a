"""`make test`, `test-slow`, `test-all`, `lint`: run checks one after another and time each."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PY = sys.executable
LINT = {
    "style": [PY, "-m", "ruff", "check", "."],
    "layout": [PY, "-m", "ruff", "format", "--check", "."],
    "types": [PY, "-m", "mypy"],
    "notebooks' form": [PY, "-m", "tools.notebooks", "lint"],
}
PYTEST = [PY, "-m", "pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "tests"]
NOTEBOOKS = {"notebooks, strict": [PY, "-m", "tools.notebooks", "check"]}
# The tests come last, because they end with the list of what was skipped. "quick" and "slow" run
# no test twice, and together they are "all".
PLANS = {
    "lint": LINT,
    "quick": LINT | NOTEBOOKS | {"tests": [*PYTEST, "-m", "not slow"]},
    "slow": {"slow tests": [*PYTEST, "-m", "slow"]},
    "all": LINT | NOTEBOOKS | {"tests": PYTEST},
}


def main(plan: str) -> int:
    """Run every check of a plan, also after one has failed; return 0 only when all hold."""
    outcome = {}
    for name, command in PLANS[plan].items():
        print(f"\n=== {name}", flush=True)
        start = time.perf_counter()
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        outcome[name] = (status, time.perf_counter() - start)
    print("\n=== summary")
    for name, (status, seconds) in outcome.items():
        print(f"{'held  ' if status == 0 else 'FAILED'}  {name:<18} {seconds:6.1f} s")
    return int(any(status for status, _ in outcome.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "quick"))
