"""A program, never imported: it waits until the Python that started it is gone, then ends what that one had started.

Its standard input is a pipe that nobody writes to. The kernel closes the other end when that Python ends, however it
ends, SIGKILL included. Then the private folder (the first argument) is removed and everything in this process's group
is killed, this process with it.
"""

import os
import shutil
import signal
import sys


def main() -> None:
    """Wait, clean up, and go."""
    for signal_number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    for _ in range(3):  # what still runs could put a file into a folder that is being emptied
        shutil.rmtree(sys.argv[1], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
