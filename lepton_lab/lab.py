"""Opens the lab: copies the notebooks for the learner to change, and starts JupyterLab."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from lepton_lab.errors import InvalidParameter, NotFound
from lepton_lab.workshop.copies import copy_notebooks

_PACKAGE = Path(__file__).resolve().parent
_PLACES = (
    _PACKAGE.parent / "notebooks",  # in a checkout
    _PACKAGE / "notebooks",  # in an installed package
)
SETTINGS = _PACKAGE / "data" / "jupyter"  # they switch off news and updates from the network
FIRST = "00_start_here.ipynb"
_NBGRADER = [
    f"nbgrader.server_extensions.{name}"
    for name in ("formgrader", "validate_assignment", "assignment_list", "course_list")
]


def open_lab(
    folder: Path, *, ip: str, port: int, browser: bool, tell: Callable[[str], object]
) -> None:
    """Copy new notebooks into `folder`, never over an edited one, and become JupyterLab.

    ip, port: where it listens. browser: whether it opens one. tell: called with lines to print.
    Raises NotFound when JupyterLab or the notebooks are missing, InvalidParameter when `ip` is not
    an address of this machine, OSError when the folder cannot be written.
    """
    if find_spec("jupyterlab") is None:
        raise NotFound('JupyterLab is not installed; pip install "lepton-lab[lab]"')
    _refuse_foreign(ip)
    copy_to(folder, tell)
    tell("Opening JupyterLab. Its address with the access token follows; Ctrl-C stops it.")
    if ip == "127.0.0.1" and "SSH_CONNECTION" in os.environ:
        forward = f"ssh -L {port}:localhost:{port} <this machine>"
        tell(f"From your own machine, forward the port first:  {forward}")
    sys.stdout.flush()
    # -P: a file such as random.py in the current folder is not taken for a module
    command = [sys.executable, "-P", "-m", "jupyterlab", *_options(folder, ip, port, browser)]
    # This process becomes JupyterLab, so that Ctrl-C reaches it.
    os.execv(sys.executable, command)  # noqa: S606


def copy_to(folder: Path, tell: Callable[[str], object]) -> None:
    """Copy new notebooks into `folder`, never over an edited one, and say which were copied.

    Raises NotFound when the notebooks are missing, OSError when the folder cannot be written.
    """
    for copy in copy_notebooks(notebooks(), folder):
        tell(f"new in {folder}/: {copy.name}")


def notebooks() -> Path:
    """The folder of the notebooks, in the checkout or in the installed package.

    Raises NotFound when there is none.
    """
    for place in _PLACES:
        if (place / FIRST).is_file():
            return place
    raise NotFound(
        "the notebooks are in the project's checkout; clone it and run the command there"
    )


def _refuse_foreign(ip: str) -> None:
    """Raise InvalidParameter unless `ip` is an address of this machine: JupyterLab would crash."""
    try:
        family, *_, address = socket.getaddrinfo(ip, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.bind(address)
    except OSError:
        raise InvalidParameter(
            f"{ip} is not an address of this machine; leave --ip out, "
            "or use --ip 0.0.0.0 for all its addresses"
        ) from None


def _options(folder: Path, ip: str, port: int, browser: bool) -> list[str]:
    options = [
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        f"--ServerApp.ip={ip}",
        f"--ServerApp.port={port}",
        "--LanguageServerManager.autodetect=False",
        f"--LabApp.app_settings_dir={SETTINGS}",
    ]
    # nbgrader's extensions are for teachers; a learner's JupyterLab does not show them
    if find_spec("nbgrader") is not None:
        options += [f"--ServerApp.jpserver_extensions={name}=False" for name in _NBGRADER]
    if not browser:
        options.append("--no-browser")
    # JupyterLab refuses to run as root without this option; in a container root is usual
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")
    return options
