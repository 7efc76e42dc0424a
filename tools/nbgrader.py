"""`make nbgrader`: write the exercises as a course for nbgrader, one assignment per notebook.

The course is in build/nbgrader. nbgrader itself is not needed to write it. To make the edition
without solutions, in release/01_aes:

    cd build/nbgrader && nbgrader generate_assignment 01_aes
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from lepton_lab.workshop.nbgrader import source_edition

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT / "build" / "nbgrader"
CONFIG = '''\
"""nbgrader's settings for this course; see nbgrader.readthedocs.io."""

c = get_config()  # noqa: F821  # nbgrader provides it
c.CourseDirectory.course_id = "lepton_lab"
c.ClearSolutions.code_stub = {"python": "# put your answer where the ... stands"}
c.ExecutePreprocessor.timeout = 300
'''


def write_course(files: list[Path], course: Path = COURSE) -> int:
    """Write the settings, and an assignment for every notebook with exercises; return how many."""
    source = course / "source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    written = 0
    for path in files:
        edition = source_edition(json.loads(path.read_text(encoding="utf-8")))
        if any("nbgrader" in cell["metadata"] for cell in edition["cells"]):
            (source / path.stem).mkdir()
            text = json.dumps(edition, indent=1, ensure_ascii=False) + "\n"
            (source / path.stem / path.name).write_text(text, encoding="utf-8")
            written += 1
    return written


def main() -> int:
    """Write the course of all notebooks; return the exit status."""
    written = write_course(sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")))
    print(f"{written} assignments in {COURSE.relative_to(ROOT)}/source")
    return 0


if __name__ == "__main__":
    sys.exit(main())
