"""Drive JupyterLab in a browser, as a learner has it: open notebooks and run their cells."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

SETTINGS = Path(__file__).resolve().parents[2] / "lepton_lab" / "data" / "jupyter"
_EVERY_CELL_DRAWN = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}
_MINUTES = 60_000  # one minute in milliseconds

# The driver never awaits a promise of the page: such a call may outlive the page and hang the
# driver. _START lets its promise go and notes the end in `window.ran`.
_READY = """() => { const w = window.jupyterapp?.shell.currentWidget;
  const kernel = w?.sessionContext?.session?.kernel;
  return w?.sessionContext?.isReady && kernel?.connectionStatus === 'connected' }"""
_START = """() => { const app = window.jupyterapp, w = app.shell.currentWidget; window.ran = 'busy';
  (async () => { await w.context.ready; await w.sessionContext.ready;
    await app.commands.execute('notebook:clear-all-cell-outputs');
    await w.sessionContext.session.kernel.requestExecute({code: 'pass', silent: true}).done;
    await app.commands.execute('notebook:run-all-cells'); window.ran = 'done' }
  )().catch(e => { window.ran = 'error ' + e }) }"""
_DONE = """() => window.ran !== 'busy'
  && window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"""
_OUTCOME = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  const found = [];
  for (let i = 0; i < cells.length; i++) { const c = cells.get(i);
    if (c.type !== 'code' || !c.sharedModel.source.trim()) continue;
    if (c.executionCount == null) found.push(`cell ${i} was not run`);
    for (let j = 0; j < c.outputs.length; j++) { const o = c.outputs.get(j).toJSON();
      if (o.output_type === 'error') found.push(`cell ${i}: ${o.ename}: ${o.evalue}`);
      if (o.output_type === 'stream' && o.name === 'stderr') found.push(`cell ${i}: ${o.text}`) } }
  return found }"""


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run JupyterLab on the notebooks in `folder`; give its address, with its token."""
    settings = folder.parent / "settings"
    shutil.copytree(SETTINGS, settings)
    overrides = json.loads((settings / "overrides.json").read_text()) | _EVERY_CELL_DRAWN
    (settings / "overrides.json").write_text(json.dumps(overrides))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.port=0", f"--ServerApp.root_dir={folder}"]
    command += [f"--LabApp.app_settings_dir={settings}", "--LabApp.expose_app_in_browser=True"]
    command += ["--LanguageServerManager.autodetect=False"]
    # Folders of its own, so that the user's settings and history play no part.
    own = ["JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"]
    own += ["JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR"]
    environment = os.environ | {name: str(folder.parent / name.lower()) for name in own}
    log = folder.parent / "jupyterlab.log"
    with log.open("w") as sink:
        server = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink)
    try:
        yield _address(log, server)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def _address(log: Path, server: subprocess.Popen[bytes]) -> str:
    """Wait for up to a minute until the log has the address. Raises RuntimeError without one."""
    for _ in range(300):
        found = re.search(r"http://127\.0\.0\.1:\d+/\S*token=\w+", log.read_text())
        if found:
            return found[0]
        try:
            server.wait(0.2)
        except subprocess.TimeoutExpired:
            continue  # it still runs
        break  # it has ended
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


def open_notebook(page: Page, address: str, name: str) -> None:
    """Open a notebook and wait until its kernel is connected."""
    base, _, token = address.partition("/lab")
    page.goto(f"{base}/lab/tree/{name}{token[token.index('?') :]}&reset")
    page.wait_for_function(_READY, timeout=_MINUTES)


def run_all(page: Page) -> list[str]:
    """Run every cell from top to bottom; list what went wrong, one line each."""
    page.evaluate(_START)
    page.wait_for_function(_DONE, timeout=3 * _MINUTES)
    found: list[str] = page.evaluate(_OUTCOME)
    said: Any = page.evaluate("window.ran")
    return found if said == "done" else [*found, str(said)]
