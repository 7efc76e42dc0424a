"""A program, never imported by tests: it loads the command line once, then forks for each command.

Each line of its standard input is a command in JSON: arguments, environment, folder, and the files
for standard input, output and error. It answers with the exit status. A command is a process of its
own, as a user's is, with everything but the loading.
"""

from __future__ import annotations

import json
import os
import sys
from typing import NoReturn

from lepton_lab import chaos, sharding  # noqa: F401  # loaded once, here
from lepton_lab.cli import app, daemon, main, receipts  # noqa: F401


def become(task: dict) -> NoReturn:
    os.chdir(task["folder"])
    os.environ.clear()
    os.environ.update(task["environment"])
    modes = (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)
    for number, (path, flags) in enumerate(zip(task["files"], modes, strict=True)):
        os.dup2(os.open(path, flags), number)
    sys.argv = ["lepton-lab", *task["arguments"]]
    status = 70
    try:
        main()
    except SystemExit as ended:
        status = ended.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


for line in sys.stdin:
    child = os.fork() or become(json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
