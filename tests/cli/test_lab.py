"""Tests lepton_lab.lab: JupyterLab answers at the printed address, with copies of the notebooks.

Also what `lepton-lab exercises` refuses.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("lepton-lab"))


def status(address):
    for _ in range(100):  # the address is printed a moment before it answers
        try:
            with urllib.request.urlopen(address) as answer:
                return answer.status
        except OSError:
            time.sleep(0.1)
    return None


def printed_address(lines):
    for line in lines:
        found = re.search(r"http://\S+token=\w+", line)
        if found:
            return found[0]
    raise AssertionError("no address was printed")


def test_jupyterlab_answers_with_the_first_notebook_also_when_the_port_is_taken(tmp_path):
    # a file of the learner's, which JupyterLab would import if the current folder were searched
    (tmp_path / "random.py").write_text("raise SystemExit('random.py was run')")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = subprocess.Popen(
            [COMMAND, "lab", "--no-browser", "--port", str(port)],
            cwd=tmp_path, env=os.environ | {"JUPYTER_RUNTIME_DIR": str(tmp_path)},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with process:
            try:
                address = printed_address(process.stderr)
                assert status(address) == 200
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=30)
    assert "/lab/tree/00_start_here.ipynb" in address
    assert f":{port}/" not in address
    assert (tmp_path / "my" / "00_start_here.ipynb").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "my").write_text("a file where the folder should be")
    done = subprocess.run(
        [COMMAND, "lab", "--no-browser"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


HIDE_JUPYTER = """
import importlib.util, sys
found = importlib.util.find_spec
hidden = ("jupyterlab", "nbclient")
importlib.util.find_spec = lambda name, *rest: None if name in hidden else found(name, *rest)
from lepton_lab.cli import main
main()
"""
JUPYTER = 'pip install "lepton-lab[lab]"'
REFUSED = {  # what is typed: the beginning of the one line, and its end
    ("lab",): ("JupyterLab is not installed", JUPYTER),
    ("exercises", "a.ipynb"): ("running a notebook needs Jupyter", JUPYTER),
    ("lab", "--ip", "192.0.2.1"): (
        "192.0.2.1 is not an address of this machine",
        "use --ip 0.0.0.0 for all its addresses",
    ),
    ("lab", "--port", "65536"): ("Invalid value for '--port'", "see lepton-lab lab --help"),
    ("exercises", "missing.ipynb"): (
        "there is no notebook missing.ipynb",
        "`lepton-lab lab` makes copies in my/",
    ),
    ("exercises", "pipe"): ("pipe is not a notebook", "name a file, such as my/01_aes.ipynb"),
    ("exercises", "."): (". is not a notebook", "name a file, such as my/01_aes.ipynb"),
    ("exercises", "a\x1b[2J.ipynb"): (
        r"a\x1b[2J.ipynb",
        "rename the file without control characters first",
    ),
    ("exercises", "text.ipynb"): ("", "text.ipynb is not a notebook (nbformat 4)"),
}


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_what_cannot_be_opened_is_one_line_that_says_what_to_do(tmp_path, arguments):
    (tmp_path / "a.ipynb").write_text('{"nbformat": 4, "cells": []}')
    (tmp_path / "text.ipynb").write_text("no notebook")
    os.mkfifo(tmp_path / "pipe")
    begins, ends = REFUSED[arguments]
    command = [sys.executable, "-c", HIDE_JUPYTER] if ends == JUPYTER else [COMMAND]
    done = subprocess.run(
        [*command, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == (2 if "--help" in ends else 1)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"lepton-lab: {begins}")
    assert done.stderr.endswith(f"{ends}\n")
    assert "\x1b" not in done.stdout + done.stderr
    assert not (tmp_path / "my").exists()
