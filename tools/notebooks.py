"""Commands for notebooks: `python -m tools.notebooks run|check|lint|student [files]`.

run      run them and write them back normalised; a second run leaves no difference
check    run them and compare all their outputs with the committed ones (nbval)
lint     check the rules of form
student  write the students' edition, without solutions, to build/student

Without files, all of `notebooks/`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lepton_lab.workshop.copies import student_edition
from tools.notebook_lint import IGNORED, faults
from tools.notebook_run import NotebookFailed, run

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
STUDENT = ROOT / "build" / "student"


def run_all(files: list[Path]) -> int:
    """Run every notebook, also after one has failed; a file that fails stays as it was."""
    failed = 0
    for path in files:
        try:
            changed = run(path)
        except NotebookFailed as error:
            failed += 1
            print(error, file=sys.stderr)
        else:
            print(f"{path.name}: {'written' if changed else 'unchanged'}", flush=True)
    return int(failed > 0)


def check_all(files: list[Path]) -> int:
    """Run the notebooks under nbval, with the guards of notebooks/conftest.py."""
    if not files:  # pytest without a file would run something else
        print("there is no notebook to check")
        return 0
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    command += ["--nbval", "--nbval-sanitize-with", str(FOLDER / "sanitize.cfg")]
    if len(files) > 1:
        command += ["-n", "2", "--dist", "loadfile"]  # the cells of one notebook stay together
    if not all(path.resolve().is_relative_to(FOLDER) for path in files):
        # pytest finds the guards by itself only for files in notebooks/
        command += ["-p", "notebooks.conftest"]
    command += [str(path) for path in files]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def lint_all(files: list[Path]) -> int:
    """Print every fault of form."""
    found = [fault for path in files for fault in faults(path)]
    absent = set(json.loads(IGNORED.read_text())) - {path.name for path in FOLDER.glob("*.ipynb")}
    found += [f"{IGNORED.name} names {name}, which is not there" for name in sorted(absent)]
    print("\n".join(found) or f"{len(files)} notebooks are in form")
    return int(bool(found))


def write_student_edition(files: list[Path]) -> int:
    """Write each notebook without its solutions, and the pages that they link to."""
    STUDENT.mkdir(parents=True, exist_ok=True)
    for path in files:
        edition = student_edition(json.loads(path.read_text()))
        text = json.dumps(edition, indent=1, ensure_ascii=False) + "\n"
        (STUDENT / path.name).write_text(text)
    for page in FOLDER.glob("*.md"):
        (STUDENT / page.name).write_bytes(page.read_bytes())
    print(f"{len(files)} notebooks in {STUDENT.relative_to(ROOT)}")
    return 0


COMMANDS: dict[str, Callable[[list[Path]], int]] = {
    "run": run_all,
    "check": check_all,
    "lint": lint_all,
    "student": write_student_edition,
}


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and do what it says; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.notebooks", description=__doc__.splitlines()[0]
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "files", nargs="*", type=Path, help="notebooks; all of notebooks/ by default"
    )
    given = parser.parse_args(arguments)
    files = [path.resolve() for path in given.files] or sorted(FOLDER.glob("*.ipynb"))
    return COMMANDS[given.command](files)


if __name__ == "__main__":
    sys.exit(main())
