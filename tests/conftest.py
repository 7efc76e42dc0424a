"""What all tests share: a hypothesis profile, counts of published vectors, and a list of skips."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.rings import ring, ring_path, stretched_once  # noqa: F401  # fixtures

settings.register_profile(
    "lab",
    deadline=None,  # a busy machine may pause a test at any time
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("lab")

# Tests started in the background, or by nohup, ignore SIGINT or SIGHUP, and the programs that they
# start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# With LEPTON_LAB_STRICT=1, as in .ci/run, a test may be skipped for these reasons only.
# `make system` installs what every other test needs.
MAY_SKIP = re.compile(r"^(only on Windows|optional peer)")

EVIDENCE = Path(__file__).parent.parent / "lepton_lab" / "data" / "evidence.json"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files with slow tests first, so that both workers are busy to the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: not slow[item.path])


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Report how many cases of a published set were run, how many were left out, and why.

    The counts must be the committed ones. LEPTON_LAB_COUNTING names the file into which
    tools/evidence.py has new counts written.
    """
    counting = "LEPTON_LAB_COUNTING" in os.environ
    committed = {} if counting else json.loads(EVIDENCE.read_text())["vectors"]

    def count(vectors: str, run: int, left_out: int = 0, why: str = "") -> None:
        found = {"run": run, "left out": left_out, "why": why}
        record_property("vectors", (vectors, found))
        assert counting or committed.get(vectors) == found, (
            "the evidence has changed: run `make evidence`"
        )

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with the published vectors that were run, and with what was skipped and why."""
    vectors = []
    for report in terminalreporter.stats.get("passed", []):
        if report.when == "call":
            vectors += [value for name, value in report.user_properties if name == "vectors"]
    if counts := os.environ.get("LEPTON_LAB_COUNTING"):
        Path(counts).write_text(json.dumps(dict(sorted(vectors))))
    if vectors:
        terminalreporter.section("published vectors that were run and held")
        for name, found in sorted(vectors):
            left_out = ""
            if found["left out"]:
                left_out = f", {found['left out']} left out: {found['why']}"
            terminalreporter.line(f"{found['run']:5d}  {name}{left_out}")
        terminalreporter.line(f"{sum(found['run'] for _, found in vectors):5d}  in all")
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = _reason(report)
        reasons[reason] = reasons.get(reason, 0) + 1
    terminalreporter.section("skipped, and how to enable it")
    for reason, count in sorted(reasons.items()):
        verdict = "" if _may_skip(reason) else "  [required: this run has failed]"
        terminalreporter.line(f"{count:4d}  {reason}{verdict}")
    if not reasons:
        terminalreporter.line("nothing was skipped")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run under LEPTON_LAB_STRICT if a test was skipped that may not be."""
    if hasattr(session.config, "workerinput"):
        return  # a worker of xdist; the main process sees every report
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not all(_may_skip(_reason(report)) for report in reporter.stats.get("skipped", [])):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _may_skip(reason: str) -> bool:
    return not os.environ.get("LEPTON_LAB_STRICT") or bool(MAY_SKIP.match(reason))


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
