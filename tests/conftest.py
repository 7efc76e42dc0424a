"""What all tests share: a bounded hypothesis profile, and the list of what was skipped and how to enable it."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "lab",
    deadline=None,  # a shared machine pauses when it likes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("lab")

# On a machine that has run `make system`, nothing may be skipped but for these reasons. Set LEPTON_LAB_STRICT=1.
MAY_SKIP = re.compile(r"^(only on Windows|optional peer)")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with what was skipped: every reason says how to enable it."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = _reason(report)
        reasons[reason] = reasons.get(reason, 0) + 1
    terminalreporter.section("skipped, and how to enable it")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count:4d}  {reason}")
    if not reasons:
        terminalreporter.line("nothing was skipped")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under LEPTON_LAB_STRICT a skip that is not on the list is a failure."""
    if not os.environ.get("LEPTON_LAB_STRICT") or hasattr(session.config, "workerinput"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    unexpected = {_reason(report) for report in reporter.stats.get("skipped", [])}
    if any(not MAY_SKIP.match(reason) for reason in unexpected):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
