"""A browser for the tests of this folder: the system's Chromium, cut off from other machines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.pages import Watched

ROOT = Path(__file__).resolve().parent.parent.parent
FLAGS = [
    "--no-sandbox",  # the user is root in a container
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # names of other machines do not resolve, as without a network
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
MAKE_SYSTEM = "optional peer: Chromium, which shows the pages; `make system` installs it"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder as slow."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the whole run; a run under LEPTON_LAB_STRICT fails without it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        if os.environ.get("LEPTON_LAB_STRICT"):
            pytest.fail(MAKE_SYSTEM)
        pytest.skip(MAKE_SYSTEM)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A new page whose requests and console are recorded."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, color_scheme="light")
    context.set_default_timeout(30_000)
    yield Watched(context.new_page())
    context.close()


@pytest.fixture(scope="session")
def built() -> dict[str, Path]:
    """The folders of the built sites by name; a site is built when it is first asked for."""
    return Sites()


class Sites(dict[str, Path]):
    """`sites["book"]` is the folder of the book, built as `make book` builds it.

    A site is built once, even if that fails: then every test that asks for it fails.
    """

    def __init__(self) -> None:
        super().__init__()
        self._failed: dict[str, str] = {}

    def __missing__(self, name: str) -> Path:
        if name not in self._failed:
            command = [sys.executable, "-m", f"tools.{name}"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            self._failed[name] = done.stdout + done.stderr if done.returncode else ""
        if self._failed[name]:
            pytest.fail(self._failed[name], pytrace=False)
        self[name] = ROOT / "build" / name
        return self[name]
