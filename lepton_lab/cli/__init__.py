"""The command line `lepton-lab`: `demo`, `lab`, `nodes up`, `put`, `get` and the others.

`app.py` is the program; `objects.py` and `nodes.py` hold most commands; `session.py` opens what
they work with; `daemon.py` keeps redis-servers running between commands; `receipts.py` remembers
the newest versions; `output.py` prints.
"""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line and exit with its status.

    Loading it takes a moment, in which Ctrl-C would make Python print a traceback. Nothing has to
    be undone yet, so until then Ctrl-C ends the process as it ends any program.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from lepton_lab.cli.app import run  # noqa: PLC0415  # see above

    run()
