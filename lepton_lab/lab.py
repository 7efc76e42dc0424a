"""Opening the lab: copies of the notebooks that are the learner's own, and JupyterLab at the first of them."""

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
    _PACKAGE.parent / "notebooks",
    _PACKAGE / "notebooks",
)  # in a checkout; in an installed package
SETTINGS = _PACKAGE / "data" / "jupyter"
FIRST = "00_start_here.ipynb"
_GRADERS = [
    f"nbgrader.server_extensions.{name}"
    for name in ("formgrader", "validate_assignment", "assignment_list", "course_list")
]


def open_lab(
    folder: Path, *, ip: str, port: int, browser: bool, tell: Callable[[str], object]
) -> None:
    """Copy what is new of the notebooks into `folder`, never over an edited one, and become JupyterLab.

    Raises NotFound when JupyterLab or the notebooks are not there, InvalidParameter when this machine has no such
    address, OSError when the folder cannot be written.
    """
    if find_spec("jupyterlab") is None:
        raise NotFound('JupyterLab is not installed; pip install "lepton-lab[lab]"')
    _refuse_foreign(ip)
    copy_to(folder, tell)
    tell("Opening JupyterLab. Its address, with the key to it, stands below; Ctrl-C ends it.")
    if ip == "127.0.0.1" and "SSH_CONNECTION" in os.environ:
        tell(
            f"From your own machine, forward the port first:  ssh -L {port}:localhost:{port} <this machine>"
        )
    sys.stdout.flush()
    command = [sys.executable, "-m", "jupyterlab", *_options(folder, ip, port, browser)]
    os.execv(sys.executable, command)  # noqa: S606  # this process becomes JupyterLab, so that Ctrl-C reaches it


def copy_to(folder: Path, tell: Callable[[str], object]) -> None:
    """Copy what is new of the notebooks into `folder`, never over an edited one, and say what.

    Raises NotFound when the notebooks are not there, OSError when the folder cannot be written.
    """
    for copy in copy_notebooks(notebooks(), folder):
        tell(f"new in {folder}/: {copy.name}")


def notebooks() -> Path:
    """The folder of the notebooks: a checkout's own, or what an installed package carries. Raises NotFound."""
    found = next((place for place in _PLACES if (place / FIRST).is_file()), None)
    if found is None:
        raise NotFound(
            "the notebooks stand in the project's checkout; clone it, then run this in it"
        )
    return found


def _refuse_foreign(ip: str) -> None:
    """JupyterLab would end in a traceback."""
    try:
        family, *_, address = socket.getaddrinfo(ip, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.bind(address)
    except OSError:
        raise InvalidParameter(
            f"{ip} is no address of this machine; leave --ip out, or take 0.0.0.0 for all that it has"
        ) from None


def _options(folder: Path, ip: str, port: int, browser: bool) -> list[str]:
    options = [
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        f"--ServerApp.ip={ip}",
        f"--ServerApp.port={port}",
        "--LanguageServerManager.autodetect=False",
        f"--LabApp.app_settings_dir={SETTINGS}",  # no news, no updates: a lab asks nobody on the network
    ]
    if find_spec("nbgrader") is not None:  # a grader's desk is none of a learner's business
        options += [f"--ServerApp.jpserver_extensions={name}=False" for name in _GRADERS]
    if not browser:
        options.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # a container's user, mostly
        options.append("--allow-root")
    return options
