"""Opening the lab: JupyterLab answers at the address that it prints, with the first notebook, in copies of it."""

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

COMMAND = str(Path(sys.executable).with_name("lepton-lab"))


def status(address):
    for _ in range(100):  # the address is printed a moment before it answers
        try:
            with urllib.request.urlopen(address) as answer:
                return answer.status
        except OSError:
            time.sleep(0.1)
    return None


def test_jupyterlab_answers_with_the_first_notebook_also_when_the_port_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = subprocess.Popen(
            [COMMAND, "lab", "--no-browser", "--port", str(port)],
            cwd=tmp_path, env=os.environ | {"JUPYTER_RUNTIME_DIR": str(tmp_path)},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with process:
            try:
                address = next(
                    found[0] for line in process.stderr if (found := re.search(r"http://\S+token=\w+", line))
                )
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
        [COMMAND, "lab", "--no-browser"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
