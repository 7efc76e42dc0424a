"""Write a sheet of tasks for every learner of a course, with keys, texts and data of its own.

    python -m tools.instances --seed course.seed --learners ids.txt [--to build/instances]

The seed is made when its file is not there. Keep it secret: it makes the same sheets again, and
anyone who has it can compute every answer.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

from lepton_lab.files import write_atomically
from lepton_lab.workshop.sheets import make_sheet

SHEETS = Path(__file__).resolve().parent.parent / "build" / "instances"


def seed_in(path: Path) -> bytes:
    """Return the seed that a file holds in hexadecimal.

    Where there is no such file, a new seed is written to it, readable by its owner alone.
    """
    if not path.exists():
        write_atomically(path, secrets.token_hex(32).encode() + b"\n", mode=0o600)
    return bytes.fromhex(path.read_text(encoding="ascii"))


def main(arguments: list[str] | None = None) -> int:
    """Write the sheets; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.instances", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--seed",
        type=Path,
        required=True,
        help="the course's seed, a file that you keep to yourself",
    )
    parser.add_argument(
        "--learners", type=Path, required=True, help="a file with an id in each line"
    )
    parser.add_argument("--to", type=Path, default=SHEETS, help="the folder for the sheets")
    given = parser.parse_args(arguments)
    seed = seed_in(given.seed)
    learners = given.learners.read_text(encoding="utf-8").split()
    given.to.mkdir(parents=True, exist_ok=True)
    for learner in learners:
        sheet = make_sheet(seed, learner)
        (given.to / f"{learner}.json").write_text(sheet.to_json(), encoding="utf-8")
    print(f"{len(learners)} sheets in {given.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
