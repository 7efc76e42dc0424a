"""The terminal's door: `lepton-lab demo`, `nodes up`, `put`, `get` and the rest, each with an example in its --help.

`door.py` opens it; the commands are declared there, in `objects.py` and in `nodes.py`, thinly. What one does stands in
the file that it imports when it is run (`storing.py`, `keeping.py`, …), so that `--help` loads no helper.
"""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line. Until it is loaded there is nothing to undo, and Ctrl-C ends it as it ends any program."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from lepton_lab.cli.main import run  # noqa: PLC0415  # it takes a moment, in which Python would print a traceback

    run()
