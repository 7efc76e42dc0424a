"""Opening the lab: copies of the notebooks that are the learner's own, and JupyterLab at the first of them."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from lepton_lab.errors import NotFound
from lepton_lab.workshop.copies import copy_notebooks

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
SETTINGS = Path(__file__).resolve().parent / "data" / "jupyter"
FIRST = "00_start_here.ipynb"


def open_lab(folder: Path, *, ip: str, port: int, browser: bool, console: Console) -> None:
    """Copy what is new of the notebooks into `folder`, never over an edited one, and become JupyterLab.

    Raises NotFound when JupyterLab or the notebooks are not there, OSError when the folder cannot be written.
    """
    if find_spec("jupyterlab") is None:
        raise NotFound('JupyterLab is not installed; pip install "lepton-lab[lab]"')
    if not NOTEBOOKS.is_dir():
        raise NotFound("the notebooks stand in the project's checkout; clone it, then run this in it")
    for copy in copy_notebooks(NOTEBOOKS, folder):
        console.print(f"new in {folder}/: {copy.name}")
    console.print("Opening JupyterLab. Its address, with the key to it, stands below; Ctrl-C ends it.")
    if ip == "127.0.0.1" and "SSH_CONNECTION" in os.environ:
        console.print(f"From your own machine, forward the port first:  ssh -L {port}:localhost:{port} <this machine>")
    sys.stdout.flush()
    command = [sys.executable, "-m", "jupyterlab", *_options(folder, ip, port, browser)]
    os.execv(sys.executable, command)  # noqa: S606  # this process becomes JupyterLab, so that Ctrl-C reaches it


def _options(folder: Path, ip: str, port: int, browser: bool) -> list[str]:
    options = [
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        f"--ServerApp.ip={ip}",
        f"--ServerApp.port={port}",
        "--LanguageServerManager.autodetect=False",
        f"--LabApp.app_settings_dir={SETTINGS}",  # no news, no updates: a lab asks nobody on the network
    ]
    if not browser:
        options.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # a container's user, mostly
        options.append("--allow-root")
    return options
